"""PostgreSQL is restarted, unreachable, slow, locked, full or contended under load: clean 503s only, and nothing lost.

Every test leaves the hub running as it found it: none of them may need a restart of the hub.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg
import pytest

from faults.client import Upload
from faults.images import new_image
from faults.outages import SOFT_SECONDS, probe
from faults.proxy import FaultProxy
from faults.resources import connections, most_connections
from faults.stage import Scene, Stage
from faults.strain import again_and_again, ask_all, crowd_at_work
from faults.two_nodes import node
from postgres import Postgres, binaries

pytestmark = [pytest.mark.system, pytest.mark.slow]

STATEMENT_MS = 1500
SMALL = {
    "FAIRWAY_STATEMENT_TIMEOUT_MS": str(STATEMENT_MS),
    "FAIRWAY_DATABASE_POOL": "4",
    "FAIRWAY_TOKEN_DATABASE_POOL": "2",
}
MOST_CONNECTIONS = 70
WORK_SECONDS = 1.0
PATIENCE_SECONDS = 15.0
"""Everybody is answered by then, ten times the statement timeout."""
FELT_SECONDS = 30.0
"""A fault that is not felt within this time is none."""
TOKEN = "/service/token?service=harbor-registry&scope=repository:library/x:pull"


class Rig:
    """A PostgreSQL of our own, two nodes (the second is not started) and a proxy before the database."""

    def __init__(self, folder: Path) -> None:
        self.server = Postgres(durable=True)
        self.server.sql(f"ALTER SYSTEM SET max_connections = {MOST_CONNECTIONS}")
        self.server.stop()
        self.server.start()
        url = self.server.create("faulty")
        self.proxy = FaultProxy(("127.0.0.1", self.server.port)).start()
        proxied = url.replace(f":{self.server.port}/", f":{self.proxy.port}/")
        shared = folder / "shared"
        shared.mkdir()
        self.first, self.second = (
            node(folder, name, url, shared, workers=2, FAIRWAY_DATABASE_URL=proxied, **SMALL)
            for name in ("first", "second")
        )
        self.stage = Stage(self.first, folder)
        self.first.start()

    def close(self) -> None:
        self.first.kill()
        self.second.kill()
        self.proxy.close()
        self.server.close()

    def connections(self) -> int:
        return connections(self.first, self.stage.inside)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    made = Rig(tmp_path_factory.mktemp("database-faults"))
    yield made
    made.close()


@pytest.fixture
def scene(rig: Rig) -> Iterator[Scene]:
    made = rig.stage.scene()
    made.watch_doors()
    made.watch_resources()
    yield made
    made.close()


def work_on(scene: Scene) -> None:
    """A fresh client pushes and pulls, as if nothing had been."""
    client = scene.client(f"after-{time.monotonic_ns()}")
    client.patience = FELT_SECONDS
    it = new_image(client.rng, 1000)
    client.push_image("library/after", it, ["latest"])
    assert client.manifest("library/after", "latest").body == it.raw


def test_restarts_under_load(rig: Rig, scene: Scene) -> None:
    with crowd_at_work(scene, "restarts") as seen:
        for _ in range(2):
            time.sleep(WORK_SECONDS)
            with scene.outages.fault("a restart of PostgreSQL", forgets=True):
                rig.server.restart_immediately()
        time.sleep(WORK_SECONDS)
    work_on(scene)
    assert [*seen.wrong, *scene.check().broken] == []
    assert seen.counts["503"]


def test_a_crash_forgets_none_but_the_last_uploads(rig: Rig, scene: Scene) -> None:
    """Their rows are committed softly, which means: they are written a moment later."""
    client = scene.client("begins")
    begun = []
    end = time.monotonic() + 2 * SOFT_SECONDS
    while time.monotonic() < end:
        begun.append(Upload(client, "library/begun"))
        time.sleep(0.02)
    with scene.outages.fault("a restart of PostgreSQL", forgets=True):
        rig.server.restart_immediately()
    client.patience = FELT_SECONDS
    known = {upload: client.call("GET", upload.path).status == 204 for upload in begun}
    last = {upload: scene.outages.may_have_forgotten(upload.saved) for upload in begun}
    print(f"{len(begun)} begun, {sum(last.values())} last, {len(begun) - sum(known.values())} forgotten")
    assert not all(last.values())
    assert all(known[upload] or last[upload] for upload in begun)
    for upload in begun:
        client.call("DELETE", upload.path)
    assert scene.check().broken == []


def test_a_black_hole(rig: Rig, scene: Scene) -> None:
    """Nobody waits for as long as it lasts, whoever asks, and whatever they were doing when it began."""
    client = scene.client("before")
    it = new_image(client.rng, 1000)
    client.push_image("library/hole", it, ["latest"])
    ask_all(scene, [("GET", f"/v2/library/hole/manifests/{it.digest}")] * 16)
    asks = [
        ("GET", "/v2/library/hole/manifests/latest"),
        ("POST", "/v2/library/hole/blobs/uploads/"),
        ("DELETE", "/v2/library/hole/manifests/none"),
        ("GET", "/api/v2.0/projects"),
        ("GET", TOKEN),
    ] * 8
    with crowd_at_work(scene, "hole") as seen:
        time.sleep(WORK_SECONDS)
        with scene.outages.fault("a black hole"):
            rig.proxy.black_hole(True)
            answers = ask_all(scene, asks)
            held = rig.proxy.connections()
            alive = [probe(rig.first.place, path) for path in ("/api/v2.0/ping", "/readyz")]
            rig.proxy.black_hole(False)
    assert {status for _, status, _ in answers} == {503}
    assert alive == [200, 503]
    # those given up are not closed before the hole lets them know; but they do not pile up
    assert held <= 2 * most_connections(rig.first)
    slowest = sorted(answers, key=lambda answer: -answer[2])[:5]
    print("slowest:", slowest)
    assert slowest[0][2] < PATIENCE_SECONDS, slowest
    work_on(scene)
    assert [*seen.wrong, *scene.check().broken] == []


def test_a_slow_database(rig: Rig, scene: Scene) -> None:
    """200 ms for each round trip: everything works, slowly, and nobody piles up connections."""
    most = most_connections(rig.first)
    with (
        again_and_again(rig.connections, 0.3) as used,
        crowd_at_work(scene, "slow") as seen,
        scene.outages.fault("a slow database"),
    ):
        rig.proxy.delay(0.1)
        time.sleep(2 * WORK_SECONDS)
        answers = ask_all(scene, [("GET", TOKEN), ("GET", "/readyz"), ("GET", "/api/v2.0/ping")] * 2)
        rig.proxy.delay(0)
    assert {status for _, status, _ in answers} == {200}
    # one that was given up may be closing, at this pace, while its successor opens: in each process
    assert 0 < max(used) <= most + scene.stage.processes()
    assert [*seen.wrong, *scene.check().broken] == []


@contextmanager
def locked(server: Postgres, table: str) -> Iterator[None]:
    """Nobody else can use the table during the block."""
    held, release = threading.Event(), threading.Event()

    async def hold() -> None:
        connection = await asyncpg.connect(server.url("faulty"))
        await connection.execute(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        held.set()
        await asyncio.to_thread(release.wait)
        await connection.close()

    thread = threading.Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    try:
        assert held.wait(30)
        yield
    finally:
        release.set()
        thread.join()


def test_a_locked_table(rig: Rig, scene: Scene) -> None:
    """Who needs it is told to come back; who logs in, and who asks how the hub is, gets an answer at once."""
    most = most_connections(rig.first)
    pulls = [("GET", f"/v2/library/locked/manifests/{number}") for number in range(30)]
    with (
        again_and_again(rig.connections, 0.3) as used,
        crowd_at_work(scene, "locked") as seen,
        scene.outages.fault("a locked table"),
        locked(rig.server, "artifacts"),
        again_and_again(lambda: ask_all(scene, pulls), 0.1) as waiting,
    ):
        time.sleep(WORK_SECONDS)
        calm = ask_all(scene, [("GET", TOKEN), ("GET", "/readyz"), ("GET", "/api/v2.0/ping")] * 4)
    assert {status for _, status, _ in calm} == {200}
    assert {status for round_ in waiting for _, status, _ in round_} == {503}
    # the server process of one that was given up waits for the lock until it hears of it
    assert max(used) <= most + scene.stage.processes()
    work_on(scene)
    assert [*seen.wrong, *scene.check().broken] == []


def test_a_stranger_takes_all_connections(rig: Rig, scene: Scene) -> None:
    async def take_all(release: threading.Event, taken: threading.Event) -> None:
        mine = []
        while not release.is_set():
            try:
                mine.append(await asyncpg.connect(rig.server.url("postgres"), timeout=5))
            except asyncpg.TooManyConnectionsError:
                ours = "application_name = 'fairway'"
                await mine[0].execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}")
                taken.set()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(0.01)  # it was the hub that got one, or the machine is busy
        for connection in mine:
            await connection.close()

    release, taken = threading.Event(), threading.Event()
    stranger = threading.Thread(target=lambda: asyncio.run(take_all(release, taken)))
    with crowd_at_work(scene, "stranger") as seen, scene.outages.fault("a stranger"):
        try:
            stranger.start()
            assert taken.wait(60)
            statuses: set[int] = set()
            deadline = time.monotonic() + FELT_SECONDS
            while 503 not in statuses and time.monotonic() < deadline:
                # now and then the hub is quicker to take what has become free
                asks = [("POST", "/v2/library/x/blobs/uploads/"), ("GET", TOKEN)] * 16
                statuses |= {status for _, status, _ in ask_all(scene, asks)}
        finally:
            release.set()
            stranger.join()
    assert 503 in statuses <= {200, 202, 503}
    work_on(scene)
    assert [*seen.wrong, *scene.check().broken] == []


def test_two_nodes_start_cold_against_a_crowd(rig: Rig, scene: Scene) -> None:
    most = 2 * most_connections(rig.first)
    asks = [("GET", TOKEN), ("GET", "/v2/library/cold/manifests/latest"), ("GET", "/v2/")] * 10
    other = Stage(rig.second, rig.second.folder)
    with ExitStack() as doing:
        used = doing.enter_context(again_and_again(rig.connections, 0.1))
        seen = doing.enter_context(crowd_at_work(scene, "cold", 6))
        doing.enter_context(again_and_again(lambda: ask_all(scene, asks), 0.1))
        with scene.outages.fault("a cold start of everything"):
            rig.first.kill()
            rig.first.launch()
            rig.second.launch()
            rig.second._wait_until_ready(60)
        elsewhere = other.scene()
        client = elsewhere.client("second")
        client.patience = FELT_SECONDS
        client.push_image("library/second", new_image(client.rng, 1000), ["latest"])
        time.sleep(WORK_SECONDS)
    assert rig.second.stop() == 0
    elsewhere.close()
    assert 0 < max(used) <= most
    assert seen.counts["push"]
    assert [*seen.wrong, *scene.check().broken] == []


FAILS = {
    "serialization failures": "40001",
    "deadlocks": "40P01",
}


@pytest.mark.parametrize("code", FAILS.values(), ids=FAILS)
def test_conflicts_are_retried_unseen(rig: Rig, scene: Scene, code: str) -> None:
    """Every transaction that opens an upload or pushes a manifest fails twice before it succeeds."""
    client = scene.client("conflicts")
    with failing(rig.server, code, "count % 3 <> 0"):
        for _ in range(5):
            client.push_image("library/conflicts", new_image(client.rng, 1000, 2000), ["latest"])
    assert not client.refusals
    with failing(rig.server, code, "true"):
        answers = ask_all(scene, [("POST", "/v2/library/conflicts/blobs/uploads/")] * 4)
    assert {status for _, status, _ in answers} == {503}
    assert scene.check().broken == []


@contextmanager
def failing(server: Postgres, code: str, when: str) -> Iterator[None]:
    """Changes of some tables fail with an SQLSTATE, by a trigger that counts (sequences are not rolled back)."""
    tables = ("uploads", "artifacts")
    server.sql("CREATE SEQUENCE counted", "faulty")
    server.sql(
        f"""CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE count bigint := nextval('counted');
        BEGIN
            IF {when} THEN RAISE EXCEPTION 'on purpose' USING ERRCODE = '{code}'; END IF;
            RETURN NULL;
        END $$""",
        "faulty",
    )
    for table in tables:
        server.sql(f"CREATE TRIGGER fail AFTER INSERT ON {table} EXECUTE FUNCTION fail()", "faulty")
    try:
        yield
    finally:
        server.sql("DROP FUNCTION fail CASCADE; DROP SEQUENCE counted", "faulty")
