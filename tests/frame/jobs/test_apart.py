"""Work in child processes: what goes in and comes out, what a child can see, and that it is not believed."""

import json
import math
import os
import pickle
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fairway.frame.jobs.apart import (
    MIB,
    Broken,
    Raised,
    apart,
    apart_reading,
)
from frame.jobs import deeds

pytestmark = pytest.mark.usefixtures("no_child_left")

PLAIN = {"a": [1, -2.5, True, None, "é\ud800\0"], "": {"b": []}}


# -- what goes in and comes out


FIT = [b"", b"\x00\xff\n{}", None, 0, 10**40, "", [], PLAIN, [[[PLAIN]]]]


@pytest.mark.parametrize("value", FIT, ids=range(len(FIT)))
async def test_a_value_arrives_as_it_was(value: Any) -> None:
    answer = await apart(deeds.echo, value)
    assert answer == value
    assert type(answer) is type(value)


async def test_several_values_arrive_as_they_were() -> None:
    assert await apart(deeds.echo, b"\n", PLAIN, b"") == (b"\n", PLAIN, b"")
    assert await apart(deeds.echo) == ()


async def test_much_goes_in_and_out() -> None:
    much = os.urandom(50 * MIB)
    assert await apart(deeds.echo, much, answer=51 * MIB) == much


UNFIT = {
    "a tuple": (1,),
    "pairs": [(1, 2)],
    "a key that is no str": {1: 2},
    "not a number": math.nan,
    "infinity": math.inf,
    "a set": {1},
    "an object": object(),
    "bytes that change": bytearray(b"x"),
    "bytes inside": [b"x"],
    "many digits": 10**5000,
}


@pytest.mark.parametrize("value", UNFIT.values(), ids=UNFIT)
async def test_what_would_not_arrive_as_it_was_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="only bytes, or what JSON gives back"):
        await apart(deeds.echo, value)


async def test_what_a_child_cannot_import_is_refused() -> None:
    def local() -> None:
        return None

    for function in (local, lambda: None, "x".upper, partial(deeds.echo, 1)):
        with pytest.raises(TypeError, match="no function of a module"):
            await apart(function)


@pytest.mark.parametrize("kind", ["set", "pairs", "numbered", "long"])
async def test_an_answer_that_would_not_arrive_as_it_was_is_an_error(kind: str) -> None:
    with pytest.raises(Raised) as raised:
        await apart(deeds.unanswerable, kind)
    assert raised.value.kind == "TypeError"


async def test_a_stream_is_read_as_a_file_while_the_child_talks() -> None:
    async def stream() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield bytes(100_000)

    assert await apart_reading(stream(), deeds.tally, "word") == ["word", 10_000_000]


async def test_a_stream_need_not_be_read_to_its_end() -> None:
    async def stream() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1_000_000

    endless = stream()
    assert await apart_reading(endless, deeds.first, 3) == b"xxx"
    await endless.aclose()  # type: ignore[attr-defined]


async def test_a_stream_that_fails_ends_the_child_and_is_the_error() -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield b"begun"
        raise ConnectionResetError("the other registry is gone")

    with pytest.raises(ConnectionResetError, match="other registry"):
        await apart_reading(stream(), deeds.tally, "")


async def test_the_child_knows_nothing_and_may_do_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRWAY_SECRET_KEY", "hush")
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    seen = await apart(deeds.about_itself, memory=128 * MIB)
    os.close(reading)
    os.close(writing)
    assert seen["environment"] == ""
    assert seen["folder"] == "/"
    assert len(seen["descriptors"]) == 4
    assert all(each.startswith("socket:") for each in seen["descriptors"])
    assert seen["session"]
    assert seen["nice"] == min(os.nice(0) + 10, 19)
    assert (seen["core"], seen["memory"]) == ([0, 0], [128 * MIB] * 2)
    assert seen["files"] <= 32


async def test_the_child_loads_nothing_but_what_it_is_for() -> None:
    loaded = (await apart(deeds.about_itself))["modules"]
    assert not [name for name in loaded if name.split(".")[0] in {"fairway", "asyncio", "sqlalchemy", "site"}]


async def test_the_child_writes_no_files(tmp_path: Path) -> None:
    with pytest.raises(Raised):
        await apart(deeds.write_a_file, str(tmp_path / "x"))
    assert (tmp_path / "x").stat().st_size == 0


# -- what it says is not believed


async def test_what_is_printed_is_no_answer() -> None:
    assert await apart(deeds.shout, 20_000) == "calm"


SPRUNG: list[str] = []


def spring(how: str) -> None:
    SPRUNG.append(how)


class Trap:
    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return spring, ("unpickled",)


def said(line: object, rest: bytes = b"") -> bytes:
    return json.dumps(line).encode() + b"\n" + rest


FORGED = {
    "a pickle": pickle.dumps(Trap()),
    "a pickle in a part": said({"answer": [["data", 99]]}, pickle.dumps(Trap()).ljust(99)),
    "nothing": b"",
    "no line": b"{" * 100_000,
    "depth": said({"answer": [["data", 50_000]]}, b"[" * 50_000),
    "no object": said([1]),
    "no parts": said({}),
    "no parts, none needed": said({"answer": []}),
    "too short": said({"answer": [["bytes", 10]]}, b"x"),
    "too long": said({"answer": [["bytes", 1]]}, b"xx"),
    "less than nothing": said({"answer": [["bytes", -1]]}, b"x"),
    "no size": said({"answer": [["bytes", "1"]]}, b"x"),
    "no pairs": said({"answer": 7}),
    "not a number": said({"answer": [["data", 3]]}, b"NaN"),
    "an endless number": said({"answer": [["data", 5]]}, b"1e999"),
    "a number of many digits": said({"answer": [["data", 9_999]]}, b"1" * 9_999),
    "other letters": said({"answer": [["data", 4]]}, '"é"'.encode()),
}


def test_the_trap_would_spring() -> None:
    pickle.loads(FORGED["a pickle"])
    assert SPRUNG.pop() == "unpickled"


@pytest.mark.parametrize("answer", FORGED.values(), ids=FORGED)
async def test_an_answer_that_is_none(answer: bytes) -> None:
    with pytest.raises(Broken, match="exit status 0"):
        await apart(deeds.forge, answer)
    assert not SPRUNG


async def test_an_error_that_is_made_up() -> None:
    with pytest.raises(Raised) as raised:
        await apart(deeds.forge, said({"error": ["x\n" * 2_000], "message": {"a": "\x00" * 2_000}}))
    assert len(raised.value.message) < 2_000
    assert raised.value.message.isprintable()
