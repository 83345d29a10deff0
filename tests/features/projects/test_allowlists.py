"""Vulnerabilities that may pass: the server's list and those of projects."""

from typing import Any

import pytest

from fairway.features.projects import rules
from fairway.features.projects.api.projects import MOST_LISTED
from fairway.features.projects.model import Allowlist
from fairway.features.projects.store import allowlists as store
from fairway.frame.access.roles import Role
from fairway.frame.db import Database
from fairway.frame.db.tables import audit_log, cve_allowlists
from fairway.frame.events import hand_over
from fairway.reactions import reactions
from features.projects.test_members import ask
from stories.world import World

SERVER = "/api/v2.0/system/CVEAllowlist"
TEAM = "/api/v2.0/projects/team"
LATER = 4_102_444_800


def listing(*ids: str, expires_at: int | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"items": [{"cve_id": each} for each in ids]}
    return found if expires_at is None else {**found, "expires_at": expires_at}


def said(shown: dict[str, Any]) -> dict[str, Any]:
    """What was written, without ids and moments."""
    return {name: shown[name] for name in ("items", "expires_at") if name in shown}


async def test_the_servers_list(world: World) -> None:
    bob = await world.person("bob")
    empty = (await bob("GET", SERVER)).json
    assert (said(empty), empty["id"], empty["project_id"]) == (listing(), 0, 0)
    wanted = listing("CVE-2026-1234", "GHSA-jfh8-c2jp-5v3q", expires_at=LATER)
    answer = await ask(world.admin, "PUT", SERVER, {**wanted, "project_id": 7, "id": 9})
    assert (answer.status, answer.body) == (200, b"")
    shown = (await bob("GET", SERVER)).json
    assert said(shown) == wanted
    assert (shown["id"], shown["project_id"]) == (0, 0)
    assert await world.count(cve_allowlists) == 1
    assert (await ask(world.admin, "PUT", SERVER, {"items": None})).status == 200
    again = (await bob("GET", SERVER)).json
    assert said(again) == listing()
    assert again["creation_time"] == shown["creation_time"]
    await hand_over(world.db, reactions(world.parts.notifications, world.parts.configuration))
    lines = [(row["username"], row["description"]) for row in await world.rows(audit_log)]
    assert lines == [("admin", "update configuration: cve_allowlist")] * 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (listing("CVE-2026-1", "CVE-2026-1"), 400),
        (listing(""), 400),
        (listing("CVE 2026"), 400),
        (listing("CVE-2026-1\n"), 400),
        (listing("x" * 129), 400),
        (listing("ü-1"), 400),
        (listing("CVE-2026-1", expires_at=-1), 400),
        (listing("CVE-2026-1", expires_at=2**63), 400),
        ({"items": "CVE-2026-1"}, 422),
        ({"items": [{"cve_id": 1}]}, 422),
        ({"items": [], "expires_at": "soon"}, 422),
    ],
)
async def test_what_is_no_list_is_refused(world: World, body: Any, status: int) -> None:
    await world.project("team")
    before = await world.stored()
    assert (await ask(world.admin, "PUT", SERVER, body)).status == status
    assert (await ask(world.admin, "PUT", TEAM, {"cve_allowlist": body})).status == status
    made = {"project_name": "other", "cve_allowlist": body}
    assert (await ask(world.admin, "POST", "/api/v2.0/projects", made)).status == status
    assert await world.stored() == before


async def test_a_list_has_an_end() -> None:
    most = [f"CVE-2026-{n}" for n in range(rules.MAX_ALLOWED + 1)]
    assert len(rules.allowlist(most[:-1], 0).items) == rules.MAX_ALLOWED
    with pytest.raises(rules.BadRequest, match="up to 5000"):
        rules.allowlist(most, None)


async def test_the_list_of_a_project(world: World) -> None:
    alice = await world.person("alice")
    first = listing("CVE-2026-1", "CVE-2026-2", expires_at=LATER)
    made = await ask(alice, "POST", "/api/v2.0/projects", {"project_name": "team", "cve_allowlist": first})
    assert made.status == 201
    project = (await alice("GET", TEAM)).json
    own = project["cve_allowlist"]
    assert said(own) == first
    assert own["id"] == own["project_id"] == project["project_id"]
    await world.project("plain", alice)
    listed = {each["name"]: each["cve_allowlist"] for each in (await alice("GET", "/api/v2.0/projects")).json}
    assert (listed["team"], said(listed["plain"])) == (own, listing())
    brief = (await alice("GET", "/api/v2.0/projects?with_detail=false")).json
    assert all("cve_allowlist" not in each for each in brief)

    bob = await world.member(project["project_id"], "bob", Role.MAINTAINER)
    assert (await ask(bob, "PUT", TEAM, {"cve_allowlist": listing()})).status == 403
    await ask(alice, "PUT", TEAM, {"metadata": {"severity": "low"}})
    assert (await alice("GET", TEAM)).json["cve_allowlist"] == own
    await ask(alice, "PUT", TEAM, {"cve_allowlist": listing("CVE-2026-3")})
    assert said((await alice("GET", TEAM)).json["cve_allowlist"]) == listing("CVE-2026-3")
    assert said((await alice("GET", SERVER)).json) == listing()


async def test_a_list_goes_with_its_project(world: World) -> None:
    body = {"project_name": "team", "cve_allowlist": listing("CVE-2026-1")}
    await ask(world.admin, "POST", "/api/v2.0/projects", body)
    await ask(world.admin, "PUT", SERVER, listing("CVE-2026-9"))
    assert (await world.admin("DELETE", TEAM)).status == 200
    assert [row["project_id"] for row in await world.rows(cve_allowlists)] == [0]


async def test_lists_are_kept_side_by_side(db: Database) -> None:
    async def both(conn: Any) -> None:
        await store.keep(conn, 3, Allowlist(("CVE-2026-2", "CVE-2026-1"), 5))
        await store.keep(conn, 4, Allowlist())
        await store.keep(conn, 4, Allowlist(("CVE-2026-4",)))

    await db.write(both)
    three, four, five = [await store.of(db, project) for project in (3, 4, 5)]
    assert (three.items, three.expires_at) == (("CVE-2026-2", "CVE-2026-1"), 5)
    assert (four.items, four.expires_at) == (("CVE-2026-4",), None)
    assert five == Allowlist(project=5)
    await db.write(lambda conn: store.drop(conn, 3))
    assert await store.of(db, 3) == Allowlist(project=3)
    assert await store.of(db, 4) == four


async def test_a_long_list_is_shown_with_its_project_only(world: World) -> None:
    await world.project("team")
    for count in (MOST_LISTED, MOST_LISTED + 1):
        body = listing(*(f"CVE-2026-{n}" for n in range(count)))
        assert (await ask(world.admin, "PUT", TEAM, {"cve_allowlist": body})).status == 200
        assert len((await world.admin("GET", TEAM)).json["cve_allowlist"]["items"]) == count
        (shown,) = (await world.admin("GET", "/api/v2.0/projects?name=team")).json
        assert (shown.get("cve_allowlist") is None) == (count > MOST_LISTED)
