"""What happens in a project becomes deliveries for those of its webhooks that want to hear of it."""

import json
from typing import Any

import pytest
from sqlalchemy import select, update

from fairway.features.webhooks.store import policies
from fairway.features.webhooks.telling import Telling
from fairway.frame import events
from fairway.frame.db.tables import (
    outbox,
    webhook_deliveries,
    webhook_policies,
    webhook_targets,
    webhook_triggers,
)
from fairway.reactions import reactions
from features.webhooks.asked import API, HOOK, ask, happen, make, policy, told, types
from stories.world import Person, World, image, index

SLACK = {"type": "slack", "address": "https://hooks.slack.com/services/T/B/x"}
TEAMS = {"type": "teams", "address": "https://x.logic.azure.com/workflows/1"}
EVERYTHING = [
    *("PUSH_ARTIFACT", "DELETE_ARTIFACT", "TAG_CREATED", "TAG_MOVED", "TAG_DELETED", "REPOSITORY_CREATED"),
    *("REPOSITORY_DELETED", "PROJECT_UPDATED", "PROJECT_DELETED", "MEMBER_ADDED", "MEMBER_CHANGED"),
    "MEMBER_REMOVED",
]
JSON = {"content-type": "application/json"}


@pytest.fixture
async def alice(world: World) -> Person:
    alice = await world.person("alice")
    await world.project("team", alice, public=True)
    return alice


async def push(who: Person, name: str, *layers: str) -> None:
    assert (await who.push(name, image(*(layers or ("a",))))).status == 201


def body(row: Any) -> Any:
    return json.loads(row["body"])


async def test_a_push_is_told_to_each_target(world: World, alice: Person) -> None:
    cloud = {**HOOK, "payload_format": "CloudEvents", "address": "https://two.example.com"}
    number = await make(alice, policy("ci", HOOK, cloud, SLACK, TEAMS))
    await push(alice, "team/web/app:v1")
    rows = await told(world)
    assert [row["event_type"] for row in rows] == ["PUSH_ARTIFACT"] * 4
    assert {row["policy_id"] for row in rows} == {number}
    assert len({row["target_id"] for row in rows}) == 4
    assert len({row["event_id"] for row in rows}) == 1
    assert {row["topic"] for row in rows} == {"team/web/app"}
    assert [row["media_type"] for row in rows] == [
        "application/json",
        "application/cloudevents+json",
        "application/json",
        "application/json",
    ]
    digest = image("a").digest
    default = body(rows[0])
    assert default["operator"] == "alice"
    assert default["event_data"]["resources"] == [
        {"digest": digest, "tag": "v1", "resource_url": f"{world.parts.webhooks.host}/team/web/app:v1"}
    ]
    repository = default["event_data"]["repository"]
    assert repository.pop("date_created") > 1_600_000_000
    assert repository == {
        "name": "web/app",
        "namespace": "team",
        "repo_full_name": "team/web/app",
        "repo_type": "public",
    }
    assert body(rows[1])["source"].endswith(f"/webhook/policies/{number}")
    assert list(body(rows[2])) == ["blocks"]
    assert body(rows[3])["type"] == "message"
    for target in await world.db.all(select(webhook_targets)):
        assert (target["waiting"], target["due_at"] is not None) == (1, True)


async def test_only_who_wants_it_is_told(world: World, alice: Person) -> None:
    await make(alice, policy("pulls", event_types=["PULL_ARTIFACT"]))
    await make(alice, policy("off", enabled=False))
    await world.project("other", alice)
    await make(alice, policy("elsewhere"), "other")
    releases = [{"kind": "regex", "pattern": "v[0-9]+"}]
    await make(alice, policy("releases", tag_selectors=releases))
    web = {"repository": [{"pattern": "web/**", "decoration": "repoMatches"}]}
    await make(alice, policy("web", scope_selectors=web))
    assert await told(world) == []
    await push(alice, "team/app:latest")
    assert await told(world) == []
    await push(alice, "team/app:v1")
    await push(alice, "team/web/app:latest")
    names = {row["id"]: row["name"] for row in await world.db.all(select(webhook_policies))}
    assert [(names[row["policy_id"]], row["topic"]) for row in await told(world)] == [
        ("releases", "team/app"),
        ("web", "team/web/app"),
    ]


async def test_all_that_happens_to_a_project_can_be_told(world: World, alice: Person) -> None:
    await make(alice, policy("all", event_types=EVERYTHING))
    await push(alice, "team/app:v1", "a")
    await push(alice, "team/app:v1", "b")
    tags = f"{API}/projects/team/repositories/app/artifacts/v1/tags"
    assert (await alice("POST", tags, b'{"name":"v2"}', headers=JSON)).status == 201
    assert (await alice("DELETE", f"{tags}/v2")).status == 200
    assert (await alice.delete(f"team/app@{image('a').digest}")).status == 202
    assert (await alice("DELETE", f"{API}/projects/team/repositories/app")).status == 200
    team = f"{API}/projects/team"
    bob = await world.person("bob")
    member = {"role_id": 2, "member_user": {"user_id": bob.id}}
    answer = await alice("POST", f"{team}/members", json.dumps(member).encode(), headers=JSON)
    assert answer.status == 201
    at = answer["location"]
    assert (await alice("PUT", at, b'{"role_id":3}', headers=JSON)).status == 200
    assert (await alice("DELETE", at)).status == 200
    assert (await alice("PUT", team, b'{"metadata":{"public":"false"}}', headers=JSON)).status == 200
    found = [(row["event_type"], row["topic"]) for row in await told(world)]
    for row in await told(world):
        assert body(row)["operator"] == "alice", row["event_type"]
    assert [each for each in found if each[0] != "REPOSITORY_CREATED"] == [
        ("PUSH_ARTIFACT", "team/app"),
        ("TAG_CREATED", "team/app"),
        ("PUSH_ARTIFACT", "team/app"),
        ("TAG_MOVED", "team/app"),
        ("TAG_CREATED", "team/app"),
        ("TAG_DELETED", "team/app"),
        ("DELETE_ARTIFACT", "team/app"),
        ("DELETE_ARTIFACT", "team/app"),
        ("TAG_DELETED", "team/app"),
        ("REPOSITORY_DELETED", "team/app"),
        ("MEMBER_ADDED", ""),
        ("MEMBER_CHANGED", ""),
        ("MEMBER_REMOVED", ""),
        ("PROJECT_UPDATED", ""),
    ]


async def test_notices_of_one_event_have_ids_of_their_own(world: World, alice: Person) -> None:
    await make(alice, policy("all", event_types=EVERYTHING))
    await push(alice, "team/app:v1")
    ids = [row["event_id"] for row in await told(world) if row["event_type"] != "REPOSITORY_CREATED"]
    assert len(set(ids)) == len(ids) == 2


async def test_when_it_was_last_told_is_known(world: World, alice: Person) -> None:
    await make(alice, policy("ci", event_types=["PUSH_ARTIFACT", "DELETE_ARTIFACT"]))

    async def last() -> list[Any]:
        answer = await ask(alice, "GET", "team/webhook/lasttrigger")
        assert answer.status == 200
        return list(answer.json)

    before = await last()
    assert [each["event_type"] for each in before] == ["PUSH_ARTIFACT", "DELETE_ARTIFACT"]
    assert all("last_trigger_time" not in each for each in before)
    assert {(each["policy_name"], each["enabled"]) for each in before} == {("ci", True)}
    await push(alice, "team/app:v1")
    await happen(world)
    pushed, deleted = await last()
    assert pushed["last_trigger_time"] >= pushed["creation_time"] > "2020"
    assert "last_trigger_time" not in deleted
    await push(alice, "team/app:v2", "b")
    await happen(world)
    assert (await last())[0]["last_trigger_time"] >= pushed["last_trigger_time"]
    assert await world.count(webhook_triggers) == 1


async def test_nothing_is_told_while_notifications_are_off(world: World, alice: Person) -> None:
    await make(alice, policy())
    answer = await world.admin("PUT", f"{API}/configurations", b'{"notification_enable":false}', headers=JSON)
    assert answer.status == 200
    await push(alice, "team/app:v1")
    assert await told(world) == []
    answer = await world.admin("PUT", f"{API}/configurations", b'{"notification_enable":true}', headers=JSON)
    assert answer.status == 200
    assert await told(world) == []  # what happened then is never told
    await push(alice, "team/app:v2", "b")
    assert await types(world) == ["PUSH_ARTIFACT"]


@pytest.mark.parametrize("forced", [False, True])
async def test_that_a_project_is_gone_is_told_and_then_nothing_more(
    world: World, alice: Person, forced: bool
) -> None:
    await make(alice, policy("all", event_types=EVERYTHING))
    if forced:
        await push(alice, "team/app:v1")
    await happen(world)
    await world.run(update(webhook_deliveries).values(status="Success", ended_at=1))
    answer = await alice("DELETE", f"{API}/projects/team?force={'true' if forced else 'false'}")
    assert answer.status == 200, answer.body
    *_, last = await told(world)
    assert last["event_type"] == "PROJECT_DELETED"
    assert body(last)["event_data"]["project"]["name"] == "team"
    if forced:
        await world.work()
        assert (await types(world))[
            -1
        ] == "PROJECT_DELETED"  # that each of its images went is not told as well
    # Until that is told they stay.
    assert await world.db.write(lambda conn: policies.forget_left(conn, 20)) == 0
    await world.run(update(webhook_deliveries).values(status="Success", ended_at=1))
    assert await world.db.write(lambda conn: policies.forget_left(conn, 20)) == 1
    for table in (webhook_policies, webhook_targets, webhook_triggers):
        assert await world.count(table) == 0


async def test_webhooks_of_projects_that_are_there_stay(world: World, alice: Person) -> None:
    await make(alice, policy("off", enabled=False))
    await make(alice, policy("on"))
    assert await world.db.write(lambda conn: policies.forget_left(conn, 20)) == 0
    assert await world.count(webhook_policies) == 2


async def test_who_hears_of_nothing_costs_one_look(world: World, alice: Person) -> None:
    """The common case: every event of every project asks."""
    await make(alice, policy("pulls", event_types=["PULL_ARTIFACT"]))
    asked: list[str] = []

    async def look(conn: Any) -> None:
        class Counting:
            def __getattr__(self, name: str) -> Any:
                async def counted(*args: Any, **params: Any) -> Any:
                    asked.append(name)
                    return await getattr(conn, name)(*args, **params)

                return counted

        facts = {"project_id": 1, "repository": "team/app", "digest": "sha256:x", "tags": []}
        event = events.Event(1, "e", "project:1", "artifact.pushed", facts, 0, 0)
        await Telling("hub", lambda: True).react(Counting(), event)  # type: ignore[arg-type]

    await world.db.write(look)
    assert asked == ["all"]


async def test_an_index_and_what_it_names_are_told_each(world: World, alice: Person) -> None:
    await make(alice, policy())
    assert (await alice.push("team/app:v1", index(image("a"), image("b")))).status == 201
    tags = [body(row)["event_data"]["resources"][0]["tag"] for row in await told(world)]
    assert [tag for tag in tags if not tag.startswith("sha256:")] == ["v1"]


async def test_what_was_recorded_before_is_told_with_what_it_says(world: World, alice: Person) -> None:
    """Events of an older version lack facts; they hold nobody up."""
    await make(
        alice, policy("all", event_types=[*EVERYTHING, "PULL_ARTIFACT", "QUOTA_WARNING", "TAG_RETENTION"])
    )
    (row,) = await world.db.all(select(webhook_policies))

    async def record(conn: Any) -> None:
        for kind in ("artifact.pulled", "quota.warning", "retention.finished", "repository.created"):
            await events.record(conn, "project:1", kind, {"project_id": row["project_id"]})

    await world.db.write(record)
    assert await types(world) == ["PULL_ARTIFACT", "QUOTA_WARNING", "REPOSITORY_CREATED"]
    assert await world.count(outbox) == 0


def test_every_kind_that_is_told_has_a_reaction() -> None:
    from fairway.features.webhooks.payloads.notices import KINDS

    class Nobody:
        async def reaction(self, conn: Any, event: Any) -> None: ...

    telling = Telling("hub", lambda: True)
    table = reactions(Nobody(), None, telling)  # type: ignore[arg-type]
    assert all(telling.react in table[kind] for kind in KINDS)
