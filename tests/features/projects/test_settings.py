"""The settings of projects: `PUT /projects/{project}`, `/metadatas/`, and what a summary tells whom."""

import json
from typing import Any

import pytest
from sqlalchemy import select

from fairway.features.projects.model import Change
from fairway.features.projects.store import projects, settings
from fairway.frame.access.roles import Role
from fairway.frame.db import Database
from fairway.frame.db.tables import outbox
from features.projects.test_members import ask
from features.projects.test_store import person, project
from stories.world import Person, World, image

TEAM = "/api/v2.0/projects/team"
SETTINGS = f"{TEAM}/metadatas/"


@pytest.fixture
async def alice(world: World) -> Person:
    alice = await world.person("alice")
    await world.project("team", alice)
    return alice


async def shown(who: Person) -> Any:
    return (await who("GET", TEAM)).json["metadata"]


async def test_a_project_is_changed(world: World, alice: Person) -> None:
    answer = await ask(alice, "PUT", TEAM, {"metadata": {"public": "true", "severity": "HIGH"}})
    assert (answer.status, answer.body) == (200, b"")
    assert await shown(alice) == {"public": "true", "severity": "high"}
    assert (await world.anybody("GET", TEAM)).status == 200
    await ask(alice, "PUT", TEAM, {"public": False, "metadata": {"auto_scan": "false"}})
    assert await shown(alice) == {"public": "false", "severity": "high", "auto_scan": "false"}
    await ask(alice, "PUT", TEAM, {"metadata": {"severity": ""}})
    assert await shown(alice) == {"public": "false", "auto_scan": "false"}
    assert (await world.anybody("GET", TEAM)).status == 401


async def test_what_a_change_leaves_alone(world: World, alice: Person) -> None:
    before = (await alice("GET", TEAM)).json
    body = {"project_name": "mine", "storage_limit": 5, "registry_id": 3, "owner_id": 1, "metadata": {}}
    assert (await ask(alice, "PUT", TEAM, body)).status == 200
    after = (await alice("GET", TEAM)).json
    assert {**after, "update_time": ""} == {**before, "update_time": ""}
    assert (await alice("GET", f"{TEAM}/summary")).json["quota"]["hard"] == {"storage": -1}
    for metadata, status in (
        ({"public": "maybe"}, 400),
        ({"nonsense": "x"}, 400),
        ({"prevent_vul": "true"}, 400),
        ({"severity": "dire"}, 400),
        ({"public": True}, 422),
    ):
        answer = await ask(alice, "PUT", TEAM, {"public": True, "metadata": metadata})
        assert answer.status == status, metadata
    assert await shown(alice) == {"public": "false"}


async def test_a_project_is_made_with_its_settings(world: World, alice: Person) -> None:
    metadata = {"severity": "Low", "auto_scan": "false", "enable_content_trust": "", "proxy_speed_kb": "7"}
    body = {"project_name": "other", "metadata": metadata}
    assert (await ask(alice, "POST", "/api/v2.0/projects", body)).status == 201
    answer = await alice("GET", "/api/v2.0/projects/other")
    assert answer.json["metadata"] == {"public": "false", "severity": "low", "auto_scan": "false"}
    listed = {each["name"]: each["metadata"] for each in (await alice("GET", "/api/v2.0/projects")).json}
    assert listed == {"team": {"public": "false"}, "other": answer.json["metadata"]}


async def test_settings_one_by_one(world: World, alice: Person) -> None:
    for method, target, body, status in (
        ("POST", SETTINGS, {"severity": "HIGH"}, 200),
        ("POST", SETTINGS, {"severity": "low"}, 409),
        ("POST", SETTINGS, {"public": "true"}, 409),
        ("POST", SETTINGS, {}, 400),
        ("POST", SETTINGS, {"auto_scan": "0", "prevent_vul": "0"}, 400),
        ("POST", SETTINGS, {"auto_scan": "true"}, 400),
        ("POST", SETTINGS, {"auto_scan": "no"}, 400),
        ("POST", SETTINGS, {"retention_id": "7"}, 400),
        ("POST", SETTINGS, {"proxy_speed_kb": "2147483648"}, 400),
        ("POST", SETTINGS, {"max_upstream_conn": "0"}, 400),
        ("POST", SETTINGS, {"proxy_cache_filter_pattern": "a\0"}, 400),
        ("POST", SETTINGS, {"nonsense": "x"}, 400),
        ("POST", SETTINGS, {"auto_scan": False}, 422),
        ("POST", SETTINGS, {"auto_scan": "F"}, 200),
        ("POST", SETTINGS, {"proxy_speed_kb": "-1"}, 200),
        ("PUT", f"{SETTINGS}severity", {"severity": "none"}, 200),
        ("PUT", f"{SETTINGS}severity", {"severity": "dire"}, 400),
        ("PUT", f"{SETTINGS}severity", {"auto_scan": "false"}, 400),
        ("PUT", f"{SETTINGS}prevent_vul", {"prevent_vul": "false"}, 404),
        ("PUT", f"{SETTINGS}public", {"public": "T"}, 200),
        ("GET", f"{SETTINGS}nonsense", None, 404),
        ("DELETE", f"{SETTINGS}prevent_vul", None, 404),
        ("DELETE", f"{SETTINGS}proxy_speed_kb", None, 200),
    ):
        assert (await ask(alice, method, target, body)).status == status, (method, target, body)
    kept = {"public": "true", "severity": "none", "auto_scan": "false"}
    assert await shown(alice) == kept
    assert (await world.admin("GET", SETTINGS)).json == kept
    assert (await alice("GET", f"{SETTINGS}public")).json == {"public": "true"}
    assert (await alice("DELETE", f"{SETTINGS}public")).status == 200
    assert (await world.admin("GET", SETTINGS)).json == {**kept, "public": "false"}


async def test_a_summary_tells_each_what_they_may_know(world: World, alice: Person) -> None:
    team = (await alice("GET", TEAM)).json["project_id"]
    guest = await world.member(team, "bob", Role.GUEST)
    limited = await world.member(team, "carol", Role.LIMITED_GUEST)
    await alice.push("team/app:v1", image("base"))
    quota = {"hard": {"storage": -1}, "used": {"storage": image("base").size}}
    counts = {
        "project_admin_count": 1,
        "maintainer_count": 0,
        "developer_count": 0,
        "guest_count": 1,
        "limited_guest_count": 1,
    }
    for who in (alice, guest, world.admin):
        assert (await who("GET", f"{TEAM}/summary")).json == {"repo_count": 1, "quota": quota, **counts}
    assert (await limited("GET", f"{TEAM}/summary")).json == {"repo_count": 1, "quota": quota}
    await ask(alice, "PUT", TEAM, {"public": True})
    assert (await world.anybody("GET", f"{TEAM}/summary")).json == {"repo_count": 1}


async def test_whether_a_project_can_be_deleted(world: World, alice: Person) -> None:
    assert (await alice("GET", f"{TEAM}/_deletable")).json == {"deletable": True}
    await alice.push("team/app:v1", image("base"))
    answer = (await alice("GET", f"{TEAM}/_deletable")).json
    assert answer["deletable"] is False
    assert "repositories" in answer["message"]


async def test_a_list_by_q_and_sort_and_without_detail(world: World, alice: Person) -> None:
    await world.project("open", alice, public=True)
    await world.project("tame", alice)
    for query, names in (
        ("q=name%3D~ea", ["team"]),
        ("q=name%3Dtam", []),
        ("q=name%3Dtame", ["tame"]),
        ("q=public%3Dtrue", ["open"]),
        ("q=owner%3Dalice&sort=-name", ["team", "tame", "open"]),
        ("q=owner%3Dalice&name=am", ["tame", "team"]),
        ("q=owner%3Dbob", []),
        ("sort=-project_id", ["tame", "open", "team"]),
        ("sort=-creation_time&page_size=1", ["tame"]),
    ):
        answer = await alice("GET", f"/api/v2.0/projects?{query}")
        assert [each["name"] for each in answer.json] == names, query
    for query in ("q=name", "q=public%3Dperhaps", "q=project_id%3Dx", "q=creation_time%3Dnow"):
        assert (await alice("GET", f"/api/v2.0/projects?{query}")).short == (400, "BAD_REQUEST"), query
    [bare] = (await world.anybody("GET", "/api/v2.0/projects?with_detail=false")).json
    assert bare.keys().isdisjoint({"repo_count", "metadata", "current_user_role_id"})
    assert bare["name"] == "open"


async def test_a_change_is_recorded_and_settings_go_with_their_project(db: Database) -> None:
    alice = await person(db, "alice")
    team, other = await project(db, "team", alice), await project(db, "other", alice)
    wanted = Change(public=True, settings={"severity": "low", "auto_scan": None})
    assert await db.write(lambda conn: projects.change(conn, team, wanted, alice))
    assert not await db.write(lambda conn: projects.change(conn, 4711, wanted, alice))
    assert await settings.of_many(db, [team, other]) == {team: {"severity": "low"}}
    [row] = [each for each in await db.all(select(outbox)) if each["kind"] == "project.updated"]
    payload = {"project_id": team, "name": "team", "public": True, "by": "alice"}
    assert json.loads(row["payload"]) == payload
    await db.write(lambda conn: projects.remove(conn, team, alice, grace_seconds=60))
    assert await settings.of(db, team) == {}
