"""A line that loses packets, is narrow, and goes dead in between: an upload ends, whole, and began only once (N5)."""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest

from faults.bad_line import Line, alone
from faults.client import Client, Lost, Upload
from faults.images import digest_of
from faults.journal import Journal
from faults.slow import wait_for
from faults.stage import Stage, seed
from hub import Hub

pytestmark = [pytest.mark.system, pytest.mark.slow]

REPO = "library/far-away"
KBIT, LOSS = 200, 0.05
CHUNK = 35_000
"""Bytes; on that line they take a second and a half."""
CHUNKS = 4
DEAD_AFTER = 0.8
"""Seconds into a chunk, with some of it on its way."""
PATIENCE = 5
"""Seconds without a sign of life after which a client hangs up."""
MOST_TRIES = 60


@pytest.fixture
def line() -> Iterator[Line]:
    with alone() as made:
        yield made


def test_an_upload_over_a_line_that_loses_packets_ends_and_began_only_once(
    line: Line, start_hub: Callable[..., Hub], tmp_path: Path
) -> None:
    stage = Stage(start_hub(workers=3), tmp_path)
    inside, said = stage.inside, len(stage.hub.log)
    inside.keep_events()
    journal = Journal(tmp_path / "journals", "far-away")
    client = Client(stage.hub.place, journal, random.Random(1))
    content = random.Random(seed()).randbytes(CHUNK * CHUNKS)

    line.turn_bad(kbit=KBIT, loss=LOSS)
    upload = Upload(client, REPO)
    client.close()
    client._connection.timeout = PATIENCE
    breaks = send(upload, content, line)
    assert inside.rows("SELECT id, received FROM uploads") == [(upload.path.rpartition("/")[2], len(content))]
    client._connection.timeout = 10 * PATIENCE
    upload.finish(digest_of(content))
    lost = line.lost()
    line.turn_good()

    print(f"\n{lost} packets lost, {breaks} connections given up")
    assert lost, "the line was too good to prove anything"
    assert breaks, "the line never went dead"
    assert client.blob(REPO, digest_of(content)).body == content
    assert len(inside.objects()) == 1
    assert inside.rows("SELECT COUNT(*) FROM kept_events WHERE kind = 'blob.pushed'") == [(1,)]
    assert inside.rows("SELECT COUNT(*) FROM uploads") == [(0,)]
    wait_for(lambda: not inside.uploads(), "no upload's file is left")
    for entry in stage.hub.log[said:].splitlines():
        assert json.loads(entry)["level"] in ("info", "debug"), entry
    client.close()
    journal.close()


def send(upload: Upload, content: bytes, line: Line) -> int:
    """All of it, from wherever the hub says it has come to; the line goes dead in the middle of the second chunk.

    How often the connection was given up.
    """
    breaks = 0
    for number in range(MOST_TRIES):
        with suppress(Lost):
            at = upload.offset()
            if at == len(content):
                return breaks
            chunk = content[at : at + CHUNK]
            where = {"Content-Range": f"{at}-{at + len(chunk) - 1}"}
            with line.dead_after(DEAD_AFTER) if number == 1 else nullcontext():
                answer = upload.client.call("PATCH", upload.path, chunk, where)
            # what was on its way when the line went dead may arrive, or be put away, only now
            assert answer.status in (202, 416) or b"another request" in answer.body, answer
            continue
        breaks += 1
    raise TimeoutError(f"not all was sent in {MOST_TRIES} tries")
