"""The rows of the configuration, and a generation that counts their changes."""

from collections.abc import Mapping

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.frame.db import Conn, now_us
from fairway.frame.db.tables import configuration, generations

_NAME = "configuration"
_GENERATION = select(generations.c.value).where(generations.c.name == _NAME)
_ALL = select(configuration.c.key, configuration.c.value)
_count = upsert(generations).values(name=_NAME, value=1)
# It holds everybody else off until the transaction ends: what is read after it is what is changed.
_COUNT = _count.on_conflict_do_update(index_elements=["name"], set_={"value": generations.c.value + 1})
_keep = upsert(configuration).values(key=bindparam("name"), value=bindparam("text"), updated_at=now_us())
_KEEP = _keep.on_conflict_do_update(
    index_elements=["key"], set_={"value": _keep.excluded.value, "updated_at": _keep.excluded.updated_at}
)


async def generation(conn: Conn) -> int:
    """Another one whenever something was changed."""
    return int(await conn.scalar(_GENERATION) or 0)


async def kept(conn: Conn) -> dict[str, str]:
    """Every value that was chosen, by its key."""
    return {row["key"]: row["value"] for row in await conn.all(_ALL)}


async def begin(conn: Conn) -> None:
    """Change something now, and let nobody else until the transaction ends.  Needs a transaction."""
    await conn.run(_COUNT)


async def keep(conn: Conn, values: Mapping[str, str]) -> None:
    """Needs a transaction that `begin` was called in."""
    for name, value in values.items():
        await conn.run(_KEEP, name=name, text=value)
