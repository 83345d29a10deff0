"""Two nodes behind a load balancer: one after the other is replaced under load, and one stands still and wakes up again."""

import os
import random
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faults.client import Client, Upload
from faults.images import digest_of, new_image
from faults.journal import Journal
from faults.outages import healthy_within
from faults.stage import Stage
from faults.strain import crowd_at_work
from faults.two_nodes import node
from hub import Hub
from postgres import Postgres, free_port

pytestmark = [pytest.mark.system, pytest.mark.slow]

# A request that met the closing door is sent again as long as the balancer still has all of it.
BALANCER = """
global
    tune.bufsize 4194304
    maxconn 100
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    retries 3
    option redispatch
    retry-on conn-failure empty-response
    http-reuse never
frontend all
    bind 127.0.0.1:{port}
    default_backend nodes
backend nodes
    balance roundrobin
    option httpchk GET /readyz
    timeout check 10s
    default-server check inter 200ms fall 2 rise 1
{servers}
"""


@pytest.fixture(scope="module")
def nodes(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Hub]]:
    folder = tmp_path_factory.mktemp("nodes")
    name = f"nodes_{uuid.uuid4().hex}"
    url = postgres.create(name)
    made = [node(folder, each, url, folder, FAIRWAY_UPLOAD_EXPIRY_SECONDS="600") for each in ("one", "two")]
    for each in made:
        each.start()
    yield made
    for each in made:
        each.kill()
    postgres.drop(name)


class Balancer:
    """HAProxy, before some nodes: what a `Stage` takes for a hub."""

    def __init__(self, folder: Path, nodes: list[Hub]) -> None:
        if shutil.which("haproxy", path="/usr/sbin:/usr/bin") is None:
            pytest.skip("haproxy is not installed (Debian: apt-get install haproxy)")
        self.port = free_port()
        self.place = f"127.0.0.1:{self.port}"
        servers = "\n".join(f"    server node{number} {each.place}" for number, each in enumerate(nodes))
        config = folder / "haproxy.cfg"
        config.write_text(BALANCER.format(port=self.port, servers=servers))
        self._process = subprocess.Popen(["/usr/sbin/haproxy", "-db", "-f", str(config)])
        assert healthy_within(self.place, 60)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(20)


def client_of(place: str, folder: Path, name: str) -> Client:
    return Client(place, Journal(folder, name), random.Random(name))


def test_a_rolling_restart_fails_no_request(nodes: list[Hub], tmp_path: Path) -> None:
    """Both nodes are replaced, one after the other, while a crowd works: it does not notice."""
    balancer = Balancer(tmp_path, nodes)
    stage = Stage(nodes[0], tmp_path)
    scene = stage.scene()
    before = stage.hub.place
    try:
        stage.hub.place = balancer.place  # what the crowd talks to
        with crowd_at_work(scene, "rolling") as seen:
            time.sleep(1)
            for each in nodes:
                assert each.stop() == 0
                each.place, place = f"127.0.0.1:{each.port}", each.place
                each.start()
                each.place = place
                assert healthy_within(f"127.0.0.1:{each.port}", 60)
                time.sleep(1)
        assert [*seen.wrong, *scene.check().broken] == []
        assert seen.counts["push"]
        assert seen.counts["lost"] + seen.counts["503"] == 0
    finally:
        stage.hub.place = before
        scene.close()
        balancer.close()


def test_an_upload_longer_than_the_drain_goes_on_elsewhere(nodes: list[Hub], tmp_path: Path) -> None:
    """It is broken off when the time for draining is over; the other node knows how far it came."""
    data = random.Random(3).randbytes(2_000_000)
    one, two = nodes
    one.stop()
    one.start(FAIRWAY_SHUTDOWN_SECONDS="1")
    client = client_of(one.place, tmp_path, "long")
    upload = Upload(client, "library/long")
    upload.patch(data[:500_000], at=0)
    client._connection.close()
    client._connection.putrequest("PATCH", upload.path)
    for name, value in {"Authorization": client._login, "Content-Length": "1500000"}.items():
        client._connection.putheader(name, value)
    client._connection.endheaders(data[500_000:900_000])
    time.sleep(0.5)
    assert one.stop() == 0
    client.close()

    other = client_of(two.place, tmp_path, "other")
    upload.client = other
    at = upload.offset()
    assert 500_000 <= at <= 900_000
    upload.patch(data[at:], at=at)
    upload.finish(digest_of(data))
    assert other.blob("library/long", digest_of(data)).body == data
    other.close()
    one.start()


@contextmanager
def stopped(hub: Hub) -> Iterator[None]:
    """SIGSTOP to all its processes, and SIGCONT."""
    pids = hub.pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_a_node_that_stood_still_does_nothing_twice(nodes: list[Hub], tmp_path: Path) -> None:
    """While one sleeps, with whatever it had begun, the other cleans up and goes on; then the first one wakes."""
    one, two = nodes
    awake = Stage(two, tmp_path)
    inside = awake.inside
    scene = awake.scene()
    client = scene.client("before")
    it = new_image(client.rng, 3000)
    client.push_image("library/sleep", it, ["latest"])
    with crowd_at_work(scene, "sleep") as seen:
        mine = client_of(one.place, tmp_path, "mine")
        upload = Upload(mine, "library/sleep")
        upload.patch(b"first part", at=0)
        with stopped(one):
            # what one of the two has to do, once; quotas are added up every five seconds
            due = inside.throw_away(client.rng.randbytes(1000), in_seconds=-1)
            kept = inside.throw_away(client.rng.randbytes(1000), in_seconds=3600)
            litter = inside.storage / "uploads" / uuid.uuid4().hex
            litter.write_bytes(b"nobody's")
            os.utime(litter, (0, 0))
            fold = "SELECT COUNT(*) FROM quota_deltas WHERE id <= " + str(newest(inside.rows))
            eventually(lambda: inside.rows(fold) == [(0,)])
            eventually(lambda: not litter.exists() and not due.exists())
        assert healthy_within(one.place, 60)
        upload.patch(b" second part", at=10)
        upload.finish(digest_of(b"first part second part"))
        mine.close()
        time.sleep(1)
    assert kept.exists()
    assert inside.rows("SELECT size FROM trash") == [(1000,)]
    assert seen.counts["push"]
    assert [*seen.wrong, *scene.check().broken] == []
    client.close()  # it was idle for too long
    assert client.manifest("library/sleep", "latest").body == it.raw
    scene.close()


def newest(rows: Callable[[str], list[tuple[int, ...]]]) -> int:
    [(number,)] = rows("SELECT COALESCE(MAX(id), 0) FROM quota_deltas")
    return int(number)


def eventually(true: Callable[[], bool]) -> None:
    deadline = (
        time.monotonic() + 150
    )  # beyond idle_in_transaction_session_timeout: who stands still may hold a lock
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)
