"""`q` and `sort` mean what Harbor's API says."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.core.oci.errors import BadRequest
from fairway.frame.db.listing import AllOf, AnyOf, Between, Contains, Exact
from fairway.frame.web.query import parse_filters, parse_order

NOON = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("name=app", {"name": Exact("app")}),
        ("name=~App", {"name": Contains("App")}),
        ("name=\\~app", {"name": Exact("~app")}),
        ("name=\\[a~b]", {"name": Exact("[a~b]")}),
        ("a=1, b=2", {"a": Exact("1"), "b": Exact("2")}),
        ("a=1,a=2", {"a": Exact("2")}),
        ("a=b=c", {"a": Exact("b=c")}),
        ("n=[1~5]", {"n": Between(1, 5)}),
        ("n=[~-5]", {"n": Between(None, -5)}),
        ("n=[1~]", {"n": Between(1, None)}),
        ("t=[2026-01-02T12:00:00~]", {"t": Between(NOON, None)}),
        ("t=['2026'~\"z\"]", {"t": Between("2026", "z")}),
        ("s={a b 3}", {"s": AnyOf(("a", "b", 3))}),
        ("labels=(1 2)", {"labels": AllOf((1, 2))}),
        ("tags=*", {"tags": Exact("*")}),
        ("name%3D~a%2Cb%3D2", {"name": Contains("a"), "b": Exact("2")}),
    ],
)
def test_filters(text: str, found: dict[str, object]) -> None:
    assert parse_filters(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "name",
        "=a",
        "name=",
        "a=1,,b=2",
        "a=1,",
        "n=[1]",
        "n=[~]",
        "n=[1~2~3]",
        "n=[1~2",
        "s={}",
        "s={a",
        "s=(",
        "t=[2026-13-02T12:00:00~]",
        "a=\x00",
        "a=%00",
        "a=" + "x" * 5000,
        ",".join(f"k{n}=1" for n in range(21)),
        "s={" + "a " * 101 + "}",
    ],
)
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_filters(text)


@given(st.text())
def test_any_text_is_filters_or_refused(text: str) -> None:
    try:
        found = parse_filters(text)
    except BadRequest:
        return
    assert all(key and key == key.strip() for key in found)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("", []),
        ("name", [("name", False)]),
        ("-push_time, id", [("push_time", True), ("id", False)]),
        (",-,", []),
    ],
)
def test_order(text: str, order: list[tuple[str, bool]]) -> None:
    assert parse_order(text) == order


def test_an_endless_order_is_refused() -> None:
    with pytest.raises(BadRequest):
        parse_order("a," * 4000)
