"""`/c/login`, `/c/log_out` and what is known of one's sessions, as browsers and their users see it."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from fairway.features.accounts import throttle
from fairway.frame.db import SECOND
from fairway.frame.db.tables import audit_log, sessions, users
from fairway.frame.events import hand_over
from fairway.reactions import reactions
from stories.asgi import call
from stories.browser import FORM, TOKEN, Browser, logged_in
from stories.world import PASSWORD, Person, World, replica

CURRENT = "/api/v2.0/users/current"
OWN = "/api/fairway/users/current/sessions"
JSON = {"content-type": "application/json"}


@pytest.fixture
async def alice(world: World) -> Person:
    return await world.person("alice")


async def age(world: World, **columns: int) -> None:
    earlier = {name: sessions.c[name] - seconds * SECOND for name, seconds in columns.items()}
    await world.run(update(sessions).values(**earlier))


async def told(world: World) -> list[tuple[Any, ...]]:
    """The lines of the audit log: by whom, what, and whether it came to it."""
    await hand_over(world.db, reactions(world.parts.notifications))
    rows = await world.rows(audit_log)
    return [(row["username"], row["operation"], row["resource"], bool(row["succeeded"])) for row in rows]


class TestLoggingIn:
    async def test_one_logs_in_is_known_and_logs_out(self, world: World, alice: Person) -> None:
        browser = Browser(world)
        made = await browser.log_in("alice")
        assert (made.status, made.body, made["cache-control"]) == (200, b"", "no-store")
        name, _, attributes = made["set-cookie"].partition("=")
        secret, *attributes = attributes.split("; ")
        assert (name, len(secret), attributes) == ("sid", 43, ["Path=/", "HttpOnly", "SameSite=Lax"])
        answer = await browser("GET", CURRENT)
        assert (answer.status, answer.json["user_id"], answer["cache-control"]) == (200, alice.id, "no-store")
        cookie = browser.cookie
        assert (await browser("GET", "/c/log_out")).status == 200
        assert browser.cookie == "sid="
        assert (await Browser(world, cookie)("GET", CURRENT)).status == 401
        assert await world.rows(sessions) == []
        assert await told(world) == [("alice", "login", "alice", True), ("alice", "logout", "alice", True)]

    async def test_logging_out_by_post_takes_the_token(self, world: World, alice: Person) -> None:
        browser = await logged_in(world, alice.name)
        assert (await browser("POST", "/c/log_out")).short == (403, "FORBIDDEN")
        assert (await browser("GET", CURRENT)).status == 200
        assert (await browser.send("POST", "/c/log_out")).status == 200
        assert await world.rows(sessions) == []

    async def test_who_is_not_logged_in_logs_out_in_vain(self, world: World) -> None:
        for method in ("GET", "POST"):
            assert (await Browser(world, f"sid={'x' * 43}")(method, "/c/log_out")).status == 200
        assert await told(world) == []

    async def test_the_cookie_is_another_one_after_each_login(self, world: World, alice: Person) -> None:
        browser = await logged_in(world, alice.name)
        first = browser.cookie
        assert (await browser.log_in("alice")).status == 200, "a login needs no token"
        assert browser.cookie != first
        assert (await Browser(world, first)("GET", CURRENT)).status == 401
        planted = Browser(world, f"sid={'a' * 43}")
        assert (await planted.log_in("alice")).status == 200
        assert planted.cookie != f"sid={'a' * 43}"
        assert (await Browser(world, f"sid={'a' * 43}")("GET", CURRENT)).status == 401

    async def test_a_failed_login_leaves_the_session_as_it_was(self, world: World, alice: Person) -> None:
        browser = await logged_in(world, alice.name)
        assert (await browser.log_in("alice", "Wrong-password-1")).status == 401
        assert (await browser("GET", CURRENT)).status == 200

    async def test_who_fails_is_written_down_by_the_name_of_an_account(
        self, world: World, alice: Person
    ) -> None:
        for name in (alice.name, "My-secret-1", "no,such~name", ""):
            answer = await Browser(world).log_in(name, "Wrong-password-1")
            assert answer.short == (401, "UNAUTHORIZED")
            assert "set-cookie" not in answer
            assert not answer["www-authenticate"].lower().startswith(("basic", "bearer"))
        unknown = ("anonymous", "login", "-", False)
        assert await told(world) == [("alice", "login", "alice", False), unknown, unknown, unknown]

    async def test_a_login_by_form_waits_as_any_other(self, world: World, alice: Person) -> None:
        for _ in range(throttle.FREE_FAILURES + 1):
            assert (await alice.saying("Wrong-password-1")("GET", CURRENT)).status == 401
        answer = await Browser(world).log_in("alice")
        assert answer.status == 429
        assert int(answer["retry-after"]) > 0

    async def test_a_robot_has_no_sessions(self, world: World) -> None:
        await world.project("team")
        access = [{"resource": "repository", "action": "pull"}]
        permissions = [{"kind": "project", "namespace": "team", "access": access}]
        asked = {"name": "ci", "level": "project", "duration": -1, "permissions": permissions}
        admin = await logged_in(world, "admin")
        made = await admin.send("POST", "/api/v2.0/robots", asked)
        assert made.status == 201
        answer = await Browser(world).log_in(made.json["name"], made.json["secret"])
        assert answer.status == 401
        assert "robots" in answer.json["errors"][0]["message"]
        assert len(await world.rows(sessions)) == 1, "the administrator's"

    @pytest.mark.parametrize(
        ("headers", "body", "status"),
        [
            ({"content-type": "application/json"}, b'{"principal":"alice"}', 415),
            ({}, b"principal=alice", 415),
            (FORM, b"x" * 70_000, 413),
            (FORM, b"&".join(b"a%d=1" % n for n in range(200)), 400),
            (FORM, b"principal=alice&password=" + b"x" * 10_000, 401),
            (FORM, b"principal=%ff%00&password=%ff%00", 401),
            (FORM, b"", 401),
            (FORM, b"principal=alice&password=wrong&password=" + PASSWORD.encode(), 401),
        ],
    )
    async def test_what_is_no_login(
        self, world: World, alice: Person, headers: dict[str, str], body: bytes, status: int
    ) -> None:
        answer = await call(world.app, "POST", "/c/login", body, headers=headers)
        assert (alice.id > 0, answer.status) == (True, status)
        assert await world.rows(sessions) == []

    async def test_by_https_the_cookie_stays_there(
        self, world: World, alice: Person, database_url: str, tmp_path: Path
    ) -> None:
        async with replica(database_url, tmp_path, external_url="https://hub.example") as there:
            made = await Browser(there).log_in(alice.name)
            assert made["set-cookie"].endswith("; HttpOnly; SameSite=Lax; Secure")

    async def test_it_goes_on_while_nothing_may_be_changed(
        self, world: World, alice: Person, database_url: str, tmp_path: Path
    ) -> None:
        async with replica(database_url, tmp_path, read_only=True) as there:
            browser = await logged_in(there, alice.name)
            assert (await browser.send("POST", "/api/v2.0/projects", {"project_name": "x"})).short == (
                403,
                "DENIED",
            )
            assert (await browser.send("POST", "/c/log_out")).status == 200
            assert await world.rows(sessions) == []


class TestWhoItIs:
    async def test_a_header_counts_more_than_the_cookie(self, world: World, alice: Person) -> None:
        browser = await logged_in(world, "admin")
        answer = await browser("GET", CURRENT, headers={"authorization": alice.authorization})
        assert answer.json["username"] == "alice"
        assert TOKEN not in answer
        made = await browser(
            "POST",
            "/api/v2.0/projects",
            b'{"project_name":"by-header"}',
            headers={"authorization": alice.authorization, "content-type": "application/json"},
        )
        assert made.status == 201, "and needs no token"
        wrong = alice.saying("Wrong-password-1").authorization
        assert (await browser("GET", CURRENT, headers={"authorization": wrong})).status == 401

    async def test_the_registry_and_the_token_service_know_no_cookies(self, world: World) -> None:
        await world.project("team")
        browser = await logged_in(world, "admin")
        for method, target in (
            ("GET", "/v2/"),
            ("GET", "/v2/_catalog"),
            ("POST", "/v2/team/app/blobs/uploads/"),
            ("GET", "/service/token?service=harbor-registry"),
        ):
            answer = await browser.send(method, target)
            assert (answer.status, TOKEN in answer) == (401, False), target

    async def test_a_new_password_ends_every_session(self, world: World, alice: Person) -> None:
        browser, other = await logged_in(world, alice.name), await logged_in(world, alice.name)
        changed = {"old_password": PASSWORD, "new_password": "Another-1-secret"}
        answer = await browser.send("PUT", f"/api/v2.0/users/{alice.id}/password", changed)
        assert answer.status == 200
        for each in (browser, other):
            assert (await each("GET", CURRENT)).status == 401

    async def test_who_stole_a_session_does_not_guess_the_password(self, world: World, alice: Person) -> None:
        browser = await logged_in(world, alice.name)
        target = f"/api/v2.0/users/{alice.id}/password"
        guess = {"old_password": "Wrong-password-1", "new_password": "Another-1-secret"}
        tried = [(await browser.send("PUT", target, guess)).status for _ in range(7)]
        assert tried == [403] * (throttle.FREE_FAILURES + 1) + [429, 429]
        right = {**guess, "old_password": PASSWORD}
        assert (await browser.send("PUT", target, right)).status == 429
        assert (await Browser(world).log_in("alice")).status == 429

    async def test_what_happens_to_the_account_counts_at_once(self, world: World, alice: Person) -> None:
        browser, admin = await logged_in(world, alice.name), await logged_in(world, "admin")
        path = f"/api/v2.0/users/{alice.id}"
        assert (await browser("GET", "/api/v2.0/users")).status == 403
        assert (await admin.send("PUT", f"{path}/sysadmin", {"sysadmin_flag": True})).status == 200
        assert (await browser("GET", "/api/v2.0/users")).status == 200
        assert (await admin.send("PUT", f"{path}/sysadmin", {"sysadmin_flag": False})).status == 200
        assert (await browser("GET", "/api/v2.0/users")).status == 403
        await world.run(update(users).where(users.c.id == alice.id).values(enabled=False))
        assert (await browser("GET", CURRENT)).status == 401
        await world.run(update(users).where(users.c.id == alice.id).values(enabled=True))
        assert (await admin.send("DELETE", path)).status == 200
        assert (await browser("GET", CURRENT)).status == 401

    async def test_every_process_knows_every_session(
        self, world: World, alice: Person, database_url: str, tmp_path: Path
    ) -> None:
        async with replica(database_url, tmp_path) as second, replica(database_url, tmp_path) as third:
            browser = await logged_in(world, alice.name)
            there = browser.at(second)
            assert (await there.send("POST", "/api/v2.0/projects", {"project_name": "new"})).status == 201
            assert (await browser.at(third).send("POST", "/c/log_out")).status == 200
            for each in (world, second, third):
                assert (await browser.at(each)("GET", CURRENT)).status == 401


class TestItsEnd:
    async def test_without_use_it_ends_when_the_configuration_says(self, world: World, alice: Person) -> None:
        browser = await logged_in(world, alice.name)
        await age(world, seen_at=59 * 60)
        assert (await browser("GET", CURRENT)).status == 200
        await age(world, seen_at=59 * 60)
        assert (await browser("GET", CURRENT)).status == 200, "it was used in between"
        admin = await logged_in(world, "admin")
        chosen = await admin.send("PUT", "/api/v2.0/configurations", {"session_timeout": 10})
        assert chosen.status == 200
        await age(world, seen_at=10 * 60)
        assert (await browser("GET", CURRENT)).status == 401

    async def test_looking_again_and_again_is_no_use(self, world: World, alice: Person) -> None:
        browser = await logged_in(world, alice.name)
        await age(world, seen_at=59 * 60)
        (before,) = await world.rows(sessions)
        polling = {"X-Harbor-No-Session-Renewal": "true"}
        assert (await browser("GET", CURRENT, headers=polling)).status == 200
        assert await world.rows(sessions) == [before]

    async def test_use_is_written_down_once_a_minute(self, world: World, alice: Person) -> None:
        browser = await logged_in(world, alice.name)
        (before,) = await world.rows(sessions)
        for _ in range(3):
            assert (await browser("GET", CURRENT)).status == 200
        assert await world.rows(sessions) == [before]
        await age(world, seen_at=61)
        assert (await browser("GET", CURRENT)).status == 200
        (after,) = await world.rows(sessions)
        assert after["seen_at"] >= before["seen_at"]

    async def test_it_ends_however_much_it_is_used(self, world: World, alice: Person) -> None:
        browser = await logged_in(world, alice.name)
        await age(world, expires_at=world.settings.session_seconds)
        assert (await browser("GET", CURRENT)).status == 401

    async def test_those_that_are_over_go(self, world: World, alice: Person) -> None:
        await logged_in(world, alice.name)
        await age(world, seen_at=61 * 60)
        browser = await logged_in(world, alice.name)
        assert [await world.parts.sessions.tidy(), await world.parts.sessions.tidy()] == [1, 0]
        assert (await browser("GET", CURRENT)).status == 200


class TestOnesOwn:
    async def test_one_sees_and_ends_them(self, world: World, alice: Person) -> None:
        lost = Browser(world)
        await lost.log_in("alice", headers={"user-agent": "Lost/1.0 \u00e9" + "x" * 300})
        browser = await logged_in(world, alice.name)
        await logged_in(world, "admin")
        answer = await browser("GET", OWN)
        assert (answer.status, answer["x-total-count"]) == (200, "2")
        here, there = answer.json
        assert here.keys() == {
            *("id", "client_address", "browser", "current"),
            *("creation_time", "last_seen_time", "expiration_time"),
        }
        assert (here["current"], there["current"], here["client_address"]) == (True, False, "192.0.2.7")
        assert there["browser"].startswith("Lost/1.0 ")
        assert len(there["browser"]) <= 255
        assert (await alice("GET", OWN)).json[0]["current"] is False, "by password"
        assert (await browser.send("DELETE", f"{OWN}/{there['id']}")).status == 200
        assert (await lost("GET", CURRENT)).status == 401
        assert (await browser.send("DELETE", f"{OWN}/{there['id']}")).status == 404
        assert (await told(world))[-1] == ("alice", "logout", "alice", True)

    async def test_others_have_none_of_them(self, world: World, alice: Person) -> None:
        await logged_in(world, alice.name)
        (row,) = await world.rows(sessions)
        assert (await world.admin("DELETE", f"{OWN}/{row['id']}")).status == 404
        assert (await world.admin("GET", OWN)).json == []
        assert len(await world.rows(sessions)) == 1


class TestTokensArePasswordsElsewhere:
    """A session is all that its owner is: it is for who shows the password."""

    @pytest.mark.parametrize("access", ["all", "read"])
    async def test_a_personal_token_begins_no_session(self, world: World, alice: Person, access: str) -> None:
        body = json.dumps({"name": "laptop", "access": [access]}).encode()
        made = await alice("POST", "/api/fairway/users/current/tokens", body, headers=JSON)
        answer = await Browser(world).log_in("alice", made.json["token"])
        assert (answer.status, b"with your password" in answer.body) == (401, True), answer.body
        assert await world.rows(sessions) == []

    async def test_nor_does_a_cli_secret(self, world: World, alice: Person) -> None:
        path = f"/api/v2.0/users/{alice.id}/cli_secret"
        body = b'{"secret": "Chosen-secret-1"}'
        assert (await alice("PUT", path, body, headers=JSON)).status == 200
        answer = await Browser(world).log_in("alice", "Chosen-secret-1")
        assert (answer.status, b"with your password" in answer.body) == (401, True), answer.body
        assert await world.rows(sessions) == []
