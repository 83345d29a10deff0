"""Rights are asked for again when a body is there at last (T09): it may take hours, and people leave meanwhile."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import delete, update

from fairway.core.oci.digest import Digest
from fairway.features.registry import gate
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import artifacts, members, project_blobs, projects, users
from stories.asgi import Answer
from stories.world import Person, World, image, layer

BASE = layer("base")
NEW = b"something new"


@pytest.fixture(autouse=True)
def all_bodies_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "FRESH_SECONDS", 0.0)


async def send_slowly(
    who: Person,
    method: str,
    target: str,
    data: bytes,
    meanwhile: Callable[[], Awaitable[Any]],
    content_type: str = "application/octet-stream",
) -> Answer:
    """One request; `meanwhile` happens after the first piece of its body and before the last."""
    last = data[1:]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def slow() -> Any:
            event = await receive()
            if event["type"] == "http.request" and event["body"] == last:
                await meanwhile()
            return event

        await hub(scope, slow, send)

    hub, who.world.app = who.world.app, app
    try:
        return await who(method, target, [data[:1], last], headers={"content-type": content_type})
    finally:
        who.world.app = hub


@pytest.fixture(params=["password", "token"])
async def dave(world: World, request: pytest.FixtureRequest) -> Person:
    """A developer of `team`, with either way to log in."""
    owner = await world.person("alice")
    project = await world.project("team", owner)
    await owner.push_blob("team/app", BASE)
    await owner.push_blob("team/app", b"{}")
    dave = await world.member(project, "dave", Role.DEVELOPER)
    return await dave.with_token("repository:team/app:pull,push") if request.param == "token" else dave


async def _disable(dave: Person) -> None:
    await dave.world.run(update(users).where(users.c.id == dave.id).values(enabled=False))


async def _remove(dave: Person) -> None:
    await dave.world.run(delete(members).where(members.c.user_id == dave.id))


ENDS = pytest.mark.parametrize("end", [_disable, _remove], ids=["disabled", "removed"])


@ENDS
async def test_a_manifest_of_somebody_who_has_left_is_refused(world: World, dave: Person, end: Any) -> None:
    manifest = image("base").manifest
    target = "/v2/team/app/manifests/v1"
    answer = await send_slowly(dave, "PUT", target, manifest.raw, lambda: end(dave), manifest.media_type)
    assert answer.short == (401, "UNAUTHORIZED")
    assert await world.count(artifacts) == 0


@ENDS
async def test_a_blob_of_somebody_who_has_left_is_refused(world: World, dave: Person, end: Any) -> None:
    files = world.files()
    target = f"/v2/team/app/blobs/uploads/?digest={Digest.of(NEW)}"
    assert (await send_slowly(dave, "POST", target, NEW, lambda: end(dave))).short == (401, "UNAUTHORIZED")
    assert world.files() == files


@ENDS
async def test_an_upload_of_somebody_who_has_left_is_not_finished(
    world: World, dave: Person, end: Any
) -> None:
    visible = await world.count(project_blobs)
    target = f"{await dave.start_upload('team/app')}?digest={Digest.of(NEW)}"
    assert (await send_slowly(dave, "PUT", target, NEW, lambda: end(dave))).short == (401, "UNAUTHORIZED")
    assert await world.count(project_blobs) == visible


async def test_a_project_that_was_replaced_meanwhile_gets_nothing(world: World, dave: Person) -> None:
    async def replace() -> None:
        await world.run(update(projects).where(projects.c.name == "team").values(name="old-team"))
        await world.project("team", dave)

    target = f"/v2/team/app/blobs/uploads/?digest={Digest.of(NEW)}"
    assert (await send_slowly(dave, "POST", target, NEW, replace)).short == (401, "UNAUTHORIZED")


async def test_who_stays_is_not_disturbed(dave: Person) -> None:
    async def nothing() -> None:
        pass

    target = f"{await dave.start_upload('team/app')}?digest={Digest.of(NEW)}"
    assert (await send_slowly(dave, "PUT", target, NEW, nothing)).status == 201
    manifest = image("base").manifest
    target = "/v2/team/app/manifests/v1"
    answer = await send_slowly(dave, "PUT", target, manifest.raw, nothing, manifest.media_type)
    assert answer.status == 201
