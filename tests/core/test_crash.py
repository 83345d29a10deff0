"""A crash point does nothing, until a test plans a crash; then it strikes once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import fairway

STEPS = """
from fairway.core.crash import crashpoint
for step in range(1, 4):
    for name in ("one", "two"):
        crashpoint(name)
        print(name, step, flush=True)
"""


def run(plan_file: Path | None) -> tuple[int, list[str]]:
    """The exit code of a process with three passes of two points, and the passes it survived."""
    env = {key: value for key, value in os.environ.items() if key != "FAIRWAY_CRASHPOINT_FILE"}
    env["PYTHONPATH"] = str(Path(fairway.__file__).parents[1])
    if plan_file is not None:
        env["FAIRWAY_CRASHPOINT_FILE"] = str(plan_file)
    done = subprocess.run([sys.executable, "-c", STEPS], env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


def test_nothing_happens_without_the_variable() -> None:
    assert run(None) == (0, ["one 1", "two 1", "one 2", "two 2", "one 3", "two 3"])


def test_nothing_happens_without_the_file(tmp_path: Path) -> None:
    assert run(tmp_path / "plan")[0] == 0


def test_nothing_happens_at_other_points_or_before_the_planned_pass(tmp_path: Path) -> None:
    plan = tmp_path / "plan"
    plan.write_text("two:4")
    assert run(plan)[0] == 0
    assert plan.exists()


def test_the_process_dies_on_the_planned_pass(tmp_path: Path) -> None:
    plan = tmp_path / "plan"
    plan.write_text("two:2\n")
    assert run(plan) == (-signal.SIGKILL, ["one 1", "two 1", "one 2"])


def test_the_first_pass_is_meant_when_no_number_is_given(tmp_path: Path) -> None:
    plan = tmp_path / "plan"
    plan.write_text("one")
    assert run(plan) == (-signal.SIGKILL, [])


def test_a_plan_strikes_once_and_a_restarted_process_lives(tmp_path: Path) -> None:
    plan = tmp_path / "plan"
    plan.write_text("one:1")
    assert run(plan)[0] == -signal.SIGKILL
    assert not plan.exists()
    assert run(plan)[0] == 0
