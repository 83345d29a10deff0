"""What the operator has switched off is off at every door: no change while read-only, no deletion without leave (T62)."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from fairway import worker
from security.test_api_matrix import BODIES, ROUTES, make
from security.test_matrix import CALLS, Target
from stories.asgi import Answer
from stories.world import Person, World, image, replica

API_CHANGES = {
    "POST:/api/v2.0/projects": b'{"project_name":"new"}',
    "DELETE:/api/v2.0/projects/team": b"",
    "DELETE:/api/v2.0/projects/1": b"",
    "DELETE:/api/v2.0/projects/team/repositories/none": b"",
    "DELETE:/api/v2.0/projects/team/repositories/app/artifacts/none": b"",
    "DELETE:/api/v2.0/projects/team/repositories/app/artifacts/v1/tags/none": b"",
    "DELETE:/api/v2.0/projects/team/members/1": b"",
    "DELETE:/api/v2.0/projects/team/metadatas/public": b"",
    "DELETE:/api/v2.0/users/1": b"",
    "DELETE:/api/fairway/users/current/sessions/4711": b"",
    "DELETE:/api/fairway/users/current/tokens/4711": b"",
    "DELETE:/api/fairway/users/1/tokens/4711": b"",
    "DELETE:/api/v2.0/labels/1": b"",
    "DELETE:/api/v2.0/projects/team/repositories/app/artifacts/v1/labels/7": b"",
    "POST:/api/v2.0/projects/team/repositories/app/artifacts": b"",
    "DELETE:/api/v2.0/usergroups/1": b"",
    "DELETE:/api/fairway/usergroups/1/members/4711": b"",
    "DELETE:/api/fairway/roles/100": b"",
    "DELETE:/api/fairway/projects/team/aliases/none": b"",
    "DELETE:/api/v2.0/retentions/1": b"",
    "DELETE:/api/fairway/retention/default": b"",
    "DELETE:/api/v2.0/robots/1": b"",
    "DELETE:/api/v2.0/projects/team/robots/2": b"",
    "DELETE:/api/v2.0/projects/team/immutabletagrules/1": b"",
    "DELETE:/api/v2.0/projects/team/webhook/policies/1": b"",
    "POST:/api/v2.0/projects/team/webhook/policies/1/executions/7/redeliver": b"",
    "PUT:/api/v2.0/system/gc/1": b"",
    "PUT:/api/v2.0/system/purgeaudit/2": b"",
    "PUT:/api/fairway/gc/orphans/3": b"",
    "PUT:/api/v2.0/jobservice/jobs/1": b"",
    **{route: json.dumps(body).encode() for route, body in BODIES.items() if not route.endswith("absent")},
}
NO_CHANGE = {"POST:/service/token", "POST:/c/login", "POST:/c/log_out"}
"""Logging in makes nothing but tokens and sessions."""
READS = {"Ping", "Catalog", "HeadManifest", "GetManifest", "HeadBlob", "GetBlob", "ListTags", "ListReferrers"}
LOOKS_AT_UPLOADS = {"GetUpload"}
"""A question that only who pushes may ask; with pushing it goes."""
SWITCHES = {"read-only": {"read_only": True}, "no deleting": {"delete_enabled": False}}


@pytest.fixture
async def target(world: World) -> Target:
    """All that can be changed, made while it still could be."""
    await world.project("team")
    await world.project("empty")
    assert (await world.admin.push("team/app:v1", image("base"))).status == 201
    assert (await make(world.admin, "POST:/api/v2.0/retentions", 0)).status == 201
    blob = b"a blob of no image"
    assert (await world.admin.push_blob("team/app", blob)).status == 201
    return Target(image("base"), "v1", blob, await world.admin.start_upload("team/app"))


@pytest.fixture(params=SWITCHES)
async def switched(
    request: pytest.FixtureRequest, world: World, target: Target, database_url: str, tmp_path: Path
) -> AsyncIterator[tuple[str, Person]]:
    """The same hub with a switch thrown, and its administrator."""
    async with replica(
        database_url, tmp_path, create_project_on_push=True, **SWITCHES[request.param]
    ) as there:
        yield request.param, replace(world.admin, world=there)


async def every_change(admin: Person, target: Target) -> dict[str, Answer]:
    """Each way to change something."""
    made = {name: await act(admin, target) for name, (act, _) in CALLS.items() if name not in READS}
    made["a project by pushing"] = await admin.push_blob("unheard-of/app", b"new")
    made["a tag by parameter"] = await admin(
        "PUT",
        f"/v2/team/app/manifests/{target.image.digest}?tag=v2",
        target.image.manifest.raw,
        headers={"content-type": target.image.manifest.media_type},
    )
    for route, body in API_CHANGES.items():
        method, _, path = route.partition(":")
        made[route] = await admin(method, path, body, headers={"content-type": "application/json"})
    return made


def deletes(name: str) -> bool:
    return name.lower().startswith("delete")


async def test_what_is_off_is_off_at_every_door(
    switched: tuple[str, Person], world: World, target: Target
) -> None:
    switch, admin = switched
    before = await world.stored()
    for who in (admin, await admin.with_token("repository:team/app:*", "repository:unheard-of/app:*")):
        answers = (
            await every_change(who, target) if switch == "read-only" else await every_deletion(who, target)
        )
        for name, answer in answers.items():
            if who is not admin and name in API_CHANGES:
                assert answer.status == 401  # tokens are not for the management API
            elif switch == "read-only":
                expected = (
                    (401, "UNAUTHORIZED")
                    if name == "a project by pushing" and who is not admin
                    else (403, "DENIED")
                )
                assert answer.short == expected or (name in LOOKS_AT_UPLOADS and answer.status == 403), name
            else:
                assert answer.short == (405, "UNSUPPORTED"), name
    assert await world.stored() == before


async def every_deletion(admin: Person, target: Target) -> dict[str, Answer]:
    made = {name: await act(admin, target) for name, (act, _) in CALLS.items() if deletes(name)}
    for route in filter(deletes, API_CHANGES):
        made[route] = await admin("DELETE", route.partition(":")[2])
    return made


async def test_all_else_goes_on(switched: tuple[str, Person], world: World, target: Target) -> None:
    switch, admin = switched
    for name in READS:
        act, allowed = CALLS[name]
        assert (await act(admin, target)).status == allowed
    assert (await admin.ask_token("repository:team/app:pull,push", offline_token="true")).status == 200
    assert (await admin("GET", "/api/v2.0/projects")).status == 200
    if switch == "no deleting":
        assert (await admin.push("team/app:v2", image("more"))).status == 201
        assert (await admin("DELETE", target.upload)).status == 204, "giving up an upload deletes nothing"


async def test_strangers_are_told_nothing_new(
    switched: tuple[str, Person], world: World, target: Target
) -> None:
    _, admin = switched
    bob = replace(await world.person("bob"), world=admin.world)
    for who in (replace(world.anybody, world=admin.world), bob):
        for repo in ("team/app", "absent/app"):
            assert (await who.delete(f"{repo}:v1")).short == (401, "UNAUTHORIZED")
    for who, status in ((bob, 403), (replace(world.anybody, world=admin.world), 401)):
        there, absent = [await who("DELETE", f"/api/v2.0/projects/{name}") for name in ("team", "absent")]
        assert there.status == absent.status == status
        assert there.body == absent.body


async def test_a_read_only_server_removes_no_bytes_by_itself(
    switched: tuple[str, Person], world: World
) -> None:
    switch, admin = switched
    names = {step.name for step in worker.steps(admin.world.parts)}
    removing = {"expire uploads", "empty trash"}
    assert removing <= {step.name for step in worker.steps(world.parts)}
    assert (names & removing == set()) is (switch == "read-only")


def test_no_route_that_changes_something_is_missing_here() -> None:
    changing = {route for route in ROUTES if not route.startswith(("GET:", "HEAD:"))}
    assert {route for route in changing if not route.endswith("absent")} == API_CHANGES.keys() | NO_CHANGE
