"""A payload of somebody's own: a JSON value with places such as `${event_data.resources.0.tag}` for facts.

There is no logic in it (T39).  A string that is one place becomes the value that is there, whatever its type, or null; in a
longer string a place becomes the text of that value, or nothing.  `$${` stands for `${`.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

MAX_TEXT: Final = 16_384
MAX_DEPTH: Final = 16
MAX_MEMBERS: Final = 500
MAX_PLACES: Final = 50
MAX_FILLED: Final = 262_144
"""Characters that all places of one payload may become together; those after that stay empty."""

ROOTS: Final = (
    "type",
    "occur_at",
    "operator",
    "event_data",
    "id",
    "time",
    "project_id",
    "policy_id",
)
"""What a place can begin with: the default payload's fields and four more."""

_PART = re.compile(r"\$\$\{|\$\{([^{}]*)(\}?)")
_PATH = re.compile(r"[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,15}", re.ASCII)


class FieldsInvalid(ValueError):
    """What was given cannot be a payload; the message says why and what to write."""


def check(template: Any) -> None:
    """Raises FieldsInvalid."""
    if not isinstance(template, dict | list):
        raise FieldsInvalid(
            "fields is a JSON object or array, with places such as ${event_data.resources.0.tag}"
        )
    if len(json.dumps(template, ensure_ascii=False)) > MAX_TEXT:
        raise FieldsInvalid(f"fields has {MAX_TEXT} characters of JSON at most")
    places = members = 0
    waiting: list[tuple[Any, int]] = [(template, 1)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, str):
            places += _check_text(value)
        elif isinstance(value, dict | list):
            inner = value.values() if isinstance(value, dict) else value
            members += len(value)
            if depth > MAX_DEPTH:
                raise FieldsInvalid(f"fields is nested {MAX_DEPTH} deep at most")
            waiting += [(each, depth + 1) for each in inner]
    if members > MAX_MEMBERS or places > MAX_PLACES:
        raise FieldsInvalid(f"fields has {MAX_MEMBERS} members and {MAX_PLACES} places at most")


def _check_text(text: str) -> int:
    found = [match for match in _PART.finditer(text) if match[1] is not None]
    for match in found:
        path = match[1]
        if not match[2]:
            raise FieldsInvalid(
                f"the place ${{{path[:40]} is not closed; write $${{ for the characters themselves"
            )
        if not _PATH.fullmatch(path) or path.partition(".")[0] not in ROOTS:
            raise FieldsInvalid(
                f"${{{path[:40]}}} is no place: it begins with {', '.join(ROOTS)}, and goes on with names and "
                "numbers after dots, as in ${event_data.resources.0.tag}"
            )
    return len(found)


def fill(template: Any, facts: Mapping[str, Any]) -> Any:
    """The payload: a template that was checked, with these facts in its places."""
    return _Filling(facts).value(template)


class _Filling:
    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = facts
        self._left = MAX_FILLED

    def value(self, template: Any) -> Any:
        if isinstance(template, dict):
            return {name: self.value(each) for name, each in template.items()}
        if isinstance(template, list):
            return [self.value(each) for each in template]
        if not isinstance(template, str):
            return template
        whole = _PART.fullmatch(template)
        if whole is not None and whole[1] is not None:
            found = self._at(whole[1])
            return found if self._pays(_text(found)) else None
        return _PART.sub(self._text, template)

    def _text(self, place: re.Match[str]) -> str:
        if place[1] is None:
            return "${"
        text = _text(self._at(place[1]))
        return text if self._pays(text) else ""

    def _pays(self, text: str) -> bool:
        if len(text) > self._left:
            return False
        self._left -= len(text)
        return True

    def _at(self, path: str) -> Any:
        found: Any = self._facts
        for name in path.split("."):
            if isinstance(found, Mapping):
                found = found.get(name)
            elif isinstance(found, list) and name.isascii() and name.isdigit() and int(name) < len(found):
                found = found[int(name)]
            else:
                return None
        return found


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
