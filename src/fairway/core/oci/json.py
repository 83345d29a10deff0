"""Bounded, strict JSON: what a client sends is one small, unambiguous document or it is refused.

Python's parser is fast but generous: it takes duplicate keys, NaN, lone surrogates and any number, and answers deep
nesting with RecursionError.  So the size, the nesting and the number of members are bounded on the raw bytes, before
anything is built from them, and the rest is refused while parsing.
"""

import json
import math
import re
from typing import Any, NoReturn

_MAX_NUMBER = 32

# Up to the next structural byte outside strings, or the end.  Possessive and never failing, so that the scan is linear
# on every input; an unclosed string runs to the end and is refused by the parser.
_NEXT_MARK = re.compile(rb'(?:[^"{}\[\],]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"?)*+([{}\[\],]|\Z)', re.DOTALL)
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")


class JsonInvalid(ValueError):
    """A document that is not strict JSON, or is beyond its bounds.  The message is fit for the client."""


def loads(raw: bytes, *, max_bytes: int, max_depth: int, max_members: int) -> Any:
    """The value that `raw` spells in UTF-8 JSON (RFC 8259), whole.  Raises JsonInvalid.

    `max_members` bounds array elements and object members of the whole document together.
    """
    if len(raw) > max_bytes:
        raise JsonInvalid(f"the document is larger than {max_bytes} bytes")
    _check_shape(raw, max_depth, max_members)
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as error:
        raise JsonInvalid("the document is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise JsonInvalid(f"not JSON: {error.msg} at character {error.pos}") from error
    if _SURROGATE_ESCAPE.search(raw):
        _refuse_lone_surrogates(value)
    return value


def _check_shape(raw: bytes, max_depth: int, max_members: int) -> None:
    openings = raw.count(b"{") + raw.count(b"[")
    if openings <= max_depth and openings + raw.count(b",") <= max_members:
        return  # even with every such byte inside strings counted it is within bounds
    depth = members = 0
    for match in _NEXT_MARK.finditer(raw):
        mark = match[1]
        if mark == b",":
            members += 1
        elif mark in (b"{", b"["):
            members += 1
            depth += 1
            if depth > max_depth:
                raise JsonInvalid(f"the document is nested deeper than {max_depth}")
        else:
            depth -= 1
        if members > max_members:
            raise JsonInvalid(f"the document has more than {max_members} members")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JsonInvalid("an object names one key twice")
    return members


def _integer(text: str) -> int:
    if len(text) > _MAX_NUMBER:
        raise JsonInvalid(f"a number has more than {_MAX_NUMBER} characters")
    return int(text)


def _float(text: str) -> float:
    if len(text) > _MAX_NUMBER:
        raise JsonInvalid(f"a number has more than {_MAX_NUMBER} characters")
    number = float(text)
    if not math.isfinite(number):
        raise JsonInvalid("a number is out of range")
    return number


def _constant(text: str) -> NoReturn:
    raise JsonInvalid(f"{text} is not JSON")


def _refuse_lone_surrogates(value: Any) -> None:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if not item.isascii():
                try:
                    item.encode("utf-8")
                except UnicodeEncodeError as error:
                    raise JsonInvalid("a string holds half of a surrogate pair") from error
        elif isinstance(item, dict):
            pending.extend(item)
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
