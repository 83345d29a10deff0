"""Repository names, tags and references: the specification's grammar and nothing around it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import DigestInvalid, NameInvalid, TagInvalid
from fairway.core.oci.names import MAX_NAME, Repository, Tag, parse_reference

NAMES = [
    "a",
    "0",
    "library/app",
    "a.b",
    "a_b",
    "a__b",
    "a-b",
    "a-----b",
    "a/b/c/d/e",
    "a/blobs/uploads",
    "x" * 255,
]
NOT_NAMES = {
    "empty": "",
    "upper case": "Library/app",
    "leading slash": "/a",
    "trailing slash": "a/",
    "double slash": "a//b",
    "dot segment": "a/./b",
    "parent segment": "a/../b",
    "two dots": "a..b",
    "three underscores": "a___b",
    "mixed separators": "a._b",
    "leading dash": "-a",
    "trailing dot": "a.",
    "encoded slash": "a%2fb",
    "encoded dot": "a%2e%2e/b",
    "backslash": "a\\b",
    "parameter": "a;x=1",
    "space": "a b",
    "NUL": "a\0",
    "newline": "a\n",
    "colon": "host:5000/a",
    "catalog": "_catalog",
    "unicode letter": "é",
    "unicode digit": "a٣",
    "256 characters": "x" * 256,
    "a megabyte": "a/" * 500_000 + "a",
}
TAGS = ["latest", "v1.0", "_", "A-b.c_d", "0", "sha256-abc.sig", "x" * 128]
NOT_TAGS = ["", ".", "..", ".a", "-a", "a/b", "a:b", "a b", "a\n", "a+b", "é", "a\0", "x" * 129]

component = st.from_regex(r"[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}", fullmatch=True)
names = st.lists(component, min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize("text", NAMES)
def test_a_name_is_taken(text: str) -> None:
    assert Repository(text) == text


@pytest.mark.parametrize("text", NOT_NAMES.values(), ids=NOT_NAMES.keys())
def test_what_is_no_name_is_refused_shortly(text: str) -> None:
    with pytest.raises(NameInvalid) as refused:
        Repository(text)
    assert len(refused.value.message) < 400


@given(names)
def test_every_name_of_the_grammar_is_taken_and_falls_apart_at_its_first_slash(text: str) -> None:
    if len(text) > MAX_NAME:
        return
    name = Repository(text)
    assert "/".join(filter(None, (name.project, name.rest))) == text
    assert "/" not in name.project


@pytest.mark.parametrize(
    ("text", "project", "rest"),
    [("app", "app", ""), ("team/app", "team", "app"), ("team/a/b", "team", "a/b")],
)
def test_the_project_is_the_first_component(text: str, project: str, rest: str) -> None:
    assert (Repository(text).project, Repository(text).rest) == (project, rest)


@pytest.mark.parametrize("text", TAGS)
def test_a_tag_is_taken(text: str) -> None:
    assert Tag(text) == text


@pytest.mark.parametrize("text", NOT_TAGS, ids=repr)
def test_what_is_no_tag_is_refused(text: str) -> None:
    with pytest.raises(TagInvalid):
        Tag(text)


def test_a_reference_without_a_colon_is_a_tag() -> None:
    assert type(parse_reference("sha256-abc")) is Tag


def test_a_reference_with_a_colon_is_a_digest() -> None:
    assert type(parse_reference("sha256:" + "0" * 64)) is Digest


@pytest.mark.parametrize("text", ["sha256:baddigeststring", ":", "latest:", "md5:" + "0" * 32])
def test_a_bad_digest_is_never_taken_for_a_tag(text: str) -> None:
    with pytest.raises(DigestInvalid):
        parse_reference(text)
