"""Bytes rot, files vanish, rows tear: a client gets an honest error, never wrong bytes, and can heal it."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from faults.client import Client, Refused, Upload
from faults.images import Image, digest_of, new_image
from faults.stage import Scene
from hub import Hub

StartHub = Callable[..., Hub]

pytestmark = [pytest.mark.system, pytest.mark.slow]

REPO = "library/rotten"


@pytest.fixture
def client(rotten: Scene) -> Client:
    return rotten.client(f"client-{uuid4().hex}")


def pushed(client: Client, *sizes: int) -> Image:
    it = new_image(client.rng, *sizes)
    client.push_image(REPO, it, ["latest"])
    return it


def truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def empty(file: Path) -> None:
    os.truncate(file, 0)


def lengthen(file: Path) -> None:
    with file.open("ab") as opened:
        opened.write(b"x")


def flip_a_byte(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def file_of(scene: Scene, upload: Upload) -> Path:
    return scene.stage.inside.storage / "uploads" / upload.path.rpartition("/")[2]


def scrub(hub: Hub, **env: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FAIRWAY_")}
    return subprocess.run(
        [sys.executable, "-m", "fairway", "scrub", "--data-dir", str(hub.data)],
        env={**inherited, **hub.settings, **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("damage", [truncate, empty, lengthen, Path.unlink], ids=lambda f: f.__name__)
def test_a_blob_of_the_wrong_size_is_not_there_until_it_is_pushed_again(
    rotten: Scene, client: Client, damage: Callable[[Path], None]
) -> None:
    it = pushed(client, 50_000)
    digest, data = list(it.blobs.items())[1]
    damage(rotten.stage.inside.object_of(digest))

    answer = client.blob(REPO, digest)
    assert (answer.status, answer.code) == (404, "BLOB_UNKNOWN")
    assert client.blob(REPO, digest, "HEAD").status == 404
    with pytest.raises(Refused, match="MANIFEST_BLOB_UNKNOWN"):
        client.push_manifest(REPO, it)

    client.push_image(REPO, it, ["latest"])
    assert client.blob(REPO, digest).body == data
    assert not rotten.check().broken


def test_a_push_heals_a_blob_nobody_has_noticed_yet(rotten: Scene, client: Client) -> None:
    it = pushed(client, 50_000)
    digest, data = list(it.blobs.items())[1]
    rotten.stage.inside.object_of(digest).unlink()
    client.push_blob(REPO, data)
    assert client.blob(REPO, digest).body == data
    assert not rotten.check().broken


def test_the_scrub_finds_every_flipped_byte_and_a_push_heals_it(rotten: Scene, client: Client) -> None:
    sound, rotting = pushed(client, 1_000), pushed(client, 1, 1_000, 700_000)
    for digest in rotting.blobs:
        flip_a_byte(rotten.stage.inside.object_of(digest))

    found = scrub(rotten.stage.hub)
    assert (found.returncode, found.stdout.split()[0]) == (1, str(len(rotting.blobs)))
    assert {client.blob(REPO, digest, "HEAD").status for digest in rotting.blobs} == {404}
    assert {client.blob(REPO, digest).status for digest in rotting.blobs} == {404}
    assert {client.blob(REPO, digest).status for digest in sound.blobs} == {200}

    client.push_image(REPO, rotting)
    assert scrub(rotten.stage.hub).returncode == 0
    assert not rotten.check().broken


def test_two_swapped_files_are_found_by_their_hashes(rotten: Scene, client: Client) -> None:
    it = pushed(client, 4_000, 4_000)
    first, second = (rotten.stage.inside.object_of(digest) for digest in list(it.blobs)[1:])
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)
    assert scrub(rotten.stage.hub).stdout.split()[0] == "2"
    client.push_image(REPO, it)
    assert not rotten.check().broken


def test_a_scrub_of_the_wrong_folder_is_refused_in_words_and_takes_nothing_for_damaged(
    rotten: Scene, client: Client, tmp_path: Path
) -> None:
    it = pushed(client, 1_000)
    wrong = tmp_path / "forgotten"
    wrong.mkdir(mode=0o750)
    done = scrub(rotten.stage.hub, FAIRWAY_STORAGE_URL=wrong.as_uri())
    assert done.returncode == 1
    assert str(wrong) in done.stderr
    assert "mounted" in done.stderr
    assert list(wrong.iterdir()) == []
    assert {client.blob(REPO, digest).status for digest in it.blobs} == {200}


def test_a_volume_that_is_away_for_a_while_costs_no_blob(rotten: Scene, client: Client) -> None:
    it = pushed(client, 1_000)
    storage = rotten.stage.inside.storage
    away = storage.with_name("away")
    storage.rename(away)
    storage.mkdir(mode=0o750)
    for digest in it.blobs:
        answer = client.blob(REPO, digest)
        assert (answer.status, answer.code) == (503, "UNAVAILABLE")
    storage.rmdir()
    away.rename(storage)
    assert {client.blob(REPO, digest).status for digest in it.blobs} == {200}
    assert not rotten.check().broken


def test_a_manifest_with_other_bytes_is_an_error_until_it_is_pushed_again(
    rotten: Scene, client: Client
) -> None:
    it = pushed(client, 500)
    replaced = (
        "convert_to('{}', 'UTF8')" if rotten.stage.hub.settings.get("FAIRWAY_DATABASE_URL") else "x'7b7d'"
    )
    rotten.stage.inside.rows(f"UPDATE artifacts SET payload = {replaced} WHERE digest = '{it.digest}'")

    for ref in (it.digest, "latest"):
        answer = client.manifest(REPO, ref)
        assert (answer.status, answer.code) == (500, "MANIFEST_INVALID")
        assert b"damaged" in answer.body
    client.push_manifest(REPO, it, ["latest"])
    assert client.manifest(REPO, "latest").body == it.raw
    assert not rotten.check().broken


def test_an_upload_whose_bytes_are_gone_is_unknown(rotten: Scene, client: Client) -> None:
    upload = Upload(client, REPO)
    upload.patch(b"some bytes", at=0)
    file_of(rotten, upload).unlink()
    with pytest.raises(Refused) as looked:
        upload.offset()
    with pytest.raises(Refused) as patched:
        upload.patch(b"more", at=10)
    with pytest.raises(Refused) as finished:
        upload.finish(digest_of(b"some bytes"))
    for refused in (looked, patched, finished):
        assert (refused.value.answer.status, refused.value.answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")
    client.push_blob(REPO, b"some bytes")


def test_an_upload_with_fewer_bytes_than_were_acknowledged_is_unknown(rotten: Scene, client: Client) -> None:
    upload = Upload(client, REPO)
    upload.patch(b"some bytes", at=0)
    os.truncate(file_of(rotten, upload), 4)
    with pytest.raises(Refused) as refused:
        upload.finish(digest_of(b"some bytes"))
    assert (refused.value.answer.status, refused.value.answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")


@pytest.mark.parametrize("state", ["", "{}", "torn", "another-boot sha256:" + "0" * 64])
def test_an_upload_whose_remembered_hash_is_torn_is_hashed_again(
    rotten: Scene, client: Client, state: str
) -> None:
    data = random.Random(5).randbytes(5_000)
    for claimed in (digest_of(b"something else"), digest_of(data)):
        upload = Upload(client, REPO)
        upload.patch(data, at=0)
        id = file_of(rotten, upload).name
        rotten.stage.inside.rows(f"UPDATE uploads SET state = '{state}' WHERE id = '{id}'")
        if claimed == digest_of(data):
            upload.finish(claimed)
        else:
            with pytest.raises(Refused, match="DIGEST_INVALID"):
                upload.finish(claimed)
    assert client.blob(REPO, digest_of(data)).body == data
