"""Getting in: challenges that say what it takes, Basic on every call, and what is told to whom."""

import pytest
from sqlalchemy import update

from fairway.core.oci.digest import Digest
from fairway.core.wire.challenge import parse_challenge
from fairway.frame.db import SECOND, now_us
from fairway.frame.db.tables import login_failures, users
from stories.asgi import Answer, call
from stories.world import Person, World, image, layer

BASE = Digest.of(layer("base"))


@pytest.fixture
async def alice(world: World) -> Person:
    """She owns `team` and pushed an image to it."""
    alice = await world.person("alice")
    await world.project("team", alice)
    assert (await alice.push("team/app:v1", image("base"))).status == 201
    return alice


def asked_for(answer: Answer) -> tuple[str, str]:
    """Scope and error of the one challenge in a 401."""
    assert answer.status == 401
    (challenge,) = parse_challenge(answer["www-authenticate"])
    assert challenge.scheme == "bearer"
    assert challenge.params["service"] == "harbor-registry"
    assert challenge.params["realm"].endswith("/service/token")
    return challenge.params.get("scope", ""), challenge.params.get("error", "")


class TestChallenges:
    async def test_docker_decides_by_the_first_question(self, world: World) -> None:
        answer = await world.anybody("GET", "/v2/")
        assert asked_for(answer) == ("", "")
        assert answer.code == "UNAUTHORIZED"
        assert answer["docker-distribution-api-version"] == "registry/2.0"

    async def test_a_challenge_asks_for_what_the_call_needs(self, world: World, alice: Person) -> None:
        team, pull, push = "/v2/team/app", "repository:team/app:pull", "repository:team/app:pull,push"
        expected = {
            ("GET", f"{team}/manifests/v1"): pull,
            ("GET", f"{team}/blobs/{BASE}"): pull,
            ("GET", f"{team}/tags/list"): pull,
            ("GET", f"{team}/referrers/{BASE}"): pull,
            ("PUT", f"{team}/manifests/v1"): push,
            ("POST", f"{team}/blobs/uploads/"): push,
            ("PATCH", f"{team}/blobs/uploads/0123"): push,
            ("DELETE", f"{team}/blobs/uploads/0123"): push,
            ("DELETE", f"{team}/manifests/v1"): "repository:team/app:delete",
            ("DELETE", f"{team}/blobs/{BASE}"): "repository:team/app:delete",
            ("GET", "/v2/_catalog"): "registry:catalog:*",
        }
        for (method, target), scope in expected.items():
            assert asked_for(await world.anybody(method, target)) == (scope, ""), target

    async def test_the_token_that_is_asked_for_is_enough(self, world: World, alice: Person) -> None:
        scope, _ = asked_for(await world.anybody("GET", "/v2/team/app/manifests/v1"))
        assert (await (await alice.with_token(scope)).pull("team/app:v1")).status == 200

    async def test_a_token_for_less_is_told_so(self, alice: Person) -> None:
        bearer = await alice.with_token("repository:team/app:pull")
        refused = await bearer("POST", "/v2/team/app/blobs/uploads/")
        assert asked_for(refused) == ("repository:team/app:pull,push", "insufficient_scope")
        elsewhere = await bearer("GET", "/v2/team/base/manifests/v1")
        assert asked_for(elsewhere) == ("repository:team/base:pull", "insufficient_scope")

    async def test_a_token_that_is_none_of_ours_is_told_so(self, alice: Person) -> None:
        refused = await alice.bearing("a.b.c").pull("team/app:v1")
        assert asked_for(refused) == ("repository:team/app:pull", "invalid_token")

    async def test_a_wrong_password_is_told_nothing_new(self, alice: Person) -> None:
        refused = await alice.saying("wrong").pull("team/app:v1")
        assert asked_for(refused) == ("repository:team/app:pull", "")

    async def test_another_scheme_is_refused(self, world: World, alice: Person) -> None:
        for header in ("Digest username=alice", "Negotiate abc", "Basic", "Bearer", "Basic a", ""):
            assert (await Person(world, "alice", 0, header or " ")("GET", "/v2/")).status == 401, header

    async def test_head_has_the_challenge_and_no_body(self, world: World, alice: Person) -> None:
        answer = await world.anybody("HEAD", "/v2/team/app/manifests/v1")
        assert asked_for(answer) == ("repository:team/app:pull", "")
        assert answer.body == b""


class TestTheRealm:
    async def test_from_this_machine_it_is_where_the_client_came_to(self, world: World) -> None:
        headers = {"host": "localhost:5000"}
        answer = await call(world.app, "GET", "/v2/", headers=headers, client="127.0.0.1")
        assert 'realm="http://localhost:5000/service/token"' in answer["www-authenticate"]

    async def test_from_elsewhere_a_header_does_not_bend_it(self, world: World) -> None:
        headers = {"host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "https"}
        for client in ("192.0.2.7", "127.0.0.1"):
            answer = await call(
                world.app,
                "GET",
                "/v2/",
                headers=headers | ({"host": "evil.example/x"} if client == "127.0.0.1" else {}),
                client=client,
            )
            assert 'realm="http://127.0.0.1:8080/service/token"' in answer["www-authenticate"]


class TestBasic:
    async def test_a_password_does_on_every_call(self, alice: Person) -> None:
        assert (await alice("GET", "/v2/")).json == {}
        assert (await alice.pull("team/app:v1")).status == 200
        assert (await alice.push("team/app:v2", image("code"))).status == 201
        assert (await alice.delete("team/app:v2")).status == 202

    async def test_a_new_password_counts_at_once(self, world: World, alice: Person) -> None:
        assert (await alice.pull("team/app:v1")).status == 200
        await world.set_password(alice, "Another-password-2")
        assert (await alice.pull("team/app:v1")).short == (401, "UNAUTHORIZED")
        assert (await alice.saying("Another-password-2").pull("team/app:v1")).status == 200

    async def test_who_is_disabled_is_out_at_once(self, world: World, alice: Person) -> None:
        bearer = await alice.with_token("repository:team/app:pull,push")
        await world.run(update(users).where(users.c.id == alice.id).values(enabled=False))
        assert (await alice.pull("team/app:v1")).short == (401, "UNAUTHORIZED")
        assert (await bearer.push_blob("team/app", b"more")).short == (401, "UNAUTHORIZED")

    async def test_who_guesses_has_to_wait_and_only_there(self, world: World, alice: Person) -> None:
        for guess in range(5):
            assert (await alice.saying(f"guess {guess}")("GET", "/v2/")).status in (401, 429)
        assert any(row["blocked_until"] > row["last_at"] for row in await world.rows(login_failures))
        await world.run(
            update(login_failures)
            .where(login_failures.c.blocked_until > 0)
            .values(blocked_until=now_us() + 60 * SECOND)
        )
        refused = await alice("GET", "/v2/")
        assert refused.short == (429, "TOOMANYREQUESTS")
        assert 0 < int(refused["retry-after"]) <= 60
        headers = {"authorization": alice.authorization}
        assert (await call(world.app, "GET", "/v2/", headers=headers, client="192.0.2.8")).status == 200


class TestPublicProjects:
    async def test_anybody_pulls_and_nobody_else_pushes(self, world: World, alice: Person) -> None:
        await world.project("open", alice, public=True)
        await alice.push("open/app:v1", image("base"))
        for stranger in (
            world.anybody,
            await world.person("bob"),
            await world.anybody.with_token("repository:open/app:pull,push"),
        ):
            assert (await stranger.pull("open/app:v1")).status == 200
            assert (await stranger.blob("open/app", BASE)).body == layer("base")
            assert await stranger.tags("open/app") == ["v1"]
            assert (await stranger.push_blob("open/app", b"more")).short == (401, "UNAUTHORIZED")
            assert (await stranger.delete("open/app:v1")).short == (401, "UNAUTHORIZED")

    async def test_a_private_project_and_one_that_is_not_look_the_same(
        self, world: World, alice: Person
    ) -> None:
        bob = await world.person("bob")
        for stranger in (world.anybody, bob):
            private = await stranger.pull("team/app:v1")
            missing = await stranger.pull("none/app:v1")
            assert (private.status, missing.status) == (401, 401)
            assert private.body.replace(b"team", b"none") == missing.body

    async def test_who_could_see_every_project_is_told_that_there_is_none(self, world: World) -> None:
        assert (await world.admin.pull("none/app:v1")).short == (404, "NAME_UNKNOWN")
        assert (await world.admin.push_blob("none/app", b"x")).short == (404, "NAME_UNKNOWN")
