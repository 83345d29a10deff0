"""Policies over HTTP: Harbor's codes and shapes, the policy of the server, and simulations."""

import asyncio
import time
from typing import Any

import pytest

from fairway.features.retention.api import simulated
from fairway.features.retention.jobs import forget_orphans
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import executions, outbox, retention_policies, schedules
from features.retention.making import (
    API,
    OWN,
    ask,
    make,
    policy,
    push,
    rule,
    run,
    selector,
    start,
    tasks,
)
from features.retention.test_runs import team
from stories.asgi import Answer
from stories.world import Person, World


async def test_what_rules_can_say(world: World) -> None:
    alice, _ = await team(world)
    answer = await alice("GET", f"{API}/retentions/metadatas")
    assert answer.status == 200
    shown = answer.json
    assert [each["rule_template"] for each in shown["templates"]] == [
        "latestPushedK",
        "latestPulledN",
        "nDaysSinceLastPush",
        "nDaysSinceLastPull",
        "always",
    ]
    assert shown["templates"][0] == {
        "rule_template": "latestPushedK",
        "display_text": "the most recently pushed # artifacts",
        "action": "retain",
        "params": [{"type": "int", "unit": "COUNT", "required": True}],
    }
    assert shown["templates"][2]["params"][0]["unit"] == "DAYS"
    assert shown["templates"][4]["params"] == []
    assert [each["kind"] for each in shown["tag_selectors"]] == ["doublestar", "regex", "semver"]
    assert shown["scope_selectors"][0] == {
        "display_text": "Repositories",
        "kind": "doublestar",
        "decorations": ["repoMatches", "repoExcludes"],
    }
    assert (await world.anybody("GET", f"{API}/retentions/metadatas")).status == 401


async def test_who_does_not_know_the_mode_does_not_change_it(world: World) -> None:
    alice, project = await team(world)
    number = await make(alice, project, rule("always"), mode="tag")
    shown = (await alice("GET", f"{API}/retentions/{number}")).json
    assert shown.pop("mode") == "tag"
    assert (await ask(alice, "PUT", f"{API}/retentions/{number}", shown)).status == 200
    assert (await alice("GET", f"{API}/retentions/{number}")).json["mode"] == "tag"
    assert (
        await ask(alice, "PUT", f"{API}/retentions/{number}", {**shown, "mode": "artifact"})
    ).status == 200
    assert (await alice("GET", f"{API}/retentions/{number}")).json["mode"] == "artifact"


async def test_a_policy_is_made_shown_changed_and_deleted(world: World) -> None:
    alice, project = await team(world)
    number = await make(alice, project, rule("latestPushedK", 3), cron="0 0 0 * * *")
    shown = (await alice("GET", f"{API}/retentions/{number}")).json
    settings = shown["trigger"].pop("settings")
    assert settings["cron"] == "0 0 0 * * *"
    assert shown["trigger"].pop("references")["job_id"] > 0
    assert shown == {
        "id": number,
        "algorithm": "or",
        "mode": "artifact",
        "scope": {"level": "project", "ref": project},
        "trigger": {"kind": "Schedule"},
        "rules": [
            {
                "id": 1,
                "priority": 0,
                "disabled": False,
                "action": "retain",
                "template": "latestPushedK",
                "params": {"latestPushedK": 3},
                "tag_selectors": [
                    {
                        "kind": "doublestar",
                        "decoration": "matches",
                        "pattern": "**",
                        "extras": '{"untagged":true}',
                    }
                ],
                "scope_selectors": {
                    "repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]
                },
            }
        ],
    }
    of_project = (await alice("GET", f"{API}/projects/team")).json
    assert of_project["metadata"]["retention_id"] == str(number)
    # A client may send the project's settings back as they are; nobody removes this one by itself.
    answer = await ask(alice, "PUT", f"{API}/projects/team", {"metadata": of_project["metadata"]})
    assert answer.status == 200, answer.body
    answer = await alice("DELETE", f"{API}/projects/team/metadatas/retention_id")
    assert answer.short == (400, "BAD_REQUEST")
    shown["rules"][0]["params"] = {"latestPushedK": 4}
    shown["trigger"]["settings"] = {"cron": ""}
    answer = await ask(alice, "PUT", f"{API}/retentions/{number}", shown)
    assert (answer.status, answer.body) == (200, b"")
    changed = (await alice("GET", f"{API}/retentions/{number}")).json
    assert changed["rules"][0]["params"] == {"latestPushedK": 4}
    assert changed["trigger"] == {"kind": "Schedule", "settings": {"cron": ""}, "references": {}}
    answer = await alice("DELETE", f"{API}/retentions/{number}")
    assert (answer.status, answer.body) == (200, b"")
    assert "retention_id" not in (await alice("GET", f"{API}/projects/team")).json["metadata"]
    for method, target in (("GET", ""), ("DELETE", ""), ("GET", "/executions")):
        at = f"{API}/retentions/{number}{target}"
        assert (await alice(method, at)).short == (403, "FORBIDDEN")
        assert (await world.admin(method, at)).short == (404, "NOT_FOUND")
    assert await make(alice, project, rule("always")) > number


async def test_what_is_refused_leaves_nothing(world: World) -> None:
    alice, project = await team(world)
    other = await world.project("other", world.admin)
    before = await world.stored()
    good = policy(project, rule("always"))
    for body, status in (
        ({**good, "scope": {"level": "project", "ref": 0}}, 400),
        ({**good, "scope": {"level": "system", "ref": project}}, 400),
        ({**good, "scope": None}, 400),
        ({**good, "scope": {"level": "project", "ref": 10**30}}, 422),
        ({**good, "scope": {"level": "project", "ref": 4711}}, 403),
        ({**good, "scope": {"level": "project", "ref": other}}, 403),
        ({**good, "algorithm": "and"}, 400),
        ({**good, "trigger": {"kind": "Schedule", "settings": {"cron": "30 0 0 * * *"}}}, 400),
        ({**good, "trigger": {"kind": "Schedule", "settings": {"cron": 7}}}, 400),
        ({**good, "rules": [rule("always")] * 2}, 409),
        ({**good, "rules": [rule("always", priority=n) for n in range(16)]}, 400),
        ({**good, "rules": [rule("always", tags=[selector("(", kind="regex")])]}, 400),
        ({**good, "rules": {"template": "always"}}, 422),
    ):
        answer = await ask(alice, "POST", f"{API}/retentions", body)
        assert answer.status == status, (body, answer.body)
    absent = {**good, "scope": {"level": "project", "ref": 4711}}
    assert (await ask(world.admin, "POST", f"{API}/retentions", absent)).short == (400, "BAD_REQUEST")
    assert await world.stored() == before


async def test_a_project_has_one_policy(world: World) -> None:
    alice, project = await team(world)
    both = await asyncio.gather(
        *(ask(alice, "POST", f"{API}/retentions", policy(project, rule("always"))) for _ in range(2))
    )
    assert sorted(each.status for each in both) == [201, 400]
    again = await ask(alice, "POST", f"{API}/retentions", policy(project, rule("always")))
    assert again.short == (400, "BAD_REQUEST")
    assert "already" in again.json["errors"][0]["message"]
    assert len(await world.rows(retention_policies)) == 1


async def test_a_policy_stays_in_its_project(world: World) -> None:
    alice, project = await team(world)
    bob = await world.person("bob")
    other = await world.project("other", bob)
    mine = await world.project("mine", alice)
    number = await make(alice, project, rule("always"))
    theirs = await make(bob, other, rule("always"))
    for target in (f"{API}/retentions/{theirs}", f"{API}/retentions/{theirs}/executions"):
        assert (await alice("GET", target)).short == (403, "FORBIDDEN")
    changed = policy(other, rule("latestPushedK", 1))
    assert (await ask(alice, "PUT", f"{API}/retentions/{theirs}", changed)).status == 403
    assert (await ask(alice, "PUT", f"{API}/retentions/{number}", changed)).status == 403
    moved = policy(mine, rule("latestPushedK", 1))
    assert (await ask(alice, "PUT", f"{API}/retentions/{number}", moved)).status == 404
    # A run is only found under its own policy.
    execution = await start(bob, theirs, dry_run=True)
    for method, body in (("PATCH", {"action": "stop"}), ("GET", None)):
        more = "/tasks" if method == "GET" else ""
        at = f"{API}/retentions/{number}/executions/{execution}{more}"
        assert (await ask(alice, method, at, body)).short == (404, "NOT_FOUND")


async def test_what_belongs_to_a_project_goes_with_it(world: World) -> None:
    alice, project = await team(world)
    number = await make(alice, project, rule("always"), cron="hourly")
    await run(world, alice, number, dry_run=True)
    assert (await alice("DELETE", f"{API}/projects/team")).status == 200
    assert await world.rows(retention_policies) == []
    assert await forget_orphans(world.db) == 1
    assert await world.rows(schedules) == []
    assert await world.rows(executions) == []


# -- the policy of the server


def of_server(*rules: dict[str, Any], cron: str = "") -> dict[str, Any]:
    return {"rules": list(rules), "trigger": {"kind": "Schedule", "settings": {"cron": cron}}}


async def in_force(who: Person, project: str) -> tuple[str, bool]:
    answer = await who("GET", f"{OWN}/projects/{project}")
    assert answer.status == 200, answer.body
    assert ("policy" in answer.json) == (answer.json["source"] != "none")
    return answer.json["source"], answer.json["use_default"]


async def test_the_policy_of_the_server_is_for_projects_without_their_own(world: World) -> None:
    alice, own = await team(world)
    await world.project("plain", alice)
    await world.project("exempt", alice)
    for name in ("team", "plain", "exempt"):
        for n in range(3):
            await push(alice, f"{name}/app:v{n}", f"{name}{n}")
    await make(alice, own, rule("always"))
    assert (await world.admin("GET", f"{OWN}/default")).short == (404, "NOT_FOUND")
    assert (await ask(alice, "PUT", f"{OWN}/default", of_server(rule("always")))).status == 403
    answer = await ask(
        world.admin, "PUT", f"{OWN}/default", of_server(rule("latestPushedK", 1), cron="daily")
    )
    assert answer.status == 200, answer.body
    number = answer.json["id"]
    assert (answer.json["scope"], answer.json["trigger"]["settings"]["cron"]) == (
        {"level": "system", "ref": 0},
        "0 0 0 * * *",
    )
    assert (await ask(alice, "PUT", f"{OWN}/projects/exempt", {"use_default": False})).status == 200
    assert await in_force(alice, "team") == ("project", True)
    assert await in_force(alice, "plain") == ("default", True)
    assert await in_force(alice, "exempt") == ("none", False)
    await world.project("later", alice)
    assert await in_force(alice, "later") == ("default", True)
    assert (await alice("GET", f"{API}/retentions/{number}")).status == 403
    execution = await run(world, world.admin, number)
    assert sorted(await tasks(world.admin, number, execution)) == ["plain/app"]
    assert await alice.tags("plain/app") == ["v2"]
    assert len(await alice.tags("team/app")) == len(await alice.tags("exempt/app")) == 3
    [event] = [row for row in await world.rows(outbox) if row["kind"] == "retention.finished"]
    assert '"project":"plain"' in event["payload"]
    # There is one; changed, it is the same one.
    again = await ask(world.admin, "PUT", f"{OWN}/default", of_server(rule("always")))
    assert (again.json["id"], again.json["trigger"]["settings"]) == (number, {"cron": ""})
    assert (await ask(alice, "PUT", f"{OWN}/projects/exempt", {"use_default": True})).status == 200
    assert await in_force(alice, "exempt") == ("default", True)
    assert (await world.admin("DELETE", f"{OWN}/default")).status == 200
    assert await in_force(alice, "plain") == ("none", True)


# -- simulations


async def simulate(who: Person, *rules: dict[str, Any], query: str = "", **more: Any) -> Answer:
    return await ask(who, "POST", f"{OWN}/projects/team/simulate{query}", {"rules": list(rules), **more})


async def test_a_simulation_says_what_a_run_would_do_and_writes_nothing(world: World) -> None:
    alice, project = await team(world)
    for name in ("a", "b", "c/d"):
        for n in range(4):
            await push(alice, f"team/{name}:v{n}")
    keep = rule("latestPushedK", 1, repositories="{a,c/**}")
    before = await world.stored()
    answer = await simulate(alice, keep)
    assert (answer.status, answer.json["next"], answer.json["decisions"]) == (200, "", [])
    assert answer.json["repositories"] == [
        {"repository": name, "total": 4, "retained": 1, "deleted": 3, "error": ""} for name in ("a", "c/d")
    ]
    one = await simulate(alice, keep, repository="a", query="?page_size=2&page=2")
    assert one["x-total-count"] == "4"
    assert [(each["tags"], each["retention"]) for each in one.json["decisions"]] == [
        (["v0"], "DEL"),
        (["v3"], "RETAIN"),
    ]
    assert (await simulate(alice, keep, repository="b")).json["repositories"][0]["total"] == 0
    assert (await simulate(alice, keep, repository="none")).status == 404
    by_tag = await simulate(alice, keep, mode="tag")
    assert by_tag.json["repositories"] == answer.json["repositories"]
    assert await world.stored() == before
    number = await make(alice, project, keep)
    execution = await run(world, alice, number, dry_run=True)
    for name, task in (await tasks(alice, number, execution)).items():
        [told] = [each for each in answer.json["repositories"] if each["repository"] == name]
        assert (task["total"], task["retained"]) == (told["total"], told["retained"])


async def test_a_simulation_tells_of_some_repositories_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, _ = await team(world)
    for name in ("a", "b", "c"):
        await push(alice, f"team/{name}:v1")
    await push(alice, "team/c:v2")
    found: list[str] = []
    after = ""
    while True:
        answer = await simulate(alice, rule("always"), after=after, query="?page_size=1")
        found += [each["repository"] for each in answer.json["repositories"]]
        after = answer.json["next"]
        if not after:
            break
    assert found == ["a", "b", "c"]
    monkeypatch.setattr(simulated, "MOST", 1)
    answer = await simulate(alice, rule("always"), after="b")
    assert "dry run" in answer.json["repositories"][0]["error"]


async def test_who_may_simulate(world: World) -> None:
    _, project = await team(world)
    guest = await world.member(project, "guest", Role.GUEST)
    dev = await world.member(project, "dev", Role.DEVELOPER)
    assert (await simulate(guest, rule("always"))).short == (403, "FORBIDDEN")
    assert (await simulate(world.anybody, rule("always"))).short == (401, "UNAUTHORIZED")
    assert (await simulate(dev, rule("always"))).status == 200
    assert (await simulate(dev, rule("always", tags=[selector("(", kind="regex")]))).status == 400


async def test_a_hostile_pattern_is_answered_at_once(world: World) -> None:
    """T49: no time that grows faster than the name, whatever is asked for."""
    alice, project = await team(world)
    await push(alice, f"team/app:{'a' * 127}b")
    seconds = {}
    for pattern in ("v1", "(a+)+$", "(a|a)*c", "(.*)*x", "a?" * 60 + "a" * 60, "a{1,900}" * 20):
        began = time.perf_counter()
        answer = await simulate(
            alice, rule("always", tags=[selector(pattern, kind="regex")]), repository="app"
        )
        seconds[pattern] = time.perf_counter() - began
        assert answer.status in (200, 400), answer.body
    for pattern in ("*" * 500 + "b", "**/" * 300, "{a,b}" * 20, "{" * 500):
        answer = await simulate(alice, rule("always", tags=[selector(pattern)]), repository="app")
        assert answer.status in (200, 400), answer.body
    # Milliseconds each; what backtracks would take years.
    assert max(seconds.values()) < 5
    answer = await ask(
        alice,
        "POST",
        f"{API}/retentions",
        policy(project, rule("always", tags=[selector("(a+)+$", kind="regex")])),
    )
    assert answer.status == 201
