"""The configuration as a process knows it: what counts, how it is kept, and how soon others know."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from sqlalchemy import insert, update

from fairway.core.oci.errors import BadRequest
from fairway.frame.configuration import Configuration, store
from fairway.frame.configuration.declared import (
    BANNER,
    FORWARD,
    KEYS,
    READ_ONLY,
    SKIP_DATABASE,
    TOKEN_MINUTES,
)
from fairway.frame.configuration.kinds import Value
from fairway.frame.db import Conn, Database
from fairway.frame.db.tables import configuration
from fairway.frame.sealing import Sealer
from fairway.frame.settings import Settings

SEALER = Sealer([b"a key for tests, thirty-two bytes."])
SECRET = KEYS["oidc_client_secret"]


def made(db: Database, **settings: Any) -> Configuration:
    return Configuration(db, SEALER, Settings(**settings))


async def change(db: Database, chosen: Configuration, values: Mapping[str, Value]) -> None:
    await db.write(partial(chosen.change, asked=values))


async def test_what_nobody_chose_is_the_default(db: Database) -> None:
    chosen = made(db)
    assert await chosen.look()
    for key in KEYS.values():
        if key is not TOKEN_MINUTES:
            assert chosen.get(key) == key.default
        assert chosen.chosen(key) is None
        assert chosen.editable(key)


@pytest.mark.parametrize(("seconds", "minutes"), [(60, 1), (300, 5), (301, 6)])
async def test_tokens_live_by_default_as_the_operator_says(db: Database, seconds: int, minutes: int) -> None:
    assert made(db, token_seconds=seconds).get(TOKEN_MINUTES) == minutes


async def test_changes_are_kept_one_upon_the_other(db: Database) -> None:
    here, there = made(db), made(db)
    await change(db, here, {"banner_message": "one", "session_timeout": 5})
    await change(db, there, {"banner_message": "two"})
    await change(db, here, {"oidc_client_secret": "s3cret"})
    for each in (here, there):
        assert await each.look()
        assert (each.get(BANNER), each.get(SECRET)) == ("two", "s3cret")
        assert (await each.shown(db))["session_timeout"] == 5
    assert await store.generation(db) == 3


async def test_nothing_is_read_when_nothing_was_changed(db: Database) -> None:
    chosen = made(db)
    await chosen.look()
    asked = []

    async def counted(*_: Any, **__: Any) -> Any:
        asked.append(1)

    chosen._db = type(
        "Counting", (), {"scalar": counted, "read": counted, "first": counted, "all": counted}
    )()
    chosen._generation = 0
    for key in KEYS.values():
        chosen.get(key)
    assert not asked, "asking costs no question to the database"
    await chosen.look()
    assert len(asked) == 1, "one a second, whatever is asked of it"


async def test_a_change_that_fails_leaves_nothing(db: Database) -> None:
    chosen = made(db)

    async def broken(conn: Conn) -> None:
        await chosen.change(conn, {"banner_message": "x"})
        raise BadRequest("after all not")

    with pytest.raises(BadRequest):
        await db.write(broken)
    assert await store.kept(db) == {}
    assert await store.generation(db) == 0


async def test_what_belongs_together_is_checked_together(db: Database) -> None:
    chosen = made(db)
    with pytest.raises(BadRequest, match="needs audit_log_forward_endpoint"):
        await change(db, chosen, {SKIP_DATABASE.name: True})
    await change(db, chosen, {SKIP_DATABASE.name: True, FORWARD.name: "log:514"})
    with pytest.raises(BadRequest, match="needs audit_log_forward_endpoint"):
        await change(db, chosen, {FORWARD.name: ""})
    await asyncio.gather(
        *(change(db, chosen, {SKIP_DATABASE.name: False}) for _ in range(3)), return_exceptions=True
    )
    await change(db, chosen, {FORWARD.name: ""})


async def test_what_the_operator_settled_counts_before_what_was_chosen(db: Database) -> None:
    await change(db, made(db), {"banner_message": "chosen", "read_only": False})
    chosen = made(db, config_overwrite_json={"banner_message": "settled"}, read_only=True)
    await chosen.look()
    assert (chosen.get(BANNER), chosen.get(READ_ONLY)) == ("settled", True)
    assert not chosen.editable(BANNER)
    assert (await chosen.shown(db))["banner_message"] == "settled"


async def test_what_this_version_cannot_read_counts_as_not_chosen(db: Database) -> None:
    for name, text in (("session_timeout", '"soon"'), ("banner_message", "{"), ("from_the_future", "1")):
        await db.run(insert(configuration).values(key=name, value=text, updated_at=1))
    chosen = made(db)
    await chosen.look()
    assert (chosen.get(BANNER), chosen.get(KEYS["session_timeout"])) == ("", 60)
    await change(db, chosen, {"session_timeout": 9})
    await chosen.look()
    assert chosen.get(KEYS["session_timeout"]) == 9


async def test_a_row_moved_from_another_secret_does_not_open(db: Database) -> None:
    chosen = made(db)
    await change(db, chosen, {"uaa_client_secret": "one", "oidc_client_secret": "two"})
    rows = await store.kept(db)
    await db.run(
        update(configuration)
        .where(configuration.c.key == "oidc_client_secret")
        .values(value=rows["uaa_client_secret"])
    )
    await chosen.look()
    with pytest.raises(Exception, match="copied from elsewhere"):
        chosen.get(SECRET)


async def test_a_process_watches_and_survives_a_database_that_is_away(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairway.frame.configuration.live.LOOK_SECONDS", 0.02)
    chosen, other = made(db), made(db)
    real = store.generation
    failures = []

    async def sometimes(conn: Conn) -> int:
        if len(failures) < 3:
            failures.append(1)
            raise OSError("away")
        return await real(conn)

    async with chosen.watched():
        monkeypatch.setattr(store, "generation", sometimes)
        await change(db, other, {"banner_message": "back"})
        async with asyncio.timeout(5):
            while chosen.get(BANNER) != "back":  # noqa: ASYNC110 - this is what is measured
                await asyncio.sleep(0.01)
    assert len(failures) == 3
