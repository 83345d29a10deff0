"""Many clients push the same thing at the same moment: everybody is told 201, and it is there once."""

import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.client import Client
from faults.images import digest_of, image
from faults.stage import Scene, Stage
from hub import Hub

pytestmark = [pytest.mark.system, pytest.mark.slow]

CLIENTS = 50


def all_at_once(scene: Scene, deed: Callable[[Client], object]) -> list[BaseException]:
    """Let every client do it in the same moment; what went wrong."""
    gate = threading.Barrier(CLIENTS)
    failures: list[BaseException] = []

    def go(client: Client) -> None:
        try:
            client.call("GET", "/v2/")  # connected and logged in
            gate.wait(60)
            deed(client)
        except Exception as error:
            failures.append(error)

    threads = [
        threading.Thread(target=go, args=(scene.client(f"client-{number}"),)) for number in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def test_one_blob_and_one_tag_by_fifty(hub: Hub, tmp_path: Path) -> None:
    scene = Stage(hub, tmp_path).scene()
    layer = random.Random(7).randbytes(400_000)
    config = random.Random(8).randbytes(300)
    it = image(config, [layer])

    assert not all_at_once(scene, lambda client: client.push_blob("library/crowd", layer))
    scene.client("config").push_blob("library/crowd", config)
    assert not all_at_once(scene, lambda client: client.push_manifest("library/crowd", it, ["latest"]))

    inside = scene.stage.inside
    assert [key for key in inside.objects() if digest_of(layer).partition(":")[2] in key] == [
        key for (key,) in inside.rows(f"SELECT key FROM blobs WHERE digest = '{digest_of(layer)}'")
    ]
    [(charged,)] = inside.rows(
        "SELECT CAST(used + COALESCE((SELECT SUM(delta) FROM quota_deltas), 0) AS BIGINT) FROM quotas"
    )
    assert charged == len(layer) + len(config) + len(it.raw)
    report = scene.check()
    assert not report.broken
    assert report.counts["orphans"] == 0
    scene.close()


def test_tags_moved_by_fifty_end_at_one_of_them(hub: Hub, tmp_path: Path) -> None:
    scene = Stage(hub, tmp_path).scene()
    shared = scene.client("shared")
    shared.push_blob("library/crowd", b"{}")

    def push_own(client: Client) -> None:
        layer = client.rng.randbytes(1000)
        client.push_blob("library/crowd", layer)
        client.push_manifest("library/crowd", image(b"{}", [layer]), ["latest"])

    assert not all_at_once(scene, push_own)
    assert not scene.check().broken
    scene.close()
