"""The audit log as Harbor's clients read it."""

import json

import pytest
from sqlalchemy import update

from fairway.features.audit import store
from fairway.features.audit.rules import EVENT_TYPES
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import audit_log
from fairway.frame.events import hand_over
from stories.world import Person, World, image

API = "/api/v2.0"
KINDS = ("project.created", "artifact.pushed", "artifact.deleted", "tag.deleted")
LINE = {"id", "username", "resource", "resource_type", "operation", "op_time"}


@pytest.fixture
async def alice(world: World) -> Person:
    """She has a project with an image, bob has another one."""
    alice = await world.person("alice")
    await world.project("team", alice)
    assert (await alice.push("team/app:v1", image("a"))).status == 201
    bob = await world.person("bob")
    await world.project("other", bob)
    await hand_over(world.db, {kind: [store.write] for kind in KINDS})
    return alice


async def test_lines_are_shown_the_newest_first(world: World, alice: Person) -> None:
    answer = await world.admin("GET", f"{API}/auditlog-exts")
    assert answer.status == 200
    lines = answer.json
    assert answer["x-total-count"] == str(len(lines))
    assert [each["id"] for each in lines] == sorted((each["id"] for each in lines), reverse=True)
    assert lines[0].keys() == LINE | {"operation_description", "operation_result"}
    [pushed] = [each for each in lines if each["resource_type"] == "artifact"]
    assert (pushed["username"], pushed["resource"], pushed["operation"]) == ("alice", "team/app:v1", "create")
    assert pushed["operation_result"] is True
    old = await world.admin("GET", f"{API}/audit-logs?page_size=1")
    assert old.json[0].keys() == LINE
    assert 'rel="next"' in old["link"]


async def test_each_sees_what_their_projects_log_says(world: World, alice: Person) -> None:
    for path in ("/audit-logs", "/auditlog-exts"):
        seen = (await alice("GET", f"{API}{path}")).json
        assert {each["resource"] for each in seen} == {"team", "team/app:v1"}
        assert (await world.anybody("GET", f"{API}{path}")).status == 401
    [team] = [row["project_id"] for row in await world.rows(audit_log) if row["resource"] == "team"]
    maintainer = await world.member(team, "maya", Role.MAINTAINER)
    assert (await maintainer("GET", f"{API}/audit-logs")).json == []
    for path in ("/projects/team/logs", "/projects/team/auditlog-exts"):
        seen = (await alice("GET", f"{API}{path}")).json
        assert {each["resource"] for each in seen} == {"team", "team/app:v1"}
        assert (await world.admin("GET", f"{API}{path}")).json == seen
        assert (await maintainer("GET", f"{API}{path}")).status == 403
        assert (await world.anybody("GET", f"{API}{path}")).status == 401
        assert (await alice("GET", f"{API}{path.replace('team', 'other')}")).status == 403
        assert (await alice("GET", f"{API}{path.replace('team', 'nothing')}")).status == 403
        assert (await world.admin("GET", f"{API}{path.replace('team', 'nothing')}")).status == 404


async def test_filters_and_orders(world: World, alice: Person) -> None:
    async def resources(query: str) -> list[str]:
        answer = await world.admin("GET", f"{API}/audit-logs?{query}")
        assert answer.status == 200, answer.body
        return [each["resource"] for each in answer.json]

    assert await resources("q=operation=create,resource_type=artifact") == ["team/app:v1"]
    assert await resources("q=username=~AL&sort=op_time") == ["team", "team/app:v1"]
    assert await resources("q=resource=~app") == ["team/app:v1"]
    await world.run(update(audit_log).where(audit_log.c.resource == "team").values(at=1_000_000))
    assert await resources("q=op_time=[1970-01-01T00:00:00~1970-01-02T00:00:00]") == ["team"]
    assert (await world.admin("GET", f"{API}/audit-logs?q=op_time=[x~]")).status == 400


async def test_a_filter_counts_up_to_a_bound(
    world: World, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "COUNTED", 2)
    everything = await world.admin("GET", f"{API}/audit-logs")
    assert int(everything["x-total-count"]) > 2
    chosen = await world.admin("GET", f"{API}/audit-logs?q=operation=create&page_size=1")
    assert chosen["x-total-count"] == "2"


async def test_no_line_is_out_of_reach_of_a_filter(
    world: World, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever follows the links comes to the last one, as in every list."""
    everything = (await world.admin("GET", f"{API}/audit-logs?page_size=100")).json
    wanted = [line["id"] for line in everything if line["operation"] == "create"]
    assert len(wanted) > 2
    monkeypatch.setattr(store, "COUNTED", 1)
    found, target = [], f"{API}/audit-logs?q=operation=create&page_size=1"
    while target:
        answer = await world.admin("GET", target)
        found += [line["id"] for line in answer.json]
        onwards = [link for link in "".join(answer.all("link")).split(" , ") if 'rel="next"' in link]
        target = onwards[0].partition("<")[2].partition(">")[0] if onwards else ""
    assert found == wanted


async def test_event_types_are_those_that_happen(world: World, alice: Person) -> None:
    answer = await world.admin("GET", f"{API}/auditlog-exts/events")
    assert answer.json == [{"event_type": each} for each in EVENT_TYPES]
    happened = {f"{row['operation']}_{row['resource_type']}" for row in await world.rows(audit_log)}
    assert happened <= set(EVENT_TYPES), json.dumps(sorted(happened))
    assert (await alice("GET", f"{API}/auditlog-exts/events")).status == 403
