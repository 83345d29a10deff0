"""Which projects were told lately that they have no room, whichever process told them.

A name in `generations` for each, with the time.  Those of a while ago mean as much as none, and are dropped.
"""

from sqlalchemy import BigInteger, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.frame.db import SECOND, Conn, now_us
from fairway.frame.db.tables import generations

_BEGIN, _END = "no room:", "no room;"
"""All names lie between these two, as texts are ordered."""

_long_ago = now_us() - bindparam("micros", type_=BigInteger)
_LATELY = select(generations.c.value).where(
    generations.c.name == bindparam("key"), generations.c.value > _long_ago
)
_mark = upsert(generations).values(name=bindparam("key"), value=now_us())
_MARK = _mark.on_conflict_do_update(
    index_elements=["name"], set_={"value": _mark.excluded.value}, where=generations.c.value <= _long_ago
).returning(generations.c.name)
_OVER = (
    select(generations.c.name)
    .where(generations.c.name > _BEGIN, generations.c.name < _END, generations.c.value <= _long_ago)
    .limit(bindparam("limit"))
)
_DROP = delete(generations).where(
    generations.c.name == bindparam("key"),
    generations.c.value <= _long_ago,  # it may have been told anew just now
)


async def told_lately(conn: Conn, project: int, seconds: int) -> bool:
    """Whether it was told within the last `seconds`."""
    row = await conn.first(_LATELY, key=f"{_BEGIN}{project}", micros=seconds * SECOND)
    return row is not None


async def tell_now(conn: Conn, project: int, seconds: int) -> bool:
    """Note that it is told now; False when it was within the last `seconds`.  Needs a transaction."""
    return bool(await conn.run(_MARK, key=f"{_BEGIN}{project}", micros=seconds * SECOND))


async def forget(conn: Conn, limit: int, seconds: int) -> int:
    """Drop what is longer ago than `seconds`, at most `limit`; how many were found.  Needs a transaction."""
    micros = seconds * SECOND
    over = sorted(row["name"] for row in await conn.all(_OVER, limit=limit, micros=micros))
    await conn.many(_DROP, [{"key": name, "micros": micros} for name in over])
    return len(over)
