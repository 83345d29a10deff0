"""Clocks that are wrong, jump, or are far in the future: nothing is deleted early, nobody gets in, nothing overflows."""

import json
import os
import random
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from faults.client import Answer, Client, Upload
from faults.clocks import FakeClock, until
from faults.images import digest_of, new_image
from faults.journal import Journal
from faults.stage import Scene, Stage
from faults.strain import crowd_at_work
from faults.two_nodes import node
from hub import Hub
from postgres import Postgres

pytestmark = [pytest.mark.system, pytest.mark.slow]

EXPIRY = 600
HOUR = 3600
DATA = random.Random(1).randbytes(200_000)
TOKEN = "/service/token?service=harbor-registry&scope=repository:library/clocks:pull,push"


@dataclass
class Nodes:
    """Two nodes of one installation: one that has the right time, and one that has not and is not started."""

    right: Stage
    wrong: Hub
    clock: FakeClock


@pytest.fixture(scope="module")
def nodes(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    folder = tmp_path_factory.mktemp("clocks")
    clock = FakeClock(folder / "clock")
    name = f"clocks_{uuid.uuid4().hex}"
    url = postgres.create(name)
    few = {"FAIRWAY_UPLOAD_EXPIRY_SECONDS": str(EXPIRY), "FAIRWAY_TRASH_SECONDS": "3600"}
    right = node(folder, "right", url, folder, **few)
    wrong = node(folder, "wrong", url, folder, **few, **clock.env)
    stage = Stage(right, folder)
    right.start()
    yield Nodes(stage, wrong, clock)
    wrong.kill()
    right.kill()
    postgres.drop(name)


@pytest.fixture
def scene(nodes: Nodes) -> Iterator[Scene]:
    made = nodes.right.scene()
    yield made
    made.close()
    nodes.wrong.kill() if nodes.wrong.process else None


def client_of(hub: Hub, scene: Scene, name: str) -> Client:
    return Client(hub.place, Journal(scene.folder, name), random.Random(name))


@pytest.mark.parametrize("offset", [2 * HOUR, -2 * HOUR])
def test_a_node_with_another_time_deletes_nothing_early(nodes: Nodes, scene: Scene, offset: int) -> None:
    """Its housekeeping goes through everything at its start."""
    inside = nodes.right.inside
    client = scene.client(f"early{offset}")
    it = new_image(client.rng, 3000)
    client.push_image("library/clocks", it, ["latest"])
    due = inside.throw_away(client.rng.randbytes(5000), in_seconds=-1)
    kept_for_an_hour = inside.throw_away(client.rng.randbytes(5000), in_seconds=HOUR)
    upload = Upload(client, "library/clocks")
    upload.patch(DATA[:100_000], at=0)
    leases = "SELECT COUNT(*) FROM leases"
    before = inside.rows(leases)
    litter = inside.storage / "uploads" / uuid.uuid4().hex
    litter.write_bytes(b"nobody's")
    os.utime(litter, times=(time.time() - 5 * HOUR,) * 2)

    nodes.clock.set(offset)
    nodes.wrong.start()
    for file in (litter, due):
        wait_until_gone(file)

    upload.patch(DATA[100_000:], at=100_000)
    upload.finish(digest_of(DATA))
    assert client.blob("library/clocks", digest_of(DATA)).body == DATA
    assert kept_for_an_hour.exists()
    assert inside.rows(leases) >= before
    elsewhere = client_of(nodes.wrong, scene, f"elsewhere{offset}")
    elsewhere.push_image("library/clocks", new_image(elsewhere.rng, 1000), ["elsewhere"])
    assert elsewhere.manifest("library/clocks", "latest").body == it.raw
    elsewhere.close()
    assert not scene.check().broken


def wait_until_gone(file: Path) -> None:
    """What really is old goes, and what goes with it has then gone too."""
    deadline = time.monotonic() + 90
    while file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1)


@pytest.mark.parametrize("offset", [90, -90])
def test_tokens_are_good_on_a_node_that_is_90_seconds_off(nodes: Nodes, scene: Scene, offset: int) -> None:
    nodes.clock.set(offset)
    nodes.wrong.start()
    ours, theirs = scene.client(f"ours{offset}"), client_of(nodes.wrong, scene, f"theirs{offset}")
    for signing, taking in ((ours, theirs), (theirs, ours)):
        assert with_token(taking, token_of(signing)).status == 202
    theirs.close()


def test_old_tokens_are_refused_by_whoever_takes_them_for_old(nodes: Nodes, scene: Scene) -> None:
    nodes.clock.set(2 * HOUR)
    nodes.wrong.start()
    theirs = client_of(nodes.wrong, scene, "theirs")
    refused = with_token(theirs, token_of(scene.client("ours")))
    assert refused.status == 401
    assert with_token(theirs, token_of(theirs)).status == 202
    theirs.close()


def token_of(client: Client) -> str:
    token: str = json.loads(client.call("GET", TOKEN).body)["token"]
    return token


def with_token(client: Client, token: str) -> Answer:
    return client.call(
        "POST", "/v2/library/clocks/blobs/uploads/", headers={"Authorization": f"Bearer {token}"}
    )


def test_jumps_under_load(nodes: Nodes, tmp_path: Path) -> None:
    """Forth, back beyond where it was, and right again."""
    stage = Stage(nodes.wrong, tmp_path)
    nodes.clock.set(0)
    nodes.wrong.start()
    scene = stage.scene()
    with crowd_at_work(scene, "jumps") as seen:
        for ahead in (2 * HOUR, -2 * HOUR, 0):
            nodes.clock.set(ahead)
            time.sleep(1.5)
    assert [*seen.wrong, *scene.check().broken] == []
    assert seen.counts["push"]
    assert not seen.counts["503"]
    scene.close()
    nodes.wrong.kill()


@pytest.mark.parametrize(
    ("moment", "zone"),
    [("2038-01-20", "UTC"), ("", "Pacific/Kiritimati"), ("", "America/St_Johns")],
)
def test_a_whole_machine_at_another_time(tmp_path: Path, moment: str, zone: str) -> None:
    """SQLite takes the time from the same machine: tokens, leases and expiry agree with each other."""
    clock = FakeClock(tmp_path / "clock", until(moment) if moment else 0)
    folder = tmp_path / "hub"
    folder.mkdir()
    hub = Hub(folder, env={**clock.env, "TZ": zone})
    stage = Stage(hub, tmp_path)
    hub.start()
    try:
        scene = stage.scene()
        client = scene.client("then")
        it = new_image(client.rng, 3000, 200)
        client.push_image("library/clocks", it, ["latest"])
        assert with_token(client, token_of(client)).status == 202
        scene.restart()
        client.close()
        assert client.manifest("library/clocks", "latest").body == it.raw
        [(created,)] = stage.inside.rows("SELECT MAX(created_at) FROM artifacts")
        shift = created / 1_000_000 - time.time()
        assert (
            abs(shift - (until(moment) if moment else 0)) < HOUR / 4
        )  # no time zone has got in, nothing overflowed
        [(left,)] = stage.inside.rows(f"SELECT MIN(until_at) - {created} FROM leases")
        assert HOUR / 2 < left / 1_000_000 < 2 * HOUR
        assert not scene.check().broken
        scene.close()
    finally:
        hub.kill()
