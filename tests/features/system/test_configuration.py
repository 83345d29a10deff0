"""`/configurations` and what follows from what is chosen there."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fairway.features.accounts.passwords import MOST_ASIDE
from fairway.frame.configuration.declared import KEYS
from fairway.frame.db.tables import audit_log, configuration, outbox
from fairway.frame.events import hand_over
from fairway.frame.sealing import SealBroken, Sealer
from fairway.reactions import reactions
from frame.configuration.test_keys import samples
from stories.asgi import Answer
from stories.world import Person, World, image, open_world, replica

PATH = "/api/v2.0/configurations"
JSON = {"content-type": "application/json"}
API = "/api/v2.0"


async def ask(who: Person, method: str, target: str, body: Any = None) -> Answer:
    return await who(method, target, json.dumps(body).encode() if body is not None else b"", headers=JSON)


async def choose(who: Person, status: int = 200, /, **values: Any) -> Answer:
    answer = await ask(who, "PUT", PATH, values)
    assert answer.status == status, answer.body
    return answer


async def shown(who: Person) -> dict[str, Any]:
    return {name: each["value"] for name, each in (await who("GET", PATH)).json.items()}


@pytest.fixture
async def settled(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """A hub whose operator has settled who creates projects."""
    async with open_world(
        database_url, tmp_path, config_overwrite_json={"project_creation_restriction": "adminonly"}
    ) as world:
        yield world


async def test_every_key_is_read_and_written_but_secrets_only_written(world: World) -> None:
    answer = await world.admin("GET", PATH)
    assert answer.status == 200
    assert answer.json.keys() == {name for name, key in KEYS.items() if not key.secret}
    assert all(each.keys() == {"value", "editable"} and each["editable"] for each in answer.json.values())
    left_alone = {"audit_log_forward_endpoint", "skip_audit_log_database", "read_only"}
    for name, key in KEYS.items():
        taken, refused = samples(key)
        for value in taken if name not in left_alone else ():
            await choose(world.admin, **{name: value})
            if not key.secret:
                assert (await shown(world.admin))[name] == value
            assert world.parts.configuration.get(key) == value
        before = await shown(world.admin)
        for value in refused:
            if value is None:
                continue  # left as it is
            refusal = await choose(world.admin, 400, **{name: value})
            assert refusal.code == "BAD_REQUEST"
        assert await shown(world.admin) == before


async def test_what_is_not_sent_stays_and_what_nobody_knows_is_ignored(world: World) -> None:
    await choose(world.admin, session_timeout=7, nonsense={"a": 1}, scan_all_policy={"type": "none"})
    await choose(world.admin, banner_message="hello", session_timeout=None)
    await choose(world.admin)
    found = await shown(world.admin)
    assert (found["session_timeout"], found["banner_message"], found["ldap_uid"]) == (7, "hello", "cn")
    assert {row["key"] for row in await world.rows(configuration)} == {"session_timeout", "banner_message"}
    assert (await ask(world.admin, "PUT", PATH, [1])).status == 400


async def test_one_mistake_and_nothing_is_kept(world: World) -> None:
    before = await world.stored()
    await choose(world.admin, 400, session_timeout=9, token_expiration=-1)
    assert await world.stored() == before


async def test_secrets_are_sealed_and_never_told(world: World, database_url: str, tmp_path: Path) -> None:
    await choose(world.admin, oidc_client_secret="top-S3cret", ldap_search_password="")
    rows = {row["key"]: row["value"] for row in await world.rows(configuration)}
    assert "top-S3cret" not in rows["oidc_client_secret"]
    assert "top-S3cret" not in (await world.admin("GET", PATH)).body.decode()
    assert "top-S3cret" not in str(await world.rows(outbox))
    key = KEYS["oidc_client_secret"]
    assert world.parts.configuration.get(key) == "top-S3cret"
    async with replica(database_url, tmp_path) as there:
        assert there.parts.configuration.get(key) == "top-S3cret"
        there.parts.configuration._sealer = Sealer([b"another key, thirty-two bytes long"])
        with pytest.raises(SealBroken):
            there.parts.configuration.get(key)
        assert there.parts.configuration.get(KEYS["ldap_search_password"]) == ""


async def test_a_change_is_in_the_audit_log_without_its_values(world: World) -> None:
    await choose(world.admin, uaa_client_secret="geheim", banner_message="maintenance at ten")
    follows = reactions(world.parts.notifications, world.parts.configuration)
    assert await hand_over(world.db, follows) == 1
    [line] = await world.rows(audit_log)
    assert (line["username"], line["operation"], line["resource_type"], line["resource"]) == (
        "admin",
        "update",
        "configuration",
        "configuration",
    )
    assert line["description"] == "update configuration: banner_message, uaa_client_secret"
    assert "geheim" not in str(line)
    assert "maintenance" not in str(line)


async def test_what_the_operator_has_settled_stays(settled: World) -> None:
    found = (await settled.admin("GET", PATH)).json
    assert found["project_creation_restriction"] == {"value": "adminonly", "editable": False}
    assert found["banner_message"]["editable"]
    answer = await choose(settled.admin, 403, project_creation_restriction="everyone", banner_message="x")
    assert answer.code == "FORBIDDEN"
    assert "project_creation_restriction" in answer.body.decode()
    assert (await shown(settled.admin))["banner_message"] == ""
    bob = await settled.person("bob")
    assert (await ask(bob, "POST", f"{API}/projects", {"project_name": "mine"})).status == 403


async def test_another_process_learns_of_a_change(world: World, database_url: str, tmp_path: Path) -> None:
    async with replica(database_url, tmp_path) as there:
        assert not await there.parts.configuration.look()
        await choose(world.admin, banner_message="now")
        assert await there.parts.configuration.look()
        assert not await there.parts.configuration.look()
        told = await Person(there, "anonymous")("GET", f"{API}/systeminfo")
        assert told.json["banner_message"] == "now"


async def test_the_server_says_what_was_chosen(world: World) -> None:
    bob = await world.person("bob")
    await choose(
        world.admin,
        banner_message="hello",
        self_registration=True,
        project_creation_restriction="adminonly",
        notification_enable=False,
    )
    assert (await world.anybody("GET", f"{API}/systeminfo")).json == {
        "auth_mode": "db_auth",
        "primary_auth_mode": False,
        "self_registration": True,
        "banner_message": "hello",
        "oidc_provider_name": "",
    }
    told = (await bob("GET", f"{API}/systeminfo")).json
    assert (told["project_creation_restriction"], told["notification_enable"]) == ("adminonly", False)
    assert told["read_only"] is False


async def test_read_only_until_it_is_taken_back(world: World) -> None:
    alice = await world.person("alice")
    await world.project("team", alice)
    assert (await alice.push("team/app:v1", image("base"))).status == 201
    bearer = await alice.with_token("repository:team/app:pull,push,delete")
    await choose(world.admin, read_only=True)
    before = await world.stored()
    for who in (alice, bearer):
        assert (await who.push_manifest("team/app:v2", image("base"))).short == (403, "DENIED")
        assert (await who.delete("team/app:v1")).short == (403, "DENIED")
        assert (await who.pull("team/app:v1")).status == 200
    assert (await ask(alice, "POST", f"{API}/projects", {"project_name": "x"})).short == (403, "DENIED")
    assert (await ask(world.admin, "PUT", f"{API}/system/CVEAllowlist", {})).short == (403, "DENIED")
    assert (await ask(alice, "PUT", PATH, {"read_only": False})).status == 403
    assert await world.stored() == before
    assert (await alice.ask_token("repository:team/app:pull", offline_token="true")).status == 200
    assert (await alice("GET", f"{API}/systeminfo")).json["read_only"] is True
    await choose(world.admin, read_only=False)
    assert (await alice.push_manifest("team/app:v2", image("base"))).status == 201


async def test_the_operators_read_only_is_for_good(world: World, database_url: str, tmp_path: Path) -> None:
    async with replica(database_url, tmp_path, read_only=True) as there:
        admin = Person(there, "admin", world.admin.id, world.admin.authorization)
        found = (await admin("GET", PATH)).json["read_only"]
        assert found == {"value": True, "editable": False}
        for values in ({"read_only": False}, {"banner_message": "x"}):
            assert (await ask(admin, "PUT", PATH, values)).short == (403, "DENIED")
    assert world.parts.hub.changes.read_only is False


async def test_people_register_themselves_while_they_may(world: World) -> None:
    carol = {"username": "carol", "password": "Carols-1-secret", "email": "carol@example.com"}
    bob = await world.person("bob")
    assert (await ask(world.anybody, "POST", f"{API}/users", carol)).status == 401
    assert (await ask(bob, "POST", f"{API}/users", carol)).status == 403
    await choose(world.admin, self_registration=True)
    made = await ask(world.anybody, "POST", f"{API}/users", {**carol, "sysadmin_flag": True})
    assert made.status == 201
    assert (await ask(world.anybody, "POST", f"{API}/users", carol)).status == 409
    assert (await ask(world.anybody, "POST", f"{API}/users", {"username": "dora"})).status == 400
    found = (await world.admin("GET", f"{made['location']}")).json
    assert (found["username"], found["sysadmin_flag"]) == ("carol", False)
    await choose(world.admin, self_registration=False)
    dora = {**carol, "username": "dora"}
    assert (await ask(world.anybody, "POST", f"{API}/users", dora)).status == 401


async def test_strangers_who_register_in_a_crowd_do_not_keep_others_waiting(world: World) -> None:
    await choose(world.admin, self_registration=True)

    async def register(n: int) -> int:
        body = {"username": f"eve{n}", "password": "Eves-1-secret"}
        return (await ask(world.anybody, "POST", f"{API}/users", body)).status

    statuses = await asyncio.gather(*(register(n) for n in range(40)))
    assert statuses.count(201) >= MOST_ASIDE
    assert statuses.count(429) > 0
    assert set(statuses) == {201, 429}
    assert await register(99) == 201, "afterwards there is room again"


async def test_who_creates_projects_and_what_they_may_store(
    world: World, database_url: str, tmp_path: Path
) -> None:
    alice = await world.person("alice")

    async def limit(name: str, **more: Any) -> int:
        made = await ask(world.admin, "POST", f"{API}/projects", {"project_name": name, **more})
        assert made.status == 201, made.body
        told: int = (await world.admin("GET", f"{API}/projects/{name}/summary")).json["quota"]["hard"][
            "storage"
        ]
        return told

    await choose(world.admin, storage_per_project=1000)
    assert await limit("one") == 1000
    assert await limit("zero", storage_limit=0) == 1000
    assert await limit("own", storage_limit=5) == 5
    assert await limit("free", storage_limit=-1) == -1
    await choose(world.admin, quota_per_project_enable=False)
    assert await limit("off") == -1
    await choose(world.admin, quota_per_project_enable=True, project_creation_restriction="adminonly")
    answer = await ask(alice, "POST", f"{API}/projects", {"project_name": "hers"})
    assert answer.short == (403, "FORBIDDEN")
    async with replica(database_url, tmp_path, create_project_on_push=True) as there:
        she = Person(there, "alice", alice.id, alice.authorization)
        assert (await she.push_blob("hers/app", b"x")).status == 401
        admin = Person(there, "admin", world.admin.id, world.admin.authorization)
        assert (await admin.push_blob("pushed/app", b"x" * 900)).status == 201
        assert (await admin.push_blob("pushed/app", b"y" * 900)).status == 403
    await choose(world.admin, project_creation_restriction="everyone")
    assert (await ask(alice, "POST", f"{API}/projects", {"project_name": "hers"})).status == 201


async def test_tokens_live_as_long_as_was_chosen(world: World) -> None:
    async def life() -> int:
        told: int = (await world.admin.ask_token("repository:team/app:pull")).json["expires_in"]
        return told

    assert await life() == world.settings.token_seconds
    assert (await shown(world.admin))["token_expiration"] == 5
    await choose(world.admin, token_expiration=45)
    assert await life() == 45 * 60
