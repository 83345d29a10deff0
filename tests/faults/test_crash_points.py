"""A process dies between any two steps of a push: nothing acknowledged is lost, nothing half done is seen.

Every point at which the code can be made to die is tried, first with one web worker dying and being replaced, then
with all processes dying and a new start.  FAIRWAY_TEST_CRASH_ROUNDS further deaths are drawn by lot, over all worlds: which
point, at which pass, in the middle of which work; FAIRWAY_TEST_SEED repeats a run's draws.
"""

import ast
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest

import fairway
from faults.client import Client, Lost, Upload
from faults.conftest import WORLDS
from faults.images import Image, digest_of, new_image
from faults.stage import Scene, note, seed
from faults.workload import Crowd, Member
from features.gc.yard import POINTS as COLLECTOR
from features.projects.test_force import POINTS as DELETION
from features.retention.test_deaths import POINTS as RETENTION
from features.webhooks.test_bad_targets import POINTS as TELLING

pytestmark = [pytest.mark.system, pytest.mark.slow]

ROUNDS = int(os.environ.get("FAIRWAY_TEST_CRASH_ROUNDS", "4"))
CLIENTS = 4
MOST_PASSES = 12
LONGEST = 20.0
"""Seconds a crowd works at most without passing the point so often: nobody deletes and pushes again by lot alone."""

NOTHING, BLOB, MANIFEST = range(3)

FATES = {
    "upload.after_row": NOTHING,
    "upload.during_append": NOTHING,
    "upload.after_write": NOTHING,
    "upload.after_fsync": NOTHING,
    "upload.after_rename": NOTHING,
    "upload.after_dirsync": NOTHING,
    "blob.before_transaction": NOTHING,
    "blob.in_transaction": NOTHING,
    "blob.after_commit": BLOB,
    "manifest.before_transaction": BLOB,
    "manifest.after_row": BLOB,
    "manifest.before_tag": BLOB,
    "manifest.after_commit": MANIFEST,
}
"""What is there after a death at each point: nothing yet, the first blob but not the manifest, or the manifest too."""


def points_in_the_code() -> set[str]:
    """Every name passed to `crashpoint` in the package."""
    return {
        argument.value
        for file in Path(fairway.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "crashpoint"
        for argument in node.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }


def test_every_point_in_the_code_is_tried_here() -> None:
    """No push passes those tried in gc/test_deaths.py, projects/test_force.py, retention/test_deaths.py and
    webhooks/test_bad_targets.py of features."""
    assert points_in_the_code() == set(FATES) | COLLECTOR | DELETION | RETENTION | TELLING


@pytest.mark.parametrize("point", FATES)
def test_a_death_leaves_all_or_nothing(scene: Scene, point: str) -> None:
    client = scene.client(point)
    repo = f"library/{point}"

    image = push_and_die(scene, client, repo, point)
    scene.stage.wait_until_whole()
    assert seen(client, repo, image) == FATES[point]
    push(client, repo, image)

    image = push_and_die(scene, client, repo, point)
    scene.restart()
    assert seen(client, repo, image) == FATES[point]
    assert not scene.check().broken
    push(client, repo, image)
    assert seen(client, repo, image) == MANIFEST
    assert not scene.check().broken


def push(client: Client, repo: str, image: Image) -> None:
    """Every blob in pieces, so that a push passes every point there is."""
    for data in image.blobs.values():
        client.push_blob(repo, data, "chunks")
    client.push_manifest(repo, image, ["latest"])


def push_and_die(scene: Scene, client: Client, repo: str, point: str) -> Image:
    image = new_image(client.rng, 300_000)
    scene.stage.arm(point)
    with pytest.raises(Lost):
        push(client, repo, image)
    assert scene.stage.fired()
    return image


def seen(client: Client, repo: str, image: Image) -> int:
    """How much of an image the hub shows."""
    first = next(iter(image.blobs))
    blob = client.blob(repo, first)
    assert blob.status == 404 or digest_of(blob.body) == first
    manifest = client.manifest(repo, image.digest)
    tagged = client.manifest(repo, "latest").headers.get("docker-content-digest") == image.digest
    assert tagged == (manifest.status == 200)
    return (blob.status == 200) + tagged


@pytest.mark.parametrize("everybody", [False, True], ids=["one worker dies", "all die"])
def test_an_upload_goes_on_from_what_was_acknowledged(scene: Scene, everybody: bool) -> None:
    client = scene.client(f"resume-{everybody}")
    data = random.Random(1).randbytes(1_300_000)
    upload = Upload(client, "library/resumed")
    upload.patch(data[:1_000_000], at=0)
    scene.stage.arm("upload.during_append", passes=2)
    with pytest.raises(Lost):
        upload.patch(random.Random(2).randbytes(2_000_000), at=1_000_000)
    assert scene.stage.fired()
    if everybody:
        scene.restart()
    else:
        scene.stage.wait_until_whole()

    # longer than what follows, and with other bytes: nothing of the lost chunk may be left
    assert upload.offset() == 1_000_000
    upload.patch(data[1_000_000:1_100_000], at=1_000_000)
    upload.patch(data[1_100_000:], at=1_100_000)
    upload.finish(digest_of(data))
    assert client.blob("library/resumed", digest_of(data)).body == data
    assert not scene.check().broken


def test_a_death_in_the_middle_of_a_crowd(scene: Scene) -> None:
    run = seed()
    rng = random.Random(f"{run} {scene.stage.hub.workers} {scene.stage.hub.database_url[:5]}")
    done: Counter[str] = Counter()
    wrong: list[str] = []
    rounds = -(-ROUNDS // len(WORLDS))
    for number in range(rounds):
        if not wrong:
            wrong = one_death(scene.stage.scene(), rng, f"{run}-{number}", done)
        note(f"round {number + 1} of {rounds}, {dict(sorted(done.items()))}")
    counts = ", ".join(f"{count} {what}" for what, count in sorted(done.items()))
    print(f"\nsoak: seed {run}, {counts}, {len(wrong)} broken promises")
    assert not wrong, f"repeat with FAIRWAY_TEST_SEED={run}:\n" + "\n".join(wrong[:30])
    assert done["acknowledged"]


def one_death(scene: Scene, rng: random.Random, name: str, done: Counter[str]) -> list[str]:
    """A crowd works until a process dies of a point drawn by lot; then perhaps all die, and all is checked."""
    crowd = Crowd(f"{name}-{rng.random()}", [f"library/{name}-{letter}" for letter in "ab"])
    members = [Member(crowd, scene.client(f"{name}-{number}")) for number in range(CLIENTS)]
    point, passes, everybody = rng.choice(list(FATES)), rng.randint(1, MOST_PASSES), rng.random() < 0.5
    for member in members:
        member.start()
    crowd.wait_until_at_work()
    scene.stage.arm(point, passes)
    deadline = time.monotonic() + LONGEST
    while not scene.stage.fired() and time.monotonic() < deadline:
        time.sleep(0.01)
    died = scene.stage.fired()
    crowd.stop.set()
    for member in members:
        member.join()
    if everybody or not died:
        scene.restart()
    else:
        scene.stage.wait_until_whole()
    done["deaths"] += died
    done["deaths of all"] += everybody
    report = scene.check()
    for what in ("acknowledged", "ambiguous"):
        done[what] += report.counts[what]
    scene.close()
    said = f"{point} at pass {passes}"
    return [f"{said}: {line}" for line in [*report.broken, *(w for m in members for w in m.wrong)]]
