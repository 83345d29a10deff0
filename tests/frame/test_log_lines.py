"""Lines on their way out: whoever logs never waits, whatever the reader of stderr does."""

import json
import os
import subprocess
import sys
from typing import Any

from fairway.frame.log.lines import MOST_WAITING

LOGS = """
import multiprocessing, sys
from fairway.frame import log
from fairway.frame.settings import Settings

log.configure(Settings(log_format="json"))
say = log.get_logger("x").info
"""


def start(code: str) -> subprocess.Popen[bytes]:
    """A process that logs.  Nobody reads its stderr until the test does."""
    environment = {"PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", LOGS + code]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def events(err: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in err.splitlines()]


def test_a_reader_that_stalls_stops_nobody_and_hears_later_what_it_missed() -> None:
    logs_a_lot = """
for n in range(20_000):
    say("event", n=n, filler="x" * 100)
print("done", flush=True)
sys.stdin.read()
"""
    process = start(logs_a_lot)
    assert process.stdout is not None
    assert process.stdout.readline() == b"done\n", "it came to the end although nobody read"
    _, err = process.communicate()
    *seen, told = events(err)
    numbers = [event["n"] for event in seen]
    # And perhaps some later ones: what the writer could still put into the pipe made room for them.
    assert numbers[:MOST_WAITING] == list(range(MOST_WAITING)), "the first ones are there"
    assert numbers == sorted(set(numbers)), "in order"
    assert (told["level"], told["lines"]) == ("warning", 20_000 - len(seen))


def test_a_process_ends_although_nobody_takes_its_lines() -> None:
    process = start('[say("event", filler="x" * 100) for _ in range(20_000)]')
    assert process.wait(30) == 0
    process.communicate()


def test_the_last_lines_of_a_process_are_written_before_it_ends() -> None:
    process = start('[say("event", n=n) for n in range(100)]')
    _, err = process.communicate()
    assert [event["n"] for event in events(err)] == list(range(100))


def test_a_forked_process_writes_its_own_lines_and_not_its_parents() -> None:
    forks = """
say("parent")
child = multiprocessing.get_context("fork").Process(target=say, args=("child",))
child.start()
child.join()
say("parent again")
"""
    _, err = start(forks).communicate()
    assert sorted(event["event"] for event in events(err)) == ["child", "parent", "parent again"]


def test_a_closed_stderr_is_nobodys_problem() -> None:
    process = start('import os; os.close(2); say("nobody hears"); assert log.flush(); print("fine")')
    out, _ = process.communicate()
    assert (out, process.returncode) == (f"fine{os.linesep}".encode(), 0)
