"""After a failover, connections made before it lead to a server that only reads: they are let go of."""

import pytest
from sqlalchemy import bindparam, insert

from fairway.core.oci.errors import Unavailable
from fairway.frame.db import open_database
from fairway.frame.db.tables import generations
from postgres import Postgres

ADD = insert(generations).values(name=bindparam("name"), value=1)


async def test_writes_go_on_once_connections_are_made_anew(
    postgres: Postgres, postgres_template: str
) -> None:
    url = postgres.create("failover", postgres_template)
    db = await open_database(url, pool=2)
    try:
        await db.run(ADD, name="before")
        # What a session sees whose server became a standby; sessions made later are as before.
        async with db._pool.acquire() as raw:  # type: ignore[attr-defined]
            await raw.execute("SET default_transaction_read_only = on")
        with pytest.raises(Unavailable):
            await db.run(ADD, name="during")
        await db.run(ADD, name="after")
        await db.check()
    finally:
        await db.close()
        postgres.drop("failover")


async def test_a_server_that_only_reads_is_not_ready(postgres: Postgres, postgres_template: str) -> None:
    url = postgres.create("standby", postgres_template)
    postgres.sql("ALTER DATABASE standby SET default_transaction_read_only = on")
    db = await open_database(url, pool=1)
    try:
        with pytest.raises(Unavailable):
            await db.check()
    finally:
        await db.close()
        postgres.drop("standby")
