"""The hub as its operators see it: the catalogue, pull counts, request ids, probes and metrics; and starting and stopping."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from fairway.app import Hub
from fairway.boot import make
from fairway.core.oci.digest import Digest
from fairway.features.registry import pulls as pulls_module
from fairway.frame.db.tables import artifacts, repositories, tags
from fairway.frame.settings import Settings
from stories.asgi import call
from stories.world import Person, World, image, index, open_world, replica

METRICS = "2LS3WzQwYt2JdPpXyV0HnJmR8cTfAeUo"


@pytest.fixture
async def alice(world: World) -> Person:
    """She owns `team` and pushed an image to it."""
    alice = await world.person("alice")
    await world.project("team", alice, public=True)
    assert (await alice.push("team/app:v1", image("base"))).status == 201
    return alice


class TestTheCatalogue:
    async def test_an_administrator_sees_every_repository(self, world: World, alice: Person) -> None:
        for name in ("team/base:v1", "team/a/b:v1"):
            await alice.push(name, image("base"))
        answer = await world.admin("GET", "/v2/_catalog")
        assert answer.json == {"repositories": ["team/a/b", "team/app", "team/base"]}
        bearer = await world.admin.with_token("registry:catalog:*")
        assert (await bearer("GET", "/v2/_catalog")).body == answer.body

    async def test_nobody_else_does(self, world: World, alice: Person) -> None:
        for who in (world.anybody, alice, await alice.with_token("registry:catalog:*")):
            assert (await who("GET", "/v2/_catalog")).short == (401, "UNAUTHORIZED")
        narrow = await world.admin.with_token("repository:team/app:pull,push,delete")
        assert (await narrow("GET", "/v2/_catalog")).short == (401, "UNAUTHORIZED")

    async def test_it_comes_in_pages(self, world: World, alice: Person) -> None:
        for name in ("b", "c", "d"):
            await alice.push(f"team/{name}:v1", image("base"))
        await world.project("a-team", alice)
        await alice.push("a-team/z:v1", image())
        pages, target = [], "/v2/_catalog?n=2"
        while target:
            answer = await world.admin("GET", target)
            pages.append(answer.json["repositories"])
            target = answer["link"].partition("<")[2].partition(">")[0] if "link" in answer else ""
        assert pages == [["a-team/z", "team/app"], ["team/b", "team/c"], ["team/d"]]


class TestPullCounts:
    """A pull writes nothing; counts are written together, now and then."""

    async def test_pulls_are_written_in_batches(self, world: World, alice: Person) -> None:
        before = await world.stored()
        for ref in (":v1", ":v1", f"@{image('base').digest}"):
            await alice.pull(f"team/app{ref}")
        assert await world.stored() == before
        assert await world.parts.hub.pulls.flush() == 3
        (repository,), (artifact,), (tag,) = [
            await world.rows(table) for table in (repositories, artifacts, tags)
        ]
        assert (repository["pull_count"], artifact["pull_count"]) == (3, 3)
        assert None not in (repository["pulled_at"], artifact["pulled_at"], tag["pulled_at"])
        assert await world.parts.hub.pulls.flush() == 0

    async def test_looking_is_not_pulling(self, world: World, alice: Person) -> None:
        await alice("HEAD", "/v2/team/app/manifests/v1")
        await alice("GET", "/v2/team/app/tags/list")
        await alice.blob("team/app", image("base").manifest.layers[0].digest)
        await alice.pull("team/app:none")
        same = {"if-none-match": f'"{image("base").digest}"'}
        assert (await alice("GET", "/v2/team/app/manifests/v1", headers=same)).status == 304
        assert await world.parts.hub.pulls.flush() == 0

    async def test_what_was_deleted_meanwhile_is_passed_over(self, world: World, alice: Person) -> None:
        await alice.push("team/app:v2", image("code"))
        for tag in ("v1", "v2"):
            await alice.pull(f"team/app:{tag}")
        await alice.delete(f"team/app@{image('base').digest}")
        assert await world.parts.hub.pulls.flush() == 2
        assert [row["pull_count"] for row in await world.rows(artifacts)] == [1]

    async def test_what_cannot_be_written_is_counted_later(
        self, world: World, alice: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await alice.pull("team/app:v1")
        pulls = world.parts.hub.pulls

        class Broken:
            async def write(self, *_args: Any, **_options: Any) -> None:
                raise ConnectionError

        with monkeypatch.context() as patch:
            patch.setattr(pulls, "_db", Broken())
            with pytest.raises(ConnectionError):
                await pulls.flush()
        await alice.pull("team/app:v1")
        assert await pulls.flush() == 2

    async def test_a_flush_that_is_broken_off_forgets_one_batch_at_most(
        self, world: World, alice: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pulls_module, "_BATCH", 1)
        await alice.pull("team/app:v1")
        await alice.pull(f"team/app@{image('base').digest}")
        pulls = world.parts.hub.pulls

        class Endless:
            async def write(self, *_args: Any, **_options: Any) -> None:
                await asyncio.Event().wait()

        with monkeypatch.context() as patch:
            patch.setattr(pulls, "_db", Endless())
            flush = asyncio.ensure_future(pulls.flush())
            await asyncio.sleep(0)
            flush.cancel()
            with pytest.raises(asyncio.CancelledError):
                await flush
        assert await pulls.flush() == 1

    async def test_processes_count_together(
        self, world: World, alice: Person, database_url: str, tmp_path: Path
    ) -> None:
        async with replica(database_url, tmp_path) as other:
            for app in (world, other):
                await call(
                    app.app,
                    "GET",
                    "/v2/team/app/manifests/v1",
                    headers={"authorization": alice.authorization},
                )
            await asyncio.gather(world.parts.hub.pulls.flush(), other.parts.hub.pulls.flush())
        assert [row["pull_count"] for row in await world.rows(artifacts)] == [2]


class TestRequestIds:
    @pytest.mark.parametrize("path", ["/v2/", "/api/v2.0/ping", "/service/token", "/readyz", "/nowhere"])
    async def test_a_plain_id_is_given_back(self, world: World, path: str) -> None:
        answer = await world.anybody("GET", path, headers={"x-request-id": "a-client's id"})
        assert answer["x-request-id"] == "a-client's id"

    async def test_otherwise_the_hub_makes_one(self, world: World) -> None:
        for given in ({}, {"x-request-id": "ü"}, {"x-request-id": "x" * 129}, {"x-request-id": "a\tb"}):
            made = (await world.anybody("GET", "/v2/", headers=given))["x-request-id"]
            assert len(made) == 24
            assert made not in given.values()


class TestProbes:
    async def test_a_hub_is_alive_and_ready(self, world: World) -> None:
        assert (await world.anybody("GET", "/api/v2.0/ping")).body == b"Pong"
        ready = await world.anybody("GET", "/readyz")
        assert (ready.status, ready.json) == (200, {"database": "ok", "storage": "ok"})

    async def test_without_its_storage_it_is_not_ready(self, database_url: str, tmp_path: Path) -> None:
        async with open_world(database_url, tmp_path) as world:
            folder = world.settings.storage_path / "uploads"
            elsewhere = folder.rename(folder.with_name("elsewhere"))
            answer = await world.anybody("GET", "/readyz")
            elsewhere.rename(folder)
            assert (answer.status, answer.json["database"]) == (503, "ok")
            assert answer.json["storage"] != "ok"
            assert str(tmp_path) not in answer.body.decode()

    async def test_metrics_are_for_this_machine(self, world: World, alice: Person) -> None:
        assert (await world.anybody("GET", "/metrics")).short == (404, "NOT_FOUND")
        here = await call(world.app, "GET", "/metrics", client="127.0.0.1")
        assert (here.status, here["content-type"].partition(";")[0]) == (200, "text/plain")
        assert (
            b'fairway_http_requests_total{method="PUT",operation="v2.PutManifest",status="2xx"}' in here.body
        )
        assert b"team" not in here.body
        proxied = await call(
            world.app, "GET", "/metrics", client="127.0.0.1", headers={"x-forwarded-for": "192.0.2.9"}
        )
        assert proxied.status == 404

    async def test_or_for_who_has_the_token(self, database_url: str, tmp_path: Path) -> None:
        async with open_world(database_url, tmp_path, metrics_token=METRICS) as world:
            for header in ("", "Bearer wrong", f"Basic {METRICS}"):
                assert (
                    await world.anybody("GET", "/metrics", headers={"authorization": header})
                ).status == 401
            answer = await world.anybody("GET", "/metrics", headers={"authorization": f"Bearer {METRICS}"})
            assert answer.status == 200

    async def test_nothing_else_is_served(self, world: World) -> None:
        for path in ("/", "/v3/", "/v2x/", "/service/token/", "/service", "/metrics/", "/readyz/"):
            assert (await world.anybody("GET", path)).short == (404, "NOT_FOUND"), path


class TestTagLists:
    async def test_a_page_has_a_thousand_at_most(self, world: World, alice: Person) -> None:
        (artifact,), (repository,) = await world.rows(artifacts), await world.rows(repositories)
        names = sorted(f"t{n}" for n in range(1200))
        more = [
            {"repository_id": repository["id"], "artifact_id": artifact["id"], "name": name}
            | {"pushed_at": 0, "created_at": 0}
            for name in names
        ]
        await world.run(insert(tags).values(more))
        answer = await alice("GET", "/v2/team/app/tags/list")
        assert answer.json["tags"] == names[:1000]
        assert answer["link"] == f'</v2/team/app/tags/list?n=1000&last={names[999]}>; rel="next"'
        rest = await alice("GET", f"/v2/team/app/tags/list?last={names[999]}")
        assert (rest.json["tags"], "link" in rest) == ([*names[1000:], "v1"], False)


class TestReferrers:
    async def test_signatures_and_the_like_are_found_by_what_they_refer_to(self, alice: Person) -> None:
        subject = {
            "mediaType": image("base").manifest.media_type,
            "digest": image("base").digest,
            "size": image("base").manifest.size,
        }
        signature = image(
            subject=subject, artifactType="application/x.signature", annotations={"by": "alice"}
        )
        pushed = await alice.push(f"team/app@{signature.digest}", signature)
        assert pushed["oci-subject"] == image("base").digest
        await alice.push("team/app:list", index(subject=subject))
        found = await alice("GET", f"/v2/team/app/referrers/{image('base').digest}")
        assert found["content-type"] == "application/vnd.oci.image.index.v1+json"
        assert {entry["digest"] for entry in found.json["manifests"]} == {
            signature.digest,
            index(subject=subject).digest,
        }
        only = await alice(
            "GET", f"/v2/team/app/referrers/{image('base').digest}?artifactType=application/x.signature"
        )
        assert only["oci-filters-applied"] == "artifactType"
        assert [entry["annotations"] for entry in only.json["manifests"]] == [{"by": "alice"}]

    async def test_there_is_always_a_list(self, alice: Person) -> None:
        for repo in ("team/app", "team/never-pushed"):
            answer = await alice("GET", f"/v2/{repo}/referrers/{Digest.of(b'nothing')}")
            assert (answer.status, answer.json["manifests"]) == (200, [])


class TestStartingAndStopping:
    """What the server tells an app by lifespan events."""

    async def test_counted_pulls_are_written_at_the_end(self, world: World, alice: Person) -> None:
        hub, events = Hub(make(world.settings)), asyncio.Queue[dict[str, str]]()
        told: list[str] = []

        async def send(event: Any) -> None:
            told.append(event["type"])
            if event["type"] == "lifespan.startup.complete":
                headers = {"authorization": alice.authorization}
                answer = await call(hub, "GET", "/v2/team/app/manifests/v1", headers=headers)
                assert answer.status == 200
                await events.put({"type": "lifespan.shutdown"})

        await events.put({"type": "lifespan.startup"})
        await hub({"type": "lifespan"}, events.get, send)
        assert told == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        assert [row["pull_count"] for row in await world.rows(artifacts)] == [1]

    async def test_a_hub_that_cannot_start_says_so(self, tmp_path: Path) -> None:
        unreachable = "postgresql://nobody@127.0.0.1:1/fairway"
        hub = Hub(make(Settings(data_dir=tmp_path, database_url=unreachable)))
        told: list[Any] = []

        async def receive() -> dict[str, str]:
            return {"type": "lifespan.startup"}

        async def send(event: Any) -> None:
            told.append(event)

        await hub({"type": "lifespan"}, receive, send)
        (failed,) = told
        assert failed["type"] == "lifespan.startup.failed"
        assert "database" in failed["message"]

    def test_what_is_made_before_the_fork_has_no_thread_and_no_file(
        self, database_url: str, tmp_path: Path
    ) -> None:
        settings = Settings(data_dir=tmp_path, database_url=database_url)
        Hub(make(settings)).prepare()  # loads what is loaded once
        before = _held()
        hub = Hub(make(settings))
        hub.prepare()
        assert _held() == before


def _held() -> tuple[int, int]:
    """Threads and open files of this process."""
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
