"""What must not reach a log: passwords, tokens and keys, by the name they are logged under and by how they look (T21).

Pure functions over values.  Names catch what is logged on purpose by mistake (`headers=…`); looks catch what travels
inside other text: a login in a database URL, an `Authorization` header in an error message, a signed query.
Everything is bounded too, so that nobody can fill the disk by sending a long header.
"""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

HIDDEN = "***"
MAX_TEXT = 2_000
MAX_TRACE = 12_000
_MAX_SEEN = 16_384
_MAX_ITEMS = 50
_MAX_DEPTH = 4
_MAX_BITS = 128

_WORDS = (
    r"passw|passphrase|passcode|pwd|secret|token|authorization|cookie|credential|api_?key|private_?key|signing_?key"
    r"|signature|verifier"
)
_NAME = rf"(?:{_WORDS})[\w-]{{0,40}}"
_SECRET_NAME = re.compile(_WORDS, re.IGNORECASE)
_ABOUT_A_SECRET = re.compile(r"_(seconds|count|id|kid|type|name|expires|expires_at)$", re.IGNORECASE)

# Each runs in linear time: what a client sends is searched here.
_LOOKS = (
    # scheme://user:password@host and scheme://token@host; greedy, because passwords contain "@"
    (re.compile(r"(?<=://)[^\s/]*@"), f"{HIDDEN}@"),
    (re.compile(r"\b(bearer|basic)\s+[\w+/=.~-]{4,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    # a JWT wherever it stands
    (re.compile(r"(?<![\w-])eyJ[\w-]{4,}\.[\w-]+(\.[\w-]*)?"), HIDDEN),
    # a personal access token, whole or not
    (re.compile(r"(?<![\w-])fwp_[0-9A-Za-z]+", re.IGNORECASE), HIDDEN),
    # name=value in queries and forms, "name": "value" in JSON and in the repr of a dict
    (re.compile("(" + _NAME + r"=)[^\s&,;\"'})]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (
        re.compile("(" + _NAME + r"[\"']\s*:\s*b?)(\"[^\"]*\"|'[^']*')", re.IGNORECASE),
        rf'\1"{HIDDEN}"',
    ),
)
# Every look needs one of these, most text has none, and looking for plain text is ten times quicker than any pattern.
_SIGNS = (
    *("://", "bearer", "basic", "eyj", "fwp_", "passw", "passphrase", "passcode", "pwd", "secret", "token"),
    *("authorization", "cookie", "credential", "apikey", "api_key", "privatekey", "private_key"),
    *("signingkey", "signing_key", "signature", "verifier"),
)


def value(raw: object, name: str = "", depth: int = 0) -> Any:
    """`raw`, logged under `name`, as something JSON can carry and anybody may read."""
    if raw is None or isinstance(raw, bool):
        return raw
    if names_a_secret(name):
        return HIDDEN
    if isinstance(raw, int):
        return int(raw) if raw.bit_length() <= _MAX_BITS else f"<number of {raw.bit_length()} bits>"
    if isinstance(raw, float):
        return raw if math.isfinite(raw) else str(raw)
    if isinstance(raw, bytes | bytearray | memoryview):
        return f"<{len(raw)} bytes>"
    if isinstance(raw, Mapping | list | tuple | set | frozenset):
        return _container(raw, name, depth)
    return text(_as_text(raw))


def text(raw: str, limit: int = MAX_TEXT) -> str:
    """`raw` without anything that looks like a secret, and not longer than `limit`."""
    shown = raw[:_MAX_SEEN]
    plain = shown.casefold()
    if any(sign in plain for sign in _SIGNS):
        for look, replacement in _LOOKS:
            shown = look.sub(replacement, shown)
    return shown if len(shown) <= limit else shown[:limit] + "…"


def trace(raw: str) -> str:
    """A stack trace without secrets; of a long one the end, where the error is."""
    return text(raw[-MAX_TRACE:], MAX_TRACE)


@lru_cache(1024)
def names_a_secret(name: str) -> bool:
    return bool(_SECRET_NAME.search(name.replace("-", "_")) and not _ABOUT_A_SECRET.search(name))


def _container(raw: Any, name: str, depth: int) -> object:
    if depth >= _MAX_DEPTH:
        return f"<{len(raw)} items>"
    if isinstance(raw, Mapping):
        pairs = list(raw.items())[:_MAX_ITEMS]
        return {text(_as_text(key)): value(item, _as_text(key), depth + 1) for key, item in pairs}
    return [value(item, name, depth + 1) for item in list(raw)[:_MAX_ITEMS]]


def _as_text(raw: object) -> str:
    try:
        return str(raw)
    except Exception as error:  # noqa: BLE001  (a value that cannot be shown must not turn logging into a failure)
        return f"<{type(raw).__name__} that cannot be shown: {type(error).__name__}>"
