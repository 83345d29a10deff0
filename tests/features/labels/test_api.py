"""Labels as Harbor's clients use them: making them, finding them, and hanging them on artifacts."""

import asyncio
import json
from typing import Any

import pytest

from fairway.core.oci.digest import Digest
from fairway.features.labels import store
from fairway.features.labels.model import Wanted
from fairway.frame.access.roles import Role
from fairway.frame.db import UniqueViolation
from fairway.frame.db.tables import artifact_labels, audit_log, labels, outbox
from fairway.frame.events import hand_over
from fairway.reactions import reactions
from stories.asgi import Answer
from stories.world import Person, World, image

API = "/api/v2.0"
APP = f"{API}/projects/team/repositories/app/artifacts"
JSON = {"content-type": "application/json"}


async def ask(who: Person, method: str, target: str, body: dict[str, Any] | None = None) -> Answer:
    return await who(method, target, b"" if body is None else json.dumps(body).encode(), headers=JSON)


async def make(who: Person, name: str, project: int | None = None, **more: Any) -> int:
    scope = {"scope": "g"} if project is None else {"scope": "p", "project_id": project}
    answer = await ask(who, "POST", f"{API}/labels", {"name": name, **scope, **more})
    assert (answer.status, answer.body) == (201, b""), answer.body
    at, _, number = answer["location"].rpartition("/")
    assert at == f"{API}/labels"
    return int(number)


async def names(who: Person, query: str) -> list[str]:
    answer = await who("GET", f"{API}/labels?{query}")
    assert answer.status == 200, answer.body
    assert answer["x-total-count"] == str(len(answer.json))
    return [each["name"] for each in answer.json]


@pytest.fixture
async def alice(world: World) -> Person:
    return await world.person("alice")


@pytest.fixture
async def team(world: World, alice: Person) -> int:
    """Her project, with two images in `app`."""
    team = await world.project("team", alice)
    for name in ("v1", "v2"):
        assert (await alice.push(f"team/app:{name}", image(name))).status == 201
    return team


async def test_a_label_is_made_shown_changed_and_deleted(world: World, alice: Person, team: int) -> None:
    number = await make(alice, "stable", team, description="has been tested", color="#00FF00")
    shown = (await alice("GET", f"{API}/labels/{number}")).json
    created, updated = shown.pop("creation_time"), shown.pop("update_time")
    assert created == updated > "2020"
    assert shown == {
        "id": number,
        "name": "stable",
        "description": "has been tested",
        "color": "#00FF00",
        "scope": "p",
        "project_id": team,
    }
    # As Terraform does: the whole of it, of which a scope and a project do not count.
    body = {"name": "tested", "color": "", "scope": "g", "project_id": 0}
    answer = await ask(alice, "PUT", f"{API}/labels/{number}", body)
    assert (answer.status, answer.body) == (200, b"")
    shown = (await alice("GET", f"{API}/labels/{number}")).json
    assert (shown["name"], shown["description"], shown["scope"], shown["project_id"]) == (
        "tested",
        "",
        "p",
        team,
    )
    answer = await alice("DELETE", f"{API}/labels/{number}")
    assert (answer.status, answer.body) == (200, b"")
    for method in ("GET", "PUT", "DELETE"):
        assert (await ask(alice, method, f"{API}/labels/{number}", {"name": "x"})).short == (404, "NOT_FOUND")


async def test_a_name_is_taken_once_in_each_scope(world: World, alice: Person, team: int) -> None:
    other = await world.project("other", alice)
    first = await make(world.admin, "same")
    await make(alice, "same", team)
    await make(alice, "same", other)
    for who, place in ((world.admin, {"scope": "g"}), (alice, {"scope": "p", "project_id": team})):
        answer = await ask(who, "POST", f"{API}/labels", {"name": "same", **place})
        assert answer.short == (409, "CONFLICT")
        assert "another name" in answer.json["errors"][0]["message"]
    await make(world.admin, "second")
    assert (await ask(world.admin, "PUT", f"{API}/labels/{first}", {"name": "second"})).status == 409
    assert (await ask(world.admin, "PUT", f"{API}/labels/{first}", {"name": "same"})).status == 200


async def test_what_is_refused_leaves_nothing(world: World, alice: Person, team: int) -> None:
    before = await world.stored()
    for body, status in (
        ({}, 400),
        ({"name": "a"}, 400),
        ({"name": "a", "scope": "x"}, 400),
        ({"name": "a", "scope": "p"}, 400),
        ({"name": "a", "scope": "p", "project_id": 10**30}, 400),
        ({"name": "", "scope": "p", "project_id": team}, 400),
        ({"name": "n" * 129, "scope": "p", "project_id": team}, 400),
        ({"name": "a", "color": "javascript:x", "scope": "p", "project_id": team}, 400),
        ({"name": ["a"], "scope": "p", "project_id": team}, 422),
        ({"name": "a", "scope": "g"}, 403),
        ({"name": "a", "scope": "p", "project_id": 4711}, 403),
    ):
        assert (await ask(alice, "POST", f"{API}/labels", body)).status == status, body
    absent = {"name": "a", "scope": "p", "project_id": 4711}
    assert (await ask(world.admin, "POST", f"{API}/labels", absent)).short == (404, "NOT_FOUND")
    assert (await world.anybody("POST", f"{API}/labels", b"{}", headers=JSON)).status == 401
    assert await world.stored() == before


async def test_lists_are_of_one_scope(world: World, alice: Person, team: int) -> None:
    for name in ("Beta", "alpha", "be_ta"):
        await make(alice, name, team)
    await make(world.admin, "everywhere", color="#FFF")
    of_team = f"scope=p&project_id={team}"
    assert await names(alice, of_team) == ["Beta", "alpha", "be_ta"]
    assert await names(alice, "scope=g") == ["everywhere"]
    assert await names(alice, f"scope=g&project_id={team}") == ["everywhere"]
    assert await names(alice, f"{of_team}&name=BE") == ["Beta", "be_ta"]
    assert await names(alice, f"{of_team}&name=_") == ["be_ta"]
    assert await names(alice, f"{of_team}&q=name%3Dalpha") == ["alpha"]
    assert await names(alice, f"{of_team}&sort=-name") == ["be_ta", "alpha", "Beta"]
    assert await names(alice, "scope=g&q=project_id%3D0,color%3D~fff") == ["everywhere"]
    page = await alice("GET", f"{API}/labels?{of_team}&page=2&page_size=2")
    assert [each["name"] for each in page.json] == ["be_ta"]
    assert (page["x-total-count"], 'rel="prev"' in page["link"]) == ("3", True)
    for query in ("", "scope=x", "scope=p", "scope=p&project_id=0", "scope=g&q=id%3Dx"):
        assert (await alice("GET", f"{API}/labels?{query}")).short == (400, "BAD_REQUEST"), query
    assert (await alice("GET", f"{API}/labels?scope=p&project_id=x")).status == 422


async def test_who_may_see_and_change_them(world: World, alice: Person, team: int) -> None:
    ours, everywhere = await make(alice, "ours", team), await make(world.admin, "everywhere")
    guest = await world.member(team, "guest", Role.GUEST)
    limited = await world.member(team, "limited", Role.LIMITED_GUEST)
    maintainer = await world.member(team, "maintainer", Role.MAINTAINER)
    stranger = await world.person("stranger")
    body = {"name": "renamed"}
    own, all_ = f"{API}/labels/{ours}", f"{API}/labels/{everywhere}"
    listing = f"{API}/labels?scope=p&project_id={team}"
    for who, expected in (
        # Read ours, change ours, list ours; read everybody's, change everybody's, list everybody's.
        (world.anybody, (401, 401, 401, 401, 401, 401)),
        (stranger, (404, 404, 403, 200, 403, 200)),
        (limited, (404, 404, 403, 200, 403, 200)),
        (guest, (200, 403, 200, 200, 403, 200)),
        (maintainer, (200, 200, 200, 200, 403, 200)),
        (world.admin, (200, 200, 200, 200, 200, 200)),
    ):
        found = [
            (await ask(who, method, target, body if method == "PUT" else None)).status
            for method, target in (
                ("GET", own),
                ("PUT", own),
                ("GET", listing),
                ("GET", all_),
                ("PUT", all_),
                ("GET", f"{API}/labels?scope=g"),
            )
        ]
        assert tuple(found) == expected, who.name
        body = {"name": f"by-{who.name}"}


async def test_in_a_public_project_everybody_reads_them(world: World, alice: Person) -> None:
    shown = await world.project("shown", alice, public=True)
    number = await make(alice, "seen", shown)
    assert (await world.anybody("GET", f"{API}/labels/{number}")).json["name"] == "seen"
    assert await names(world.anybody, f"scope=p&project_id={shown}") == ["seen"]
    assert (await ask(world.anybody, "PUT", f"{API}/labels/{number}", {"name": "x"})).status == 401


async def test_a_label_of_a_hidden_project_looks_like_none(world: World, alice: Person, team: int) -> None:
    hidden = await make(alice, "secret", team)
    absent = hidden + 1
    stranger = await world.person("stranger")
    for who in (world.anybody, stranger):
        for method in ("GET", "PUT", "DELETE"):
            seen = []
            for number in (hidden, absent):
                answer = await who(
                    method,
                    f"{API}/labels/{number}",
                    b'{"name": "x"}',
                    headers={**JSON, "x-request-id": "same"},
                )
                seen.append((answer.status, answer.headers, answer.body.replace(b"%d" % number, b"N")))
            assert seen[0] == seen[1], (who.name, method)
        for target in ("scope=p&project_id={}", "scope=p&project_id={}&name=s"):
            seen = []
            for project in (team, 4711):
                answer = await who(
                    "GET", f"{API}/labels?{target.format(project)}", headers={"x-request-id": "same"}
                )
                seen.append((answer.status, answer.headers, answer.body))
            assert seen[0] == seen[1]


class TestOnArtifacts:
    async def test_hanging_one_on_and_taking_it_off(self, world: World, alice: Person, team: int) -> None:
        ours, everywhere = await make(alice, "ours", team), await make(world.admin, "everywhere")
        for number in (ours, everywhere):
            answer = await ask(alice, "POST", f"{APP}/v1/labels", {"id": number, "name": "ignored"})
            assert (answer.status, answer.body) == (200, b"")
        again = await ask(alice, "POST", f"{APP}/{image('v1').digest}/labels", {"id": ours})
        assert again.short == (409, "CONFLICT")
        shown = (await alice("GET", f"{APP}/v1?with_label=true")).json
        assert [(each["name"], each["scope"]) for each in shown["labels"]] == [
            ("everywhere", "g"),
            ("ours", "p"),
        ]
        assert shown["labels"][1] == (await alice("GET", f"{API}/labels/{ours}")).json
        listed = (await alice("GET", f"{APP}?with_label=true&sort=id")).json
        assert [[each["name"] for each in one["labels"]] for one in listed] == [["everywhere", "ours"], []]
        answer = await alice("DELETE", f"{APP}/v1/labels/{ours}")
        assert (answer.status, answer.body) == (200, b"")
        assert (await alice("DELETE", f"{APP}/v1/labels/{ours}")).short == (404, "NOT_FOUND")
        assert [row["label_id"] for row in await world.rows(artifact_labels)] == [everywhere]

    async def test_what_cannot_be_hung_on(self, world: World, alice: Person, team: int) -> None:
        other = await world.project("other", alice)
        theirs, ours = await make(alice, "theirs", other), await make(alice, "ours", team)
        before = await world.stored()
        for target, body, status in (
            ("v1", {"id": theirs}, 404),
            ("v1", {"id": 4711}, 404),
            ("v1", {"id": 0}, 400),
            ("v1", {"id": -1}, 400),
            ("v1", {"id": 2**63}, 400),
            ("v1", {}, 400),
            ("v1", {"id": "x"}, 422),
            ("v9", {"id": ours}, 404),
            (Digest.of(b"none"), {"id": ours}, 404),
        ):
            assert (await ask(alice, "POST", f"{APP}/{target}/labels", body)).status == status, body
        assert (await alice("DELETE", f"{APP}/v1/labels/{theirs}")).status == 404
        assert await world.stored() == before

    async def test_lists_by_label(self, alice: Person, world: World, team: int) -> None:
        one, two = await make(alice, "one", team), await make(alice, "two", team)
        for name, numbers in (("v1", (one, two)), ("v2", (two,))):
            for number in numbers:
                assert (await ask(alice, "POST", f"{APP}/{name}/labels", {"id": number})).status == 200
        v1, v2 = image("v1").digest, image("v2").digest
        for q, expected in (
            (f"labels=({one} {two})", [v1]),
            (f"labels=({two} {two})", [v1, v2]),
            (f"labels=({two})", [v1, v2]),
            (f"labels={one}", [v1]),
            (f"labels={{{one} {two}}}", [v1, v2]),
            (f"labels=({one} 4711)", []),
            (f"labels={two},tags=v2", [v2]),
        ):
            quoted = "".join(f"%25{ord(each):02X}" for each in q)
            for place in (APP, f"{API}/projects/team/artifacts"):
                answer = await alice("GET", f"{place}?sort=id&q={quoted}")
                assert [each["digest"] for each in answer.json] == expected, q
                assert answer["x-total-count"] == str(len(expected))
            latest = await alice("GET", f"{API}/projects/team/artifacts?latest_in_repository=true&q={quoted}")
            assert [each["digest"] for each in latest.json] == expected[-1:]
        many = "%20".join(map(str, range(1, 12)))
        for q in ("labels=x", "labels=~1", "labels=[1~2]", f"labels=({many})"):
            assert (await alice("GET", f"{APP}?q={q}")).short == (400, "BAD_REQUEST"), q

    async def test_a_label_or_an_artifact_that_goes_takes_it_along(
        self, world: World, alice: Person, team: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(store, "AT_A_TIME", 1)
        one, two = await make(alice, "one", team), await make(alice, "two", team)
        for name in ("v1", "v2"):
            for number in (one, two):
                assert (await ask(alice, "POST", f"{APP}/{name}/labels", {"id": number})).status == 200
        assert (await alice("DELETE", f"{API}/labels/{one}")).status == 200
        assert [row["label_id"] for row in await world.rows(artifact_labels)] == [two, two]
        assert (await alice("DELETE", f"{APP}/v1")).status == 200
        assert len(await world.rows(artifact_labels)) == 1
        assert (await alice("DELETE", f"{API}/projects/team/repositories/app")).status == 200
        assert await world.rows(artifact_labels) == []
        assert (await alice("DELETE", f"{API}/projects/team")).status == 200
        assert await world.rows(labels) == []

    async def test_one_of_many_at_once_hangs_it_on(self, world: World, alice: Person, team: int) -> None:
        number = await make(alice, "one", team)
        answers = await asyncio.gather(
            *(ask(alice, "POST", f"{APP}/v1/labels", {"id": number}) for _ in range(8))
        )
        assert sorted(answer.status for answer in answers) == [200] + [409] * 7

    async def test_a_label_that_is_being_deleted_is_hung_on_nothing(
        self, world: World, alice: Person, team: int
    ) -> None:
        number = await make(alice, "one", team)
        answers = await asyncio.gather(
            *(ask(alice, "POST", f"{APP}/{name}/labels", {"id": number}) for name in ("v1", "v2")),
            alice("DELETE", f"{API}/labels/{number}"),
        )
        assert answers[2].status == 200
        assert {answer.status for answer in answers[:2]} <= {200, 404}
        assert await world.rows(artifact_labels) == []


async def test_every_change_is_audited(world: World, alice: Person, team: int) -> None:
    ours, everywhere = await make(alice, "ours", team), await make(world.admin, "everywhere")
    await ask(alice, "PUT", f"{API}/labels/{ours}", {"name": "still-ours"})
    await ask(alice, "POST", f"{APP}/v1/labels", {"id": ours})
    await alice("DELETE", f"{APP}/v1/labels/{ours}")
    await alice("DELETE", f"{API}/labels/{ours}")
    await world.admin("DELETE", f"{API}/labels/{everywhere}")
    at = f"team/app@{image('v1').digest}"
    last = [row["payload"] for row in await world.rows(outbox) if row["kind"] == "artifact.labelled"]
    assert [json.loads(each)["label_id"] for each in last] == [ours]
    await hand_over(world.db, reactions(world.parts.notifications))
    lines = [
        (row["username"], row["project_id"], row["description"])
        for row in await world.rows(audit_log)
        if "label" in row["description"]
    ]
    assert lines == [
        ("alice", team, "create label: ours of project team"),
        ("admin", 0, "create label: everywhere"),
        ("alice", team, "update label: still-ours of project team"),
        ("alice", team, f"put label still-ours on artifact: {at}"),
        ("alice", team, f"take label still-ours off artifact: {at}"),
        ("alice", team, "delete label: still-ours of project team"),
        ("admin", 0, "delete label: everywhere"),
    ]


async def test_the_store_says_when_a_name_is_taken_or_nothing_is_there(world: World, alice: Person) -> None:
    team = await world.project("team", alice)
    by = alice.user
    made = await world.db.write(lambda conn: store.create(conn, team, Wanted("a"), by))
    with pytest.raises(UniqueViolation):
        await world.db.write(lambda conn: store.create(conn, team, Wanted("a"), by))
    assert not await world.db.write(lambda conn: store.change(conn, made + 1, Wanted("b"), by))
    assert not await world.db.write(lambda conn: store.remove(conn, made + 1, by))
    assert await store.by_id(world.db, made + 1) is None
    assert await world.db.write(lambda conn: store.keep(conn, made, team + 1)) is None
