"""PostgreSQL's disk fills up or fails: it may go down, the hub answers 503 until it is back, and nothing is lost."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from faults.client import Answer, Client, Refused
from faults.disks import failing, full, small_disk
from faults.images import index, new_image
from faults.outages import HEALTHY_SECONDS
from faults.stage import Scene, Stage
from hub import Hub
from postgres import Postgres, binaries

pytestmark = [pytest.mark.system, pytest.mark.slow]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    # Not in pytest's own folder, which only root may enter: PostgreSQL runs as somebody else.
    with TemporaryDirectory(prefix="fairway-small-") as folder:
        Path(folder).chmod(0o711)
        with small_disk(Path(folder) / "disk", size="80m") as disk:
            disk.chmod(0o755)
            made = Postgres(durable=True, data=disk / "data")
            yield made
            made.kill()
            made.close()


@pytest.fixture(scope="module")
def stage(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("hub")
    hub = Hub(folder, workers=3, database_url=server.create("fairway"))
    made = Stage(hub, folder)
    hub.start()
    yield made
    hub.kill()


@pytest.fixture
def scene(stage: Stage) -> Iterator[Scene]:
    before = stage.hub.pids()
    made = stage.scene()
    try:
        yield made
        assert not made.check().broken
    finally:
        made.close()
    assert stage.hub.pids() == before, stage.hub.log[-3000:]


def until_refused(push: Callable[[int], object]) -> Answer:
    """Some more fits where room was made before."""
    for number in range(300):
        try:
            push(number)
        except Refused as error:
            return error.answer
    pytest.fail("the fault is not felt")


def until_accepted(server: Postgres, push: Callable[[], object]) -> None:
    """The fault is over; until PostgreSQL is back, started anew if it has ended, answers must be clean."""
    deadline = time.monotonic() + HEALTHY_SECONDS
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            server.start()
        try:
            push()
            return
        except Refused as error:
            assert_clean(error.answer)
            time.sleep(0.05)
    raise TimeoutError("pushes are refused though the fault is over")


def assert_clean(answer: Answer) -> None:
    assert (answer.status, answer.headers["content-type"]) == (503, "application/json"), answer
    assert answer.code == "UNAVAILABLE"
    assert answer.headers["retry-after"]


def test_a_full_disk_refuses_pushes_and_pulls_go_on_if_postgresql_does(
    scene: Scene, server: Postgres
) -> None:
    client, repo = scene.client("full"), "library/full"
    it = new_image(client.rng, 1000)
    client.push_image(repo, it, ["latest"])
    with full(server.data.parent):
        answer = until_refused(lambda n: client.push_manifest(repo, index([], note="x" * 300_000 + str(n))))
        assert_clean(answer)
        pulled = client.manifest(repo, "latest")
        if server.process.poll() is None and pulled.status == 200:
            assert pulled.body == it.raw
        else:
            assert_clean(pulled)  # without room for its log PostgreSQL stops
    until_accepted(server, lambda: client.push_manifest(repo, it, ["after"]))


def test_a_failed_sync_takes_postgresql_down_for_a_moment_and_nothing_with_it(
    scene: Scene, server: Postgres
) -> None:
    client, repo = scene.client("sync"), "library/sync"
    it = new_image(client.rng, 1000)
    client.push_image(repo, it, ["latest"])
    backends = server.pids()[1:]
    with failing(backends, "fsync,fdatasync", "error=EIO:when=1", follow=False) as calls:
        assert_clean(until_refused(lambda n: lose(client, repo, n)))
        assert "INJECTED" in calls.read_text()
    until_accepted(server, lambda: client.push_image(repo, it, ["after"]))
    assert "PANIC" in (server.folder / "log").read_text()


def lose(client: Client, repo: str, number: int) -> None:
    client.push_manifest(repo, index([], note=f"unsynced {number}"), ["unsynced"])
