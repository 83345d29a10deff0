"""What the server says about itself, as Harbor's clients ask for it."""

from typing import Any

import pytest

from fairway.core.oci.errors import Unavailable
from fairway.features.system import api
from fairway.frame.access.catalogue import (
    CONFIGURATION_READ,
    CONFIGURATION_UPDATE,
    ON_SERVER,
    ROBOT_UPDATE,
    ROLE_CREATE,
    ROLE_DELETE,
    ROLE_UPDATE,
    Permission,
)
from fairway.frame.access.grantable import GRANTABLE_IN_PROJECT, GRANTABLE_ON_SERVER
from fairway.frame.jobs import records
from stories.world import Person, World, image

API = "/api/v2.0"


@pytest.fixture
async def alice(world: World) -> Person:
    return await world.person("alice")


async def get(person: Person, path: str, status: int = 200) -> Any:
    answer = await person("GET", f"{API}{path}")
    assert answer.status == status, answer.body
    return answer.json


async def test_strangers_hear_how_to_log_in_and_no_more(world: World, alice: Person) -> None:
    assert await get(world.anybody, "/systeminfo") == {
        "auth_mode": "db_auth",
        "primary_auth_mode": False,
        "self_registration": False,
        "banner_message": "",
        "oidc_provider_name": "",
    }
    found = await get(alice, "/systeminfo")
    assert found["harbor_version"].startswith("v2.")
    assert found["external_url"].endswith(found["registry_url"])
    assert "://" not in found["registry_url"]
    assert (found["read_only"], found["has_ca_root"]) == (False, False)
    assert found["current_time"].endswith("Z")
    await get(world.anybody, "/systeminfo/getcert", 404)


async def test_health_names_the_part_that_is_ill(
    world: World, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "_FRESH_SECONDS", -1.0)
    ill = await get(world.anybody, "/health")
    states = {each["name"]: each["status"] for each in ill["components"]}
    assert states.keys() == set(api.PARTS)
    assert (ill["status"], states["jobservice"], states["database"]) == ("unhealthy", "unhealthy", "healthy")
    [jobs] = [each for each in ill["components"] if each["name"] == "jobservice"]
    assert "background process" in jobs["error"]
    await world.db.write(lambda conn: records.worker_seen(conn, "w", "host", 1, 1))
    well = await get(world.anybody, "/health")
    assert well["status"] == "healthy"
    assert all("error" not in each for each in well["components"])

    async def broken(_store: object) -> None:
        raise Unavailable("the disk is gone")

    monkeypatch.setattr(type(world.parts.store), "check", broken)
    ill = await get(world.anybody, "/health")
    assert {each["name"] for each in ill["components"] if each["status"] == "unhealthy"} == {"registry"}


async def test_health_is_asked_once_a_second(world: World) -> None:
    before = await get(world.anybody, "/health")
    await world.db.write(lambda conn: records.worker_seen(conn, "w", "host", 1, 1))
    assert await get(world.anybody, "/health") == before


async def test_statistics_count_what_one_may_see(world: World, alice: Person) -> None:
    await world.project("team", alice)
    await world.project("open", world.admin, public=True)
    what = image("a")
    assert (await alice.push("team/app:v1", what)).status == 201
    bob = await world.person("bob")
    await world.project("bobs", bob)
    seen = await get(alice, "/statistics")
    assert seen == {
        "private_project_count": 1,
        "private_repo_count": 1,
        "public_project_count": 1,
        "public_repo_count": 0,
    }
    everything = await get(world.admin, "/statistics")
    assert (everything["private_project_count"], everything["total_project_count"]) == (2, 3)
    assert (everything["total_repo_count"], everything["total_storage_consumption"]) == (1, what.size)
    await get(world.anybody, "/statistics", 401)


async def test_volumes_are_for_administrators(world: World, alice: Person) -> None:
    [volume] = (await get(world.admin, "/systeminfo/volumes"))["storage"]
    assert 0 < volume["free"] <= volume["total"]
    await get(alice, "/systeminfo/volumes", 403)
    await get(world.anybody, "/systeminfo/volumes", 401)


async def test_the_catalogue_is_listed(world: World, alice: Person) -> None:
    found = await get(alice, "/permissions")
    listed = {kind: {Permission(**each) for each in pairs} for kind, pairs in found.items()}
    assert listed == {"system": GRANTABLE_ON_SERVER, "project": GRANTABLE_IN_PROJECT}
    roles = {ROLE_CREATE, ROLE_UPDATE, ROLE_DELETE}
    peoples = {ROBOT_UPDATE, CONFIGURATION_READ, CONFIGURATION_UPDATE, *roles}
    assert listed["system"] >= ON_SERVER - peoples
    assert not listed["system"] & peoples, "what no robot can be granted"
    assert {"resource": "repository", "action": "push"} in found["project"]
    await get(world.anybody, "/permissions", 401)
