"""What tags named before, who changed them, and going back to it."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, update

from fairway.features.artifacts.remembering import Remembering
from fairway.features.artifacts.store import history
from fairway.frame.access.roles import Role
from fairway.frame.db import now_us
from fairway.frame.db.tables import audit_log, outbox, repositories, tag_changes
from fairway.frame.events import hand_over
from fairway.reactions import reactions
from features.immutability.rules import API, ask, make
from frame.db.plans import plan
from stories.asgi import Answer
from stories.world import Image, Person, World, image

OURS = "/api/fairway/projects/team/repositories/app/tags"
ONE, TWO, THREE = (image("base", annotations={"number": n}) for n in "123")


@pytest.fixture
async def alice(world: World) -> Person:
    return await world.person("alice")


@pytest.fixture
async def team(world: World, alice: Person) -> int:
    team = await world.project("team", alice, public=True)
    for made in (ONE, TWO):
        assert (await alice.push("team/app:v1", made)).status == 201
    return team


async def changes(who: Person, tag: str = "v1") -> list[tuple[str, str, str, str]]:
    answer = await who("GET", f"{OURS}/{tag}/history?page_size=100")
    assert answer.status == 200, answer.body
    assert answer["x-total-count"] == str(len(answer.json))
    return [(each["how"], each["by"], each["before"], each["after"]) for each in answer.json]


async def roll_back(who: Person, to: Image | None = None, tag: str = "v1") -> Answer:
    return await ask(who, "POST", f"{OURS}/{tag}/rollback", {} if to is None else {"digest": to.digest})


async def where(who: Person, tag: str = "v1") -> str:
    return (await who("HEAD", f"/v2/team/app/manifests/{tag}"))["docker-content-digest"]


async def test_every_change_of_a_tag_is_remembered(world: World, alice: Person, team: int) -> None:
    bob = await world.member(team, "bob", Role.MAINTAINER)
    assert (await bob.push_manifest("team/app:v1", TWO)).status == 201, "the same again is no change"
    assert (await bob.delete("team/app:v1")).status == 202
    assert (
        await ask(
            alice, "POST", f"{API}/projects/team/repositories/app/artifacts/{ONE.digest}/tags", {"name": "v1"}
        )
    ).status == 201
    assert (await alice.delete(f"team/app@{ONE.digest}")).status == 202
    back = {"repository": "app", "digest": ONE.digest}
    assert (await ask(bob, "POST", "/api/fairway/gc/projects/team/undo", back)).status == 200
    assert (await roll_back(alice, TWO)).status == 200
    assert await changes(bob) == [
        ("rollback", "alice", ONE.digest, TWO.digest),
        ("undo", "bob", "", ONE.digest),
        ("delete", "alice", ONE.digest, ""),
        ("tag", "alice", "", ONE.digest),
        ("delete", "bob", TWO.digest, ""),
        ("push", "alice", ONE.digest, TWO.digest),
        ("push", "alice", "", ONE.digest),
    ]
    assert (
        await ask(alice, "POST", f"{API}/projects/team/repositories/other/artifacts?from=team/app:v1")
    ).status == 201
    answer = await alice("GET", "/api/fairway/projects/team/repositories/other/tags/v1/history")
    assert [(each["how"], each["after"]) for each in answer.json] == [("copy", TWO.digest)]
    assert await changes(alice, "never") == []


async def test_a_tag_goes_back_to_what_it_named_before(world: World, alice: Person, team: int) -> None:
    answer = await roll_back(alice)
    assert (answer.status, answer.json) == (200, {"before": TWO.digest, "after": ONE.digest})
    assert await where(alice) == ONE.digest
    answer = await roll_back(alice)
    assert (answer.status, answer.json["after"]) == (200, TWO.digest), "and forth again"
    moved = [row for row in await world.rows(outbox) if row["kind"] == "tag.moved"]
    assert len(moved) == 2
    assert f'"before":"{ONE.digest}"' in moved[1]["payload"]
    while await hand_over(world.db, reactions(world.parts.notifications)):
        pass
    lines = [row for row in await world.rows(audit_log) if row["resource_type"] == "tag"]
    assert [(row["operation"], row["resource"], row["username"]) for row in lines] == 2 * [
        ("update", "team/app:v1", "alice")
    ]


async def test_a_deleted_tag_comes_back(alice: Person, team: int) -> None:
    assert (await alice.delete("team/app:v1")).status == 202
    answer = await roll_back(alice)
    assert (answer.status, answer.json) == (200, {"before": "", "after": TWO.digest})
    assert await where(alice) == TWO.digest


async def test_what_cannot_be_gone_back_to_is_said(world: World, alice: Person, team: int) -> None:
    async def refused(status: int, *said: str, to: Image | None = None, tag: str = "v1") -> None:
        stored = await world.stored()
        answer = await roll_back(alice, to, tag)
        [error] = answer.json["errors"]
        assert answer.status == status, answer.body
        assert all(each in error["message"] for each in said), error
        assert await world.stored() == stored, "nothing was written"

    await refused(409, f"names {TWO.digest} already", to=TWO)
    await refused(404, "has no manifest", "push it again", to=THREE)
    await refused(404, "nothing is known", "say which digest", tag="never")
    assert (await alice.push_manifest("team/app:new", ONE)).status == 201
    await refused(404, "named nothing before", tag="new")
    assert (await alice.delete(f"team/app@{ONE.digest}")).status == 202
    await refused(404, f"fairway gc undo team/app@{ONE.digest}")
    bad = await ask(alice, "POST", f"{OURS}/v1/rollback", {"digest": "latest"})
    assert bad.status == 400
    missing = await ask(alice, "POST", OURS.replace("/app/", "/nowhere/") + "/v1/rollback", {})
    assert missing.status == 404


async def test_an_immutable_tag_is_not_rolled_back(world: World, alice: Person, team: int) -> None:
    rule = await make(alice)
    answer = await roll_back(alice)
    assert answer.short == (412, "PRECONDITION")
    assert f"rule {rule}" in answer.json["errors"][0]["message"]
    assert await where(alice) == TWO.digest


async def test_who_may_look_and_go_back(world: World, alice: Person, team: int) -> None:
    guest = await world.member(team, "guest", Role.GUEST)
    developer = await world.member(team, "dev", Role.DEVELOPER)
    stranger = await world.person("stranger")
    for who in (guest, stranger):
        assert (await who("GET", f"{OURS}/v1/history")).status == 403
        assert (await roll_back(who)).status == 403
    assert len(await changes(developer)) == 2
    assert (await roll_back(developer)).status == 200


async def test_of_pushes_and_rollbacks_at_once_the_history_is_one_chain(
    world: World, alice: Person, team: int
) -> None:
    async def some(n: int) -> None:
        if n % 3:
            await alice.push_manifest("team/app:v1", (ONE, TWO)[n % 2])
        else:
            assert (await roll_back(alice)).status in (200, 409)

    await asyncio.gather(*(some(n) for n in range(30)))
    found = (await changes(alice))[::-1]
    assert [before for _, _, before, _ in found] == ["", *(after for *_, after in found[:-1])]
    assert found[-1][3] == await where(alice)


async def test_a_rollback_that_meets_a_push_goes_back_behind_nothing_unseen(
    world: World, alice: Person, team: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was to go back from is not there any more, so that where it would lead nobody has seen."""
    last = history.last

    async def outdated(conn: Any, repository: int, tag: str) -> Any:
        found = await last(conn, repository, tag)
        assert found is not None
        return replace(found, before=ONE.digest, after=THREE.digest)

    monkeypatch.setattr(history, "last", outdated)
    answer = await roll_back(alice)
    assert answer.status == 409
    assert "try again" in answer.json["errors"][0]["message"]
    assert await where(alice) == TWO.digest


async def noted(world: World, repository: int, tag: str, count: int, *, hours: int = 2) -> None:
    row: dict[str, Any] = {"repository_id": repository, "tag": tag, "how": "push", "actor": "alice"}
    for n in range(count):
        values = {**row, "before": f"sha256:{n}", "after": f"sha256:{n + 1}"}
        await world.run(insert(tag_changes).values(**values, at=now_us() - hours * 3_600_000_000))


async def test_of_each_tag_the_last_changes_stay(world: World, team: int) -> None:
    [app] = await world.rows(repositories)
    await noted(world, app["id"], "busy", history.KEPT_CHANGES + 7)
    await noted(world, app["id"], "quiet", 3)
    await noted(world, app["id"] + 1000, "gone", 5)
    remembering = Remembering(world.db)
    assert await remembering.forget() == 7 + 5
    left = [row["tag"] for row in await world.rows(tag_changes)]
    assert {tag: left.count(tag) for tag in set(left)} == {
        "busy": history.KEPT_CHANGES,
        "quiet": 3,
        "v1": 2,
    }
    busy = [row for row in await world.rows(tag_changes) if row["tag"] == "busy"]
    assert busy[0]["before"] == "sha256:7", "the oldest went"
    await noted(world, app["id"], "busy", 2)
    assert await remembering.forget() == 2


async def test_what_is_a_year_old_goes(world: World, team: int) -> None:
    [app] = await world.rows(repositories)
    await noted(world, app["id"], "old", 4, hours=24 * history.KEPT_DAYS + 1)
    assert await Remembering(world.db).forget() == 4
    assert {row["tag"] for row in await world.rows(tag_changes)} == {"v1"}
    await world.run(update(tag_changes).values(at=0))
    assert await Remembering(world.db).forget() == 2
    assert await world.rows(tag_changes) == []


async def test_a_tags_changes_are_found_by_the_index(world: World, team: int) -> None:
    told = await plan(world.db, history._PAGE, repository=1, name="v1", skip=0, limit=10)
    assert "ix_tag_changes_repository_id_tag_id" in told
