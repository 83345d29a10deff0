"""The checker sees what it is there to see: a hub that lost, kept or made up something is found out."""

from collections.abc import Callable
from pathlib import Path

import pytest

from faults.images import image, new_image
from faults.stage import Stage
from hub import Hub

pytestmark = [pytest.mark.system, pytest.mark.slow]


def test_every_kind_of_broken_promise_is_found(start_hub: Callable[..., Hub], tmp_path: Path) -> None:
    stage = Stage(start_hub(), tmp_path)
    scene, unseen = stage.scene(), stage.scene()
    client, stranger = scene.client("client"), unseen.client("stranger")
    lost, other, deleted = (new_image(client.rng, 100) for _ in range(3))
    subject = image(b"{}", [])
    for it in (lost, other, deleted, subject, image(b"[]", [], subject)):
        client.push_image("library/told", it, [f"v{len(it.raw)}"])
    client.delete("library/told", deleted.digest)
    client.push_image("library/told", lost, ["moved"])
    assert not scene.check().broken

    stranger.push_manifest("library/told", deleted)
    stranger.push_manifest("library/told", other, ["moved"])
    inside = stage.inside
    inside.object_of(next(iter(other.blobs))).unlink()
    inside.rows(f"DELETE FROM artifacts WHERE digest = '{lost.digest}'")
    inside.rows(f"UPDATE artifacts SET subject = 'sha256:nobody' WHERE subject = '{subject.digest}'")
    inside.rows("INSERT INTO quota_deltas (project_id, delta) VALUES (1, 1)")
    inside.rows("DELETE FROM outbox WHERE id = 1")
    found = {line.partition(":")[0] for line in scene.check().broken}
    assert found == {f"I{number}" for number in range(1, 10)}
    scene.close()
    unseen.close()
