"""`fairway gc`: the schedule, what was deleted, and what a person is told."""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fairway.cli import app
from fairway.core.oci.digest import Digest
from fairway.features.gc.model import GARBAGE_COLLECTION
from fairway.frame import log
from fairway.frame.db.tables import schedules as rows
from fairway.frame.jobs import schedules
from stories.world import World, image, open_world

GC = "/api/v2.0/system/gc"
FIRST = image("base", "code")


class Desk:
    """A terminal, and the hub whose database its commands work in."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self._url = database_url
        self._folder = folder
        self.env = {
            "FAIRWAY_DATABASE_URL": database_url,
            "FAIRWAY_DATA_DIR": str(folder / "data"),
            "COLUMNS": "200",
        }

    def __call__(self, *words: object) -> Result:
        return CliRunner().invoke(app, ["gc", *map(str, words)], env=self.env)

    def json(self, *words: object) -> Any:
        done = self(*words, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def refused(self, *words: object) -> str:
        done = self(*words)
        assert (done.exit_code, done.stdout) == (1, ""), done.output
        return done.stderr

    def between(self, *steps: Callable[..., Any]) -> None:
        """What happens in the hub and at the terminal, in turn."""

        async def run() -> None:
            async with open_world(self._url, self._folder) as world:
                for step in steps:
                    if asyncio.iscoroutinefunction(step):
                        await step(world)
                    else:
                        await asyncio.to_thread(step)

        asyncio.run(run())


@pytest.fixture
def desk(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(log, "configure", lambda _settings: None)  # the other tests' log stays as it is
    monkeypatch.chdir(tmp_path)
    return Desk(database_url, tmp_path)


class TestSchedule:
    def test_none_is_told_with_what_to_do(self, desk: Desk) -> None:
        for words in (["schedule"], ["status"]):
            assert "`fairway gc schedule --daily`" in desk(*words).stdout
        assert desk.json("schedule") is None
        assert desk.json("status")["schedule"] is None

    def test_it_is_the_row_that_the_api_shows(self, desk: Desk) -> None:
        set_here: list[Any] = []

        def set_() -> None:
            set_here.append(
                desk.json("schedule", "--cron", "0 0  3 * * *", "--delete-untagged", "--workers", 2)
            )

        async def same(world: World) -> None:
            shown = (await world.admin("GET", f"{GC}/schedule")).json
            [here] = set_here
            assert shown["schedule"] == {
                "type": "Custom",
                "cron": "0 0 3 * * *",
                "next_scheduled_time": here["next"],
            }
            asked = {"delete_untagged": True, "dry_run": False, "delete_tag": False, "workers": 2}
            assert json.loads(shown["job_parameters"]) == here["parameters"] == asked

        async def set_there(world: World) -> None:
            body = json.dumps({"schedule": {"type": "Weekly"}, "parameters": {"dry_run": True}}).encode()
            answer = await world.admin(
                "PUT", f"{GC}/schedule", body, headers={"content-type": "application/json"}
            )
            assert answer.status == 200

        def seen() -> None:
            assert desk.json("schedule")["type"] == "Weekly"
            text = desk("schedule").stdout
            for part in ("weekly (0 0 0 * * 0, UTC), next run 2", "untagged    stay", "nothing is removed"):
                assert part in text
            assert "weekly" in desk("status").stdout
            assert desk("schedule", "--off").stdout.startswith("schedule    none")
            assert desk("schedule", "--off").exit_code == 0

        async def gone(world: World) -> None:
            assert (await world.admin("GET", f"{GC}/schedule")).body == b""

        desk.between(set_, same, set_there, seen, gone)

    @pytest.mark.parametrize(
        ("option", "style", "cron"),
        [
            ("--hourly", "Hourly", "0 0 * * * *"),
            ("--daily", "Daily", "0 0 0 * * *"),
            ("--weekly", "Weekly", "0 0 0 * * 0"),
        ],
    )
    def test_there_are_words_for_the_usual(self, desk: Desk, option: str, style: str, cron: str) -> None:
        made = desk.json("schedule", option)
        assert (made["type"], made["cron"], made["parameters"]["workers"]) == (style, cron, 1)

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (
                ["--cron", "0 3 * * *"],
                "a cron expression has six fields, seconds first, such as `0 30 2 * * *`",
            ),
            (["--cron", "0 0 25 * * *"], "is not a cron expression (bad hour)"),
            (["--cron", "* * * * * *"], "more often than once a minute"),
            (["--cron", "0 0 0 30 2 *"], "is not a cron expression (bad day-of-month)"),
            (["--daily", "--off"], "say one of --hourly"),
            (["--delete-untagged"], "say when, such as --daily"),
            (["--off", "--workers", "2"], "say when, such as --daily"),
        ],
    )
    def test_what_makes_no_sense_changes_nothing(self, desk: Desk, words: list[str], said: str) -> None:
        before = desk.json("schedule", "--daily")
        assert said in desk.refused("schedule", *words)
        assert desk.json("schedule") == before

    def test_a_date_that_comes_no_more_is_told(self, desk: Desk) -> None:
        async def pass_(world: World) -> None:
            await world.db.write(
                partial(
                    schedules.put,
                    kind=GARBAGE_COLLECTION,
                    style="Custom",
                    cron="0 0 0 1 1 *",
                    parameters={},
                    asked_by="a test",
                )
            )
            await world.run(rows.update().values(next_at=schedules.NEVER))

        def seen() -> None:
            assert "its date comes no more" in desk("schedule").stdout
            assert desk.json("schedule")["next"] is None

        desk.between(pass_, seen)

    def test_a_switch_that_stops_its_runs_is_told(self, desk: Desk) -> None:
        desk.env["FAIRWAY_GC_ENABLED"] = "false"
        done = desk("schedule", "--daily")
        assert (done.exit_code, "FAIRWAY_GC_ENABLED=true" in done.stderr) == (0, True)
        assert desk("schedule", "--off").stderr == ""


class TestDeleted:
    def test_what_is_deleted_is_listed_and_comes_back(self, desk: Desk) -> None:
        manifest = f"team/app@{FIRST.digest}"

        async def delete(world: World) -> None:
            alice = await world.person("alice")
            await world.project("team", alice)
            for what, tag in ((FIRST, "v1"), (image("other"), "v2")):
                assert (await alice.push(f"team/app:{tag}", what)).status == 201
                assert (await alice.delete(f"team/app@{what.digest}")).status == 202

        def seen() -> None:
            assert [each["tags"] for each in desk.json("deleted", "team")] == [["v2"], ["v1"]]
            assert "the last 1 of 2" in desk("deleted", "team", "--limit", 1).stdout
            assert desk("undo", manifest).stdout == f"{manifest} is back with the tags v1.\n"
            assert "nothing is to be undone" in desk.refused("undo", manifest)
            assert len(desk.json("deleted", "team")) == 1
            assert "never was there" in desk.refused("undo", f"team/app@{Digest.of(b'')}")
            assert "there is no project none" in desk.refused("deleted", "none")

        desk.between(delete, seen)

    def test_nothing_is_told_as_such(self, desk: Desk) -> None:
        async def make(world: World) -> None:
            await world.project("team")

        def seen() -> None:
            assert desk("deleted", "team").stdout == "Nothing that was deleted in team can be had back.\n"
            assert desk.json("deleted", "team") == []

        desk.between(make, seen)


class TestRun:
    def test_it_runs_here_without_a_hub_and_says_what_it_did(self, desk: Desk) -> None:
        async def nothing(_world: World) -> None:
            """There is a storage folder now."""

        def runs() -> None:
            assert "no run yet" in desk("status").stdout
            assert desk.json("run", "--dry-run")["status"] == "Success"
            done = desk("run")
            assert (done.exit_code, done.stderr) == (0, "")
            assert "0 bytes freed" in done.stdout
            text = desk("status").stdout
            assert "Success, dry run" in text
            assert len(desk.json("status")["runs"]) == 2

        desk.between(nothing, runs)

    @pytest.mark.parametrize(
        ("switch", "said"),
        [
            ({"FAIRWAY_GC_ENABLED": "false"}, "FAIRWAY_GC_ENABLED=true"),
            ({"FAIRWAY_READ_ONLY": "true"}, "read-only"),
        ],
    )
    def test_a_switch_is_told_at_once_and_leaves_no_run(
        self, desk: Desk, switch: dict[str, str], said: str
    ) -> None:
        async def nothing(_world: World) -> None:
            """There is a storage folder now."""

        def refused() -> None:
            desk.env |= switch
            assert said in desk.refused("run")
            assert said in desk.refused("orphans", "--delete")
            assert desk.json("status")["runs"] == []
            assert desk.json("orphans")["objects"] == 0

        desk.between(nothing, refused)
