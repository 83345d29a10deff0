"""Which labels may be had."""

import pytest

from fairway.core.oci.errors import BadRequest
from fairway.features.labels import rules
from fairway.features.labels.model import Label, Wanted, shown


def test_what_a_label_can_say() -> None:
    assert rules.wanted(" stable ", "two\nlines", "#61717D") == Wanted("stable", "two\nlines", "#61717D")
    assert rules.wanted("größer", "", "") == Wanted("größer")
    assert rules.wanted("n" * 128, "d" * 1024, "red")


@pytest.mark.parametrize(
    ("name", "description", "color"),
    [
        ("", "", ""),
        ("   ", "", ""),
        ("n" * 129, "", ""),
        ("a\0b", "", ""),
        ("a\nb", "", ""),
        ("a", "d" * 1025, ""),
        ("a", "\x1b[31m", ""),
        ("a", "", "#12"),
        ("a", "", "url(x)"),
        ("a", "", "#6171717171"),
    ],
)
def test_what_it_cannot(name: str, description: str, color: str) -> None:
    with pytest.raises(BadRequest):
        rules.wanted(name, description, color)


def test_where_a_label_is() -> None:
    assert rules.place("g", None) is None
    assert rules.place("g", 7) is None
    assert rules.place("p", 7) == 7
    for scope, project in (("", None), ("x", 1), ("p", None), ("p", 0), ("p", -1), ("p", 2**63)):
        with pytest.raises(BadRequest):
            rules.place(scope, project)


def test_the_scope_follows_from_the_project() -> None:
    out = shown(Label(3, None, "a", "", "", 0, 0))
    assert (out.scope, out.project_id, out.creation_time) == ("g", 0, "1970-01-01T00:00:00.000Z")
    out = shown(Label(3, 9, "a", "", "", 0, 0))
    assert (out.scope, out.project_id) == ("p", 9)
