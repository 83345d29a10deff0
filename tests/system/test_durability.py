"""Where a power cut could take what was acknowledged, the hub says so at its start, or does not start if told so."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.disks import small_disk
from hub import Hub
from postgres import Postgres

pytestmark = pytest.mark.system

StartHub = Callable[..., Hub]
WARNING = "a power cut may take"


def test_a_careless_postgresql_is_told_of_and_refused_where_that_is_wanted(
    start_hub: StartHub, postgres: Postgres
) -> None:
    """The server of the tests syncs nothing."""
    name = f"careless_{uuid.uuid4().hex}"
    hub = start_hub(database_url=postgres.create(name))
    assert [line for line in hub.log.splitlines() if WARNING in line and "fsync = off" in line]
    hub.stop()
    with pytest.raises(RuntimeError, match=r"ended with 1[\s\S]*fsync = off"):
        hub.start(FAIRWAY_REQUIRE_DURABLE="true")
    hub.kill()
    postgres.drop(name)


def test_a_storage_in_memory_is_told_of_and_refused_where_that_is_wanted(
    start_hub: StartHub, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "memory", size="16m") as disk:
        env = {"FAIRWAY_STORAGE_URL": disk.as_uri(), "FAIRWAY_STORAGE_RESERVE_BYTES": "0"}
        hub = start_hub(env=env)
        assert WARNING in hub.log
        hub.kill()
        with pytest.raises(RuntimeError, match=r"ended with 1[\s\S]*in memory"):
            hub.start(FAIRWAY_REQUIRE_DURABLE="true")


def test_nothing_is_said_where_nothing_speaks_for_it(start_hub: StartHub) -> None:
    hub = start_hub(env={"FAIRWAY_REQUIRE_DURABLE": "true"})
    assert WARNING not in hub.log
