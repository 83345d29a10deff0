"""What may be there after all, as the checker reckons it."""

import math

import pytest

from faults.journal import Deed
from faults.registers import PRESENT, expected

A, B = "sha256:a", "sha256:b"
DONE, GONE, NEVER = 201, 202, math.inf


def put(digest: str, started: int, ended: float, status: int = DONE) -> Deed:
    return Deed("manifest", "p/r", digest, ["t"], started=started, ended=ended, status=status)


def delete(digest: str, started: int, ended: float, status: int = GONE) -> Deed:
    return Deed("delete", "p/r", digest, started=started, ended=ended, status=status)


def untag(started: int, ended: float, status: int = GONE) -> Deed:
    return Deed("untag", "p/r", tags=["t"], started=started, ended=ended, status=status)


@pytest.mark.parametrize(
    ("deeds", "possible"),
    [
        pytest.param([put(A, 1, 2)], {A}, id="an acknowledged write is there"),
        pytest.param([put(A, 1, 2), put(B, 3, 4)], {B}, id="the last one counts"),
        pytest.param([put(A, 1, 3), put(B, 2, 4)], {A, B}, id="of two at once either"),
        pytest.param([put(A, 1, NEVER, 0)], {None, A}, id="an unanswered write happened or not"),
        pytest.param([put(A, 1, 2, 503)], {None, A}, id="a 503 says nothing"),
        pytest.param([put(A, 1, 2), put(B, 3, NEVER, 0)], {A, B}, id="an unanswered write over an old one"),
        pytest.param([put(A, 1, 3, 0), put(B, 4, 5)], {B}, id="what a restart ended is over"),
        pytest.param([put(A, 1, 2), put(B, 3, 4, 400)], {A}, id="what was refused changed nothing"),
        pytest.param([put(A, 1, 2), untag(3, 4)], {None}, id="deleted stays deleted"),
        pytest.param([put(A, 1, 2), untag(3, NEVER, 0)], {None, A}, id="an unanswered delete"),
        pytest.param([put(A, 1, 2), delete(A, 3, 4)], {None}, id="a tag goes with its manifest"),
        pytest.param([put(A, 1, 2), delete(B, 3, 4)], {A}, id="but not with another one"),
        pytest.param([put(A, 1, 4), delete(A, 2, 3)], {None, A}, id="deleted while it was pushed"),
        pytest.param(
            [put(A, 1, 2), delete(A, 3, 4), put(B, 5, 6)], {B}, id="used again after its manifest went"
        ),
        pytest.param([put(A, 1, 2), put(B, 3, 4), delete(A, 5, 6)], {B}, id="moved away before"),
    ],
)
def test_a_tag(deeds: list[Deed], possible: set[str | None]) -> None:
    assert expected(deeds).tags["p/r", "t"].possible() == possible


def test_a_blob_belongs_to_the_project() -> None:
    deeds = [
        Deed("blob", "p/one", A, started=1, ended=2, status=DONE),
        Deed("delete_blob", "p/two", A, started=3, ended=4, status=GONE),
        Deed("blob", "q/one", A, started=1, ended=2, status=DONE),
        Deed("mount", "q/two", B, started=1, ended=2, status=202),
    ]
    blobs = expected(deeds).blobs
    assert blobs["p", A].possible() == {None}
    assert blobs["q", A].possible() == {PRESENT}
    assert ("q", B) not in blobs  # the mount became an upload, which was not made
