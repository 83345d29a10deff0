"""Who may change something while that is switched off, for good or for a while."""

import pytest

from fairway.core.oci.errors import Denied, Unsupported
from fairway.frame.access.changes import ALL_CHANGES, Changes


def test_everything_may_be_changed_unless_somebody_says_otherwise() -> None:
    ALL_CHANGES.admit(deletes=False)
    ALL_CHANGES.admit(deletes=True, resumes=True)
    assert not ALL_CHANGES.read_only


@pytest.mark.parametrize("deletes", [False, True])
def test_what_the_operator_locks_nobody_opens(deletes: bool) -> None:
    locked = Changes(locked=True)
    assert locked.read_only
    for resumes in (False, True):
        with pytest.raises(Denied):
            locked.admit(deletes=deletes, resumes=resumes)


def test_a_pause_lasts_as_long_as_it_is_wanted() -> None:
    wanted = [True]
    pausing = Changes(paused=lambda: wanted[0])
    assert pausing.read_only
    with pytest.raises(Denied):
        pausing.admit(deletes=False)
    pausing.admit(deletes=False, resumes=True)
    wanted[0] = False
    pausing.admit(deletes=True)


def test_deleting_alone_can_be_switched_off() -> None:
    kept = Changes(deletions=False)
    kept.admit(deletes=False)
    with pytest.raises(Unsupported):
        kept.admit(deletes=True, resumes=True)
