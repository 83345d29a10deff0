"""How each kind of setting is read, whether it arrives as text (environment, command line) or as a TOML value.

A kind is a function from the raw value to the typed one, and gives a typed value back unchanged.  It raises ValueError
with what it expected, as a noun phrase; the caller adds the setting's name, and its value unless that is secret.
"""

import ipaddress
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Kind = Callable[[Any], Any]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LOGIN_IN_URL = re.compile(r"^([^:/@]*:/*)?.*@", re.DOTALL)
_SECRET_IN_QUERY = re.compile(r"([?&][^=&]*(?:pass|secret|token)[^=&]*=)[^&]*", re.IGNORECASE)

MIN_PASSWORD, MAX_PASSWORD = 8, 128
MIN_SECRET = 32
_MIN_DISTINCT = 10

# What installation guides, tutorials and people in a hurry use, with digits or punctuation after it.
_KNOWN_PASSWORD = re.compile(
    r"(harbor|fairway|kraken|dragonfly|registry|docker|admin(istrator)?|root|user|test|default|secret|welcome|letmein"
    r"|qwerty(uiop)?|abcd?|pass|password|passw0rd|p@ssword|p@ssw0rd|change[-_ ]?(me|it|this)|iloveyou|trustno1)*"
    r"(0?123456789?0?|[0-9]{0,5}|[0-9]{8})[!.@#$_-]{0,2}",
    re.IGNORECASE,
)


def text(raw: Any) -> str:
    """One line of text, without surrounding blanks."""
    if not isinstance(raw, str) or _CONTROL.search(raw.strip()):
        raise ValueError("one line of text")
    return raw.strip()


def path(raw: Any) -> Path:
    """A folder; `~` is the home folder, relative means relative to the working folder."""
    return _path(raw, "a folder")


def file(raw: Any) -> Path:
    """A file, named as a folder is."""
    return _path(raw, "a file")


def _path(raw: Any, expected: str) -> Path:
    if not isinstance(raw, Path) and not text(raw):
        raise ValueError(expected)
    return Path(text(str(raw))).expanduser().absolute()


def whole(low: int, high: int) -> Kind:
    """A whole number from `low` to `high`, both included."""

    def read(raw: Any) -> int:
        if isinstance(raw, str) and re.fullmatch(r"[0-9]{1,18}", raw.strip()):
            raw = int(raw)
        if isinstance(raw, bool) or not isinstance(raw, int) or not low <= raw <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return raw

    return read


def flag(raw: Any) -> bool:
    """Yes or no."""
    if isinstance(raw, bool):
        return raw
    word = raw.strip().lower() if isinstance(raw, str) else ""
    if word in ("true", "yes", "on", "1"):
        return True
    if word in ("false", "no", "off", "0"):
        return False
    raise ValueError("true or false")


def one_of(*words: str) -> Kind:
    """One of a few words; case does not matter."""

    def read(raw: Any) -> str:
        word = raw.strip().lower() if isinstance(raw, str) else ""
        if word not in words:
            raise ValueError("one of " + ", ".join(words))
        return word

    return read


def address(raw: Any) -> str:
    """IP address and port to listen on.  The server binds addresses, never names, so `localhost` becomes one."""
    expected = ValueError("an IP address and a port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080")
    host, colon, port = raw.strip().rpartition(":") if isinstance(raw, str) else ("", "", "")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise expected
    if host == "localhost":
        host = "127.0.0.1"
    try:
        bare = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise expected from None
    if (bare.version == 6) != host.startswith("["):
        raise expected
    return f"{host}:{int(port)}"


def networks(raw: Any) -> tuple[Network, ...]:
    """IP networks, as a TOML list or separated by commas or blanks."""
    found = []
    for item in _items(raw, "a list of IP networks such as 10.0.0.0/8, fd00::/8"):
        try:
            found.append(ipaddress.ip_network(item))
        except (ValueError, TypeError):
            raise ValueError(
                f"a list of IP networks such as 10.0.0.0/8, fd00::/8; {item!r} is not one"
            ) from None
    return tuple(found)


def base_url(raw: Any) -> str:
    """http(s)://host[:port] without path, login or trailing slash; or nothing."""
    expected = ValueError("http://host or https://host, with a port if needed, and nothing after it")
    value = text(raw).rstrip("/")
    if not value:
        return ""
    if not _splits(value) or not value.isascii() or re.search(r"[\s\"\\<>@?#]", value):
        raise expected
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path:
        raise expected
    return value


def proxy_url(raw: Any) -> str:
    """http(s)://[user:password@]host:port; or nothing."""
    value = text(raw).removesuffix("/")
    if value and not (_PROXY.fullmatch(value) and _splits(value)):
        raise ValueError("http://host:port or https://user:password@host:port, and nothing after it")
    return value


_PROXY = re.compile(
    r"https?://(?:[^\s@/?#\\:]+(?::[^\s@/?#\\]*)?@)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):[0-9]{1,5}"
)

_POSTGRES = re.compile(
    r"postgres(?:ql)?://(?:[^@/?#]*@)?(?P<hosts>(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::\d{1,5})?"
    r"(?:,(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::\d{1,5})?)*)?/(?P<name>[^/?#]+)(?:\?(?P<query>[^#]*))?"
)


def database_url(raw: Any) -> str:
    """sqlite:///path, or what libpq takes: postgresql://user:password@host:port,host:port/name?sslmode=…; or nothing."""
    value = text(raw)
    if not value:
        return ""
    if value.startswith("sqlite:///") and value.removeprefix("sqlite:///").strip("/") not in ("", ":memory:"):
        return value
    match = _POSTGRES.fullmatch(value)
    # A host in the query may be the folder of a Unix socket; several hosts are tried in turn.
    if match and (match["hosts"] or "host=" in (match["query"] or "")):
        return "postgresql://" + value.partition("://")[2]
    raise ValueError("sqlite:///path/to/fairway.db or postgresql://user:password@host:5432/name")


def storage_url(raw: Any) -> str:
    """file:///absolute/folder; or nothing."""
    value = text(raw)
    if not value or re.fullmatch(r"file:///[^/?#][^?#]*", value):
        return value
    raise ValueError("file:///absolute/folder, the only scheme supported so far (object storage comes later)")


def password(raw: Any) -> str:
    """A password somebody chose; known defaults are refused (T69).  Blanks count, so it is not stripped."""
    if raw == "":
        return ""
    if not isinstance(raw, str) or _CONTROL.search(raw) or not MIN_PASSWORD <= len(raw) <= MAX_PASSWORD:
        raise ValueError(f"{MIN_PASSWORD} to {MAX_PASSWORD} characters without control characters")
    if _KNOWN_PASSWORD.fullmatch(raw) or len(set(raw)) < 3:
        raise ValueError("a password of your own: this one is a well-known default")
    return raw


def secret(raw: Any) -> str:
    """A generated secret, long enough to make guessing hopeless (T69)."""
    value = text(raw)
    if value and (len(value) < MIN_SECRET or len(set(value)) < _MIN_DISTINCT):
        raise ValueError(f"at least {MIN_SECRET} random characters; `openssl rand -base64 32` makes some")
    return value


def secrets(raw: Any) -> tuple[str, ...]:
    """Several generated secrets, as a TOML list or separated by commas or blanks."""
    return tuple(secret(item) for item in _items(raw, "a list of secrets"))


def tables(raw: Any) -> tuple[dict[str, Any], ...]:
    """A list of objects: TOML tables, or JSON in one line of text."""
    expected = ValueError('a list of objects, such as [{"name": "ci", "url": "https://ci.example.com/hook"}]')
    if isinstance(raw, str):
        try:
            raw = json.loads(raw) if raw.strip() else []
        except ValueError:
            raise expected from None
    if not isinstance(raw, list | tuple) or not all(isinstance(each, dict) for each in raw):
        raise expected
    return tuple(raw)


def overwrites(raw: Any) -> dict[str, Any]:
    """An object: a TOML table, or JSON in one line of text, or in a file that is named."""
    expected = ValueError('an object such as {"read_only": true}, or the path of a file that holds one')
    if isinstance(raw, str) and raw.strip():
        text_ = raw.strip()
        try:
            raw = json.loads(text_ if text_.startswith("{") else Path(text_).expanduser().read_text("utf-8"))
        except (OSError, ValueError):
            raise expected from None
    raw = raw or {}
    if not isinstance(raw, dict):
        raise expected
    return raw


def without_login(value: object) -> str:
    """A setting's value as it may be shown: whatever could be a password in a URL, even a broken one, is left out."""
    shown = _SECRET_IN_QUERY.sub(r"\1***", _LOGIN_IN_URL.sub(r"\1***@", str(value)))
    return shown if len(shown) <= 100 else shown[:100] + "…"


def _items(raw: Any, expected: str) -> list[Any]:
    if isinstance(raw, str):
        return [item for item in re.split(r"[,\s]+", raw) if item]
    if isinstance(raw, list | tuple):
        return list(raw)
    raise ValueError(expected)


def _splits(url: str) -> bool:
    try:
        return (urlsplit(url).port or 1) > 0
    except ValueError:
        return False
