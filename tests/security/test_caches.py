"""What is gone is gone in every process at the next request, however warm its memory was (T63).

Three web workers of a real hub: each request is a connection of its own, and enough of them reach every worker.
`test_mounting.py` has the same with two hubs in this process, step by step.
"""

import asyncio
import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import delete, select, update

from fairway.frame.db import open_database
from fairway.frame.db.tables import members, users
from faults.images import image
from hub import PASSWORD, Hub
from postgres import Postgres
from system.test_login import add_user
from system.wire import Wire

pytestmark = [pytest.mark.system, pytest.mark.slow]

ASKED = 24
"""So many connections leave out one of three workers once in ten thousand times."""
IMAGE = image(b'{"of":"caches"}', [b"a layer of the image"])
BLOB = next(iter(IMAGE.blobs))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def three(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    name = f"z_{uuid.uuid4().hex}"
    server: Postgres | None = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    url = server.create(name) if server else None
    hub = Hub(tmp_path_factory.mktemp("caches"), workers=3, database_url=url).start()
    add_user(hub, "dev", PASSWORD)
    yield hub
    hub.kill()
    if server:
        server.drop(name)


def push(wire: Wire, repo: str) -> None:
    for content in IMAGE.blobs.values():
        wire.push_blob(repo, content)
    put = wire.ask("PUT", f"/v2/{repo}/manifests/v1", IMAGE.raw, {"Content-Type": IMAGE.media_type})
    assert put.status == 201, put


def token(wire: Wire, scope: str) -> Wire:
    """The same person with a token."""
    answer = wire.ask("GET", f"/service/token?service=harbor-registry&scope={scope}")
    bearing = Wire(wire.hub, "")
    bearing.headers["Authorization"] = f"Bearer {answer.json()['token']}"
    return bearing


def statuses(wire: Wire, target: str, method: str = "GET") -> set[int]:
    """What all workers say."""
    return {wire.ask(method, target).status for _ in range(ASKED)}


def change(hub: Hub, statement: object) -> None:
    """SQL that no route offers yet."""

    async def run() -> None:
        db = await open_database(hub.database_url, pool=1)
        await db.write(lambda conn: conn.run(statement))  # type: ignore[arg-type]
        await db.close()

    asyncio.run(run())


def test_a_deleted_blob_and_manifest_are_gone_everywhere(three: Hub) -> None:
    admin = Wire(three)
    admin.create_project("gone")
    push(admin, "gone/app")
    bearer = token(admin, "repository:gone/app:pull,push")
    manifests = [f"/v2/gone/app/manifests/{ref}" for ref in ("v1", IMAGE.digest)]
    blobs = [f"/v2/gone/app/blobs/{digest}" for digest in IMAGE.blobs]
    for who in (admin, bearer):
        for target in (*manifests, *blobs):
            assert statuses(who, target) == {200}
    assert admin.ask("DELETE", manifests[1]).status == 202
    for target in manifests:
        assert statuses(bearer, target) == statuses(admin, target, "HEAD") == {404}
    for target in blobs:
        assert admin.ask("DELETE", target).status == 202
        assert statuses(bearer, target) == statuses(admin, target, "HEAD") == {404}
    admin.create_project("elsewhere")
    push(admin, "elsewhere/app")
    for target in (*manifests, *blobs):
        assert statuses(bearer, target) == {404}, "and another project's push does not bring it back"
    mounted = admin.ask("POST", f"/v2/gone/app/blobs/uploads/?mount={BLOB}&from=gone/app", b"")
    assert mounted.status == 202


def test_a_deleted_project_is_gone_everywhere_and_its_name_is_nobodys(three: Hub) -> None:
    """T10, too: a token for the old project is none for the new one of its name."""
    admin = Wire(three)
    admin.create_project("shortlived")
    admin.push_blob("shortlived/app", IMAGE.blobs[BLOB])
    bearer = token(admin, "repository:shortlived/app:pull,push,delete")
    target = f"/v2/shortlived/app/blobs/{BLOB}"
    assert statuses(bearer, target) == {200}
    assert admin.ask("DELETE", "/api/v2.0/projects/shortlived").status == 200
    assert statuses(bearer, target) == {404}
    assert statuses(admin, "/api/v2.0/projects/shortlived") == {404}
    admin.create_project("shortlived")
    admin.push_blob("shortlived/app", IMAGE.blobs[BLOB])
    assert statuses(admin, target) == {200}
    assert statuses(bearer, target) == {404}
    assert statuses(bearer, target, "DELETE") == {401}


def test_a_right_that_is_taken_is_taken_everywhere(three: Hub) -> None:
    """Membership, account and password; only a token that may pull pulls on until it ends, five minutes at most."""
    dev, target = Wire(three, "dev"), f"/v2/devs/app/blobs/{BLOB}"
    dev.create_project("devs")
    dev.push_blob("devs/app", IMAGE.blobs[BLOB])
    bearer = token(dev, "repository:devs/app:pull,push")
    assert statuses(dev, target) == {200}
    dev_id = select(users.c.id).where(users.c.username == "dev").scalar_subquery()
    change(three, delete(members).where(members.c.user_id == dev_id))
    assert statuses(dev, target) == {401}
    assert statuses(bearer, "/v2/devs/app/blobs/uploads/", "POST") == {401}
    assert statuses(dev, "/v2/") == {200}
    change(three, update(users).where(users.c.username == "dev").values(enabled=False))
    assert dev.ask("GET", "/v2/").status == 401
    change(three, update(users).where(users.c.username == "dev").values(enabled=True))
    assert statuses(dev, "/v2/") == {200}
