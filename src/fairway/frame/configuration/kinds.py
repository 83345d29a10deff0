"""How a value of each kind is read.  Pure.

A value comes as JSON, or from the operator as text.  Reading raises ValueError with what it must be, as a noun phrase; the
caller adds the key's name, and never the value.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T", bool, int, str)
Value = bool | int | str

LINE = 1024
PAGE = 65_536
# Besides control characters the halves of surrogate pairs, which nothing can store.
_NOT_IN_LINE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_NOT_IN_PAGE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Key(Generic[T]):
    """One thing that can be chosen.  `must_be` says in words what `read` takes."""

    name: str
    kind: str
    default: T
    read: Callable[[object], T]
    must_be: str
    doc: str
    takes_effect: bool
    """Whether anything here heeds it.  Others are kept for clients that write and read back all that Harbor has."""

    @property
    def secret(self) -> bool:
        """Whether its value is sealed and never shown."""
        return self.kind == "secret"


def flag(name: str, default: bool, doc: str, *, works: bool = True, only: bool | None = None) -> Key[bool]:
    """True or false; `only`: the one of them that can be had."""
    must_be = "true or false" if only is None else f"{str(only).lower()}: there is nothing else yet"

    def read(raw: object) -> bool:
        found = raw == "true" if raw in ("true", "false") else raw
        if not isinstance(found, bool) or found is (not only if only is not None else None):
            raise ValueError(must_be)
        return found

    return Key(name, "bool", default, read, must_be, doc, works)


def number(name: str, default: int, low: int, high: int, doc: str, *, works: bool = True) -> Key[int]:
    """A whole number from `low` to `high`, both included."""
    must_be = f"a whole number from {low} to {high}"

    def read(raw: object) -> int:
        if isinstance(raw, str) and re.fullmatch(r"-?[0-9]{1,18}", raw, re.ASCII):
            raw = int(raw)
        if isinstance(raw, bool) or not isinstance(raw, int) or not low <= raw <= high:
            raise ValueError(must_be)
        return raw

    return Key(name, "int", default, read, must_be, doc, works)


def days(name: str, default: int, most: int, doc: str) -> Key[int]:
    """Whole days, or -1 for no end."""
    return _bounded(name, default, most, doc, f"a whole number of days from 1 to {most}, or -1 for ever")


def size(name: str, default: int, most: int, doc: str) -> Key[int]:
    """Bytes, or -1 for no limit."""
    return _bounded(name, default, most, doc, f"a whole number of bytes from 1 to {most}, or -1 for no limit")


def _bounded(name: str, default: int, most: int, doc: str, must_be: str) -> Key[int]:
    whole = number(name, default, -1, most, doc)

    def read(raw: object) -> int:
        try:
            found = whole.read(raw)
        except ValueError:
            found = 0
        if found == 0:
            raise ValueError(must_be)
        return found

    return Key(name, "int", default, read, must_be, doc, takes_effect=True)


def text(
    name: str,
    default: str,
    doc: str,
    *,
    longest: int = LINE,
    lines: bool = False,
    works: bool = True,
) -> Key[str]:
    """Text, of one line unless it may have several `lines`."""
    must_be = f"up to {longest} characters of text" + ("" if lines else " in one line")
    return Key(name, "str", default, _text(longest, lines, must_be), must_be, doc, works)


def secret(name: str, doc: str) -> Key[str]:
    """Text that is sealed and never shown."""
    must_be = f"up to {LINE} characters of text in one line"
    return Key(name, "secret", "", _text(LINE, False, must_be), must_be, doc, takes_effect=False)


def _text(longest: int, lines: bool, must_be: str) -> Callable[[object], str]:
    forbidden = _NOT_IN_PAGE if lines else _NOT_IN_LINE

    def read(raw: object) -> str:
        if isinstance(raw, str) and len(raw) <= longest and not forbidden.search(raw):
            return raw
        raise ValueError(must_be)

    return read


def choice(name: str, *words: str, doc: str, works: bool = True) -> Key[str]:
    """One of a few words, of which the first is the default."""
    must_be = f"one of {', '.join(words)}" if len(words) > 1 else f"{words[0]}: there is nothing else yet"

    def read(raw: object) -> str:
        if isinstance(raw, str) and raw in words:
            return raw
        raise ValueError(must_be)

    return Key(name, "choice", words[0], read, must_be, doc, works)


def matching(
    name: str, default: str, pattern: str, must_be: str, doc: str, *, works: bool = True
) -> Key[str]:
    """Text of one shape."""

    def read(raw: object) -> str:
        if isinstance(raw, str) and len(raw) <= LINE and re.fullmatch(pattern, raw, re.ASCII):
            return raw
        raise ValueError(must_be)

    return Key(name, "str", default, read, must_be, doc, works)


def endpoint(name: str, doc: str) -> Key[str]:
    """Where lines are sent: `host:port` or `tcp://host:port` or `udp://host:port`; or nothing."""
    must_be = "host:port, tcp://host:port or udp://host:port, such as syslog.example.com:514, or nothing"

    def read(raw: object) -> str:
        if isinstance(raw, str) and (raw == "" or (len(raw) <= LINE and Place.read(raw) is not None)):
            return raw
        raise ValueError(must_be)

    return Key(name, "str", "", read, must_be, doc, takes_effect=True)


@dataclass(frozen=True, slots=True)
class Place:
    """A socket elsewhere; `transport` is tcp or udp."""

    transport: str
    host: str
    port: int

    @classmethod
    def read(cls, text: str) -> "Place | None":
        """None for what is no such place."""
        found = _PLACE.fullmatch(text)
        if found is None or not 1 <= int(found["port"]) <= 65_535:
            return None
        host = found["name"] or found["six"]
        if found["six"] or _FOUR.fullmatch(host):
            try:
                ipaddress.ip_address(host)
            except ValueError:
                return None
        return cls(found["transport"] or "tcp", host, int(found["port"]))


_PLACE = re.compile(
    r"(?:(?P<transport>tcp|udp)://)?(?:(?P<name>[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}))|\[(?P<six>[0-9A-Fa-f:.]{2,45})\])"
    r":(?P<port>[0-9]{1,5})"
)
_FOUR = re.compile(r"[0-9.]+")
