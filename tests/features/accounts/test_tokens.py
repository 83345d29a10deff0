"""Personal access tokens: made, used everywhere, revoked; what cannot be had."""

import asyncio
import json
import re
from typing import Any

import pytest
from sqlalchemy import select, update

from fairway.core.oci.errors import BadRequest
from fairway.features.accounts import rules as account_rules
from fairway.features.accounts import secret
from fairway.features.accounts.store import people, tokens
from fairway.features.robots import rules as robot_rules
from fairway.frame.db import SECOND, now_us
from fairway.frame.db.tables import audit_log, personal_tokens, users
from fairway.frame.events import hand_over
from fairway.reactions import reactions
from features.accounts.own_tokens import IMAGE, OWN, PUSH_AND_PULL, ask, configure, make, refused, with_one
from stories.world import Person, World, basic


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
