"""A personal access token only narrows: every route and every registry call is tried with one that only reads, and with one
that is about another project, both of a system administrator who lets them administer."""

import json
from base64 import b64decode
from typing import Any

import pytest
from sqlalchemy import update

from fairway.frame.access.catalogue import IN_PROJECT, ON_SERVER
from fairway.frame.access.may import ProjectFacts, may
from fairway.frame.access.principals import User
from fairway.frame.access.scopes import Scope, Word
from fairway.frame.db.tables import projects
from security.test_api_matrix import ROUTES, make
from security.test_matrix import CALLS, Target
from security.test_read_only import API_CHANGES, every_change
from stories.world import Person, World, image

OWN = "/api/fairway/users/current/tokens"
READS = {"Ping", "Catalog", "HeadManifest", "GetManifest", "HeadBlob", "GetBlob", "ListTags", "ListReferrers"}
EVERY_SCOPE = ("repository:team/app:*", "repository:unheard-of/app:*", "registry:catalog:*")


@pytest.fixture
async def target(world: World) -> Target:
    """All that can be changed; `team` is private, and so is `mine`."""
    await world.project("team")
    await world.project("empty")
    await world.project("mine")
    assert (await world.admin.push("team/app:v1", image("base"))).status == 201
    assert (await world.admin.push("mine/app:v1", image("mine"))).status == 201
    label = json.dumps({"name": "first", "scope": "p", "project_id": 1}).encode()
    made = await world.admin("POST", "/api/v2.0/labels", label, headers={"content-type": "application/json"})
    assert made.status == 201
    blob = b"a blob of no image"
    assert (await world.admin.push_blob("team/app", blob)).status == 201
    return Target(image("base"), "v1", blob, await world.admin.start_upload("team/app"))


async def narrowed(admin: Person, **asked: Any) -> Person:
    body = json.dumps({"name": "narrow", "sysadmin": True, **asked}).encode()
    made = await admin("POST", OWN, body, headers={"content-type": "application/json"})
    assert made.status == 201, made.body
    return admin.saying(made.json["token"])


@pytest.mark.parametrize("access", [["read"], ["pull"]])
async def test_one_that_reads_changes_nothing(world: World, target: Target, access: list[str]) -> None:
    reader = await narrowed(world.admin, access=access)
    before = await world.stored()
    for who in (reader, await reader.with_token(*EVERY_SCOPE)):
        for name, answer in (await every_change(who, target)).items():
            assert answer.status in (401, 403), name
    bearer = world.admin.bearing(_secret(reader))
    for route, body in API_CHANGES.items():
        method, _, path = route.partition(":")
        answer = await bearer(method, path, body, headers={"content-type": "application/json"})
        assert answer.status == 403, route
    assert await world.stored() == before
    for name in READS - (set() if access == ["read"] else {"Catalog"}):
        act, allowed = CALLS[name]
        assert (await act(reader, target)).status == allowed, name


def _secret(person: Person) -> str:
    return b64decode(person.authorization.partition(" ")[2]).decode().partition(":")[2]


async def test_one_for_a_project_is_nothing_in_another(world: World, target: Target) -> None:
    elsewhere = await narrowed(world.admin, access=["all"], projects=["mine"])
    before = await world.stored()
    for who in (elsewhere, await elsewhere.with_token(*EVERY_SCOPE)):
        for name, (act, _) in CALLS.items():
            if name != "Ping":
                assert (await act(who, target)).status == 401, name
    for n, row in enumerate(sorted(ROUTES)):
        answer = await make(elsewhere, row, n)
        method, _, path = row.partition(":")
        about_it = "/team" in path or "project_name=team" in row or path.endswith("projects/1")
        by_cookie = path.startswith("/c/")  # there the header is nobody's, and nothing is changed either
        if about_it or (method not in ("GET", "HEAD") and path != "/service/token" and not by_cookie):
            assert answer.status == 403 or (answer.status == 404 and "/labels/" in path), row
        if "openapi" not in path and "devcenter" not in path:
            assert b'"team' not in answer.body, row
            assert b"team/app" not in answer.body, row
    assert await world.stored() == before
    for query in ("search?q=app", "repositories", "projects", "audit-logs", "statistics"):
        answer = await elsewhere("GET", f"/api/v2.0/{query}")
        assert answer.status == 200
        assert b"team" not in answer.body, query
    assert (await elsewhere("GET", "/api/v2.0/statistics")).json["private_project_count"] == 1
    assert [each["name"] for each in (await elsewhere("GET", "/api/v2.0/projects")).json] == ["mine"]
    assert (await elsewhere.push("mine/app:v2", image("more"))).status == 201
    assert (
        await elsewhere.mount("mine/app", target.image.manifest.layers[0].digest, "team/app")
    ).status == 202


async def test_what_everybody_sees_it_sees_too(world: World, target: Target) -> None:
    elsewhere = await narrowed(world.admin, access=["push"], projects=["mine"])
    await world.run(update(projects).where(projects.c.name == "team").values(public=True))
    for who in (elsewhere, await elsewhere.with_token(*EVERY_SCOPE)):
        assert (await who.pull("team/app:v1")).status == 200
        assert (await who.push_manifest("team/app:v2", target.image)).status == 401
        assert (await who.delete("team/app:v1")).status == 401
    names = [each["name"] for each in (await elsewhere("GET", "/api/v2.0/projects")).json]
    assert names == ["mine", "team"]


async def test_a_project_it_cannot_be_about_looks_like_none(world: World, target: Target) -> None:
    bob = await world.person("bob")
    said = []
    for name in ("team", "none"):
        body = json.dumps({"name": "x", "access": ["pull"], "projects": [name]}).encode()
        answer = await bob(
            "POST", OWN, body, headers={"content-type": "application/json", "x-request-id": "same"}
        )
        said.append((answer.status, answer.headers, answer.body.replace(name.encode(), b"<name>")))
    assert said[0] == said[1]
    assert said[0][0] == 404


async def test_a_project_of_the_same_name_is_another(world: World) -> None:
    """T10: a token carries ids."""
    first = await world.project("team")
    token = await narrowed(world.admin, access=["all"], projects=["team"])
    docker = await token.with_token("repository:team/app:pull,push")
    assert (await world.admin("DELETE", f"/api/v2.0/projects/{first}")).status == 200
    await world.project("team")
    for who in (token, docker):
        assert (await who.push("team/app:v1", image("base"))).status == 401
    assert (await token("GET", "/api/v2.0/projects/team")).status == 403


@pytest.mark.parametrize(
    "words", [{Word.ALL}, {Word.READ}, {Word.PULL}, {Word.PULL, Word.PUSH}, {Word.DELETE}, set()]
)
@pytest.mark.parametrize("where", [None, frozenset({1}), frozenset()])
def test_it_never_opens_anything(words: set[Word], where: frozenset[int] | None) -> None:
    """Of any scope, in any project: what may be done with the token may be done without."""
    scope = Scope(7, frozenset(words), where)
    for sysadmin in (True, False):
        without, within = User(1, "a", sysadmin), User(1, "a", sysadmin, scope=scope)
        for project in (None, *(ProjectFacts(id, public) for id in (1, 2) for public in (True, False))):
            for permission in IN_PROJECT | ON_SERVER:
                if may(within, permission, project):
                    assert may(without, permission, project)
                    assert project is None or project.public or where is None or project.id in where
