"""The checker sees what it is there to see: a hub that lost, kept or made up something is found out."""

import json
import os
import random
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import pytest

from fairway.core.content.small import LARGEST
from faults import litter, outages, stage
from faults.client import Answer, Client, Refused, Upload
from faults.images import image, new_image
from faults.journal import Journal
from faults.outages import Outages, Refusal
from faults.resources import Resources, most_connections, temporary_bytes
from faults.stage import Stage
from faults.workload import Crowd, Member
from hub import Hub

pytestmark = [pytest.mark.system, pytest.mark.slow]


def test_every_kind_of_broken_promise_is_found(start_hub: Callable[..., Hub], tmp_path: Path) -> None:
    stage = Stage(start_hub(), tmp_path)
    scene, unseen = stage.scene(), stage.scene()
    client, stranger = scene.client("client"), unseen.client("stranger")
    # Larger than what is served from memory, so that a file which is gone is missed.
    lost, other, deleted = (new_image(client.rng, 2 * LARGEST) for _ in range(3))
    subject = image(b"{}", [])
    for it in (lost, other, deleted, subject, image(b"[]", [], subject)):
        client.push_image("library/told", it, [f"v{len(it.raw)}"])
    client.delete("library/told", deleted.digest)
    client.push_image("library/told", lost, ["moved"])
    assert not scene.check().broken

    stranger.push_manifest("library/told", deleted)
    stranger.push_manifest("library/told", other, ["moved"])
    inside = stage.inside
    inside.object_of(max(other.blobs, key=lambda digest: len(other.blobs[digest]))).unlink()
    inside.rows(f"DELETE FROM artifacts WHERE digest = '{lost.digest}'")
    inside.rows(f"UPDATE artifacts SET subject = 'sha256:nobody' WHERE subject = '{subject.digest}'")
    inside.rows("INSERT INTO quota_deltas (project_id, delta) VALUES (1, 1)")
    inside.rows("DELETE FROM kept_events WHERE id = (SELECT MIN(id) FROM kept_events)")
    found = {line.partition(":")[0] for line in scene.check().broken}
    assert found == {f"I{number}" for number in range(1, 10)}
    scene.close()
    unseen.close()


GOOD = b'{"errors": [{"code": "UNAVAILABLE", "message": "later"}]}'
HEADERS = {"x-request-id": "1", "retry-after": "2"}


@pytest.mark.parametrize(
    ("status", "headers", "body", "said"),
    [
        (503, HEADERS, GOOD, ""),
        (404, {"x-request-id": "1"}, GOOD, ""),
        (404, {}, GOOD, "no request id"),
        (503, {"x-request-id": "1"}, GOOD, "when to try again"),
        (500, HEADERS, b"Internal Server Error", "its body"),
        (500, HEADERS, b'{"errors": []}', "its body"),
        (500, HEADERS, b'{"errors": [{"code": ""}]}', "no code"),
    ],
)
def test_an_error_of_the_wrong_shape_is_found(
    status: int, headers: dict[str, str], body: bytes, said: str
) -> None:
    broken = Outages("").judge([Refusal("GET /v2/", status, headers, body, at=0)])
    assert [line for line in broken if said in line] if said else not broken


def test_an_error_is_excused_during_a_fault_only() -> None:
    known = Outages("", spans=[(100, 200)])
    for at, excused in ((89, False), (91, True), (150, True), (209, True), (211, False)):
        assert bool(known.judge([Refusal("GET /v2/", 503, HEADERS, GOOD, at)])) != excused


def test_a_bare_404_is_excused_for_a_pull_from_a_failing_disk_only() -> None:
    pull = "GET /v2/library/x/blobs/sha256:1234"
    for asked, at, excused in (
        (pull, 99.5, True),
        (pull, 98.5, False),
        ("GET /v2/library/x/tags/list", 100, False),
    ):
        known = Outages("", disk_failed_at=100)
        assert bool(known.judge([Refusal(asked, 404, {}, b"Not found", at)])) != excused
    assert Outages("").judge([Refusal(pull, 404, {}, b"Not found", 100)])


def test_a_hub_that_does_not_recover_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "HEALTHY_SECONDS", 0.2)
    known = Outages("127.0.0.1:1")
    with known.fault("the end"):
        pass
    [line] = known.judge([])
    assert "not healthy" in line


def test_what_is_kept_too_long_is_found() -> None:
    before = Resources(files=100, connections=5, memory=100 << 20, temporary=0)
    assert not before.beyond(before, 10)
    for worse in ({"files": 130}, {"connections": 11}, {"memory": 220 << 20}, {"temporary": 1}):
        assert len(replace(before, **worse).beyond(before, 10)) == 1


def test_a_hub_that_keeps_things_or_opens_a_door_is_found(
    start_hub: Callable[..., Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "SETTLED_SECONDS", 1)
    of = Stage(start_hub(), tmp_path)
    scene = of.scene()
    scene.watch_doors()
    scene.watch_resources()
    assert not scene.check().broken

    (of.inside.storage / "uploads" / "left-behind").write_bytes(b"bytes")
    of.inside.rows("UPDATE projects SET public = true WHERE name = 'doors'")
    with ExitStack() as held:
        for _ in range(60):
            connection = held.enter_context(closing(HTTPConnection(of.hub.place)))
            connection.request("GET", "/api/v2.0/ping")
            connection.getresponse().read()
        found = scene.check().broken
    assert {line.partition(":")[0] for line in found} == {"I11", "I12"}
    assert any("open files" in line for line in found)
    assert any("temporary" in line for line in found)
    scene.close()


def test_only_what_a_crash_may_have_forgotten_is_excused(
    start_hub: Callable[..., Hub], tmp_path: Path
) -> None:
    inside = Stage(start_hub(), tmp_path).inside
    known = Outages("127.0.0.1:1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outages, "HEALTHY_SECONDS", 0.1)
        with known.fault("a crash", forgets=True):
            left = inside.storage / "uploads" / "left-behind"
            left.write_bytes(b"bytes")
        with known.fault("a slow line"):
            pass
    assert len(known.forgotten) == 1
    assert (temporary_bytes(inside), temporary_bytes(inside, known.forgotten)) == (5, 0)
    os.utime(left, (time.time() + 60,) * 2)
    assert temporary_bytes(inside, known.forgotten) == 5


def test_an_upload_whose_row_was_saved_just_before_a_crash_may_be_unknown_and_no_other(
    start_hub: Callable[..., Hub], tmp_path: Path
) -> None:
    scene = Stage(start_hub(), tmp_path).scene()
    member = Member(Crowd("", ["library/told"], scene.outages), scene.client("client"))
    long_ago, begun, continued = (Upload(member.client, "library/told") for _ in range(3))
    for upload in (long_ago, continued):
        assert upload.saved is not None
        upload.saved -= 60
    continued.patch(b"what was forgotten", at=0)
    with scene.outages.fault("a crash", forgets=True):
        scene.stage.inside.rows("DELETE FROM uploads")
    for upload, excused in ((begun, True), (continued, True), (long_ago, False)):
        with pytest.raises(Refused) as refused:
            upload.patch(b"more", at=18)
        member._judge("push", refused.value)
        assert bool(member.wrong) != excused
    scene.close()


UNKNOWN = (404, "BLOB_UPLOAD_UNKNOWN")


@pytest.mark.parametrize(
    ("told", "saved", "excused"),
    [
        (UNKNOWN, 150, True),
        ((416, "RANGE_INVALID"), 150, True),
        (UNKNOWN, 99, False),
        (UNKNOWN, 201, False),
        (UNKNOWN, None, False),
        ((404, "MANIFEST_UNKNOWN"), 150, False),
        ((500, "INTERNAL"), 150, False),
    ],
)
def test_what_a_crash_excuses(
    told: tuple[int, str], saved: float | None, excused: bool, tmp_path: Path
) -> None:
    known = Outages("")
    client = Client("", Journal(tmp_path, "nobody"), random.Random(0))
    member = Member(Crowd("", ["library/told"], known), client)
    body = json.dumps({"errors": [{"code": told[1]}]}).encode()
    member._judge("push", Refused(Answer(told[0], {}, body), saved))
    assert member.wrong, "no crash is known of yet"
    known.forgotten.append((100, 200))
    assert bool(member.wrong) != excused
    client.journal.close()


def test_litter_that_outlives_its_time_is_found(
    start_hub: Callable[..., Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a hub that removes nothing, because it is read-only; afterwards it is as others are."""
    of = Stage(start_hub(), tmp_path)
    scene, inside = of.scene(), of.inside
    young, old = (Upload(scene.client(name), "library/told") for name in ("young", "old"))
    inside.throw_away(b"young", in_seconds=3600)
    (inside.storage / "uploads" / "young").write_bytes(b"young")
    of.hub.stop()
    of.hub.start(FAIRWAY_READ_ONLY="true")
    monkeypatch.setattr(litter, "PATIENCE_SECONDS", 0)
    assert not scene.check().broken

    litter.leave(inside)
    inside.rows(f"UPDATE uploads SET updated_at = 1 WHERE id = '{old.path.rpartition('/')[2]}'")
    os.utime(inside.storage / "uploads" / old.path.rpartition("/")[2], (0, 0))
    found = scene.check().broken
    for what in ("still in the trash", "still has a row", "but still bytes"):
        assert [line for line in found if line.startswith("I8: ") and what in line]
    assert len(found) == 3

    of.hub.stop()
    of.hub.start()
    monkeypatch.undo()
    assert not scene.check().broken
    young.client.close()
    assert young.offset() == 0
    scene.close()


def test_connections_to_the_database_are_counted(hub: Hub) -> None:
    inside = Stage(hub, hub.folder).inside
    deadline = time.monotonic() + 20
    while not (found := Resources.of(hub, inside).connections) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert bool(found) == hub.database_url.startswith("postgresql")
    assert found <= most_connections(hub)
