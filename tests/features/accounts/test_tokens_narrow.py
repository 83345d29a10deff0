"""Personal access tokens that are narrower than their owner, and wrong ones."""

from typing import Any

import pytest
from sqlalchemy import update

from fairway.core.oci.errors import TooManyRequests, Unauthorized
from fairway.features.accounts import secret
from fairway.features.accounts.store import failures
from fairway.features.accounts.throttle import FREE_FAILURES, key
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import login_failures, members, users
from features.accounts.own_tokens import IMAGE, OWN, ask, make, with_one
from stories.world import PASSWORD, Person, World, basic


@pytest.fixture
async def alice(world: World) -> Person:
    person = await world.person("alice")
    await world.project("team", person)
    return person


# -- a token only narrows


async def test_what_a_token_keeps_from_an_administrator_is_said_to_be_for_the_token(world: World) -> None:
    """They hold it all, and would look for the reason elsewhere."""
    boss = await world.person("boss", sysadmin=True)
    await world.project("team")
    token = await with_one(boss, sysadmin=True)
    wanted = {"role_id": 1, "member_user": {"username": (await world.person("bob")).name}}
    for method, path, body in (
        ("POST", "/api/v2.0/projects/team/members", wanted),
        ("PATCH", "/api/v2.0/robots/1", {}),
    ):
        answer = await ask(token, method, path, body)
        assert answer.status == 403
        assert "with this token" in answer.json["errors"][0]["message"], answer.body
        assert b"ask a project administrator" not in answer.body


async def test_a_token_makes_nothing_that_is_more_than_itself(world: World) -> None:
    boss = await world.person("boss", sysadmin=True)
    token = await with_one(boss, sysadmin=True)
    before = await world.stored()
    own = f"/api/v2.0/users/{boss.id}"
    for method, path, body in (
        ("POST", OWN, {"name": "more", "access": ["read"]}),
        ("DELETE", f"{OWN}/1", None),
        ("PUT", f"{own}/password", {"old_password": PASSWORD, "new_password": "Another-1-password"}),
        ("PUT", f"{own}/sysadmin", {"sysadmin_flag": True}),
        ("PUT", f"{own}/cli_secret", {"secret": "Another-1-secret"}),
    ):
        assert (await ask(token, method, path, body)).status == 403, path
    after = await world.stored()
    assert after == before


async def test_administering_is_included_only_when_it_is_said(world: World) -> None:
    boss = await world.person("boss", sysadmin=True)
    await world.project("private", await world.person("bob"))
    usual = await with_one(boss, "usual")
    full = await with_one(boss, "full", sysadmin=True)
    assert (await ask(usual, "GET", "/api/v2.0/users")).status == 403
    assert (await ask(usual, "GET", "/api/v2.0/projects/private")).status == 403
    assert (await usual("GET", "/v2/_catalog")).status == 401
    assert (await ask(full, "GET", "/api/v2.0/users")).status == 200
    assert (await ask(full, "GET", "/api/v2.0/projects/private")).status == 200
    assert (await full("GET", "/v2/_catalog")).status == 200
    await world.run(update(users).where(users.c.id == boss.id).values(sysadmin=False))
    assert (await ask(full, "GET", "/api/v2.0/users")).status == 403, "no more than its owner today"


async def test_where_its_owner_is_logged_in_is_shown_to_one_that_shows_all(
    world: World, alice: Person
) -> None:
    sessions = "/api/fairway/users/current/sessions"
    some = await with_one(alice, "some", access=["pull"])
    of_team = await with_one(alice, "of-team", projects=["team"])
    reading = await with_one(alice, "reading", access=["read"])
    assert [(await ask(each, "GET", sessions)).status for each in (some, of_team, reading)] == [403, 403, 200]


async def test_it_is_narrowed_by_what_its_owner_may_today(world: World, alice: Person) -> None:
    team = await world.project("shared", await world.person("bob"))
    dora = await world.member(team, "dora", Role.DEVELOPER)
    token = await with_one(dora)
    docker = await token.with_token("repository:shared/app:pull,push")
    assert (await docker.push("shared/app:v1", IMAGE)).status == 201
    await world.run(members.delete().where(members.c.user_id == dora.id))
    assert (await docker.push("shared/app:v2", IMAGE)).status == 401
    assert (await ask(token, "GET", "/api/v2.0/projects/shared")).status == 403


async def test_one_that_pulls_does_not_push_or_delete(world: World, alice: Person) -> None:
    assert (await alice.push("team/app:v1", IMAGE)).status == 201
    token = await with_one(alice, access=["pull"])
    docker = await token.with_token("repository:team/app:pull,push,delete")
    assert (await docker.pull("team/app:v1")).status == 200
    assert (await docker.push_manifest("team/app:v2", IMAGE)).status == 401
    assert (await docker.delete("team/app:v1")).status == 401
    assert (await token.push_manifest("team/app:v2", IMAGE)).status == 401
    assert (await token.delete("team/app:v1")).status == 401
    assert (await token.push("fresh/app:v1", IMAGE)).status == 401, "no project is made for it"
    assert (await ask(token, "POST", "/api/v2.0/projects", {"project_name": "fresh"})).status == 403


async def test_one_that_deletes_does_not_push(world: World, alice: Person) -> None:
    assert (await alice.push("team/app:v1", IMAGE)).status == 201
    token = await with_one(alice, access=["delete"])
    docker = await token.with_token("repository:team/app:pull,push,delete")
    assert (await docker.pull("team/app:v1")).status == 401
    assert (await docker.push_manifest("team/app:v2", IMAGE)).status == 401
    assert (await docker.delete("team/app:v1")).status == 202


async def test_a_push_makes_a_project_only_for_a_whole_token(world: World, alice: Person) -> None:
    assert (await (await with_one(alice, "one", access=["push"])).push("new1/app:v1", IMAGE)).status == 401
    assert (await (await with_one(alice, "two", projects=["team"])).push("new2/app:v1", IMAGE)).status == 401


async def test_robots_made_with_a_token_are_no_more_and_live_no_longer(world: World, alice: Person) -> None:
    def robot(name: str, duration: int) -> dict[str, Any]:
        pairs = [{"resource": "repository", "action": "push"}]
        place = {"kind": "project", "namespace": "team", "access": pairs}
        return {"name": name, "level": "project", "duration": duration, "permissions": [place]}

    async def tried(person: Person, name: str, duration: int = 5) -> int:
        return (await ask(person, "POST", "/api/v2.0/robots", robot(name, duration))).status

    whole = await with_one(alice, "whole", duration=10)
    assert await tried(whole, "a") == 201
    assert await tried(whole, "b", 11) == 403
    assert await tried(whole, "c", -1) == 403
    assert await tried(await with_one(alice, "push", access=["push"]), "d") == 403
    other = await world.project("other", alice)
    assert await tried(await with_one(alice, "elsewhere", projects=[other]), "e") == 403
    assert await tried(await with_one(alice, "here", projects=["team"]), "f") == 201
    robot_id = (await ask(whole, "GET", "/api/v2.0/projects/team/robots")).json[0]["id"]
    answer = await ask(whole, "PATCH", f"/api/v2.0/robots/{robot_id}", {"secret": ""})
    assert answer.status == 403, "that secret would outlive the token"


# -- wrong ones


async def test_wrong_tokens_are_throttled_and_lock_nobody_out(world: World, alice: Person) -> None:
    right = (await make(alice))["token"]
    wrong = [alice.saying(secret.generate()), alice.bearing(secret.generate())]
    statuses = [(await person("GET", "/api/v2.0/users/current")).status for person in wrong * 5]
    assert statuses[: FREE_FAILURES + 1] == [401] * (FREE_FAILURES + 1)
    assert 429 in statuses[FREE_FAILURES + 1 :]
    assert (await ask(alice, "GET", "/api/v2.0/users/current")).status == 200, "the password goes on"
    assert (await ask(alice.saying(right), "GET", "/api/v2.0/users/current")).status == 200
    assert len(await world.rows(login_failures)) == 1, "nothing was counted for her name, nor for her address"


async def test_a_token_is_good_for_its_owner_alone(world: World, alice: Person) -> None:
    made = await make(alice)
    bob = await world.person("bob")
    assert (await bob.saying(made["token"]).ask_token()).status == 401
    unknown = Person(world, "nobody", 0, basic("nobody", made["token"]))
    assert (await unknown.ask_token()).status == 401
    mistyped = made["token"][:-1] + ("a" if made["token"][-1] != "a" else "b")
    assert (await alice.saying(mistyped).ask_token()).status == 401


async def test_the_answers_to_wrong_ones_are_all_alike(world: World, alice: Person) -> None:
    made = await make(alice)
    personal, here = world.parts.personal, "192.0.2.7"
    said = set()
    for text, name in (
        (secret.generate(), "alice"),
        (made["token"], "bob"),
        (made["token"][:-1] + "!", None),
    ):
        if not secret.looks_like_one(text):
            assert await personal.opened_by(text, here, name) is None
            continue
        with pytest.raises(Unauthorized) as error:
            await personal.opened_by(text, here, name)
        said.add(error.value.message)
    assert len(said) == 1
    for _ in range(FREE_FAILURES):
        await world.db.write(lambda conn: failures.record(conn, key(":token", here)))
    with pytest.raises(TooManyRequests):
        await personal.opened_by(secret.generate(), here)
