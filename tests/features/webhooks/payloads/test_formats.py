"""Chats, and payloads of somebody's own: always valid JSON, whatever people have named things (T37, T39)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.core.oci.patterns import Kind, Selector
from fairway.features.webhooks.model import CLOUDEVENTS, DEFAULT, FIELDS, HTTP, SLACK, TEAMS, Policy
from fairway.features.webhooks.payloads import fields, readable, slack
from fairway.features.webhooks.payloads.chosen import wants
from fairway.features.webhooks.payloads.fields import FieldsInvalid
from fairway.features.webhooks.payloads.formats import render
from fairway.features.webhooks.payloads.notice import Notice

D = "sha256:" + "a" * 64
FORMATS = [(HTTP, DEFAULT), (HTTP, CLOUDEVENTS), (HTTP, FIELDS), (SLACK, ""), (TEAMS, "")]
NASTY = [
    'a "quoted" name',
    "two\nlines\r\nand\ttabs",
    "\N{WHALE}\N{ZERO WIDTH JOINER}\N{ROCKET} caf\u00e9 \u202e",
    'back\\slash \\" and `ticks` and ```more```',
    "<!channel> & <https://evil.example|click> *bold* _it_ ~no~",
    "{{.EventData}} ${event_data} {% raw %} #{7*7} {0.__class__} %(x)s",
    "</script><script>alert(1)</script>",
    "[link](https://evil.example) {{DATE(2020-01-01T00:00:00Z)}}",
    "\x00\x07\x1b[31m",
]
TEMPLATE = {"text": "${operator} did ${type}", "who": "${operator}", "all": "${event_data}"}


def notice(name: str = "alice", **more: Any) -> Notice:
    resource = {"digest": D, "tag": "v1", "resource_url": f"hub/team/app:{name}"}
    data = {"resources": [resource], "repository": {"name": name}, **more}
    return Notice("e1", "PUSH_ARTIFACT", name, 1_767_225_600_000_000, data, "team/app", ("v1",))


def rendered(told: Notice, kind: str, payload_format: str, template: Any = None) -> Any:
    if template is None:
        template = TEMPLATE
    return json.loads(render(told, kind, payload_format, project=7, policy=3, template=template)[1])


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize(("kind", "payload_format"), FORMATS)
def test_names_survive_as_they_are(name: str, kind: str, payload_format: str) -> None:
    whole = rendered(notice(name), kind, payload_format)
    if kind == SLACK:
        text = whole["blocks"][3]["text"]["text"]
        assert text == f"*operator:* {name}".replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    elif kind == TEAMS:
        runs = [run for line in whole["attachments"][0]["content"]["body"] for run in line["inlines"]]
        assert {"type": "TextRun", "text": name} in runs
    elif payload_format == FIELDS:
        assert whole["who"] == name
        assert whole["text"] == f"{name} did PUSH_ARTIFACT"
        assert whole["all"]["repository"]["name"] == name
    else:
        assert whole["operator"] == name
        assert whole["data" if payload_format == CLOUDEVENTS else "event_data"]["repository"]["name"] == name


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=5000))
def test_any_text_makes_valid_json(name: str) -> None:
    for kind, payload_format in FORMATS:
        assert rendered(notice(name), kind, payload_format)


# -- Slack


def test_slack_gets_harbors_blocks() -> None:
    whole = rendered(notice(), SLACK, "")
    assert list(whole) == ["blocks"]
    assert all(block["type"] == "section" for block in whole["blocks"])
    assert all(block["text"]["type"] == "mrkdwn" for block in whole["blocks"])
    head, event_type, occur_at, operator, label, data = [block["text"]["text"] for block in whole["blocks"]]
    assert head == "*Fairway webhook events*"
    assert event_type == "*event_type:* PUSH_ARTIFACT"
    assert occur_at.startswith("*occur_at:* <!date^1767225600^{date} at {time}|")
    assert operator == "*operator:* alice"
    assert label == "*event_data:*"
    assert json.loads(data.removeprefix("```").removesuffix("```")) == notice().data


@given(st.text(st.sampled_from("<>&a\n\N{WHALE}"), max_size=9000))
def test_slack_gets_no_block_that_is_too_long(text: str) -> None:
    for block in rendered(notice(text), SLACK, "")["blocks"]:
        assert len(block["text"]["text"].encode("utf-16-le")) <= 2 * 3000


@given(st.text(st.sampled_from("<>&x\N{WHALE}"), max_size=200), st.integers(5, 60))
def test_what_is_escaped_is_not_torn(text: str, most: int) -> None:
    shown = slack.escaped(text, most)
    assert len(shown.encode("utf-16-le")) <= 2 * most
    left = shown.removesuffix(readable.CUT).replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    assert not set(left) & set("<>&")


def test_a_code_block_is_not_closed_by_what_is_in_it() -> None:
    data = rendered(notice("x``` <!here> ```"), SLACK, "")["blocks"][5]["text"]["text"]
    assert "```" not in data.removeprefix("```").removesuffix("```")


# -- Teams


def test_teams_gets_a_card_without_markdown() -> None:
    whole = rendered(notice("[x](https://evil.example)"), TEAMS, "")
    assert whole["type"] == "message"
    (attachment,) = whole["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {line["type"] for line in card["body"]} == {"RichTextBlock"}
    assert card["body"][0]["inlines"][0]["text"] == "PUSH_ARTIFACT team/app"
    assert card["body"][1]["inlines"][1]["text"] == "2026-01-01 00:00:00 UTC"


def test_teams_gets_no_more_than_it_takes() -> None:
    _, body = render(notice("\N{WHALE}" * 9000), TEAMS, "", project=7, policy=3)
    assert len(body.encode()) < 28_000


# -- payloads of somebody's own


def test_a_place_becomes_the_value_that_is_there() -> None:
    template = {
        "image": "${event_data.resources.0.resource_url}",
        "first": "${event_data.resources.0}",
        "at": "${occur_at}",
        "text": "at ${occur_at}: ${event_data.resources.0.tag} of ${event_data.repository}",
        "list": ["${id}", 5, None, True, {"policy": "${policy_id}", "project": "${project_id}"}],
        "nowhere": "${event_data.resources.7.tag}",
        "inside": "<${event_data.nothing}>",
        "as written": "$${operator} costs $5",
        "time": "${time}",
        "${operator}": "names of members stay",
    }
    fields.check(template)
    resource = {"digest": D, "tag": "v1", "resource_url": "hub/team/app:alice"}
    assert rendered(notice(), HTTP, FIELDS, template) == {
        "image": "hub/team/app:alice",
        "first": resource,
        "at": 1_767_225_600,
        "text": 'at 1767225600: v1 of {"name":"alice"}',
        "list": ["e1", 5, None, True, {"policy": 3, "project": 7}],
        "nowhere": None,
        "inside": "<>",
        "as written": "${operator} costs $5",
        "time": "2026-01-01T00:00:00Z",
        "${operator}": "names of members stay",
    }


def test_what_is_put_in_a_place_is_not_read_again() -> None:
    whole = rendered(notice("${event_data}"), HTTP, FIELDS, {"a": "${operator}", "b": "x ${operator}"})
    assert whole == {"a": "${event_data}", "b": "x ${event_data}"}


def nested(deep: int) -> Any:
    value: Any = "x"
    for _ in range(deep):
        value = [value]
    return value


@pytest.mark.parametrize(
    "template",
    [
        "${type}",
        5,
        None,
        {"a": "${type"},
        {"a": "${}"},
        {"a": "${nobody}"},
        {"a": "${event_data..x}"},
        {"a": "${event_data.resources[0]}"},
        {"a": "${event_data.__class__ }"},
        {"a": "${type | upper}"},
        {"a": "${${type}}"},
        {"a": "x" * 20_000},
        nested(17),
        ["x"] * 501,
        ["${type}"] * 51,
    ],
)
def test_what_cannot_be_a_payload_is_refused(template: Any) -> None:
    with pytest.raises(FieldsInvalid, match=r"fields|place"):
        fields.check(template)


def test_bounds_are_what_is_still_taken() -> None:
    for template in (nested(16), ["x"] * 500, ["${type}"] * 50, {"a": "${event_data.__class__.x-1}"}):
        fields.check(template)


def test_a_filled_payload_is_bounded() -> None:
    template = ["${event_data}"] * 50
    _, body = render(notice("x" * 100_000), HTTP, FIELDS, project=7, policy=3, template=template)
    assert len(body) < 2 * fields.MAX_FILLED
    assert json.loads(body)[-1] is None


# -- which policies want it


def policy(
    *, tags: tuple[Selector, ...] = (), repositories: tuple[Selector, ...] = (), **more: Any
) -> Policy:
    whole = {
        "id": 1,
        "project": 7,
        "name": "p",
        "description": "",
        "event_types": ("PUSH_ARTIFACT", "PROJECT_UPDATED", "REPOSITORY_CREATED"),
        "enabled": True,
        "creator": "alice",
        "created_at": 0,
        "updated_at": 0,
    }
    return Policy(tags=tags, repositories=repositories, **{**whole, **more})


def told(event_type: str = "PUSH_ARTIFACT", repository: str = "team/web/app", tags: Any = ("v1",)) -> Notice:
    return Notice("e", event_type, "alice", 0, {}, repository, tags)


RELEASES = Selector(Kind.REGEX, r"v[0-9.]+")
NO_DEV = Selector(Kind.DOUBLESTAR, "*-dev", excludes=True)
WEB = Selector(Kind.DOUBLESTAR, "web/**")


@pytest.mark.parametrize(
    ("chosen", "notice", "wanted"),
    [
        (policy(), told(), True),
        (policy(enabled=False), told(), False),
        (policy(), told("PULL_ARTIFACT"), False),
        (policy(tags=(RELEASES,)), told(), True),
        (policy(tags=(RELEASES,)), told(tags=("latest",)), False),
        (policy(tags=(RELEASES,)), told(tags=("latest", "v2")), True),
        (policy(tags=(RELEASES,)), told(tags=()), False),
        (policy(tags=(RELEASES, NO_DEV)), told(tags=("v1", "x-dev")), True),
        (policy(tags=(NO_DEV,)), told(tags=("x-dev",)), False),
        (policy(tags=(RELEASES,)), told("PROJECT_UPDATED", "", None), True),
        (policy(tags=(RELEASES,)), told("REPOSITORY_CREATED", tags=None), True),
        (policy(repositories=(WEB,)), told(), True),
        (policy(repositories=(WEB,)), told(repository="team/db"), False),
        (policy(repositories=(WEB,)), told("REPOSITORY_CREATED", "team/db", None), False),
        (policy(repositories=(WEB,)), told("PROJECT_UPDATED", "", None), True),
        (policy(repositories=(WEB,), tags=(RELEASES,)), told(tags=("latest",)), False),
    ],
)
def test_which_notices_a_policy_wants(chosen: Policy, notice: Notice, wanted: bool) -> None:
    assert wants(chosen, notice, "team") is wanted
