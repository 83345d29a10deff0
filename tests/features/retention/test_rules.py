"""Which images stay: Harbor's documented cases with Harbor's results, and where we keep more."""

import pytest

from fairway.core.oci.errors import PatternInvalid
from fairway.core.oci.patterns import Kind
from fairway.features.retention.model import Mark, Mode, Template, Wanted
from fairway.features.retention.rules import Judge
from features.retention.judging import (
    NOW,
    ago,
    excludes,
    image,
    judged,
    kept,
    kept_tags,
    matches,
    outside,
    rule,
    tag,
    within,
)

PUSHED, PULLED, ACTIVE = Template.LATEST_PUSHED, Template.LATEST_PULLED, Template.LATEST_ACTIVE
PUSHED_DAYS, PULLED_DAYS, LAST = Template.PUSHED_WITHIN, Template.PULLED_WITHIN, Template.LAST_DAYS
ALWAYS = Template.ALWAYS

# Five images, pushed 1, 2, 3, 4 and 5 days ago; the third was pulled last, the first two never were.
FIVE = [
    image(1, "v5", pushed=1),
    image(2, "v4", pushed=2),
    image(3, "v3", pushed=3, pulled=0.5),
    image(4, "dev", pushed=4, pulled=1.5),
    image(5, pushed=5, pulled=2.5),
]


@pytest.mark.parametrize(
    ("rules", "stays"),
    [
        ([rule(PUSHED, 2)], {1, 2}),
        ([rule(PUSHED, 9)], {1, 2, 3, 4, 5}),
        ([rule(PULLED, 2)], {3, 4}),
        ([rule(PULLED, 4)], {3, 4, 5, 1}),  # of those never pulled the one pushed last
        ([rule(ACTIVE, 2)], {3, 1}),
        ([rule(PUSHED_DAYS, 3)], {1, 2, 3}),
        ([rule(LAST, 3)], {1, 2, 3}),
        ([rule(PULLED_DAYS, 1)], {3}),
        ([rule(PULLED_DAYS, 30)], {3, 4, 5}),  # never pulled is on no day
        ([rule(ALWAYS)], {1, 2, 3, 4, 5}),
        # What a selector leaves out does not count among the K.
        ([rule(PUSHED, 1, matches("v*", untagged=False))], {1}),
        ([rule(PUSHED, 1, matches("dev", untagged=False))], {4}),
        ([rule(PUSHED, 1, excludes("v*"))], {4}),
        ([rule(ALWAYS, 0, excludes("v*"))], {4, 5}),  # the pattern is not about no tag
        ([rule(ALWAYS, 0, excludes("v*", untagged=True))], {4}),
        ([rule(ALWAYS, 0, matches("v*"))], {1, 2, 3, 5}),
        ([rule(ALWAYS, 0, matches("v*", untagged=False))], {1, 2, 3}),
        # Several selectors: all of them.
        ([rule(ALWAYS, 0, matches("v*", untagged=False), excludes("v4"))], {1, 3}),
        # Several rules: any of them.
        ([rule(PUSHED, 1), rule(ALWAYS, 0, matches("dev", untagged=False))], {1, 4}),
        ([rule(PUSHED, 1), rule(ALWAYS, disabled=True)], {1}),
        # Other kinds of patterns.
        ([rule(ALWAYS, 0, matches("v[45]", kind=Kind.REGEX, untagged=False))], {1, 2}),
        ([rule(ALWAYS, 0, matches(">=4", kind=Kind.SEMVER, untagged=False))], set()),
        ([rule(ALWAYS, 0, matches("{dev,v5}", untagged=False))], {1, 4}),
        ([rule(ALWAYS, 0, matches("", untagged=False))], {1, 2, 3, 4}),  # an empty pattern matches all
    ],
)
def test_what_harbor_keeps(rules: list, stays: set[int]) -> None:  # type: ignore[type-arg]
    assert kept(rules, FIVE) == stays
    assert kept(rules, reversed(FIVE)) == stays


def test_versions_are_compared_as_versions() -> None:
    images = [image(1, "v1.9.0"), image(2, "1.10.0"), image(3, "2.0.0-rc.1"), image(4, "latest")]
    newer = matches(">=1.10.0", kind=Kind.SEMVER, untagged=False)
    assert kept([rule(ALWAYS, 0, newer)], images) == {2}


def test_a_kept_tag_protects_the_other_tags_of_its_image() -> None:
    one = image(1, tag("v1", 90), tag("latest", 1), pushed=90)
    assert kept([rule(PUSHED_DAYS, 7)], [one]) == {1}
    assert kept([rule(ALWAYS, 0, matches("latest"))], [one]) == {1}
    assert kept([rule(ALWAYS, 0, excludes("latest"))], [one]) == {1}  # v1 is not excluded


def test_times_are_those_of_the_image_and_of_all_its_tags() -> None:
    tagged_late = image(1, tag("v1", 1), pushed=50)
    pushed_late = image(2, tag("v2", 50), pushed=2)
    pulled_by_tag = image(3, tag("v3", 50, pulled=3), pushed=50)
    pulled_by_digest = image(4, tag("v4", 50), pushed=50, pulled=4)
    images = [tagged_late, pushed_late, pulled_by_tag, pulled_by_digest]
    assert kept([rule(PUSHED_DAYS, 10)], images) == {1, 2}
    assert kept([rule(PULLED_DAYS, 10)], images) == {3, 4}


def test_a_repository_no_rule_is_about_is_left_alone() -> None:
    judge = Judge(Wanted((rule(PUSHED, 1, repositories=[within("lib/**"), outside("lib/keep")]),)), NOW)
    assert judge.of("lib/app") is not None
    assert judge.of("lib/keep") is None
    assert judge.of("app") is None
    assert Judge(Wanted((rule(PUSHED, 1, disabled=True),)), NOW).of("app") is None
    assert Judge(Wanted(()), NOW).of("app") is None


def test_only_rules_that_are_about_the_repository_keep_something_in_it() -> None:
    rules = [rule(PUSHED, 1, repositories=[within("app")]), rule(ALWAYS, repositories=[within("lib")])]
    assert kept(rules, FIVE) == {1}


def test_a_rule_without_selectors_of_tags_is_about_all_images() -> None:
    """In Harbor it keeps nothing, so that a client that sends none loses everything."""
    judge = Judge(Wanted((rule(ALWAYS).__class__(ALWAYS),)), NOW).of("app")
    assert judge is not None
    assert [judge.verdict(each).goes for each in FIVE] == [False] * 5


@pytest.mark.parametrize("template", [PUSHED, PUSHED_DAYS, LAST, ACTIVE])
def test_an_unknown_push_time_keeps_an_image_where_it_is_needed(template: Template) -> None:
    unknown = [image(1, "a", pushed=None), image(2, tag("b", None), pushed=400), image(3, "c", pushed=400)]
    newer = image(4, "d", pushed=0.1)
    assert kept([rule(template, 1)], [*unknown, newer]) == {1, 2, 4}
    [first, *_] = judged([rule(template, 1)], [*unknown, newer])
    assert first.verdicts[0].reason == "rule 1 keeps it: time unknown: kept"


@pytest.mark.parametrize("template", [PULLED, PULLED_DAYS, ACTIVE])
def test_an_unknown_pull_time_keeps_an_image_where_it_is_needed(template: Template) -> None:
    unknown = image(1, "a", pushed=400).__class__(1, "sha256:1", ago(400), 0)
    assert kept([rule(template, 1)], [unknown, image(2, "b", pushed=1, pulled=0.1)]) == {1, 2}


def test_an_unknown_time_that_no_rule_asks_for_keeps_nothing() -> None:
    assert kept([rule(ALWAYS, 0, matches("keep"))], [image(1, "a", pushed=None)]) == set()


def test_times_in_the_future_count_as_now() -> None:
    ahead = image(1, "a", pushed=-1, pulled=-1)
    assert kept([rule(PUSHED_DAYS, 1)], [ahead]) == {1}
    # Two whose clocks were ahead are no newer than one another by hours that never were.
    far, near = image(2, "b", pushed=-300), image(3, "c", pushed=-0.1)
    assert kept([rule(PUSHED, 1)], [far, near, image(1, "a", pushed=0.5)]) == {3}


def test_equal_times_have_one_order() -> None:
    same = [image(n, f"t{n}", pushed=3) for n in range(6)]
    assert kept([rule(PUSHED, 2)], same) == kept([rule(PUSHED, 2)], reversed(same)) == {4, 5}


def test_tags_each_by_itself() -> None:
    one = image(1, tag("v1", 90), tag("latest", 1), pushed=90)
    other = image(2, tag("v2", 80), pushed=80)
    bare = image(3, pushed=70)
    assert kept_tags([rule(PUSHED_DAYS, 7)], [one, other, bare]) == {"latest"}
    [first, second, third] = judged([rule(PUSHED_DAYS, 7)], [one, other, bare], mode=Mode.TAG)
    assert (first.goes, first.tags_that_go) == (False, ("v1",))
    assert (second.goes, second.tags_that_go) == (True, ())
    assert (third.goes, third.verdicts[0].tags) == (True, ())
    # K counts tags.
    assert kept_tags([rule(PUSHED, 2)], [one, other]) == {"latest", "v2"}
    assert kept_tags([rule(ALWAYS, 0, excludes("latest"))], [one, other]) == {"v1", "v2"}


def test_a_pull_by_digest_counts_for_each_tag() -> None:
    by_digest = image(1, tag("a", 90, pulled=50), tag("b", 90), pushed=90, pulled=1)
    assert kept_tags([rule(PULLED_DAYS, 7)], [by_digest]) == {"a", "b"}
    by_tag = image(1, tag("a", 90, pulled=1), tag("b", 90), pushed=90, pulled=1)
    assert kept_tags([rule(PULLED_DAYS, 7)], [by_tag]) == {"a"}


def test_an_image_with_more_tags_than_are_read_stays() -> None:
    crowded = image(1, "a", pushed=400).__class__(1, "sha256:1", ago(400), crowded=True)
    assert not judged([rule(PUSHED_DAYS, 1)], [crowded])[0].goes
    # Nobody knows whether its tags are selected: it takes no place of another one.
    crowded = image(2, pushed=1).__class__(2, "sha256:2", ago(1), crowded=True)
    assert kept([rule(PUSHED, 1, matches("v*"))], [crowded, image(1, "v1", pushed=9)]) == {1, 2}


def test_reasons_are_exact() -> None:
    rules = [rule(PUSHED, 1), rule(ALWAYS, 0, matches("keep-*", untagged=False))]
    images = [image(1, "new", pushed=1), image(2, "old", pushed=2), image(3, "keep-me", pushed=3)]
    said = [(each.verdicts[0].mark, each.verdicts[0].reason) for each in judged(rules, images)]
    assert said == [
        (Mark.RETAIN, "rule 1 keeps it: among the 1 pushed last"),
        (
            Mark.DEL,
            "no rule keeps it (rule 1: not among the 1 pushed last; rule 2: its selectors do not select it)",
        ),
        (Mark.RETAIN, "rule 2 keeps it: always"),
    ]


def test_a_pattern_that_cannot_be_read_is_an_error_and_no_verdict() -> None:
    with pytest.raises(PatternInvalid):
        judged([rule(ALWAYS, 0, matches("(", kind=Kind.REGEX))], FIVE)
