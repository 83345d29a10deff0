"""The token dance: what is asked for, what is granted, and for how long it is good."""

from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import update

from fairway.core.tokens import verify
from fairway.features.registry.hub import ISSUER, SERVICE
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import refresh_tokens, users
from stories.asgi import Answer
from stories.world import PASSWORD, Person, World, image

PULL = "repository:team/app:pull"
PUSH = "repository:team/app:pull,push"
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def alice(world: World) -> Person:
    """She owns `team` and pushed an image to it."""
    alice = await world.person("alice")
    await world.project("team", alice)
    assert (await alice.push("team/app:v1", image("base"))).status == 201
    return alice


async def post(world: World, **fields: str) -> Answer:
    """The OAuth2 way of asking: a form, without an Authorization header."""
    return await world.anybody("POST", "/service/token", urlencode(fields).encode(), headers=FORM)


def granted(world: World, answer: Answer) -> dict[str, set[str]]:
    """What a token says that its bearer may do, read as the gate reads it."""
    parts = world.parts.hub
    token = verify(parts.keys, answer.json["token"], audience=SERVICE, issuer=ISSUER, now=parts.clock())
    return {f"{access.type}:{access.name}": set(access.actions) for access in token.access}


class TestAskingWithGet:
    async def test_the_answer_is_what_clients_read(self, world: World, alice: Person) -> None:
        answer = await alice.ask_token(PULL)
        assert answer.status == 200
        assert answer["cache-control"] == "no-store"
        assert answer.json["token"] == answer.json["access_token"]
        assert answer.json["expires_in"] == 300
        assert answer.json["issued_at"].endswith("Z")
        assert "refresh_token" not in answer.json

    async def test_a_token_opens_what_it_was_asked_for(self, alice: Person) -> None:
        bearer = await alice.with_token(PUSH)
        assert (await bearer.pull("team/app:v1")).body == image("base").manifest.raw
        assert (await bearer.push("team/app:v2", image("base", "code"))).status == 201

    async def test_a_token_holds_what_was_asked_and_may_be_had(self, world: World, alice: Person) -> None:
        team = (await alice("GET", "/api/v2.0/projects/team")).json["project_id"]
        guest = await world.member(team, "guest", Role.GUEST)
        wishes = {
            PULL: {"pull"},
            PUSH: {"pull", "push"},
            "repository:team/app:pull,push,delete": {"pull", "push", "delete"},
            "repository:team/app:*": {"pull", "push", "delete"},
            "repository:team/app:pull,fly": {"pull"},
        }
        for wish, all_of_it in wishes.items():
            assert granted(world, await alice.ask_token(wish)) == {"repository:team/app": all_of_it}
            assert granted(world, await guest.ask_token(wish)) == {"repository:team/app": {"pull"}}

    async def test_several_wishes_may_come_together_or_one_by_one(self, world: World, alice: Person) -> None:
        both = {"repository:team/app": {"pull", "push"}, "repository:team/base": {"pull"}}
        together = await alice.ask_token(f"{PUSH} repository:team/base:pull")
        one_by_one = await alice.ask_token(PUSH, "repository:team/base:pull", PULL)
        assert granted(world, together) == granted(world, one_by_one) == both

    async def test_what_is_no_wish_is_passed_over(self, world: World, alice: Person) -> None:
        answer = await alice.ask_token("nonsense", "repository:TEAM/app:pull", "cat:tom:feed", PULL)
        assert granted(world, answer) == {"repository:team/app": {"pull"}}

    async def test_no_wish_at_all_is_how_docker_checks_a_login(self, world: World, alice: Person) -> None:
        answer = await alice.ask_token()
        assert (answer.status, granted(world, answer)) == (200, {})
        assert (await alice.bearing(answer.json["token"])("GET", "/v2/")).status == 200

    async def test_another_service_is_none_of_ours(self, alice: Person) -> None:
        assert (await alice.ask_token(PULL, service="registry.example")).short == (400, "BAD_REQUEST")
        assert (await alice("GET", f"/service/token?scope={PULL}")).status == 200


class TestWhoAsks:
    async def test_a_wrong_password_is_refused_and_never_anonymous(self, world: World, alice: Person) -> None:
        await world.project("open", alice, public=True)
        for stranger in (alice.saying("wrong"), alice.saying(""), Person(world, "x", 0, "Basic !!!")):
            answer = await stranger.ask_token("repository:open/app:pull")
            assert answer.short == (401, "UNAUTHORIZED")
            assert "token" not in answer.json
        assert (await post(world, grant_type="password", username="alice", password="no")).status == 401

    async def test_nobody_gets_a_token_for_public_pulls_only(self, world: World, alice: Person) -> None:
        await world.project("open", alice, public=True)
        wishes = ["repository:open/app:pull,push,delete", PUSH, "repository:nowhere/app:pull"]
        answer = await world.anybody.ask_token(*wishes, "registry:catalog:*")
        assert answer.status == 200
        assert granted(world, answer) == {
            "repository:open/app": {"pull"},
            "repository:team/app": set(),
            "repository:nowhere/app": set(),
            "registry:catalog": set(),
        }

    async def test_nobody_who_wants_nothing_is_asked_to_log_in(self, world: World) -> None:
        answer = await world.anybody.ask_token()
        assert answer.short == (401, "UNAUTHORIZED")
        assert answer["www-authenticate"].startswith("Basic ")

    async def test_a_token_is_not_had_for_a_token(self, alice: Person) -> None:
        assert (await (await alice.with_token(PULL)).ask_token(PUSH)).short == (401, "UNAUTHORIZED")

    async def test_who_is_disabled_gets_none(self, world: World, alice: Person) -> None:
        await world.run(update(users).where(users.c.id == alice.id).values(enabled=False))
        assert (await alice.ask_token(PULL)).short == (401, "UNAUTHORIZED")

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD"])
    async def test_it_is_asked_with_get_or_post(self, alice: Person, method: str) -> None:
        answer = await alice(method, "/service/token")
        assert (answer.status, answer["allow"]) == (405, "GET, POST")


class TestOAuth2:
    async def test_a_password_is_good_for_a_token(self, world: World, alice: Person) -> None:
        login = {"grant_type": "password", "username": "alice", "password": PASSWORD, "service": SERVICE}
        answer = await post(world, **login, scope=f"{PUSH} repository:elsewhere/app:pull")
        assert answer.status == 200
        assert answer.json["scope"] == PUSH
        assert "refresh_token" not in answer.json
        assert (await alice.bearing(answer.json["access_token"]).pull("team/app:v1")).status == 200

    async def test_a_refresh_token_stands_for_the_password(self, world: World, alice: Person) -> None:
        refresh = await self.refresh_token(world)
        answer = await self.use(world, refresh, scope=PULL)
        assert answer.status == 200
        assert answer.json["refresh_token"] == refresh
        assert granted(world, answer) == {"repository:team/app": {"pull"}}

    async def test_docker_gets_its_refresh_token_by_get(self, world: World, alice: Person) -> None:
        answer = await alice.ask_token(PULL, offline_token="true", client_id="docker")
        assert (await self.use(world, answer.json["refresh_token"], client_id="docker")).status == 200

    async def test_nobody_gets_no_refresh_token(self, world: World, alice: Person) -> None:
        await world.project("open", alice, public=True)
        answer = await world.anybody.ask_token("repository:open/app:pull", offline_token="true")
        assert (answer.status, "refresh_token" in answer.json) == (200, False)

    async def test_a_refresh_token_is_kept_as_a_hash_and_opens_nothing_itself(
        self, world: World, alice: Person
    ) -> None:
        refresh = await self.refresh_token(world)
        assert refresh not in str(await world.rows(refresh_tokens))
        assert (await alice.bearing(refresh).pull("team/app:v1")).short == (401, "UNAUTHORIZED")

    async def test_what_one_client_got_serves_all_that_read_its_logins(
        self, world: World, alice: Person
    ) -> None:
        refresh = await self.refresh_token(world, client_id="docker")
        answer = await self.use(world, refresh, client_id="containerd-client", scope=PULL)
        assert (answer.status, granted(world, answer)) == (200, {"repository:team/app": {"pull"}})
        assert (await self.use(world, refresh[:-1] + "?")).short == (401, "UNAUTHORIZED")

    @pytest.mark.parametrize("client", ["containerd " * 100, "docker\0", "docker\r\nevil"])
    async def test_a_client_has_a_plain_name(self, alice: Person, client: str) -> None:
        answer = await alice.ask_token(PULL, offline_token="true", client_id=client)
        assert answer.short == (400, "BAD_REQUEST")

    async def test_it_dies_with_the_password(self, world: World, alice: Person) -> None:
        refresh = await self.refresh_token(world)
        await world.set_password(alice, "Another-password-2")
        assert (await self.use(world, refresh)).short == (401, "UNAUTHORIZED")

    async def test_it_dies_with_its_owner(self, world: World, alice: Person) -> None:
        refresh = await self.refresh_token(world)
        await world.run(update(users).where(users.c.id == alice.id).values(enabled=False))
        assert (await self.use(world, refresh)).short == (401, "UNAUTHORIZED")

    async def test_it_ends(self, world: World, alice: Person) -> None:
        refresh = await self.refresh_token(world)
        await world.run(update(refresh_tokens).values(expires_at=refresh_tokens.c.created_at))
        assert (await self.use(world, refresh)).short == (401, "UNAUTHORIZED")

    @pytest.mark.parametrize("kind", ["", "client_credentials", "PASSWORD"])
    async def test_other_ways_are_not_known(self, world: World, alice: Person, kind: str) -> None:
        answer = await post(world, grant_type=kind, username="alice", password=PASSWORD)
        assert answer.short == (400, "BAD_REQUEST")

    async def refresh_token(self, world: World, client_id: str = "containerd") -> str:
        answer = await post(
            world,
            grant_type="password",
            username="alice",
            password=PASSWORD,
            client_id=client_id,
            access_type="offline",
        )
        token: str = answer.json["refresh_token"]
        return token

    async def use(self, world: World, refresh: str, client_id: str = "containerd", **fields: Any) -> Answer:
        return await post(
            world, grant_type="refresh_token", refresh_token=refresh, client_id=client_id, **fields
        )
