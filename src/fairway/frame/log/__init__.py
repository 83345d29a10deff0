"""What the processes say about themselves: one line per event, on stderr.

Every line is a JSON object (or, on a terminal, a sentence for people) with time, level, logger, event and request id.
Our own events and those of libraries through the standard `logging` take the same way out: redact.py removes what is
secret, and whatever could break or forge a line (CR, LF, escape sequences, U+2028) is written as an escape (T38).
A log that cannot be written never fails the work it tells about, and never makes it wait (lines.py).

    log = get_logger(__name__)
    log.info("blob stored", repository=repo, bytes=size)
"""

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from fairway.frame.clock import utc_now
from fairway.frame.log import redact
from fairway.frame.log.lines import FLUSH_SECONDS, Lines
from fairway.frame.settings import Settings

if "rich" in sys.modules:
    import structlog
else:
    # structlog imports rich whenever it is installed, for coloured traces which are not used here: 9 MB per process.
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog
    finally:
        del sys.modules["rich"]

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_COLOURS = {"debug": "\x1b[2m", "warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m"}

_level = logging.DEBUG
_request: ContextVar[str] = ContextVar("request_id", default="")


def bind_request(request_id: str) -> None:
    """From here on, events of this task (and of the tasks it starts) carry `request_id`."""
    _request.set(request_id)


def current_request() -> str:
    """The id of the request being served, or "" outside of one."""
    return _request.get()


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """The logger of a module, which may be made before `configure`: it looks up the configuration when it is used."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(name)
    return logger


def debugging() -> bool:
    """Whether debug events are written at all.  Asking costs less than telling one to nobody."""
    return _level <= logging.DEBUG


def configure(settings: Settings) -> None:
    """Send all events of this process to stderr, in the format and from the level chosen.  May be called again."""
    global _level  # noqa: PLW0603 - one level per process
    to_line = _formatter(_style(settings))
    level = _level = _LEVELS[settings.log_level]

    def render(destination: "_Stderr", method: str, event: MutableMapping[str, Any]) -> str:
        return to_line(_entry(destination.name, method, utc_now(), event))

    structlog.configure(
        processors=[render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Stderr,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, Bridge)]:
        root.removeHandler(handler)
    root.addHandler(Bridge(_style(settings)))
    root.setLevel(level)


def server_logging(settings: Settings) -> dict[str, Any]:
    """What Granian takes as `log_dictconfig`, so that its events look like ours in the supervisor and in workers."""
    handler = {"()": f"{__name__}.Bridge", "style": _style(settings)}
    through = {"handlers": ["lines"], "level": settings.log_level.upper(), "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {},
        "handlers": {"lines": handler},
        "loggers": {"_granian": dict(through), "granian.access": dict(through)},
    }


class Bridge(logging.Handler):
    """Takes records of the standard `logging` and writes them as our events."""

    def __init__(self, style: str) -> None:
        super().__init__()
        self._to_line = _formatter(style)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            said = record.getMessage()
        except (TypeError, ValueError, KeyError):  # the library's arguments do not fit its format
            said = str(record.msg)
        said, begin, rest = said.partition("\nTraceback ")  # Granian says both in one
        stack = begin.lstrip() + rest or record.stack_info
        event = {"event": said, "exc_info": record.exc_info, "stack": stack}
        entry = _entry(record.name, record.levelname.lower(), record.created, event)
        _Stderr(record.name).msg(self._to_line(entry))


class _Stderr:
    """Where rendered lines go.  structlog calls the method named after the level."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        _lines.put(line + "\n")

    debug = info = warning = error = critical = msg


def flush(seconds: float = FLUSH_SECONDS) -> bool:
    """Wait until what was logged so far is written, but not for longer; whether it is.  A process does so at its end."""
    return _lines.flush(seconds)


def _tell_dropped(lines: int) -> None:
    get_logger(__name__).warning("lines of this log were dropped because nobody took them away", lines=lines)


_lines = Lines(_tell_dropped)


def _begin_anew() -> None:
    """In a forked process: threads do not come along, and what is queued is the parent's to write."""
    global _lines  # noqa: PLW0603 - one queue per process, whoever logs
    _lines = Lines(_tell_dropped)


os.register_at_fork(after_in_child=_begin_anew)


def _entry(name: str, level: str, when: float, event: Mapping[str, Any]) -> dict[str, Any]:
    """The finished event: fixed keys first, everything redacted and bounded."""
    time = datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    entry = {"time": time, "level": level, "logger": name, "event": redact.value(event.get("event", ""))}
    if request_id := _request.get():
        entry["request_id"] = redact.text(request_id)
    for key, raw in event.items():
        if key not in ("event", "exc_info", "stack"):
            entry[f"{key}_" if key in entry else key] = redact.value(raw, key)
    if event.get("stack"):
        entry["stack"] = redact.trace(event["stack"])
    if error := _exception(event.get("exc_info")):
        entry["exception"] = redact.trace("".join(traceback.format_exception(error)).rstrip())
    return entry


def _exception(exc_info: object) -> BaseException | None:
    """The exception meant by any of the forms `exc_info` may take."""
    if exc_info is True:
        return sys.exc_info()[1]
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    return exc_info if isinstance(exc_info, BaseException) else None


def _style(settings: Settings) -> str:
    terminal = bool(sys.stderr and sys.stderr.isatty())
    if settings.log_format == "json" or (settings.log_format == "auto" and not terminal):
        return "json"
    return "colour" if terminal else "text"


def _formatter(style: str) -> Callable[[Mapping[str, Any]], str]:
    if style == "json":
        return _json_line
    return lambda entry: _text_line(entry, coloured=style == "colour")


def _json_line(entry: Mapping[str, Any]) -> str:
    # ASCII only: what is not, line separators and direction marks among it, becomes \uXXXX.
    return json.dumps(entry, separators=(",", ":")).replace("\x7f", "\\u007f")


def _text_line(entry: Mapping[str, Any], *, coloured: bool) -> str:
    """`12:30:01 warning what happened  key=value`, then the trace, indented so that it cannot pose as an event."""
    rest = {k: v for k, v in entry.items() if k not in ("time", "level", "event", "stack", "exception")}
    words = "".join(f" {_plain(key)}={_quoted(value)}" for key, value in rest.items())
    start, end = (_COLOURS.get(entry["level"], ""), "\x1b[0m") if coloured else ("", "")
    line = f"{entry['time'][11:19]} {start}{entry['level']:<7}{end} {_plain(str(entry['event']))} {words}"
    traces = [str(entry[key]) for key in ("stack", "exception") if key in entry]
    return line + "".join(f"\n    | {_plain(row)}" for trace in traces for row in trace.split("\n"))


def _plain(text: str) -> str:
    return text if text.isprintable() else json.dumps(text)[1:-1].replace("\x7f", "\\u007f")


def _quoted(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return _plain(text) if text and not set(text) & set(" \"'=") else json.dumps(text)
