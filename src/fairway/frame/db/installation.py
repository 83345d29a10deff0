"""Facts about this installation that are settled once, by whoever comes first, and never change."""

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.frame.db.database import Conn
from fairway.frame.db.tables import installation

STORE = "store"
"""The identity of the blob store that the rows of this database speak of."""

_GET = select(installation.c.value).where(installation.c.name == bindparam("fact"))
_SETTLE = (
    upsert(installation)
    .values(name=bindparam("name"), value=bindparam("value"))
    .on_conflict_do_nothing(index_elements=["name"])
)


async def fact(conn: Conn, name: str) -> str | None:
    """What was settled, or None."""
    found: str | None = await conn.scalar(_GET, fact=name)
    return found


async def settle(conn: Conn, name: str, value: str) -> str:
    """Settle a fact unless it is already; what it is now."""
    await conn.run(_SETTLE, name=name, value=value)
    found = await fact(conn, name)
    assert found is not None
    return found
