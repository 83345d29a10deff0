"""The deployment hook of examples/: who is believed, what runs, and that it runs once."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from architecture.source import ROOT
from fairway.features.webhooks.rules import signed

SECRET = "whsec_c2VjcmV0IG9mIGEgaG9vaw=="
DIGEST = "sha256:" + "ab" * 32
PROGRAM = ROOT / "examples" / "deploy-hook" / "deploy_hook.py"
COMMAND = """
import os, pathlib, sys, time
pathlib.Path("ran").open("a").write(" ".join([*sys.argv[1:], os.environ["PUSHED_TAG"], os.environ["PUSHED_IMAGE"]]) + "\\n")
time.sleep(5 * pathlib.Path("slow").exists())
sys.exit(pathlib.Path("broken").exists())
"""


def payload(tag: str = "v1", kind: str = "PUSH_ARTIFACT", digest: str = DIGEST) -> bytes:
    resource = {"tag": tag, "digest": digest, "resource_url": f"hub:80/team/app:{tag}"}
    data = {"resources": [resource], "repository": {"repo_full_name": "team/app"}}
    return json.dumps({"type": kind, "event_data": data}).encode()


class Running:
    """One hook, and the folder it works in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "secret").write_text(SECRET + "\n")
        (folder / "command.py").write_text(COMMAND)
        self.start()

    def start(self) -> None:
        hook = [sys.executable, str(PROGRAM), "--secret-file", "secret", "--state", "state"]
        command = ["--listen", "127.0.0.1:0", "--", sys.executable, "command.py", "$HOME; true"]
        self.process = subprocess.Popen([*hook, *command], cwd=self.folder, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.url = f"http://{self.says('listening').split()[-1]}/"

    def says(self, what: str) -> str:
        """The next line with that."""
        assert self.process.stdout
        return next(line for line in self.process.stdout if what in line).strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()

    def tell(self, body: bytes, id: str = "e1", *, at: float = 0, **changed: str) -> int:
        """The status of the answer; `at`: seconds from now."""
        moment = int(time.time() + at)
        headers = {"webhook-id": id, "webhook-timestamp": str(moment), **signed(SECRET, id, moment, body)}
        headers |= {name.replace("_", "-"): value for name, value in changed.items()}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(self.url, body, headers), timeout=30
            ) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            refused.close()
            return refused.code

    def ran(self, count: int) -> list[str]:
        """What ran, as soon as it is so many."""
        deadline = time.monotonic() + 30
        while len(found := self._ran()) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(found) == count
        return found

    def _ran(self) -> list[str]:
        file = self.folder / "ran"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def hook(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    running.kill()


def test_a_push_runs_the_command_once_and_by_no_shell(hook: Running) -> None:
    assert hook.tell(payload()) == 202
    assert hook.ran(1) == [f"$HOME; true v1 hub:80/team/app@{DIGEST}"]
    assert hook.says("done") == "team/app:v1: done"
    assert hook.tell(payload()) == 202
    hook.kill()
    hook.start()
    assert hook.tell(payload(), at=5) == 202, "it is told again"
    assert hook.tell(payload("v2"), "e2") == 202
    assert [each.split()[2] for each in hook.ran(2)] == ["v1", "v2"]


BAD: dict[str, Callable[[Running], int]] = {
    "another body": lambda hook: hook.tell(
        payload("v2"), **signed(SECRET, "e1", int(time.time()), payload())
    ),
    "another secret": lambda hook: hook.tell(
        payload(), webhook_signature=signed("other", "e1", int(time.time()), payload())["webhook-signature"]
    ),
    "another id": lambda hook: hook.tell(payload(), webhook_id="e2"),
    "old": lambda hook: hook.tell(payload(), at=-301),
    "from the future": lambda hook: hook.tell(payload(), at=310),
    "no time": lambda hook: hook.tell(payload(), webhook_timestamp="now"),
    "no signature": lambda hook: hook.tell(payload(), webhook_signature=""),
    "not ASCII": lambda hook: hook.tell(payload(), webhook_signature="v1,é"),
}


def test_who_is_not_believed_runs_nothing(hook: Running) -> None:
    assert {what: ask(hook) for what, ask in BAD.items()} == dict.fromkeys(BAD, 401)
    assert hook.tell(b"x" * (1 << 20) + b"x") == 413
    assert hook.tell(payload("last"), "e9") == 202
    assert len(hook.ran(1)) == 1, "nothing was before it"


@pytest.mark.parametrize("body", [b"x", b"[]", b"{}", b'{"type": "PUSH_ARTIFACT", "event_data": 1}'])
def test_what_is_no_payload_is_refused(hook: Running, body: bytes) -> None:
    assert hook.tell(body) == 400


def test_what_is_no_push_of_a_tag_runs_nothing(hook: Running) -> None:
    others: list[dict[str, Any]] = [
        {"kind": "DELETE_ARTIFACT"},
        {"tag": DIGEST},
        {"tag": "a\0b"},
        {"digest": "$(id)"},
    ]
    for number, each in enumerate(others):
        assert hook.tell(payload(**each), f"o{number}") == 202
    assert hook.tell(payload(), "sample-1") == 202
    assert hook.tell(payload("last"), "e9") == 202
    assert hook.ran(1)[0].split()[2] == "last"


def test_one_that_failed_has_another_try(hook: Running) -> None:
    (hook.folder / "broken").touch()
    assert hook.tell(payload()) == 202
    hook.ran(1)
    (hook.folder / "broken").unlink()
    assert hook.says("failed") == "team/app:v1: failed (1)"
    assert hook.tell(payload()) == 202
    assert hook.says("done")
    assert hook.tell(payload()) == 202
    assert hook.tell(payload("last"), "e9") == 202
    assert [each.split()[2] for each in hook.ran(3)] == ["v1", "v1", "last"]


def test_what_was_at_work_at_the_end_runs_again(hook: Running) -> None:
    (hook.folder / "slow").touch()
    assert hook.tell(payload()) == 202
    hook.ran(1)
    hook.kill()
    (hook.folder / "slow").unlink()
    hook.start()
    hook.ran(2)
