"""Policies of webhooks as Harbor's clients use them."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import select

from fairway.features.webhooks.payloads.notice import EVENT_TYPES
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import audit_log, webhook_policies, webhook_targets
from features.webhooks.asked import API, HOOK, ask, happen, make, policy, show
from stories.world import Person, World

POLICIES = "team/webhook/policies"
MASK = "********"


@pytest.fixture
async def alice(world: World) -> Person:
    alice = await world.person("alice")
    await world.project("team", alice)
    return alice


async def put(who: Person, number: int, body: Any) -> int:
    return (await ask(who, "PUT", f"{POLICIES}/{number}", body)).status


async def targets(world: World) -> list[Any]:
    return list(await world.db.all(select(webhook_targets).order_by(webhook_targets.c.number)))


async def test_a_policy_is_made_shown_changed_and_deleted(world: World, alice: Person) -> None:
    hook = {**HOOK, "auth_header": "Bearer swordfish", "skip_cert_verify": True}
    number = await make(alice, policy("ci", hook, description="builds"))
    shown = await show(alice, number)
    created, updated = shown.pop("creation_time"), shown.pop("update_time")
    assert created == updated > "2020"
    assert shown == {
        "id": number,
        "name": "ci",
        "description": "builds",
        "project_id": (await alice("GET", f"{API}/projects/team")).json["project_id"],
        "targets": [{**hook, "auth_header": MASK, "payload_format": "Default"}],
        "event_types": ["PUSH_ARTIFACT"],
        "creator": "alice",
        "enabled": True,
        "tag_selectors": [],
        "scope_selectors": {"repository": []},
        "health": [{"address": HOOK["address"], "waiting": 0, "failures": 0, "last_error": "", "dropped": 0}],
    }
    # As clients do: the whole of it, as it was read.
    changed = {**await show(alice, number), "name": "cd", "event_types": ["PULL_ARTIFACT", "PUSH_ARTIFACT"]}
    changed["enabled"] = False
    answer = await ask(alice, "PUT", f"{POLICIES}/{number}", changed)
    assert (answer.status, answer.body) == (200, b"")
    shown = await show(alice, number)
    assert (shown["name"], shown["enabled"]) == ("cd", False)
    assert shown["event_types"] == ["PULL_ARTIFACT", "PUSH_ARTIFACT"]
    answer = await ask(alice, "DELETE", f"{POLICIES}/{number}")
    assert (answer.status, answer.body) == (200, b"")
    for method, body in (("GET", None), ("PUT", policy()), ("DELETE", None)):
        assert (await ask(alice, method, f"{POLICIES}/{number}", body)).short == (404, "NOT_FOUND")
    assert await targets(world) == []
    await happen(world)
    lines = [row for row in await world.db.all(select(audit_log)) if row["resource_type"] == "webhook"]
    assert [(row["operation"], row["resource"], row["username"]) for row in lines] == [
        ("create", "ci", "alice"),
        ("update", "cd", "alice"),
        ("delete", "cd", "alice"),
    ]


async def test_what_can_be_told_is_listed(world: World, alice: Person) -> None:
    answer = await ask(alice, "GET", "team/webhook/events")
    assert answer.json == {
        "event_type": list(EVENT_TYPES),
        "notify_type": ["http", "slack", "teams"],
        "payload_formats": [{"notify_type": "http", "formats": ["Default", "CloudEvents", "Fields"]}],
    }
    assert set(answer.json["event_type"]) >= {
        *("PUSH_ARTIFACT", "PULL_ARTIFACT", "DELETE_ARTIFACT", "SCANNING_COMPLETED", "SCANNING_FAILED"),
        *("SCANNING_STOPPED", "QUOTA_EXCEED", "QUOTA_WARNING", "REPLICATION", "TAG_RETENTION"),
    }


async def test_policies_are_listed_the_newest_first(world: World, alice: Person) -> None:
    numbers = [await make(alice, policy(name)) for name in ("a", "b", "c")]
    await world.project("other", alice)
    await make(alice, policy("elsewhere"), "other")
    for query, names in (
        ("", ["c", "b", "a"]),
        ("?sort=name", ["a", "b", "c"]),
        ("?q=name=b", ["b"]),
        ("?q=name=~C", ["c"]),
        (f"?q=id={numbers[0]}", ["a"]),
        ("?q=enabled=false", []),
        ("?page=2&page_size=2", ["a"]),
    ):
        answer = await ask(alice, "GET", f"{POLICIES}{query}")
        assert [each["name"] for each in answer.json] == names, query
        assert all("health" not in each for each in answer.json)
    assert answer["x-total-count"] == "3"
    assert 'rel="prev"' in answer["link"]
    assert (await ask(alice, "GET", f"{POLICIES}?q=id=x")).status == 400


async def test_a_name_is_taken_once_in_a_project(world: World, alice: Person) -> None:
    first = await make(alice, policy("same"))
    await make(alice, policy("second"))
    await world.project("other", alice)
    await make(alice, policy("same"), "other")
    answer = await ask(alice, "POST", POLICIES, policy("same"))
    assert answer.short == (409, "CONFLICT")
    assert "another name" in answer.json["errors"][0]["message"]
    assert await put(alice, first, policy("second")) == 409
    assert await put(alice, first, policy("same")) == 200


SLACK = {"type": "slack", "address": "https://hooks.slack.com/services/T/B/x"}
SELECTOR = {"kind": "doublestar", "decoration": "matches", "pattern": "v*"}


REFUSED: list[dict[str, Any]] = [
    {},
    policy(""),
    policy("n" * 256),
    policy("a\x00"),
    policy(description="d" * 1025),
    policy(event_types=[]),
    policy(event_types=["PUSH_ARTIFACT", "push"]),
    {**policy(), "targets": []},
    policy("many", *[{**HOOK, "address": f"https://h{n}.example.com"} for n in range(11)]),
    policy("x", {**HOOK, "type": ""}),
    policy("x", {**HOOK, "type": "mail"}),
    policy("x", {**HOOK, "payload_format": "XML"}),
    policy("x", {**SLACK, "payload_format": "Default"}),
    policy("x", {**HOOK, "payload_format": "Fields"}),
    policy("x", {**HOOK, "payload_format": "Fields", "fields": {"a": "${nobody}"}}),
    policy("x", {**HOOK, "fields": {"a": "b"}}),
    policy("x", {**HOOK, "auth_header": MASK}),
    policy("x", {**HOOK, "auth_header": "two\r\nlines"}),
    policy("x", {**HOOK, "secret": "s" * 5000}),
    policy("x", {**HOOK, "address": ""}),
    policy("x", {**HOOK, "address": "hook.example.com/x"}),
    policy("x", {**HOOK, "address": "ftp://hook.example.com/x"}),
    policy("x", {**HOOK, "address": "https://"}),
    policy("x", {**HOOK, "address": "https://user:secret@hook.example.com/x"}),
    policy("x", {**HOOK, "address": "https://hook.example.com:99999/"}),
    policy("x", {**HOOK, "address": "https://hook.example.com/#part"}),
    policy("x", {**HOOK, "address": "https://hook.example.com/a b"}),
    policy("x", {**HOOK, "address": "https://hook.example.com\\@evil.example.com/"}),
    policy("x", {**HOOK, "address": "https://[::1"}),
    policy("x", {**HOOK, "address": f"https://hook.example.com/{'x' * 2048}"}),
    policy(tag_selectors=[{**SELECTOR, "kind": "glob"}]),
    policy(tag_selectors=[{**SELECTOR, "decoration": "repoMatches"}]),
    policy(tag_selectors=[{**SELECTOR, "kind": "regex", "pattern": "("}]),
    policy(tag_selectors=[SELECTOR] * 21),
    policy(scope_selectors={"project": [SELECTOR]}),
    policy(scope_selectors={"repository": [SELECTOR]}),
]


async def test_what_is_refused_leaves_nothing(world: World, alice: Person) -> None:
    for body in REFUSED:
        answer = await ask(alice, "POST", POLICIES, body)
        assert answer.short == (400, "BAD_REQUEST"), (body, answer.body)
    assert await world.db.all(select(webhook_policies)) == []


async def test_types_of_targets_and_selectors_are_kept(world: World, alice: Person) -> None:
    fields = {"text": "${operator}: ${event_data.resources.0.tag}"}
    body = policy(
        "all",
        {**HOOK, "payload_format": "CloudEvents"},
        {
            **HOOK,
            "payload_format": "Fields",
            "fields": fields,
            "address": "http://hook.example.com:8080/a?b=c",
        },
        SLACK,
        {"type": "teams", "address": "https://x.logic.azure.com/workflows/1?api-version=1&sig=s3cr3t"},
        tag_selectors=[SELECTOR, {"kind": "regex", "decoration": "excludes", "pattern": ".*-rc[0-9]+"}],
        scope_selectors={"repository": [{"pattern": "web/**", "decoration": "repoExcludes"}]},
    )
    number = await make(alice, body)
    shown = await show(alice, number)
    for each in shown["targets"]:
        each.pop("skip_cert_verify")
    assert shown["targets"] == body["targets"]
    assert shown["tag_selectors"] == body["tag_selectors"]
    excluded = {"kind": "doublestar", "decoration": "repoExcludes", "pattern": "web/**"}
    assert shown["scope_selectors"] == {"repository": [excluded]}
    # A client that does not know of selectors leaves them as they are.
    assert await put(alice, number, policy("all", SLACK)) == 200
    again = await show(alice, number)
    assert again["tag_selectors"] == shown["tag_selectors"]
    assert again["scope_selectors"] == shown["scope_selectors"]
    assert await put(alice, number, policy("all", SLACK, tag_selectors=[], scope_selectors={})) == 200
    again = await show(alice, number)
    assert (again["tag_selectors"], again["scope_selectors"]) == ([], {"repository": []})


# -- secrets


async def test_secrets_are_sealed_and_never_shown(world: World, alice: Person) -> None:
    hook = {**HOOK, "auth_header": "Bearer swordfish", "secret": "whsec_c3dvcmRmaXNo"}
    number = await make(alice, policy("ci", hook))
    (row,) = await targets(world)
    assert row["auth_header"].startswith("v1.")
    assert row["secret"].startswith("v1.")
    for target in (POLICIES, f"{POLICIES}/{number}"):
        answer = await ask(alice, "GET", target)
        assert b"swordfish" not in answer.body
        assert b"c3dvcmRmaXNo" not in answer.body
        assert answer.body.count(MASK.encode()) == 2


def opened(world: World, row: Any) -> tuple[str, str]:
    from fairway.features.webhooks.targets import opened as open_target

    target = open_target(row, world.parts.sealer)
    return target.auth_header, target.secret


async def test_a_secret_that_is_not_written_out_stays(world: World, alice: Person) -> None:
    hook = {**HOOK, "auth_header": "Bearer one", "secret": "two"}
    number = await make(alice, policy("ci", hook))
    (before,) = await targets(world)
    for kept in (
        {**HOOK, "auth_header": MASK, "secret": MASK},
        HOOK,
        (await show(alice, number))["targets"][0],
    ):
        assert await put(alice, number, policy("ci", kept)) == 200
        (row,) = await targets(world)
        assert opened(world, row) == ("Bearer one", "two")
        assert row["id"] == before["id"]
    assert await put(alice, number, policy("ci", {**HOOK, "auth_header": "Bearer new"})) == 200
    assert opened(world, (await targets(world))[0]) == ("Bearer new", "two")
    assert await put(alice, number, policy("ci", {**HOOK, "auth_header": "", "secret": ""})) == 200
    assert opened(world, (await targets(world))[0]) == ("", "")
    assert "auth_header" not in (await show(alice, number))["targets"][0]


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example.com/push",
        "http://hook.example.com/push",
        "https://hook.example.com:8443/push",
        "https://hook.example.com.evil.example/push",
    ],
)
async def test_a_secret_does_not_follow_to_another_host(world: World, alice: Person, elsewhere: str) -> None:
    for name, secret in (("a", {"auth_header": "Bearer swordfish"}), ("b", {"secret": "swordfish"})):
        number = await make(alice, policy(name, {**HOOK, **secret}))
        for asked in ({}, dict.fromkeys(secret, MASK)):
            answer = await ask(
                alice, "PUT", f"{POLICIES}/{number}", policy(name, {**HOOK, "address": elsewhere, **asked})
            )
            assert answer.short == (400, "BAD_REQUEST")
            assert "another host" in answer.json["errors"][0]["message"]
        for asked in (dict.fromkeys(secret, ""), dict.fromkeys(secret, "theirs")):
            assert await put(alice, number, policy(name, {**HOOK, "address": elsewhere, **asked})) == 200
            assert "swordfish" not in "".join(opened(world, (await targets(world))[-1]))
        await ask(alice, "DELETE", f"{POLICIES}/{number}")


async def test_a_secret_stays_on_its_host_and_a_target_in_its_place(world: World, alice: Person) -> None:
    first, second = (
        {**HOOK, "auth_header": "one"},
        {**HOOK, "address": "https://b.example.com", "auth_header": "two"},
    )
    number = await make(alice, policy("ci", first, second))
    a, b = await targets(world)
    # Another order, and another path on the same host.
    moved = {**HOOK, "address": "https://b.example.com"}
    assert await put(alice, number, policy("ci", moved, HOOK)) == 200
    assert [row["id"] for row in await targets(world)] == [b["id"], a["id"]]
    assert [opened(world, row)[0] for row in await targets(world)] == ["two", "one"]
    other_path = {**HOOK, "address": "https://b.example.com/elsewhere"}
    assert await put(alice, number, policy("ci", other_path)) == 200
    (row,) = await targets(world)
    assert (row["id"], opened(world, row)[0]) == (b["id"], "two")
    # What is new has no secret that could be kept.
    assert await put(alice, number, policy("ci", other_path, {**SLACK, "auth_header": MASK})) == 400


async def test_fields_are_kept_when_they_are_left_out(world: World, alice: Person) -> None:
    own = {**HOOK, "payload_format": "Fields"}
    number = await make(alice, policy("ci", {**own, "fields": {"a": "${id}"}}))
    assert await put(alice, number, policy("ci", own)) == 200
    assert (await show(alice, number))["targets"][0]["fields"] == {"a": "${id}"}
    assert await put(alice, number, policy("ci", HOOK)) == 200
    assert "fields" not in (await show(alice, number))["targets"][0]


# -- who, and how many


async def test_who_may_look_after_webhooks(world: World, alice: Person) -> None:
    number = await make(alice, policy())
    team = (await show(alice, number))["project_id"]
    for name, role, reads, writes in (
        ("maintainer", Role.MAINTAINER, 200, 403),
        ("developer", Role.DEVELOPER, 403, 403),
        ("guest", Role.GUEST, 403, 403),
        ("second", Role.PROJECT_ADMIN, 200, 200),
    ):
        person = await world.member(team, name, role)
        for target in (POLICIES, f"{POLICIES}/{number}", "team/webhook/events", "team/webhook/lasttrigger"):
            assert (await ask(person, "GET", target)).status == reads, (name, target)
        assert await put(person, number, policy()) == writes
    stranger = await world.person("stranger")
    assert (await ask(stranger, "GET", f"{POLICIES}/{number}")).status == 403


async def test_a_policy_is_found_in_its_own_project_only(world: World, alice: Person) -> None:
    number = await make(alice, policy())
    await world.project("other", alice)
    for method, target, body in (
        ("GET", "", None),
        ("PUT", "", policy()),
        ("DELETE", "", None),
        ("GET", "/executions", None),
        ("GET", "/executions/1", None),
        ("GET", "/executions/1/tasks", None),
        ("GET", "/executions/1/tasks/1/log", None),
        ("POST", "/ping", {}),
        ("POST", "/executions/1/redeliver", None),
    ):
        answer = await ask(alice, method, f"other/webhook/policies/{number}{target}", body)
        assert answer.short == (404, "NOT_FOUND"), (method, target)
    assert (await ask(alice, "GET", f"other/webhook/jobs?policy_id={number}")).short == (404, "NOT_FOUND")
    assert (await show(alice, number))["name"] == "ci"


async def test_a_project_has_a_hundred_policies(world: World, alice: Person) -> None:
    for n in range(100):
        await make(alice, policy(f"p{n}"))
    answer = await ask(alice, "POST", POLICIES, policy("one more"))
    assert answer.short == (400, "BAD_REQUEST")
    assert "delete one" in answer.json["errors"][0]["message"]


async def test_two_who_make_the_same_policy_make_one(world: World, alice: Person) -> None:
    answers = await asyncio.gather(*(ask(alice, "POST", POLICIES, policy("same")) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409, 409]
    assert len(await targets(world)) == 1


async def test_what_a_client_may_not_set_is_ignored(world: World, alice: Person) -> None:
    body = policy(
        "ci", {**HOOK, "due_at": 1, "failures": 99, "dropped": 9, "worker": "me", "id": 5, "number": 7}
    )
    body |= {"id": 4711, "project_id": 4711, "creator": "root", "creation_time": "2001-01-01T00:00:00Z"}
    number = await make(alice, body)
    assert number != 4711
    assert await put(alice, number, body) == 200
    (row,) = await world.db.all(select(webhook_policies))
    assert (row["creator"], row["id"]) == ("alice", number)
    (target,) = await targets(world)
    assert (target["due_at"], target["failures"], target["dropped"], target["worker"]) == (None, 0, 0, None)
    assert target["number"] == 0
    assert json.loads(row["event_types"]) == ["PUSH_ARTIFACT"]
