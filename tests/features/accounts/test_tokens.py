"""Personal access tokens: made, used everywhere, narrowed, revoked."""

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import select, update

from fairway.core.oci.errors import BadRequest, TooManyRequests, Unauthorized
from fairway.features.accounts import rules as account_rules
from fairway.features.accounts import secret
from fairway.features.accounts.store import failures, people, tokens
from fairway.features.accounts.throttle import FREE_FAILURES, key
from fairway.features.robots import rules as robot_rules
from fairway.frame.access.roles import Role
from fairway.frame.db import SECOND, now_us
from fairway.frame.db.tables import audit_log, login_failures, members, personal_tokens, users
from fairway.frame.events import hand_over
from fairway.reactions import reactions
from stories.asgi import Answer
from stories.world import PASSWORD, Person, World, basic, image

OWN = "/api/fairway/users/current/tokens"
IMAGE = image("base", "code")
PUSH_AND_PULL = "repository:team/app:pull,push"


async def ask(person: Person, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
    raw = b"" if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"} if body is not None else {}
    return await person(method, path, raw, headers=headers)


async def make(person: Person, name: str = "laptop", **asked: Any) -> dict[str, Any]:
    answer = await ask(person, "POST", OWN, {"name": name, "access": ["all"], **asked})
    assert answer.status == 201, answer.body
    made: dict[str, Any] = answer.json
    return made


async def with_one(person: Person, name: str = "laptop", **asked: Any) -> Person:
    """The same person, with a token instead of the password."""
    return person.saying((await make(person, name, **asked))["token"])


async def refused(person: Person, **asked: Any) -> int:
    return (await ask(person, "POST", OWN, {"name": "laptop", "access": ["all"], **asked})).status


@pytest.fixture
async def alice(world: World) -> Person:
    person = await world.person("alice")
    await world.project("team", person)
    return person


# -- what they look like


def test_a_secret_is_known_by_its_looks() -> None:
    made = {secret.generate() for _ in range(200)}
    assert len(made) == 200
    for each in made:
        assert re.fullmatch(r"fwp_[0-9A-Za-z]{38}", each)
        assert secret.is_whole(each)
        assert each not in secret.kept(each)
        changed = each[:10] + ("a" if each[10] != "a" else "b") + each[11:]
        assert secret.looks_like_one(changed)
        assert not secret.is_whole(changed)
    assert not secret.looks_like_one("fwp_short")
    assert not secret.looks_like_one(f"{secret.generate()}x")


def test_no_password_and_no_secret_of_a_robot_looks_like_one() -> None:
    """It would be taken for a token, and open nothing."""
    for check in (account_rules.check_password, robot_rules.check_secret):
        check("Another-1-secret")
        with pytest.raises(BadRequest, match="looks like"):
            check("fwp_" + "aB3" * 12 + "xy")


async def test_only_a_hash_is_kept(world: World, alice: Person) -> None:
    made = await make(alice)
    row = await world.db.first(select(personal_tokens))
    assert row is not None
    assert row["secret_hash"] == secret.kept(made["token"])
    assert made["token"] not in json.dumps(await world.rows(personal_tokens))


# -- made, used, revoked


async def test_it_is_a_password_for_docker_until_it_is_revoked(world: World, alice: Person) -> None:
    made = await make(alice, access=["pull", "push"])
    laptop = alice.saying(made["token"])
    docker = await laptop.with_token(PUSH_AND_PULL)
    assert (await docker.push("team/app:v1", IMAGE)).status == 201
    assert (await docker.pull("team/app:v1")).status == 200
    assert (await laptop.pull("team/app:v1")).status == 200, "Basic without the dance"
    assert (await ask(alice, "DELETE", f"{OWN}/{made['id']}")).status == 200
    assert (await laptop.ask_token(PUSH_AND_PULL)).status == 401
    assert (await laptop.pull("team/app:v1")).status == 401
    assert (await docker.push("team/app:v2", IMAGE)).status == 401, "what was made of it ends, too"
    assert (await docker.pull("team/app:v1")).status == 401
    assert (await docker.delete("team/app:v1")).status == 401
    assert (await alice.pull("team/app:v1")).status == 200


async def test_an_expired_one_is_over_and_so_is_what_was_made_of_it(world: World, alice: Person) -> None:
    laptop = await with_one(alice)
    docker = await laptop.with_token(PUSH_AND_PULL)
    await world.run(update(personal_tokens).values(expires_at=now_us()))
    assert (await laptop.ask_token()).status == 401
    assert (await docker.push("team/app:v1", IMAGE)).status == 401
    listed = (await ask(alice, "GET", OWN)).json
    assert [each["expired"] for each in listed] == [True]


async def test_it_opens_the_management_api_as_a_password_and_as_a_bearer(world: World, alice: Person) -> None:
    made = await make(alice)
    for person in (alice.saying(made["token"]), alice.bearing(made["token"])):
        assert (await ask(person, "GET", "/api/v2.0/users/current")).json["username"] == "alice"
        assert (await ask(person, "GET", "/api/v2.0/projects/team")).status == 200
        assert (await person.ask_token()).status == 200
        assert (await person("GET", "/v2/")).status == 200
    by_form = "grant_type=password&username=alice&service=harbor-registry&access_type=offline&password="
    answer = await world.anybody("POST", "/service/token", (by_form + made["token"]).encode())
    assert answer.status == 200
    assert "refresh_token" not in answer.json, "it would outlive the token"
    answer = await alice.saying(made["token"]).ask_token(offline_token="true")
    assert "refresh_token" not in answer.json


async def test_it_is_shown_once_and_listed_with_all_but_the_secret(world: World, alice: Person) -> None:
    made = await make(alice, description="of the\u00a0laptop", access=["push"], projects=["team"], duration=7)
    assert made["access"] == ["pull", "push"], "who pushes looks before"
    assert [each["name"] for each in made["projects"]] == ["team"]
    assert (made["sysadmin"], made["expired"], made["last_used"]) == (False, False, None)
    answer = await ask(alice, "GET", f"{OWN}?sort=-creation_time")
    assert answer["x-total-count"] == "1"
    assert answer.json == [{name: value for name, value in made.items() if name != "token"}]
    one = await ask(alice, "GET", f"{OWN}/{made['id']}")
    assert one.json == answer.json[0]
    assert made["token"].encode() not in answer.body + one.body
    assert (await ask(alice, "GET", f"{OWN}/4711")).status == 404
    assert (await ask(alice, "DELETE", f"{OWN}/4711")).status == 404


async def test_nobody_reaches_the_tokens_of_others(world: World, alice: Person) -> None:
    made = await make(alice)
    bob = await world.person("bob")
    assert (await ask(bob, "GET", f"{OWN}/{made['id']}")).status == 404
    assert (await ask(bob, "DELETE", f"{OWN}/{made['id']}")).status == 404
    place = f"/api/fairway/users/{alice.id}/tokens"
    for person in (bob, alice):
        assert (await ask(person, "GET", place)).status == 403
        assert (await ask(person, "DELETE", f"{place}/{made['id']}")).status == 403
    assert (await alice.saying(made["token"]).ask_token()).status == 200


async def test_a_system_administrator_lists_and_revokes_those_of_others(world: World, alice: Person) -> None:
    made = await make(alice)
    place = f"/api/fairway/users/{alice.id}/tokens"
    assert [each["id"] for each in (await ask(world.admin, "GET", place)).json] == [made["id"]]
    assert (await ask(world.admin, "DELETE", f"/api/fairway/users/4711/tokens/{made['id']}")).status == 404
    assert (await ask(world.admin, "DELETE", f"{place}/{made['id']}")).status == 200
    assert (await ask(world.admin, "DELETE", f"{place}/{made['id']}")).status == 404
    assert (await ask(world.admin, "GET", "/api/fairway/users/4711/tokens")).status == 404
    assert (await alice.saying(made["token"]).ask_token()).status == 401


async def test_it_ends_with_its_owner(world: World, alice: Person) -> None:
    laptop = await with_one(alice)
    docker = await laptop.with_token(PUSH_AND_PULL)
    await world.run(update(users).where(users.c.id == alice.id).values(enabled=False))
    assert (await laptop.ask_token()).status == 401
    assert (await docker.push("team/app:v1", IMAGE)).status == 401
    await world.run(update(users).where(users.c.id == alice.id).values(enabled=True))
    assert (await laptop.ask_token()).status == 200
    await world.db.write(lambda conn: people.close(conn, alice.id))
    assert (await laptop.ask_token()).status == 401
    assert await world.count(personal_tokens) == 0
    again = await world.person("alice")
    assert (await again.saying(laptop.authorization).ask_token()).status == 401


async def test_a_new_password_leaves_tokens_alone(world: World, alice: Person) -> None:
    laptop = await with_one(alice)
    await world.set_password(alice, "Another-1-password")
    assert (await laptop.ask_token()).status == 200


# -- what cannot be had


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"name": ""}, 400),
        ({"name": " laptop"}, 400),
        ({"name": "x" * 256}, 400),
        ({"name": "cli-secret"}, 400),
        ({"description": "x" * 1025}, 400),
        ({"description": "\x00"}, 400),
        ({"access": []}, 400),
        ({"access": ["everything"]}, 400),
        ({"access": ["all", "read"]}, 400),
        ({"access": ["x" * 17]}, 422),
        ({"access": "all"}, 422),
        ({"projects": []}, 400),
        ({"projects": ["absent"]}, 404),
        ({"projects": ["hidden"]}, 404),
        ({"projects": [4711]}, 404),
        ({"projects": [0]}, 422),
        ({"projects": ["team"] * 51}, 400),
        ({"sysadmin": True}, 400),
        ({"duration": 0}, 400),
        ({"duration": -1}, 400),
        ({"duration": -2}, 400),
        ({"duration": 366}, 400),
        ({"duration": 10**30}, 400),
        ({"expires_at": "soon"}, 400),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 400),
        ({"expires_at": "0001-01-01T00:00:00Z"}, 400),
        ({"expires_at": "9999-12-31T23:59:59Z"}, 400),
        ({"expires_at": "2030-01-01T00:00:00"}, 400),
        ({"expires_at": "2030-01-01T00:00:00Z", "duration": 1}, 400),
    ],
)
async def test_bad_wishes_are_refused(
    world: World, alice: Person, asked: dict[str, Any], status: int
) -> None:
    await world.project("hidden", await world.person("bob"))
    before = await world.stored()
    assert await refused(alice, **asked) == status
    assert await world.stored() == before


async def test_a_name_is_given_once_and_fifty_are_enough(world: World, alice: Person) -> None:
    await make(alice)
    assert await refused(alice) == 409
    for number in range(tokens.MOST - 1):
        await make(alice, f"n{number}")
    assert await refused(alice, name="one more") == 409
    assert await world.count(personal_tokens) == tokens.MOST
    old = update(personal_tokens).where(personal_tokens.c.name == "n1").values(expires_at=1)
    await world.run(old)
    await make(alice, "one more")
    assert await world.count(personal_tokens) == tokens.MOST, "the expired one made room"


async def test_requests_at_the_same_time_make_no_more_than_that(world: World, alice: Person) -> None:
    for number in range(tokens.MOST - 2):
        await make(alice, f"n{number}")
    wishes = [{"name": f"m{number}", "access": ["read"]} for number in range(5)]
    answers = await asyncio.gather(*(ask(alice, "POST", OWN, wish) for wish in wishes))
    assert sorted(answer.status for answer in answers) == [201, 201, 409, 409, 409]
    assert await world.count(personal_tokens) == tokens.MOST


async def test_of_one_name_there_is_one_whoever_is_quicker(world: World, alice: Person) -> None:
    wish = {"name": "laptop", "access": ["read"]}
    answers = await asyncio.gather(*(ask(alice, "POST", OWN, wish) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]
    place = f"/api/v2.0/users/{alice.id}/cli_secret"
    chosen = [{"secret": f"Chosen-{number}-secret"} for number in range(4)]
    answers = await asyncio.gather(*(ask(alice, "PUT", place, body) for body in chosen))
    assert [answer.status for answer in answers] == [200] * 4
    assert await world.count(personal_tokens) == 2
    gone = await asyncio.gather(*(ask(alice, "DELETE", f"{OWN}/1") for _ in range(3)))
    assert sorted(answer.status for answer in gone) == [200, 404, 404]


async def test_how_long_it_lives(world: World, alice: Person) -> None:
    async def days(**asked: Any) -> float | None:
        made = await make(alice, f"t{len(await world.rows(personal_tokens))}", **asked)
        row = (await world.rows(personal_tokens))[-1]
        assert (made["expires_at"] is None) == (row["expires_at"] is None)
        return None if row["expires_at"] is None else (row["expires_at"] - row["created_at"]) / 86400 / SECOND

    assert await days() == pytest.approx(90)
    assert await days(duration=365) == pytest.approx(365)
    await configure(world, 30)
    assert await days() == pytest.approx(30)
    assert await refused(alice, duration=31) == 400
    await configure(world, -1)
    assert await days() == pytest.approx(90)
    assert await days(duration=-1) is None
    assert await days(expires_at="2100-01-01T00:00:00+01:00") == pytest.approx(26_700, abs=500)


async def configure(world: World, days: int) -> None:
    answer = await ask(world.admin, "PUT", "/api/v2.0/configurations", {"personal_token_max_days": days})
    assert answer.status == 200, answer.body


async def test_robots_have_none(world: World, alice: Person) -> None:
    robot = await ask(
        alice,
        "POST",
        "/api/v2.0/robots",
        {
            "name": "ci",
            "level": "project",
            "duration": 1,
            "permissions": [
                {
                    "kind": "project",
                    "namespace": "team",
                    "access": [{"resource": "repository", "action": "pull"}],
                }
            ],
        },
    )
    ci = Person(world, robot.json["name"], 0, basic(robot.json["name"], robot.json["secret"]))
    assert await refused(ci) == 412
    assert (await ask(ci, "GET", OWN)).status == 412


# -- a token only narrows


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


# -- when it was used, and who did what


async def test_the_last_use_is_written_now_and_then(world: World, alice: Person) -> None:
    made = await make(alice)
    token = alice.saying(made["token"])

    async def used() -> int | None:
        await world.parts.personal.flush()
        found: int | None = (await world.rows(personal_tokens))[0]["used_at"]
        return found

    assert await used() is None
    assert (await token.ask_token()).status == 200
    first = await used()
    assert first is not None
    assert (await token.ask_token()).status == 200
    assert await used() == first, "not again within minutes"
    earlier = first - 301 * SECOND
    await world.run(update(personal_tokens).values(used_at=earlier))
    assert (await token.ask_token()).status == 200
    later = await used()
    assert later is not None
    assert later >= first
    assert (await ask(alice, "GET", OWN)).json[0]["last_used"] is not None


async def test_making_and_revoking_are_audited_without_the_secret(world: World, alice: Person) -> None:
    made = await make(alice)
    await ask(alice, "DELETE", f"{OWN}/{made['id']}")
    other = await make(alice, "other")
    await ask(world.admin, "DELETE", f"/api/fairway/users/{alice.id}/tokens/{other['id']}")
    await ask(alice, "PUT", f"/api/v2.0/users/{alice.id}/cli_secret", {"secret": "Chosen-1-secret"})
    await hand_over(world.db, reactions(world.parts.notifications))
    told = [
        (row["username"], row["operation"], row["resource_type"], row["resource"])
        for row in await world.rows(audit_log)
        if row["resource_type"] == "token"
    ]
    assert told == [
        ("alice", "create", "token", "laptop"),
        ("alice", "delete", "token", "laptop"),
        ("alice", "create", "token", "other"),
        ("admin", "delete", "token", "other"),
        ("alice", "create", "token", "cli-secret"),
    ]
    rows = json.dumps(await world.rows(audit_log))
    assert made["token"] not in rows
    assert "Chosen-1-secret" not in rows
