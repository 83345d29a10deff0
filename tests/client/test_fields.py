"""JSON as values: what is not known is left out, what is not there has its default."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from fairway.client.errors import Unreadable
from fairway.client.fields import read


@dataclass(frozen=True)
class Inner:
    name: str


@dataclass(frozen=True)
class Outer:
    id: int
    text: str = "none"
    ratio: float = 0.0
    flag: bool = False
    maybe: int | None = None
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    any: object = None


def test_every_kind_of_field() -> None:
    told = {
        "id": 1,
        "text": "a",
        "ratio": 2,
        "flag": True,
        "maybe": 3,
        "inner": {"name": "b"},
        "many": [{"name": "c"}, {"name": "d"}],
        "words": {"e": "f"},
        "any": [1, {}],
    }
    made = Outer(1, "a", 2, True, 3, Inner("b"), (Inner("c"), Inner("d")), {"e": "f"}, [1, {}])
    assert read(Outer, told) == made


def test_what_is_not_known_is_left_out_and_what_is_not_there_has_its_default() -> None:
    assert read(Outer, {"id": 1, "later": {"than": "us"}}) == Outer(1)
    assert read(Outer, {"id": 1, "text": None, "many": None, "words": None, "inner": None}) == Outer(1)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "id is missing"),
        ({"id": None}, "id is missing"),
        ([], "an object was expected"),
        (None, "an object was expected"),
        ({"id": "1"}, "Outer.id is of another kind"),
        ({"id": True}, "Outer.id is of another kind"),
        ({"id": 1.5}, "Outer.id is of another kind"),
        ({"id": 1, "flag": 1}, "Outer.flag is of another kind"),
        ({"id": 1, "flag": "true"}, "Outer.flag is of another kind"),
        ({"id": 1, "many": {}}, "Outer.many is of another kind"),
        ({"id": 1, "many": ["a"]}, "an object was expected"),
        ({"id": 1, "words": {"a": 1}}, "Outer.words is of another kind"),
        ({"id": 1, "inner": {}}, "name is missing"),
    ],
)
def test_what_cannot_be_read_is_an_error_and_not_a_guess(told: object, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        read(Outer, told)
