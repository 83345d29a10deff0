"""A process dies between any two steps of a push: nothing acknowledged is lost, nothing half done is seen.

Every point at which the code can be made to die is tried, first with one web worker dying and being replaced, then
with all processes dying and a new start.
"""

import ast
import random
from pathlib import Path

import pytest

import fairway
from faults.client import Client, Lost, Upload
from faults.images import Image, digest_of, new_image
from faults.stage import Scene

pytestmark = [pytest.mark.system, pytest.mark.slow]

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
    assert points_in_the_code() == set(FATES)


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
