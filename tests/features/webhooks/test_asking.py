"""Which targets keep their secrets, and how selectors are read and kept."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.core.oci.errors import BadRequest
from fairway.core.oci.patterns import Kind, Selector
from fairway.features.webhooks import asking, selectors
from fairway.features.webhooks.model import KnownTarget, Standing, WantedTarget

FINE = Standing(0, 0, 0, "", 0)


def wanted(
    address: str, auth_header: str | None = None, secret: str | None = None, **more: Any
) -> WantedTarget:
    said = {"type": "http", "payload_format": "", "template": None, "skip_cert_verify": False}
    return asking.target(address=address, auth_header=auth_header, secret=secret, **{**said, **more})


def known(number: int, address: str, type: str = "http", *, sealed: bool = True) -> KnownTarget:  # noqa: A002
    return KnownTarget(number, 1, type, address, "Default", None, sealed, sealed, False, FINE)


def which(asked: list[WantedTarget], kept: list[KnownTarget]) -> list[int | None]:
    return [before.id if before else None for _, before in asking.matched(asked, kept)]


A, B, C = ("https://a.example.com/x", "https://b.example.com/x", "https://c.example.com/x")


def test_a_target_is_found_by_what_it_is_and_then_by_its_place() -> None:
    kept = [known(1, A, sealed=False), known(2, B, sealed=False)]
    assert which([wanted(A), wanted(B)], kept) == [1, 2]
    assert which([wanted(B), wanted(A)], kept) == [2, 1]
    assert which([wanted(C), wanted(B)], kept) == [1, 2]
    assert which([wanted(B), wanted(C)], kept) == [2, None]  # its place is that of the other one
    assert which([wanted(B)], kept) == [2]
    assert which([wanted(A), wanted(B), wanted(C)], kept) == [1, 2, None]
    assert which([wanted(A), wanted(A)], kept) == [1, 2]
    assert which([wanted(C, type="slack")], kept) == [None]


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (A, "https://a.example.com/y?z=1", True),
        (A, "https://a.example.com:443/x", True),
        (A, "https://A.EXAMPLE.com/x", True),
        ("http://a.example.com", "http://a.example.com:80", True),
        (A, "http://a.example.com/x", False),
        (A, "https://a.example.com:444/x", False),
        (A, "https://a.example.com./x", False),
        (A, B, False),
        (A, "https://a.example.com.evil.example/x", False),
        (A, "https://evil.example/a.example.com", False),
    ],
)
def test_a_secret_stays_on_its_host(before: str, after: str, same: bool) -> None:
    kept = [known(1, before)]
    if same:
        ((settled, found),) = asking.matched([wanted(after)], kept)
        assert (settled.auth_header, settled.secret, found) == (None, None, kept[0])
        return
    for asked in (wanted(after), wanted(after, asking.MASK, ""), wanted(after, "", asking.MASK)):
        with pytest.raises(BadRequest, match="another host"):
            asking.matched([asked], kept)
    ((settled, _),) = asking.matched([wanted(after, "", "new")], kept)
    assert (settled.auth_header, settled.secret) == ("", "new")


def test_nothing_is_kept_where_nothing_was() -> None:
    ((settled, _),) = asking.matched([wanted(A)], [])
    assert (settled.auth_header, settled.secret) == ("", "")
    ((settled, _),) = asking.matched([wanted(B)], [known(1, A, sealed=False)])
    assert (settled.auth_header, settled.secret) == ("", "")
    for asked in (wanted(A, asking.MASK), wanted(A, "", asking.MASK)):
        for kept in ([], [known(1, A, sealed=False)]):
            with pytest.raises(BadRequest, match="there is none"):
                asking.matched([asked], kept)


def test_secrets_are_in_no_repr() -> None:
    asked = wanted("https://a.example.com/swordfish", "swordfish", "swordfish")
    assert "swordfish" not in repr(asked)
    assert "swordfish" not in repr(replace(known(1, A), address="https://swordfish"))


kinds = st.builds(
    Selector, st.sampled_from(Kind), st.sampled_from([">=1.2", "1.x", "^3.1"]), excludes=st.booleans()
)


@given(st.lists(kinds, max_size=selectors.MOST))
def test_selectors_are_kept_as_they_are(chosen: list[Selector]) -> None:
    for words in (selectors.OF_TAGS, selectors.OF_REPOSITORIES):
        assert selectors.opened(selectors.kept(chosen, words), words) == tuple(chosen)
        try:
            assert selectors.read(selectors.shown(chosen, words), words, "x") == tuple(chosen)
        except BadRequest:
            assert any(each.kind is Kind.REGEX for each in chosen)


def test_what_is_left_out_of_a_selector() -> None:
    assert selectors.read([{"pattern": "v*"}], selectors.OF_TAGS, "x") == (Selector(Kind.DOUBLESTAR, "v*"),)
    for wrong in ({"kind": "glob"}, {"decoration": "excludes"}, {"kind": "semver", "pattern": "new"}):
        with pytest.raises(BadRequest, match=r"x\[0\]"):
            selectors.read([wrong], selectors.OF_REPOSITORIES, "x")
