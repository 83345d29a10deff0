"""What computes for long, in a child process: beside the event loop that all jobs of a process share, and within limits.

    packages = await apart(read_packages, document, memory=256 * MIB)

Theory of operation.  The child is a fresh interpreter with an empty environment, and takes its limits on itself before it
sees a byte that somebody else made (`child.py`).  From then on it is not trusted: its answer is plain bytes and JSON, and
bounded before it is unpacked.  It ends with the task that waits for it (`parent.py`), and with this process.

It costs two or three starts of a bare interpreter, which is some hundredths of a second, and besides that what the
function's module imports: keep such functions in modules that import little.
"""

import asyncio
import json
import math
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Generic, TypeVar, TypeVarTuple, cast
from weakref import WeakKeyDictionary

from fairway.core.oci.errors import FairwayError
from fairway.frame import log
from fairway.frame.jobs import child as inside
from fairway.frame.jobs.job import GiveUp
from fairway.frame.jobs.parent import Child, started

_log = log.get_logger(__name__)

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

MIB: Final = 1 << 20
MOST_VALUES: Final = 1_000_000
"""Values in the JSON of an answer: three bytes of it can take seventy in memory, and the loop stands while they are read."""
PATIENCE: Final = 4
"""Seconds that may pass for each that the child may compute: it gives way to others, and may wait for its stream."""
_FROM_OUTSIDE: Final = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


class Failed(GiveUp):
    """The child could not do it, and never will: a job that lets this pass is not tried again."""


class Raised(Failed):
    """The function raised an exception, whose type is called `kind`."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


class OutOfMemory(Failed):
    """It needs more memory than it may have."""


class OutOfTime(Failed):
    """It has computed for longer than it may."""


class AnswerTooLarge(Failed):
    """Its answer has more bytes or values than this process should hold."""


class Broken(Failed):
    """It crashed, or ended without an answer that can be read."""


class Interrupted(FairwayError):
    """It was killed from outside, or starved: unlike `Failed`, worth another try."""


async def apart(
    function: Callable[[*Ts], T],
    *arguments: *Ts,
    memory: int = 512 * MIB,
    seconds: float = 600,
    answer: int = 16 * MIB,
) -> T:
    """What a pure function of some module answers, computed in a child process that ends with this task.

    An argument is bytes, or what JSON gives back as it was: None, bool, int, finite float, str, lists, and dicts with str
    as keys.  So is the answer, or it is a tuple of such values.  The loop packs and unpacks JSON, so what is large goes as
    bytes.  Of the answer only that is sure: who wrote what the child reads may have made it say anything.

    `memory` is bytes of address space, of which an interpreter takes a few MiB; `seconds` are of computing, rounded up;
    `answer` is bytes.  As many children run as there are cores, the others wait their turn.  The function can put nothing
    into files and, unless root runs this, start neither threads nor processes.  What it prints goes to the log.

    Raises TypeError for other functions or arguments, `Failed` when another try would end the same way, and `Interrupted`
    or Unavailable when it might not.
    """
    return await _done(_Work(function, arguments, None, memory, seconds, answer))


async def apart_reading(
    stream: AsyncIterator[bytes],
    function: Callable[[BinaryIO, *Ts], T],
    *arguments: *Ts,
    memory: int = 512 * MIB,
    seconds: float = 600,
    answer: int = 16 * MIB,
) -> T:
    """As `apart`, with `stream` as a file to be read once: for what should not be in memory as a whole.

    The function need not read all of it; who made the stream closes it.  Raises what the stream raises, too.
    """
    return await _done(_Work(function, arguments, stream, memory, seconds, answer))


@dataclass(frozen=True, slots=True)
class _Work(Generic[T]):
    """What one child is to do, and its limits as in `apart`."""

    function: Callable[..., T]
    arguments: Sequence[object]
    stream: AsyncIterator[bytes] | None
    memory: int
    seconds: float
    answer: int

    @property
    def name(self) -> str:
        return f"{self.function.__module__}.{self.function.__name__}"

    def packed(self) -> list[bytes]:
        """What the child is told.  Raises TypeError."""
        module = sys.modules.get(str(getattr(self.function, "__module__", None)))
        name = getattr(self.function, "__name__", "")
        if (
            module is None
            or module.__name__ == "__main__"
            or getattr(module, name, None) is not self.function
        ):
            raise TypeError(
                f"{self.function!r} is no function of a module: a child could not import it by its name"
            )
        parts = [inside.pack(each) for each in self.arguments]
        head = {
            "parent": os.getpid(),
            "path": [str(Path(each).absolute()) for each in sys.path],
            "module": module.__name__,
            "name": name,
            "arguments": [(kind, len(part)) for kind, part in parts],
            "reads": self.stream is not None,
            "memory": self.memory,
            "seconds": self.seconds,
        }
        return [json.dumps(head).encode() + b"\n", *(part for _, part in parts)]


_places: "WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]" = WeakKeyDictionary()


def _place() -> asyncio.Semaphore:
    """Held by each child of this process: there are as many as cores, and who asked first is served first."""
    loop = asyncio.get_running_loop()
    if loop not in _places:
        _places[loop] = asyncio.Semaphore(len(os.sched_getaffinity(0)))
    return _places[loop]


async def _done(work: _Work[T]) -> T:
    told = work.packed()
    starved = False
    async with _place(), started() as child:
        child.tell(told, work.stream)
        try:
            async with asyncio.timeout(work.seconds * PATIENCE):
                await child.listen(work.answer)
        except TimeoutError:
            starved = True
    if child.not_told is not None:
        raise child.not_told
    try:
        result = _result(work, child, starved)
    except FairwayError as failure:
        _log.warning("a child process failed", work=work.name, error=failure.message, said=child.said)
        raise
    if child.said:
        _log.info("a child process printed something", work=work.name, said=child.said)
    return result


def _result(work: _Work[T], child: Child, starved: bool) -> T:
    """The answer of a child that is gone.  Raises what became of it instead."""
    if len(child.heard) > work.answer:
        raise AnswerTooLarge(f"{work.name} answers more than {_size(work.answer)} to what it was given")
    if child.status == -signal.SIGXCPU:
        raise OutOfTime(
            f"{work.name} computed for more than {work.seconds:g} s: "
            "what it was given is too much for that, or was made to take long"
        )
    try:
        head, parts = _read(memoryview(child.heard))
    except (ValueError, TypeError, RecursionError):
        raise _without_answer(work, child, starved) from None
    if inside.MEMORY in head:
        raise OutOfMemory(
            f"{work.name} needs more than {_size(work.memory)} of memory: "
            "what it was given is too much for that, or was made to grow"
        )
    if inside.ERROR in head:
        kind = _printable(head[inside.ERROR])
        raise Raised(f"{work.name} raised {kind}: {_printable(head.get('message'))}", kind)
    return cast(T, tuple(parts) if head.get("several") else parts[0])


def _without_answer(work: _Work[T], child: Child, starved: bool) -> FairwayError:
    """What became of a child that said nothing that can be read."""
    if starved:
        return Interrupted(
            f"{work.name} had not computed for {work.seconds:g} s after {work.seconds * PATIENCE:g}: "
            "this machine is too busy, or what it reads comes too slowly"
        )
    if not child.ended:
        return Broken(f"{work.name} fell silent without an answer, and did not end")
    if child.status >= 0:
        return Broken(f"{work.name} ended without an answer that can be read (exit status {child.status})")
    number = signal.Signals(-child.status)
    if number in _FROM_OUTSIDE:
        return Interrupted(
            f"{work.name} was killed ({number.name}), perhaps for want of memory on this machine"
        )
    return Broken(
        f"{work.name} crashed ({number.name}): what it was given hits a fault, or needs more than {_size(work.memory)}"
    )


def _read(heard: memoryview) -> tuple[dict[str, Any], list[Any]]:
    """An answer's line and parts.  Raises ValueError, TypeError or RecursionError for what is none."""
    start = bytes(heard[: inside.LONGEST_LINE]).find(b"\n") + 1
    head = _PLAIN.decode(str(heard[:start], "ascii"))
    if not isinstance(head, dict):
        raise TypeError
    parts: list[Any] = []
    values = 0
    for kind, size in head.get(inside.ANSWER, ()):
        part = bytes(heard[start : start + size])
        if len(part) != size:
            raise ValueError
        if kind == inside.BYTES:
            parts.append(part)
        else:
            values += sum(
                map(part.count, (b",", b"[", b"{"))
            )  # quickly known, and never fewer than there are
            if values > MOST_VALUES:
                raise AnswerTooLarge(f"an answer of more than {MOST_VALUES:,} values is too much to be read")
            parts.append(_PLAIN.decode(str(part, "ascii")))
        start += size
    if start != len(heard) or not (
        parts or head.keys() & {inside.MEMORY, inside.ERROR} or head.get("several")
    ):
        raise ValueError
    return head, parts


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


_PLAIN: Final = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)


def _printable(text: object) -> str:
    """What a child wrote, for a line that people read."""
    line = " ".join(str(text)[: inside.LONGEST_MESSAGE].split())
    return "".join(each if each.isprintable() else "?" for each in line)


def _size(size: int) -> str:
    return f"{size / MIB:g} MiB"
