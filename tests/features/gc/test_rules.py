"""What is garbage, as a table."""

import pytest

from fairway.features.gc.model import Collected, CollectionOff, LinkFacts, Options, Switches, Verdict
from fairway.features.gc.rules import backoff_seconds, of_link, require_allowed

TABLE = """
readable leased needed manifest loose
yes      no     no     no       no    RELEASE
no       no     no     no       no    RELEASE
yes      no     yes    no       no    KEEP
yes      yes    no     no       no    WAIT
no       yes    no     yes      yes   WAIT
no       no     no     yes      no    KEEP
no       no     no     yes      yes   LOOSE
yes      no     no     yes      no    HIDE
yes      no     no     yes      yes   HIDE
yes      no     yes    yes      yes   LOOSE
yes      no     yes    yes      no    KEEP
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()[1:]]


@pytest.mark.parametrize("row", ROWS, ids=" ".join)
def test_each_case(row: list[str]) -> None:
    *facts, verdict = row
    assert of_link(LinkFacts("sha256:x", *(fact == "yes" for fact in facts))) is Verdict[verdict]


@pytest.mark.parametrize(("tries", "seconds"), [(0, 60), (1, 120), (5, 1920), (11, 86_400), (500, 86_400)])
def test_a_failure_is_tried_again_later_each_time(tries: int, seconds: int) -> None:
    assert backoff_seconds(tries) == seconds


@pytest.mark.parametrize(("enabled", "read_only"), [(False, False), (True, True), (False, True)])
def test_who_may_not_run_is_told(enabled: bool, read_only: bool) -> None:
    with pytest.raises(CollectionOff):
        require_allowed(Switches(enabled, read_only))


def test_it_may_run() -> None:
    require_allowed(Switches(enabled=True, read_only=False))


@pytest.mark.parametrize("workers", [0, 6])
def test_a_few_workers_are_enough(workers: int) -> None:
    with pytest.raises(ValueError, match="workers"):
        Options(1, workers=workers)


def test_sums() -> None:
    both = Collected(freed=5, blobs=1) + Collected(freed=2, links=3, kept=4)
    assert both == Collected(freed=7, blobs=1, links=3, kept=4)
    assert both.settled == 4
