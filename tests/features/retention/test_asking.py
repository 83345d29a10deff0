"""What a client may ask of a policy, and how it is said again."""

from typing import Any

import pytest

from fairway.core.oci.errors import BadRequest
from fairway.core.oci.patterns import Kind
from fairway.features.retention import asking
from fairway.features.retention.model import Mode, Rule, TagSelector, Template
from fairway.frame.web.errors import Conflict
from features.retention.making import rule, selector


def one(**said: Any) -> Rule:
    [made] = asking.wanted(rules=[{"template": "always", **said}]).rules
    return made


@pytest.mark.parametrize(
    ("template", "usual"),
    [
        ("latestPushedK", 10),
        ("latestPulledN", 10),
        ("latestActiveK", 10),
        ("lastXDays", 10),
        ("nDaysSinceLastPush", 30),
        ("nDaysSinceLastPull", 30),
        ("always", 0),
    ],
)
def test_numbers_have_harbors_usual_values(template: str, usual: int) -> None:
    assert one(template=template).number == usual
    assert one(template=template, params={"something": 3}).number == usual


def test_numbers_and_their_bounds() -> None:
    for number in (1, 7, 32_766, 7.0):
        assert one(template="latestPushedK", params={"latestPushedK": number}).number == number
    for number in (0, -1, 32_767, 10**40, 1.5, "7", True, [1]):
        with pytest.raises(BadRequest, match="from 1 to 32766"):
            one(template="latestPushedK", params={"latestPushedK": number})


@pytest.mark.parametrize(
    ("said", "excludes", "untagged"),
    [
        (selector(), False, True),
        (selector("**", "excludes"), True, False),
        (selector(extras=""), False, True),
        (selector(extras='{"untagged":true}'), False, True),
        (selector(extras='{"untagged": false}'), False, False),
        (selector("**", "excludes", extras='{"untagged":true}'), True, True),
        (selector(extras="{}"), False, False),  # as Harbor reads it
        ({"pattern": "**"}, False, True),
    ],
)
def test_selectors(said: dict[str, Any], excludes: bool, untagged: bool) -> None:
    assert one(tag_selectors=[said]).tags == (TagSelector(Kind.DOUBLESTAR, "**", excludes, untagged),)


@pytest.mark.parametrize(
    "said",
    [
        {"template": ""},
        {"template": "immutable_template"},
        {"action": "delete"},
        {"tag_selectors": [selector(kind="glob")]},
        {"tag_selectors": [selector("**", "repoMatches")]},
        {"tag_selectors": [selector(extras="untagged")]},
        {"tag_selectors": [selector(extras='{"untagged":"yes"}')]},
        {"tag_selectors": [selector(extras="[" * 100_000)]},
        {"tag_selectors": [selector("[", kind="doublestar")]},
        {"tag_selectors": [selector("(", kind="regex")]},
        {"tag_selectors": [selector("not a version", kind="semver")]},
        {"tag_selectors": [selector("a" * 1025)]},
        {"tag_selectors": [selector("a\n")]},
        {"tag_selectors": [selector()] * 11},
        {"tag_selectors": "**"},
        {"params": [1]},
        {"scope_selectors": {"project": [selector("**", "repoMatches")]}},
        {"scope_selectors": {"repository": [selector("**", "matches")]}},
        {"scope_selectors": [selector()]},
    ],
)
def test_what_cannot_be_asked(said: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as refused:
        one(**said)
    assert refused.value.message.startswith("rules[0].")


def test_a_policy_as_a_whole() -> None:
    for said in (
        {"algorithm": "and"},
        {"mode": "image"},
        {"trigger": "Webhook"},
        {"rules": [rule("always", priority=n) for n in range(16)]},
    ):
        with pytest.raises(BadRequest):
            asking.wanted(**said)
    with pytest.raises(Conflict, match=r"rules\[2\] says the same as rules\[0\]"):
        asking.wanted(rules=[rule("always"), rule("latestPushedK"), rule("always")])
    assert asking.wanted(rules=[rule("always"), rule("always", disabled=True)])
    assert len(asking.wanted(rules=[rule("always", priority=n) for n in range(15)]).rules) == 15


def test_schedules() -> None:
    for said, cron in (
        ("", ""),
        ("none", ""),
        ("Daily", "0 0 0 * * *"),
        ("hourly", "0 0 * * * *"),
        (" weekly ", "0 0 0 * * 0"),
        ("0 30  2 * * *", "0 30 2 * * *"),
    ):
        assert asking.schedule(said) == cron
    for said in ("30 0 2 * * *", "* * * * *", "0 0 0 31 2 *", "often", "* * * * * *", "x" * 10_000):
        with pytest.raises(BadRequest):
            asking.schedule(said)


def test_it_is_kept_and_said_again_as_it_was() -> None:
    rules = [
        rule("latestPushedK", 3, tags=[selector("v*", extras='{"untagged":false}')], priority=2),
        rule(
            "nDaysSinceLastPull", 9, tags=[selector(r"v\d+", "excludes", kind="regex")], repositories="lib/**"
        ),
        rule("always", tags=[], disabled=True),
        rule("lastXDays", 4, tags=[selector(">=1", kind="semver"), selector("*-rc", "excludes")]),
    ]
    wanted = asking.wanted(rules=rules, mode="tag", cron="daily")
    assert (wanted.mode, wanted.cron) == (Mode.TAG, "0 0 0 * * *")
    assert asking.read(asking.kept(wanted), wanted.cron) == wanted
    shown = asking.rules_shown(wanted.rules)
    assert [each["id"] for each in shown] == [1, 2, 3, 4]
    assert asking.wanted(rules=shown, mode="tag", cron="daily") == wanted
    assert shown[0]["params"] == {"latestPushedK": 3}
    assert shown[2]["params"] == {}
    assert shown[1]["scope_selectors"]["repository"][0]["decoration"] == "repoMatches"
    assert Template.ALWAYS == "always"
