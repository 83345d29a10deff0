"""Logging in tells nothing: known or not, nearly right or not, it looks the same and costs the same (T15, T16)."""

import hmac
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import argon2
import pytest
from sqlalchemy import update

from fairway.core.oci.errors import Unauthorized
from fairway.features.accounts.passwords import Hasher
from fairway.features.accounts.store import people
from fairway.features.registry import probes
from fairway.frame.db.tables import users
from stories.asgi import Answer, call
from stories.world import PASSWORD, Person, World, basic

FORM = {"content-type": "application/x-www-form-urlencoded"}
GRANT = "grant_type=password&username={}&password={}"

Door = Callable[[World, str, str], Awaitable[Answer]]


def by_header(method: str, target: str) -> Door:
    async def door(world: World, name: str, password: str) -> Answer:
        return await ask(world, method, target, {"authorization": basic(name, password)})

    return door


async def by_form(world: World, name: str, password: str) -> Answer:
    return await ask(world, "POST", "/service/token", FORM, GRANT.format(name, password).encode())


async def by_browser(world: World, name: str, password: str) -> Answer:
    form = f"principal={name}&password={password}".encode()
    return await ask(world, "POST", "/c/login", FORM, form)


async def ask(
    world: World,
    method: str,
    target: str,
    headers: dict[str, str],
    body: bytes = b"",
    client: str = "192.0.2.7",
) -> Answer:
    return await call(world.app, method, target, body, headers=headers | {"x-request-id": "x"}, client=client)


DOORS: dict[str, Door] = {
    "ping": by_header("GET", "/v2/"),
    "pull": by_header("GET", "/v2/library/app/manifests/v1"),
    "push": by_header("POST", "/v2/library/app/blobs/uploads/"),
    "token": by_header("GET", "/service/token?service=harbor-registry"),
    "token by form": by_form,
    "browser": by_browser,
    "api": by_header("GET", "/api/v2.0/projects"),
    "api, changing": by_header("DELETE", "/api/v2.0/projects/library"),
    "api, open to all": by_header("GET", "/api/v2.0/ping"),
}


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A 1 for every password that argon2 has worked on."""
    done: list[int] = []
    verify = argon2.PasswordHasher.verify

    def counted(self: argon2.PasswordHasher, stored: str, password: str) -> bool:
        done.append(1)
        return bool(verify(self, stored, password))

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    return done


@pytest.mark.parametrize("door", DOORS)
async def test_unknown_disabled_and_mistaken_look_and_cost_the_same(
    world: World, door: str, hashes: list[int]
) -> None:
    await world.person("owner")
    gone = await world.person("gonee")
    await world.run(update(users).where(users.c.id == gone.id).values(enabled=False))
    seen = []
    for name, password in (
        ("owner", "Wrong-1"),
        ("oowne", "Wrong-1"),
        ("gonee", "Wrong-1"),
        ("gonee", PASSWORD),
    ):
        hashes.clear()
        answer = await DOORS[door](world, name, password)
        seen.append((answer.status, answer.headers, answer.body, len(hashes)))
    assert seen[0] == seen[1] == seen[2] == seen[3]
    assert (seen[0][0], seen[0][3]) == (401, 1)


async def test_unknown_and_mistaken_take_as_long(world: World) -> None:
    """Medians of tries that alternate; without the hash for nobody, one would be a tenth of the other.

    The equal work above is the proof; this is a wide check that nothing else differs by much.
    """
    owner, hasher = await world.person("owner"), Hasher()
    hashed = await hasher.hash(PASSWORD)
    hasher.close()
    await world.db.write(lambda conn: people.set_password(conn, owner.id, hashed))
    times: dict[str, list[float]] = {"owner": [], "oowne": []}
    for n in range(25):
        for name, taken in times.items():
            started = time.perf_counter()
            with pytest.raises(Unauthorized):  # from an address of its own: none has to wait
                await world.parts.who.password(name, "Wrong-1", f"10.1.{n}.{len(name)}")
            taken.append(time.perf_counter() - started)
    known, unknown = (statistics.median(taken) for taken in times.values())
    assert 0.4 < known / unknown < 2.5


async def test_a_password_without_end_is_refused_without_work(world: World, hashes: list[int]) -> None:
    """More than any account can have is not hashed: the header and the form have a limit of their own."""
    endless = "Aa1" + "x" * 2**20
    for name in ("admin", "nobody"):
        for target in ("/v2/", "/api/v2.0/projects", "/service/token"):
            answer = await ask(world, "GET", target, {"authorization": basic(name, endless)})
            assert answer.short == (400, "BAD_REQUEST")
        answer = await by_form(world, name, endless)
        assert answer.short == (413, "REQUEST_ENTITY_TOO_LARGE")
    assert hashes == []


async def test_a_password_counts_to_its_last_letter(world: World, hashes: list[int]) -> None:
    """Not to its 72nd, where bcrypt would stop; what is longer than any password costs what a wrong one does."""
    password = "Abc1" + "x" * 124
    carol = await world.person("carol")
    await world.set_password(carol, password)
    assert (await carol.saying(password)("GET", "/v2/")).status == 200
    for wrong in (password[:72], password[:-1], password + "x", password + "x" * 4000):
        hashes.clear()
        answer = await ask(
            world,
            "GET",
            "/v2/",
            {"authorization": basic("carol", wrong)},
            client=f"10.0.0.{len(wrong) % 250}",
        )
        assert (answer.status, len(hashes)) == (401, 1)


class TestComparing:
    """T15: secrets are compared in constant time.

    No clock is asked here: the few nanoseconds between the first and the last letter drown in a request.  Instead, all
    comparisons are accounted for.  Passwords go to argon2's own verify, refresh tokens are looked up by their SHA-256
    and remembered logins by an HMAC under a key nobody knows, tokens have a signature; that leaves the metrics token,
    which is watched here, and `tests/architecture/test_secure_by_construction.py` forbids `==` for whatever comes.
    """

    @pytest.mark.parametrize("given", ["", "Bearer ", "Bearer a", "Bearer {}x", "Bearer x{}", "bearer {}"])
    async def test_the_metrics_token_is_compared_whole(
        self, given: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token, compared = "0123456789abcdefghijklmnopqrstuvwxyz", []
        real = hmac.compare_digest

        def watched(a: Any, b: Any) -> bool:
            compared.append(b)
            return real(a, b)

        monkeypatch.setattr(probes.hmac, "compare_digest", watched)
        page = probes.metrics_page(token)
        answer = await call(page, "GET", "/metrics", headers={"authorization": given.format(token)})
        assert (answer.status, len(compared)) == (401, 1)
        answer = await call(page, "GET", "/metrics", headers={"authorization": f"Bearer {token}"})
        assert (answer.status, len(compared)) == (200, 2)

    async def test_a_refresh_token_is_found_by_its_hash_only(self, world: World) -> None:
        """So that no prefix of a guess can be right."""
        answer = await world.admin.ask_token(offline_token="true", client_id="x")
        secret = answer.json["refresh_token"]
        person = Person(world, "admin")
        for guess in (secret[:-1], secret + "x", secret.swapcase(), ""):
            form = f"grant_type=refresh_token&client_id=x&refresh_token={guess}"
            refused = await person("POST", "/service/token", form.encode(), headers=FORM)
            assert refused.status == 401
