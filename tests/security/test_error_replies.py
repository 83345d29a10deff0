"""What goes wrong inside stays inside: a request id to quote, and not a word of stack, SQL, path or host (T23)."""

import json
import re
import sqlite3
from typing import Any

import pytest

from fairway.core.oci.digest import Digest
from fairway.frame.db.postgres import PostgresDatabase
from fairway.frame.db.sqlite import SqliteConn, SqliteDatabase
from fairway.frame.db.sqlite_errors import translated
from stories.asgi import Answer
from stories.world import Person, World, basic, image

INSIDE = "SELECT password_hash FROM users; db-7.internal:5432 /srv/fairway/keys/token-0001.pem hunter2"
LEAKS = re.compile(
    rb"Traceback|File \"|line \d+|\.py\b|SELECT|password_hash|internal:|5432|127\.0\.0\.1|/srv/|hunter2|asyncpg\."
    rb"|sqlite3|sqlalchemy|/tmp/"
)
FORM = {"content-type": "application/x-www-form-urlencoded"}


async def every_door(world: World, alice: Person) -> dict[str, Answer]:
    """A request to each part of the hub, reading and writing."""
    headers = {"x-request-id": "quote-me"}
    blob = Digest.of(b"{}")
    grant = f"grant_type=password&username={alice.name}&password=x".encode()
    fresh = Person(world, "somebody", 0, basic("somebody", "x"))
    doors: dict[str, tuple[Person, str, str, bytes, dict[str, str]]] = {
        "login": (fresh, "GET", "/v2/", b"", {}),
        "pull": (alice, "GET", "/v2/team/app/manifests/v1", b"", {}),
        "blob": (alice, "GET", f"/v2/team/app/blobs/{blob}", b"", {}),
        "tags": (alice, "GET", "/v2/team/app/tags/list", b"", {}),
        "referrers": (alice, "GET", f"/v2/team/app/referrers/{blob}", b"", {}),
        "catalogue": (world.admin, "GET", "/v2/_catalog", b"", {}),
        "push": (alice, "POST", f"/v2/team/app/blobs/uploads/?digest={Digest.of(b'new')}", b"new", {}),
        "upload": (alice, "POST", "/v2/team/app/blobs/uploads/", b"", {}),
        "manifest": (alice, "PUT", "/v2/team/app/manifests/v2", image("base").manifest.raw, {}),
        "delete": (alice, "DELETE", "/v2/team/app/manifests/v1", b"", {}),
        "token": (
            alice,
            "GET",
            "/service/token?service=harbor-registry&scope=repository:team/app:pull",
            b"",
            {},
        ),
        "token by form": (world.anybody, "POST", "/service/token", grant, FORM),
        "projects": (alice, "GET", "/api/v2.0/projects", b"", {}),
        "project": (alice, "GET", "/api/v2.0/projects/team", b"", {}),
        "new project": (alice, "POST", "/api/v2.0/projects", b'{"project_name":"new"}', {}),
        "readiness": (world.anybody, "GET", "/readyz", b"", {}),
    }
    return {
        name: await who(method, target, body, headers={**headers, **more})
        for name, (who, method, target, body, more) in doors.items()
    }


def is_clean(name: str, answer: Answer) -> None:
    assert answer["x-request-id"] == "quote-me", name
    said = answer.body + repr(answer.headers).encode()
    assert not LEAKS.search(said), (name, answer.body)
    if name != "readiness":
        assert answer.code in ("UNKNOWN", "UNAVAILABLE"), name
        assert set(json.loads(answer.body)["errors"][0]) <= {"code", "message", "detail"}


@pytest.fixture
async def alice(world: World) -> Person:
    alice = await world.person("alice")
    await world.project("team", alice)
    assert (await alice.push("team/app:v1", image("base"))).status == 201
    assert (
        await world.admin("GET", "/v2/")
    ).status == 200  # both are remembered, so that more than the login fails
    return alice


def break_(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """From now on the database answers every question with this."""

    async def failing(*_: Any, **__: Any) -> Any:
        raise error

    def failing_here(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(SqliteConn, "_execute", failing_here)
    for verb in ("read", "write", "check"):
        monkeypatch.setattr(SqliteDatabase, verb, failing)
    for verb in ("all", "first", "scalar", "run", "many", "read", "write", "check"):
        monkeypatch.setattr(PostgresDatabase, verb, failing)


@pytest.mark.parametrize(
    "error", [RuntimeError(INSIDE), KeyError(INSIDE), OSError(13, INSIDE, INSIDE), ValueError(INSIDE)]
)
async def test_a_bug_says_nothing_but_that_it_is_one(
    world: World, alice: Person, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_(monkeypatch, error)
    for name, answer in (await every_door(world, alice)).items():
        assert answer.status == (503 if name == "readiness" else 500), name
        is_clean(name, answer)


async def test_a_database_that_is_down_is_503_and_has_no_name(
    world: World, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connections are really gone: PostgreSQL's are cut and refused, SQLite says that it cannot read."""
    if isinstance(world.db, PostgresDatabase):
        for db in (world.parts.hub.db, world.parts.hub.token_db):
            assert isinstance(db, PostgresDatabase)
            db._pool._connect_args = ("postgresql://nobody:hunter2@127.0.0.1:1/none",)
            await db._pool.expire_connections()
    else:
        break_(monkeypatch, translated(sqlite3.OperationalError(INSIDE)))
    for name, answer in (await every_door(world, alice)).items():
        assert answer.status == 503, (name, answer.body)
        is_clean(name, answer)
        assert name == "readiness" or int(answer["retry-after"]) > 0


@pytest.mark.parametrize(
    "target", ["/v2/", "/api/v2.0/projects", "/service/token", "/nowhere", "/api/nowhere"]
)
async def test_every_answer_has_an_id_and_a_forged_one_is_not_taken(world: World, target: str) -> None:
    for sent in ("", "x" * 129, "a\tb", "ä", "a\x7f"):
        answer = await world.anybody("GET", target, headers={"x-request-id": sent} if sent else {})
        assert re.fullmatch("[0-9a-f]{24}", answer["x-request-id"])
    assert (await world.anybody("GET", target, headers={"x-request-id": "mine-1"}))[
        "x-request-id"
    ] == "mine-1"
