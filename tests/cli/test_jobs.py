"""`fairway jobs`: what ran, what waits, stopping it, and its log."""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fairway.cli import app, options
from fairway.frame.db import Database, open_database
from fairway.frame.jobs import queue, records
from fairway.frame.jobs.job import Facts, Job, Jobs, Task
from fairway.frame.jobs.runner import Runner

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """What the job is told: nothing."""


async def nothing(task: Task, _asked: Asked) -> Facts:
    await task.log("one\ntwo \x1b[31m[bold]")
    await task.report(1, 2, "halves")
    return {"found": 3}


JOB = Job("TEST", Asked, nothing)


class Desk:
    """A terminal, and the database that its commands work in."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.url = database_url
        self.env = {"FAIRWAY_DATABASE_URL": database_url, "FAIRWAY_DATA_DIR": str(folder), "COLUMNS": "200"}

    def __call__(self, *words: object) -> Result:
        return CliRunner().invoke(app, ["jobs", *map(str, words)], env=self.env)

    def json(self, *words: object) -> Any:
        done = self(*words, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def do(self, work: Callable[[Database], Awaitable[T]]) -> T:
        async def run() -> T:
            db = await open_database(self.url, pool=2)
            try:
                return await work(db)
            finally:
                await db.close()

        return asyncio.run(run())

    def ask(self, kind: str = "TEST") -> int:
        """A new run."""
        job = Job(kind, Asked, nothing)
        enqueue = partial(
            queue.enqueue, job=job, arguments=Asked(), asked_by="[alice]", parameters={"a": [1]}
        )
        made = self.do(lambda db: db.write(enqueue))
        assert made is not None
        return made

    def work(self) -> None:
        """Run what waits."""

        async def work(db: Database) -> None:
            runner = Runner(db, Jobs([JOB]))
            await runner.beat()
            while await runner.take():
                await runner.idle()

        self.do(work)


@pytest.fixture
def desk(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(
        options.log, "configure", lambda _settings: None
    )  # the other tests' log stays as it is
    monkeypatch.chdir(tmp_path)
    return Desk(database_url, tmp_path)


def test_runs_are_listed_the_newest_first(desk: Desk) -> None:
    assert desk.json("list") == []
    first, second, other = desk.ask(), desk.ask(), desk.ask("OTHER")
    desk.work()
    assert [each["id"] for each in desk.json("list")] == [other, second, first]
    assert [each["id"] for each in desk.json("list", "--kind", "test")] == [second, first]
    assert [each["id"] for each in desk.json("list", "--status", "running")] == [other]
    assert [each["id"] for each in desk.json("list", "--limit", 1)] == [other]
    shown = desk("list").stdout.splitlines()
    assert shown[0].split() == ["id", "kind", "status", "asked", "for", "by", "began", "ended"]
    assert shown[2].split()[:4] == [str(second), "TEST", "Success", "[alice]"]


def test_a_run_is_shown_with_its_tasks(desk: Desk) -> None:
    run = desk.ask()
    assert desk.json("show", run)["ended_at"] is None
    desk.work()
    shown = desk.json("show", run)
    [task] = shown.pop("tasks")
    assert (shown["kind"], shown["parameters"], shown["asked_by"]) == ("TEST", {"a": [1]}, "[alice]")
    assert (task["status"], task["tries"], task["result"]) == ("Success", 1, {"found": 3})
    text = desk("show", run).stdout
    for part in ("[alice]", "Success", "1/2 halves", '{"found": 3}', '{"a": [1]}'):
        assert part in text


def test_a_run_is_stopped(desk: Desk) -> None:
    run = desk.ask()
    assert desk("stop", run).stdout == f"Stopping {run}.\n"
    assert desk.json("show", run)["status"] == "Stopped"
    assert desk("stop", run).stdout == f"{run} was over already.\n"


def test_a_log_is_printed_without_what_a_terminal_would_act_on(desk: Desk) -> None:
    run = desk.ask()
    desk.work()
    lines = desk("logs", run).stdout.splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["one", "two �[31m[bold]"]
    assert lines[0].split(" ")[0].endswith("Z")


def test_a_log_is_followed_until_the_run_is_over(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from fairway.cli import jobs

    monkeypatch.setattr(jobs, "_LOOK_AGAIN_SECONDS", 0.05)
    run = desk.ask()
    [task] = desk.do(partial(records.tasks_of, execution=run))
    add = partial(records.add_lines, task=task.id, most=100)
    desk.do(lambda db: db.write(partial(add, lines=["before"])))

    def later() -> None:
        time.sleep(0.5)
        desk.work()

    worker = threading.Thread(target=later)
    worker.start()
    done = desk("logs", run, "--follow")
    worker.join()
    assert [line.split(" ", 1)[1] for line in done.stdout.splitlines()] == [
        "before",
        "one",
        "two �[31m[bold]",
    ]


@pytest.mark.parametrize("command", ["show", "stop", "logs"])
def test_a_run_that_is_not_there_ends_the_command(desk: Desk, command: str) -> None:
    done = desk(command, 999)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "fairway: there is no run 999, or none any more\n"
