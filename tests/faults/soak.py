"""`make soak DURATION=1800`: everything that may go wrong, for a long time, and one verdict.

Two crowds work side by side, one on SQLite and one on PostgreSQL, while processes, whole hubs and PostgreSQL itself are
killed at random, for DURATION seconds of wall time; then two more, over layers that are collected under their feet.  Workers
are killed in the middle of jobs, a third of that on each.  Then processes die at every named point of the code, and disks lose
power.  Each part is a test of its own, run longer than in CI; this says what is going on, and what came out.

Exit status 0: no promise was broken by what could be run here (a part says when tests of it had to skip).  FAIRWAY_TEST_SEED repeats the draws of a run.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1]
SAY_EVERY = 60.0
VERDICT = re.compile(r"^soak: .*$", re.MULTILINE)
SUMMARY = re.compile(r"^=*\s?(\d+ (?:passed|failed|skipped|error).*?)\s?=*$", re.MULTILINE)
NOT_RUN = "nothing was run"


@dataclass
class Part:
    """One of the things that are run: which tests, and how many."""

    name: str
    tests: str
    size: dict[str, str]
    process: "subprocess.Popen[bytes] | None" = None
    log: Path = Path()

    def start(self, folder: Path, seed: str) -> None:
        self.log = folder / f"{self.name.replace(' ', '-')}.log"
        notes = self.log.with_suffix(".notes")
        notes.touch()
        env = {**os.environ, **self.size, "FAIRWAY_TEST_SEED": seed, "FAIRWAY_TEST_NOTES": str(notes)}
        journals = f"--basetemp={self.log.with_suffix('')}"
        command = [sys.executable, "-m", "pytest", "-n0", "-rPs", "-q", "-p", "no:cacheprovider", journals]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *self.tests.split()], cwd=TESTS.parent, env=env, stdout=log, stderr=log
            )

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def note(self) -> str:
        """The last thing it has said about itself."""
        lines = self.log.with_suffix(".notes").read_text().splitlines()
        done = sum(line.count(".") for line in self.text.splitlines() if set(line[:1]) <= set(".sFE"))
        return lines[-1] if lines else f"{done} tests done"

    def verdict(self) -> tuple[bool, str]:
        """Is it good, and one line about it."""
        assert self.process is not None
        summary = (SUMMARY.findall(self.text) or [NOT_RUN])[-1]
        good = self.process.returncode == 0 and summary != NOT_RUN
        counts = "; ".join(line.removeprefix("soak: ") for line in VERDICT.findall(self.text))
        word = ("not all run" if "skipped" in summary else "good") if good else "BROKEN"
        return good, f"{word}: {self.name}: {counts or 'no counts'} ({summary})"


def parts(seconds: int, kills: int, cuts: int) -> list[list[Part]]:
    """What to run: lists, one after the other, of parts that run side by side."""
    time_ = {"FAIRWAY_TEST_SOAK_SECONDS": str(seconds)}
    crowds = [
        Part(f"crowd on {engine}", f"tests/faults/test_random_kills.py -k {engine}", time_)
        for engine in ("sqlite", "postgresql")
    ]
    collected = [
        Part(
            f"collector on {engine}",
            f"tests/faults/test_collecting_crowd.py -k {engine}-0",
            {"FAIRWAY_TEST_COLLECT_SECONDS": str(seconds)},
        )
        for engine in ("sqlite", "postgresql")
    ]
    workers = Part(
        "killed workers", "tests/faults/test_jobs.py", {"FAIRWAY_TEST_JOBS_SECONDS": str(seconds / 3)}
    )
    points = Part(
        "crash points", "tests/faults/test_crash_points.py", {"FAIRWAY_TEST_CRASH_ROUNDS": str(kills)}
    )
    power = Part("power cuts", "tests/faults/test_power_cuts.py", {"FAIRWAY_TEST_POWER_CUTS": str(cuts)})
    return [crowds, collected, [workers], [points], [power]]


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def run_side_by_side(running: list[Part], folder: Path, seed: str) -> None:
    for part in running:
        part.start(folder, seed)
    said = time.monotonic()
    while any(part.process is not None and part.process.poll() is None for part in running):
        time.sleep(0.5)
        if time.monotonic() - said >= SAY_EVERY:
            said = time.monotonic()
            for part in running:
                say(f"{part.name}: {part.note()}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--seconds", type=int, required=True, help="how long both crowds work, together")
    parser.add_argument("--kills", type=int, default=500, help="how many deaths at named points of the code")
    parser.add_argument(
        "--cuts", type=int, default=25, help="how many power cuts per engine and set of disks"
    )
    asked = parser.parse_args()
    seed = os.environ.get("FAIRWAY_TEST_SEED") or f"{random.SystemRandom().getrandbits(32):08x}"
    folder = Path(tempfile.mkdtemp(prefix="fairway-soak-"))
    say(f"seed {seed}, logs in {folder}")
    verdicts: list[tuple[bool, str]] = []
    for side_by_side in parts(asked.seconds, asked.kills, asked.cuts):
        say("begins: " + ", ".join(part.name for part in side_by_side))
        run_side_by_side(side_by_side, folder, seed)
        for part in side_by_side:
            verdicts.append(part.verdict())
            say(verdicts[-1][1])
    good = all(verdict for verdict, _ in verdicts)
    print("\n".join(["", *(line for _, line in verdicts)]))
    again = "" if good else f"; repeat with FAIRWAY_TEST_SEED={seed}; logs in {folder}"
    print(f"{'GOOD' if good else 'BROKEN'}: seed {seed}, {len(verdicts)} parts{again}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
