"""Where a power cut could take what was acknowledged, the hub says so at its start, or does not start if told so."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.disks import small_disk
from hub import Hub
from postgres import Postgres, binaries

pytestmark = pytest.mark.system

StartHub = Callable[..., Hub]
WARNING = "a power cut may take"
REFUSED = r"ended with 1[\s\S]*fairway: a power cut may take what was acknowledged: "
CARELESS = ("fsync", "full_page_writes", "synchronous_commit")


@pytest.fixture(scope="module")
def durable_postgres() -> Iterator[Postgres]:
    """A server that syncs."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    server = Postgres(durable=True)
    yield server
    server.close()


def test_a_careless_postgresql_is_told_of_and_refused_where_that_is_wanted(
    start_hub: StartHub, postgres: Postgres
) -> None:
    """The server of the tests syncs nothing."""
    name = f"careless_{uuid.uuid4().hex}"
    hub = start_hub(database_url=postgres.create(name))
    warnings = [line for line in hub.log.splitlines() if WARNING in line]
    for setting in CARELESS:
        assert [line for line in warnings if f"{setting} = off" in line]
    hub.stop()
    all_of_them = "; ".join(f"the database has {setting} = off" for setting in CARELESS)
    with pytest.raises(RuntimeError, match=REFUSED + all_of_them):
        hub.start(FAIRWAY_REQUIRE_DURABLE="true")
    hub.kill()
    postgres.drop(name)


@pytest.mark.parametrize("where", ["DATABASE {}", "ROLE postgres IN DATABASE {}"])
def test_commits_that_do_not_wait_are_enough_to_be_told_of_and_refused(
    start_hub: StartHub, durable_postgres: Postgres, where: str
) -> None:
    """The server syncs; that commits need not wait for it was set for one database, or for one user of it."""
    name = f"kept_{uuid.uuid4().hex}"
    hub = start_hub(database_url=durable_postgres.create(name), env={"FAIRWAY_REQUIRE_DURABLE": "true"})
    assert WARNING not in hub.log
    hub.stop()
    durable_postgres.sql(f"ALTER {where.format(name)} SET synchronous_commit = off")
    with pytest.raises(RuntimeError, match=REFUSED + r"the database has synchronous_commit = off\."):
        hub.start()
    said = len(hub.log)
    hub.start(FAIRWAY_REQUIRE_DURABLE="false")
    [warning] = [line for line in hub.log[said:].splitlines() if WARNING in line]
    assert "the database has synchronous_commit = off" in warning


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
