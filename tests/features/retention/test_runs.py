"""Runs as people start them: what goes, what stays, and what is told of it."""

import json

import pytest
from sqlalchemy import update

from fairway.features.retention import deciding
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import artifacts, deleted_artifacts, leases, outbox, retention_doomed, schedules
from fairway.frame.jobs import schedules as times
from features.retention.making import (
    API,
    OWN,
    aged,
    ask,
    make,
    policy,
    push,
    rule,
    run,
    said,
    selector,
    settling,
    start,
    tasks,
)
from stories.world import Person, World, image, index


async def team(world: World) -> tuple[Person, int]:
    alice = await world.person("alice")
    return alice, await world.project("team", alice)


async def test_a_run_keeps_what_a_rule_keeps_and_deletes_the_rest(world: World) -> None:
    alice, project = await team(world)
    for n in range(5):
        await push(alice, f"team/app:v{n}")
        await push(alice, f"team/lib/deep:v{n}")
        await push(alice, f"team/other:v{n}")
    number = await make(alice, project, rule("latestPushedK", 2, repositories="{app,lib/**}"))
    execution = await run(world, alice, number)
    assert await alice.tags("team/app") == ["v3", "v4"]
    assert await alice.tags("team/lib/deep") == ["v3", "v4"]
    assert await alice.tags("team/other") == [f"v{n}" for n in range(5)]
    [shown] = (await alice("GET", f"{API}/retentions/{number}/executions")).json
    assert shown["end_time"] >= shown["start_time"] > "2020"
    assert {key: shown[key] for key in ("id", "policy_id", "status", "trigger", "dry_run")} == {
        "id": execution,
        "policy_id": number,
        "status": "Success",
        "trigger": "MANUAL",
        "dry_run": False,
    }
    found = await tasks(alice, number, execution)
    assert sorted(found) == ["app", "lib/deep"]
    task = found["app"]
    assert (task["total"], task["retained"], task["deleted"], task["status"]) == (5, 2, 3, "Success")
    assert (task["status_code"], task["execution_id"]) == (3, execution)
    marks = [(tag, mark) for tag, mark, _ in await said(alice, number, execution)]
    assert sorted(marks) == [("v0", "DEL"), ("v1", "DEL"), ("v2", "DEL"), ("v3", "RETAIN"), ("v4", "RETAIN")]
    assert [mark for _, mark in marks] == ["DEL"] * 3 + ["RETAIN"] * 2
    log = await alice("GET", f"{API}/retentions/{number}/executions/{execution}/tasks/{task['id']}")
    assert log["content-type"].startswith("text/plain")
    lines = log.body.decode().splitlines()
    assert lines[0] == "team/app: 2 of 5 retained, 3 deleted"
    assert lines[1].split(" | ")[1:2] == ["Tag"]
    assert sum("| DEL |" in line for line in lines) == 3
    assert "among the 2 pushed last" in lines[-1]
    whole = (await alice("GET", f"{OWN}/policies/{number}/executions/{execution}")).json
    assert (whole["repositories"], whole["total"], whole["retained"], whole["deleted"]) == (2, 10, 4, 6)
    # As after a person's deletion, it can be had back.
    assert len(await world.rows(deleted_artifacts)) == 6
    assert {row["deleted_by"] for row in await world.rows(deleted_artifacts)} == {
        f"retention policy {number}"
    }
    assert await world.count(retention_doomed) == 0


async def test_a_dry_run_says_the_same_and_deletes_nothing(world: World) -> None:
    alice, project = await team(world)
    for n in range(4):
        await push(alice, f"team/app:v{n}")
    number = await make(alice, project, rule("latestPushedK", 1))
    dry = await run(world, alice, number, dry_run=True)
    assert len(await alice.tags("team/app")) == 4
    real = await run(world, alice, number)
    assert await said(alice, number, dry) == await said(alice, number, real)
    listed = (await alice("GET", f"{API}/retentions/{number}/executions")).json
    assert [(each["id"], each["dry_run"]) for each in listed] == [(real, False), (dry, True)]
    both = [(await tasks(alice, number, each))["app"] for each in (dry, real)]
    assert [(each["total"], each["retained"], each["deleted"]) for each in both] == [(4, 1, 0), (4, 1, 3)]


async def test_an_event_tells_of_each_repository_where_something_was_deleted(world: World) -> None:
    alice, project = await team(world)
    await push(alice, "team/app:v1")
    await push(alice, "team/app:v2")
    await push(alice, "team/lib:v1")
    number = await make(alice, project, rule("latestPushedK", 1))
    await run(world, alice, number, dry_run=True)
    assert "retention.finished" not in {row["kind"] for row in await world.rows(outbox)}
    await run(world, alice, number)
    [event] = [row for row in await world.rows(outbox) if row["kind"] == "retention.finished"]
    assert event["topic"] == f"project:{project}"
    facts = json.loads(event["payload"])
    [gone] = facts.pop("deleted")
    [shown] = facts.pop("rules")
    assert (gone["name_tag"], gone["type"], shown["template"]) == ("app:v1", "UNKNOWN", "latestPushedK")
    assert gone["digest"] == image("team/app:v1").digest
    assert {key: facts[key] for key in ("project_id", "project", "repository", "policy_id", "actor")} == {
        "project_id": project,
        "project": "team",
        "repository": "app",
        "policy_id": number,
        "actor": "alice",
    }
    assert (facts["total"], facts["retained"], facts["result"]) == (2, 1, "SUCCESS")


async def test_signatures_and_children_go_with_what_they_belong_to(world: World) -> None:
    alice, project = await team(world)
    child, shared, lone = image("child"), image("shared"), image("lone")
    old, new = index(child, shared), index(shared)
    for name, what in (("old", old), ("new", new)):
        assert (await alice.push(f"team/app:{name}", what)).status == 201
    signed = await push(alice, "team/app:signed")
    signature = image(
        "signature",
        subject={
            "mediaType": signed.manifest.media_type,
            "digest": signed.digest,
            "size": signed.manifest.size,
        },
    )
    assert (await alice.push(f"team/app@{signature.digest}", signature)).status == 201
    assert (await alice.push("team/app:keep", lone)).status == 201
    number = await make(
        alice, project, rule("always", tags=[selector("{new,keep}", extras='{"untagged":false}')])
    )
    await world.run(leases.delete())
    execution = await run(world, alice, number)
    # Neither children nor signatures are decided about.
    assert sorted(tag for tag, *_ in await said(alice, number, execution)) == ["keep", "new", "old", "signed"]
    left = {row["digest"] for row in await world.rows(artifacts)}
    assert left == {new.digest, shared.digest, lone.digest}


async def test_children_that_somebody_may_be_about_to_name_again_stay(world: World) -> None:
    alice, project = await team(world)
    child = image("child")
    old = index(child)
    assert (await alice.push("team/app:old", old)).status == 201
    number = await make(alice, project, rule("always", tags=[selector("none", extras='{"untagged":false}')]))
    await run(world, alice, number)
    assert {row["digest"] for row in await world.rows(artifacts)} == {child.digest}
    assert (await alice.push_manifest("team/app:new", old)).status == 201


async def test_tags_each_by_itself(world: World) -> None:
    alice, project = await team(world)
    one = image("one")
    for name in ("v1", "v2", "stable"):
        assert (await alice.push(f"team/app:{name}", one)).status == 201
    await push(alice, "team/app:v3")
    await push(alice, "team/app:old")
    number = await make(
        alice,
        project,
        rule("always", tags=[selector("stable", extras='{"untagged":false}')]),
        rule("latestPushedK", 1, tags=[selector("v*", extras='{"untagged":false}')]),
        mode="tag",
    )
    assert (await alice("GET", f"{API}/retentions/{number}")).json["mode"] == "tag"
    execution = await run(world, alice, number)
    assert await alice.tags("team/app") == ["stable", "v3"]
    assert {tag: mark for tag, mark, _ in await said(alice, number, execution)} == {
        "v1": "DEL",
        "v2": "DEL",
        "old": "DEL",
        "stable": "RETAIN",
        "v3": "RETAIN",
    }
    left = {row["digest"] for row in await world.rows(artifacts)}
    assert left == {one.digest, image("team/app:v3").digest}
    task = (await tasks(alice, number, execution))["app"]
    assert (task["total"], task["retained"], task["deleted"]) == (5, 2, 3)


async def test_g8_equal_digests_missing_times_and_a_clock_that_was_ahead(world: World) -> None:
    """Only the chosen tags go; an unknown time keeps (G8)."""
    alice, project = await team(world)
    same = image("same")
    for name in ("nightly", "v1", "v2"):
        assert (await alice.push(f"team/app:{name}", same)).status == 201
    for name in ("old", "unknown", "ahead", "pulled"):
        await push(alice, f"team/app:{name}")
    await aged(world, "app", "old", pushed=90)
    await aged(world, "app", "ahead", pushed=-1, pulled=-1)
    await aged(world, "app", "pulled", pushed=90, pulled=3)
    unknown = image("team/app:unknown").digest
    await world.run(update(artifacts).where(artifacts.c.digest == unknown).values(pushed_at=0))
    for name in ("nightly", "v1", "v2"):
        await aged(world, "app", name, pushed=90)
    recent = rule("nDaysSinceLastPush", 7), rule("nDaysSinceLastPull", 7)
    keeps = rule("always", tags=[selector("v1", extras='{"untagged":false}')])
    number = await make(alice, project, *recent, keeps, mode="tag")
    execution = await run(world, alice, number)
    reasons = {tag: (mark, reason) for tag, mark, reason in await said(alice, number, execution)}
    assert await alice.tags("team/app") == ["ahead", "pulled", "unknown", "v1"]
    assert {tag for tag, (mark, _) in reasons.items() if mark == "DEL"} == {"old", "nightly", "v2"}
    assert (await alice.pull(f"team/app@{same.digest}")).status == 200
    # As whole images, one tag that is kept keeps the others.
    for name in ("nightly", "v2"):
        assert (await alice.push(f"team/app:{name}", same)).status == 201
        await aged(world, "app", name, pushed=90)
    assert (
        await ask(
            alice,
            "PUT",
            f"{API}/retentions/{number}",
            policy(project, *recent, keeps, mode="artifact"),
        )
    ).status == 200
    await run(world, alice, number)
    assert await alice.tags("team/app") == ["ahead", "nightly", "pulled", "unknown", "v1", "v2"]


async def test_one_repository_that_cannot_be_looked_at_loses_nothing_and_stops_nobody(world: World) -> None:
    alice, project = await team(world)
    for n in range(3):
        await push(alice, f"team/bad:v{n}")
        await push(alice, f"team/good:v{n}")
    broken = image("team/bad:v0").digest
    await world.run(update(artifacts).where(artifacts.c.digest == broken).values(digest="sha256:broken"))
    number = await make(alice, project, rule("latestPushedK", 1))
    execution = await run(world, alice, number)
    found = await tasks(alice, number, execution)
    assert (found["bad"]["status"], found["good"]["status"]) == ("Error", "Success")
    assert "could not be looked at" in found["bad"]["message"]
    assert await alice.tags("team/bad") == ["v0", "v1", "v2"]
    assert await alice.tags("team/good") == ["v2"]


async def test_a_large_repository_is_decided_a_page_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, project = await team(world)
    for n in range(7):
        await push(alice, f"team/app:v{n}")
        await push(alice, f"team/small:v{n % 2}", f"small{n}")
    number = await make(alice, project, rule("latestPushedK", 3))
    whole = await run(world, alice, number, dry_run=True)
    monkeypatch.setattr(deciding, "PAGE", 2)
    monkeypatch.setattr(deciding, "_TOGETHER", 3)
    paged = await run(world, alice, number, dry_run=True)
    for name in ("app", "small"):
        assert sorted(await said(alice, number, paged, name)) == sorted(
            await said(alice, number, whole, name)
        )
    await run(world, alice, number)
    assert await alice.tags("team/app") == ["v4", "v5", "v6"]


async def test_a_schedule_starts_runs(world: World) -> None:
    alice, project = await team(world)
    for n in range(3):
        await push(alice, f"team/app:v{n}")
    number = await make(alice, project, rule("latestPushedK", 1), cron="0 0 * * * *")
    shown = (await alice("GET", f"{API}/retentions/{number}")).json["trigger"]
    assert shown["settings"]["cron"] == "0 0 * * * *"
    assert shown["settings"]["next_scheduled_time"] > "2020"
    [row] = await world.rows(schedules)
    assert shown["references"] == {"job_id": row["id"]}
    await world.work()  # which makes the queues known
    await world.run(update(schedules).values(next_at=1))
    await world.db.write(lambda conn: times.fire(conn, world.parts.jobs))
    with settling(0):
        await world.work()
    [execution] = (await alice("GET", f"{API}/retentions/{number}/executions")).json
    assert (execution["trigger"], execution["status"]) == ("SCHEDULE", "Success")
    assert await alice.tags("team/app") == ["v2"]
    without = policy(project, rule("latestPushedK", 1))
    assert (await ask(alice, "PUT", f"{API}/retentions/{number}", without)).status == 200
    assert await world.rows(schedules) == []


async def test_a_run_is_stopped(world: World) -> None:
    alice, project = await team(world)
    for n in range(3):
        await push(alice, f"team/app:v{n}")
    number = await make(alice, project, rule("latestPushedK", 1))
    execution = await start(alice, number)
    again = await ask(alice, "POST", f"{API}/retentions/{number}/executions", {"dry_run": True})
    assert again.short == (409, "CONFLICT")
    at = f"{API}/retentions/{number}/executions/{execution}"
    assert (await ask(alice, "PATCH", at, {"action": "pause"})).status == 400
    assert (await ask(alice, "PATCH", at, {"action": "stop"})).status == 200
    await world.work()
    [shown] = (await alice("GET", f"{API}/retentions/{number}/executions")).json
    assert shown["status"] == "Stopped"
    assert len(await alice.tags("team/app")) == 3


async def test_developers_may_and_guests_may_not(world: World) -> None:
    alice, project = await team(world)
    await push(alice, "team/app:v1")
    dev = await world.member(project, "dev", Role.DEVELOPER)
    guest = await world.member(project, "guest", Role.GUEST)
    number = await make(dev, project, rule("latestPushedK", 1))
    await run(world, dev, number, dry_run=True)
    for target in (f"{API}/retentions/{number}", f"{API}/retentions/{number}/executions"):
        assert (await dev("GET", target)).status == 200
        assert (await guest("GET", target)).short == (403, "FORBIDDEN")
    assert (
        await ask(guest, "POST", f"{API}/retentions/{number}/executions", {"dry_run": True})
    ).status == 403
