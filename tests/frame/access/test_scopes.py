"""What a token's scope covers, permission by permission."""

import pytest

from fairway.frame.access.catalogue import IN_PROJECT, ON_SERVER, ROBOT_UPDATE, Permission
from fairway.frame.access.may import may_make_projects
from fairway.frame.access.principals import User
from fairway.frame.access.scopes import Scope, Word, words_of

CHANGES = {"create", "update", "delete", "push", "stop", "operate"}
LOOKING = {
    *("project:read", "repository:list", "repository:read", "artifact:list", "artifact:read"),
    *("accessory:list", "tag:list", "label:list", "label:read"),
}
COVERED = {
    "pull": {"repository:pull", "artifact-addition:read"},
    "push": {
        *("repository:pull", "artifact-addition:read"),
        *("repository:push", "repository:create", "artifact:create", "tag:create"),
    },
    "delete": {"repository:delete", "artifact:delete", "tag:delete"},
}


def covered(words: list[str], project: int | None, where: frozenset[int] | None = None) -> set[Permission]:
    scope = Scope(1, words_of(words), where)
    return {each for each in IN_PROJECT | ON_SERVER if scope.covers(each, project)}


@pytest.mark.parametrize("word", COVERED)
def test_actions_on_images_cover_those_and_looking(word: str) -> None:
    assert {str(each) for each in covered([word], 7)} == COVERED[word] | LOOKING
    assert covered([word], None) == set(), "nothing on the server"


def test_all_is_all_but_changing_robots() -> None:
    for project in (7, None):
        assert covered(["all"], project) == (IN_PROJECT | ON_SERVER) - {ROBOT_UPDATE}


def test_reading_changes_nothing_and_leaves_no_reading_out() -> None:
    for project in (7, None):
        found = covered(["read"], project)
        assert {each.action for each in found}.isdisjoint(CHANGES)
        assert {each.action for each in (IN_PROJECT | ON_SERVER) - found} <= CHANGES


@pytest.mark.parametrize("word", Word)
def test_projects_are_those_and_no_others(word: Word) -> None:
    there = covered([word], 7, frozenset({7}))
    assert there == covered([word], 7)
    assert covered([word], 8, frozenset({7})) == set()
    assert covered([word], 0, frozenset({7})) == set(), "nor one that does not exist"
    assert covered([word], None, frozenset({7})) == set()
    assert covered([word], 7, frozenset()) == set()


def test_a_scope_that_was_not_read_covers_nothing() -> None:
    scope = Scope(1)
    assert not any(scope.covers(each, place) for each in IN_PROJECT | ON_SERVER for place in (1, None))
    assert (scope.whole, scope.reads_all, scope.only_reads) == (False, False, True)


def test_only_a_whole_token_makes_projects() -> None:
    for words, where, makes in (
        (["all"], None, True),
        (["all"], frozenset({1}), False),
        (["read"], None, False),
        (["push"], None, False),
    ):
        scope = Scope(1, words_of(words), where)
        for sysadmin in (True, False):
            user = User(1, "a", sysadmin, scope=scope)
            assert may_make_projects(user, everyone=True) is makes
            assert may_make_projects(user, everyone=False) is (makes and sysadmin)


def test_words_that_are_none() -> None:
    with pytest.raises(ValueError, match="fly"):
        words_of(["fly"])
