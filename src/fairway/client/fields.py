"""Replies in JSON as frozen dataclasses with the API's own field names.  Pure.

What a class does not name is left out, and what the hub leaves out or sends as null has the class's default: a newer or
an older hub, or a Harbor, is read as far as it goes.  A field without a default must be there.
"""

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from fairway.client.errors import Unreadable

T = TypeVar("T")

_PLAIN = (str, int, float, bool)


def read(kind: type[T], told: object) -> T:
    """`told`, an object of JSON, as a `kind`.  Raises Unreadable."""
    if not isinstance(told, dict):
        raise Unreadable(f"the hub's reply is no {kind.__name__}: an object was expected")
    found = {}
    for name, hint, needed in _fields(kind):
        value = told.get(name)
        if value is not None:
            found[name] = _value(hint, value, f"{kind.__name__}.{name}")
        elif needed:
            raise Unreadable(f"the hub's reply is no {kind.__name__}: {name} is missing")
    return kind(**found)


Field = tuple[str, Any, bool]
"""Name, type, and whether it must be there."""

_known: dict[type, tuple[Field, ...]] = {}


def _fields(kind: type) -> tuple[Field, ...]:
    if kind not in _known:
        _known[kind] = _look_at(kind)
    return _known[kind]


def _look_at(kind: type) -> tuple[Field, ...]:
    assert is_dataclass(kind)
    hints = get_type_hints(kind)
    return tuple(
        (each.name, hints[each.name], each.default is MISSING and each.default_factory is MISSING)
        for each in fields(kind)
    )


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        [hint] = [each for each in inner if each is not type(None)]
        return _value(hint, value, where)
    if origin is tuple and isinstance(value, list):
        return tuple(_value(inner[0], each, where) for each in value if each is not None)
    if origin is Mapping and isinstance(value, dict):
        return {name: _value(inner[1], each, where) for name, each in value.items()}
    if hint is object:
        return value
    if hint in _PLAIN and _is(hint, value):
        return value
    if is_dataclass(hint):
        assert isinstance(hint, type)
        return read(hint, value)
    raise Unreadable(f"the hub's reply cannot be read: {where} is of another kind")


def _is(hint: type, value: object) -> bool:
    if hint is bool or isinstance(value, bool):
        return hint is bool and isinstance(value, bool)
    return isinstance(value, (int, float) if hint is float else hint)
