"""The same requests to Fairway and to Debian's docker-registry: same answers, or a reason why not.

Most are recordings of real clients, which record.py makes; the rest is written by hand, for calls that go wrong.  Statuses,
headers that clients read, error codes and bodies are compared.  A difference without a reason fails, and so does a
reason for a difference that is none any more.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from hub import Hub
from system.differences import EXPLAINED
from system.handwritten import SESSION
from system.peer import Peer
from system.record import SESSIONS
from system.recorder import FOLDER, LARGEST, recordings
from system.replay import Facts, Replayer, differences, steps_of, unlike_recorded
from system.wire import Wire

pytestmark = pytest.mark.system

Unlike = dict[str, tuple[object, object]]


@dataclass
class Answers:
    """By step: ours and theirs; and where their recorded answers are not what they say now."""

    ours: dict[str, Facts] = field(default_factory=dict)
    theirs: dict[str, Facts] = field(default_factory=dict)
    changed: Unlike = field(default_factory=dict)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answers]:
    folder: Path = tmp_path_factory.mktemp("differential")
    (folder / "hub").mkdir()
    (folder / "peer").mkdir()
    peer = Peer(folder / "peer")
    hub = Hub(folder / "hub")
    try:
        yield asked(hub.start(), peer)
    finally:
        hub.kill()
        peer.close()


def asked(hub: Hub, peer: Peer) -> Answers:
    """Everything said to both; each client has two projects, for what it pushes and for its copies."""
    answers = Answers()
    us, them = Replayer(hub.place, login=True), Replayer(peer.place, login=False)
    answers.ours |= us.replay(SESSION)
    answers.theirs |= them.replay(SESSION)
    for client in SESSIONS:
        Wire(hub).create_project(client)
        Wire(hub).create_project(f"{client}-copies")
    for recording in recordings():
        answers.ours |= us.replay(steps_of(recording))
        said = them.replay(steps_of(recording))
        answers.theirs |= said
        answers.changed |= unlike_recorded(recording, said)
    us.close()
    them.close()
    return answers


def explains(steps: str, whats: str, difference: str) -> bool:
    step, _, what = difference.rpartition(" / ")
    return what in whats.split() and fnmatchcase(step, steps)


def test_every_difference_has_a_reason(answers: Answers) -> None:
    found = differences(answers.ours, answers.theirs)
    rows = [row for rows in EXPLAINED.values() for row in rows.items()]
    assert not {key: found[key] for key in found if not any(explains(*row, key) for row in rows)}


def test_every_reason_has_a_difference(answers: Answers) -> None:
    found = differences(answers.ours, answers.theirs)
    claims = [(s, what) for rows in EXPLAINED.values() for s, whats in rows.items() for what in whats.split()]
    stale = [claim for claim in claims if not any(explains(*claim, key) for key in found)]
    assert not stale, "explained, and not different any more"


def test_docker_registry_answers_as_it_did_when_the_client_was_recorded(answers: Answers) -> None:
    """Else the replay would not be what the client did: an upload gone elsewhere, a header not sent."""
    assert not answers.changed


def test_the_reasons_are_published() -> None:
    page = (Path(__file__).parents[2] / "docs/concepts/compatibility.md").read_text("utf-8")
    section = page.partition("## Different from docker-registry")[2].partition("\n## ")[0]
    listed = [line.removeprefix("- ") for line in section.splitlines() if line.startswith("- ")]
    assert listed == list(EXPLAINED)


def test_every_client_that_can_be_recorded_has_been() -> None:
    assert {recording.client for recording in recordings()} == SESSIONS.keys()


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_a_recording_is_small_and_holds_no_secret(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text) < LARGEST
    assert not [word for word in ("authorization", "bearer", "private key") if word in text.lower()]
    assert not [word for word in ("127.0.0.1", "_state=") if word in text]
