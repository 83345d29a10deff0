"""Logs: one line per event whatever is in it, the request it belongs to, and no secrets."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from granian.log import LogLevels, configure_logging

from fairway.frame import log
from fairway.frame.log import redact
from fairway.frame.settings import Settings

CANARY = "cAnArY4f9a1c77e2b84d0f"
HOSTILE = 'a\r\n{"event":"forged"}\x1b[31m\x85\u2028\u2029\u202e\x7f\x00\ud800'


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    level = root.level
    yield
    structlog.reset_defaults()
    for handler in [h for h in root.handlers if isinstance(h, log.Bridge)]:
        root.removeHandler(handler)
    root.setLevel(level)
    log.bind_request("")


def written(capsys: pytest.CaptureFixture[str]) -> str:
    assert log.flush()
    return capsys.readouterr().err


def events(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    assert log.flush()
    out, err = capsys.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def as_json(level: str = "info") -> None:
    log.configure(Settings(log_format="json", log_level=level))


# Lines


def test_an_event_is_a_line_of_json_with_time_level_and_logger(capsys: pytest.CaptureFixture[str]) -> None:
    as_json()
    log.get_logger("fairway.push").info("blob stored", repository="library/app", bytes=12)
    [event] = events(capsys)
    assert event.pop("time").endswith("Z")
    assert event == {
        "level": "info",
        "logger": "fairway.push",
        "event": "blob stored",
        "repository": "library/app",
        "bytes": 12,
    }


def test_a_logger_made_before_the_configuration_obeys_it(capsys: pytest.CaptureFixture[str]) -> None:
    early = log.get_logger("early")
    as_json("warning")
    early.info("not this")
    early.warning("but this")
    as_json("debug")
    early.debug("and now this")
    assert [event["event"] for event in events(capsys)] == ["but this", "and now this"]


def test_libraries_that_use_the_standard_logging_come_out_the_same_way(
    capsys: pytest.CaptureFixture[str],
) -> None:
    as_json()
    logging.getLogger("asyncio").warning("slow: %s", "callback")
    logging.getLogger("asyncio").debug("not this")
    misused = logging.LogRecord("broken", logging.WARNING, __file__, 1, "%d items", ("many",), None)
    log.Bridge("json").handle(misused)
    first, second = events(capsys)
    assert (first["logger"], first["level"], first["event"]) == ("asyncio", "warning", "slow: callback")
    assert second["event"] == "%d items"


def test_configuring_again_does_not_double_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    as_json()
    as_json()
    logging.getLogger("library").warning("once")
    assert len(events(capsys)) == 1


def test_the_server_logs_the_same_way_before_and_after_we_are_configured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = Settings(log_format="json")
    configure_logging(LogLevels.info, log.server_logging(settings))
    logging.getLogger("_granian").info("starting")
    log.configure(settings)
    logging.getLogger("_granian").info("started")
    assert [event["event"] for event in events(capsys)] == ["starting", "started"]


def test_an_exception_is_part_of_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    as_json()
    try:
        raise ValueError(f"first\nsecond postgresql://u:{CANARY}@db/x")
    except ValueError:
        log.get_logger("x").exception("failed")
        logging.getLogger("y").exception("failed too")
    for event in events(capsys):
        assert event["level"] == "error"
        assert "ValueError: first\nsecond postgresql://***@db/x" in event["exception"]


def test_a_trace_inside_a_librarys_message_is_kept_apart_from_it(capsys: pytest.CaptureFixture[str]) -> None:
    as_json()
    trace = "Traceback (most recent call last):\n" + "x\n" * 9999 + "ValueError: 7"
    logging.getLogger("_granian").error("failed\n%s", trace)
    [event] = events(capsys)
    assert event["event"] == "failed"
    assert event["stack"].endswith("ValueError: 7")


def test_a_line_is_bounded_however_much_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    as_json()
    big: Any = "x" * 10**6
    nested: Any = []
    for _ in range(500):
        nested = [nested]
    log.get_logger("x").info(big, agent=big, many=list(range(10**5)), nested=nested, number=10**6000)
    [line] = written(capsys).splitlines()
    assert len(line) < 10_000
    try:
        raise ValueError(big)
    except ValueError:
        log.get_logger("x").exception("failed")
    [line] = written(capsys).splitlines()
    assert len(line) < 20_000


class Unshowable:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_whatever_is_logged_can_be_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    as_json()
    log.get_logger("x").info(
        "odd", nan=float("nan"), raw=b"\xff", it=Unshowable(), keys={1: 2}, event_="kept", time=3
    )
    [event] = events(capsys)
    assert event["nan"] == "nan"
    assert event["raw"] == "<1 bytes>"
    assert event["it"] == "<Unshowable that cannot be shown: RuntimeError>"
    assert event["keys"] == {"1": 2}
    assert event["time_"] == 3


def test_a_log_that_cannot_be_written_fails_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    as_json()

    class Gone:
        def write(self, _: str) -> int:
            raise BrokenPipeError

    for stderr in (Gone(), None):
        monkeypatch.setattr(sys, "stderr", stderr)
        log.get_logger("x").info("nobody hears")
        logging.getLogger("x").warning("nobody hears")
        assert log.flush()


# Forgery, T38 of the security cases


@pytest.mark.parametrize("style", ["json", "text"])
def test_no_input_can_forge_or_break_a_line(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(Settings(log_format=style))
    log.bind_request(HOSTILE)
    log.get_logger("x").info(HOSTILE, user=HOSTILE, tags=[HOSTILE], headers={HOSTILE: HOSTILE})
    logging.getLogger(HOSTILE).warning(HOSTILE)
    err = written(capsys)
    assert err.count("\n") == 2
    assert all(line.isprintable() for line in err.rstrip("\n").split("\n"))
    assert not set(err) & set("\r\x1b\x85\u2028\u2029\u202e\x7f\x00")


def test_a_trace_in_the_text_format_cannot_pose_as_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(Settings(log_format="text"))
    try:
        raise ValueError("a\n12:00:00 info    forged")
    except ValueError:
        log.get_logger("x").exception("failed")
    first, *rest = written(capsys).splitlines()
    assert first[8:] == " error   failed  logger=x"
    assert all(line.startswith("    | ") for line in rest)


def test_the_text_format_quotes_what_has_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(Settings(log_format="text"))
    log.get_logger("x").warning("tag moved", tag="v1", by="Ada L.", empty="", n=3)
    line = written(capsys).rstrip("\n")
    assert line[8:] == ' warning tag moved  logger=x tag=v1 by="Ada L." empty="" n=3'


# The request


async def test_events_carry_the_id_of_their_own_request(capsys: pytest.CaptureFixture[str]) -> None:
    as_json()

    async def serve(request_id: str) -> None:
        log.bind_request(request_id)
        await asyncio.sleep(0)
        log.get_logger("x").info("served", mine=request_id)
        assert log.current_request() == request_id

    await asyncio.gather(*(asyncio.create_task(serve(f"r{n}")) for n in range(5)))
    log.get_logger("x").info("idle")
    *served, idle = events(capsys)
    assert [event["request_id"] for event in served] == [event["mine"] for event in served]
    assert "request_id" not in idle


# Secrets, T21 of the security cases


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "new_password",
        "Authorization",
        "proxy-authorization",
        "Cookie",
        "Set-Cookie",
        "access_token",
        "client_secret",
        "secret_key",
        "api_key",
        "apikey",
        "X-Api-Key",
        "private_key",
        "credentials",
        "code_verifier",
    ],
)
def test_what_is_logged_under_a_secret_name_is_hidden(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    as_json()
    log.get_logger("x").info(
        "seen", **{name: CANARY}, headers={name: CANARY}, pairs=[{name: [CANARY]}], n={name: 7}
    )
    err = written(capsys)
    assert CANARY not in err
    assert json.loads(err)["headers"] == {name: "***"}
    assert json.loads(err)["n"] == {name: "***"}


@pytest.mark.parametrize("name", ["token_seconds", "token_id", "secret_count", "token_type", "token_kid"])
def test_facts_about_secrets_are_not(name: str) -> None:
    assert redact.value("fact", name) == "fact"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"cannot reach postgresql://fairway:{CANARY}@db:5432/x", "cannot reach postgresql://***@db:5432/x"),
        (f"redis://:p@{CANARY}@cache/0 and http://{CANARY}@host", "redis://***@cache/0 and http://***@host"),
        (f"Authorization: Bearer {CANARY}", "Authorization: Bearer ***"),
        (f"basic {CANARY}==", "basic ***"),
        (f"got eyJhbGciOi.{CANARY}.{CANARY} from", "got *** from"),
        (f"laptop has fwp_{CANARY.replace('-', '')}x now", "laptop has *** now"),
        (f"GET /v2/?access_token={CANARY}&n=1", "GET /v2/?access_token=***&n=1"),
        (f"/bucket?X-Amz-Signature={CANARY}&X-Amz-Security-Token={CANARY}", None),
        (f"grant_type=password&password={CANARY}", "grant_type=password&password=***"),
        (f"{{'password': '{CANARY}', 'n': 1}}", "{'password': \"***\", 'n': 1}"),
        (f'{{"client_secret":"{CANARY}"}}', '{"client_secret":"***"}'),
    ],
)
def test_what_looks_like_a_secret_is_hidden_inside_other_text(text: str, shown: str | None) -> None:
    assert CANARY not in redact.text(text)
    assert shown is None or redact.text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "https://host/path?n=1",
        "library/app@sha256:0123",
        "docker://r.example/app@sha256:01",
        "the token has expired",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact.text(text) == text


def test_logging_does_not_load_the_terminal_library() -> None:
    code = "import sys, fairway.frame.log; sys.exit('rich' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, check=True)
