"""Uploads in progress: how far each has come.  Found only by id, repository and principal together."""

from typing import TypedDict

from sqlalchemy import BigInteger, bindparam, delete, func, insert, select, update

from fairway.core.stores.protocols import Session
from fairway.frame.db import SECOND, Conn, now_us
from fairway.frame.db.tables import uploads


class Key(TypedDict):
    """What an upload is found by; a guessed id alone finds nothing."""

    upload: str
    project: int
    repository: str
    principal: str


_COUNT = select(func.count()).select_from(uploads).where(uploads.c.principal == bindparam("principal"))
_OLDEST = (
    select(uploads.c.id)
    .where(uploads.c.principal == bindparam("principal"))
    .order_by(uploads.c.created_at, uploads.c.id)
    .limit(1)
    .with_for_update()
)
_OPEN = insert(uploads).values(
    id=bindparam("upload"),
    project_id=bindparam("project"),
    repository=bindparam("repository"),
    principal=bindparam("principal"),
    received=0,
    state=bindparam("state"),
    created_at=now_us(),
    updated_at=now_us(),
)
_this_one = (
    uploads.c.id == bindparam("upload"),
    uploads.c.project_id == bindparam("project"),
    uploads.c.repository == bindparam("repository"),
    uploads.c.principal == bindparam("principal"),
)
_GET = select(uploads.c.received, uploads.c.state).where(*_this_one)
_SAVE = (
    update(uploads)
    .where(*_this_one)
    .values(received=bindparam("offset", type_=BigInteger), state=bindparam("new_state"), updated_at=now_us())
)
_CLOSE = delete(uploads).where(*_this_one)


async def may_begin(conn: Conn, principal: str, limit: int) -> bool:
    """Whether a principal has fewer than `limit` open."""
    counted = await _count(conn, principal)
    if (
        counted > limit // 2
    ):  # near it one after the other, or those who ask at the same moment would all pass it
        counted = await _count_alone(conn, principal)
    return counted < limit


async def _count(conn: Conn, principal: str) -> int:
    return int(await conn.scalar(_COUNT, principal=principal))


async def _count_alone(conn: Conn, principal: str) -> int:
    """The same; if there is one, nobody else gets past this call until the transaction ends."""
    while counted := await _count(conn, principal):
        if await conn.first(_OLDEST, principal=principal) is not None:
            return await _count(conn, principal)  # whoever was here before has committed
        # The oldest was closed while we waited for it: now the next one is.
    return counted


async def open_(conn: Conn, key: Key, state: str) -> None:
    """Remember a new, empty upload."""
    await conn.run(_OPEN, **key, state=state)


async def get(conn: Conn, key: Key) -> Session | None:
    """The session as last saved."""
    row = await conn.first(_GET, **key)
    return Session(key["upload"], row["received"], row["state"]) if row is not None else None


async def save(conn: Conn, key: Key, session: Session) -> bool:
    """Remember how far it has come; False when it was closed meanwhile."""
    return bool(await conn.run(_SAVE, **key, offset=session.offset, new_state=session.state))


async def close(conn: Conn, key: Key) -> None:
    """Forget it."""
    await conn.run(_CLOSE, **key)


_ABANDONED = (
    select(uploads.c.id, uploads.c.received, uploads.c.state)
    .where(uploads.c.updated_at < now_us() - bindparam("micros", type_=BigInteger))
    .order_by(uploads.c.updated_at)
    .limit(bindparam("limit"))
)
_FORGET = delete(uploads).where(
    uploads.c.id == bindparam("upload"),
    uploads.c.updated_at < now_us() - bindparam("micros", type_=BigInteger),
)
_IN_USE = update(uploads).where(uploads.c.id == bindparam("upload")).values(updated_at=now_us())


async def abandoned(conn: Conn, seconds: int, limit: int) -> list[Session]:
    """Uploads whose rows nobody has written to for that long, oldest first; a long request may still be at them."""
    rows = await conn.all(_ABANDONED, micros=seconds * SECOND, limit=limit)
    return [Session(row["id"], row["received"], row["state"]) for row in rows]


async def forget(conn: Conn, id: str, seconds: int) -> bool:
    """Delete an abandoned upload's row; False when somebody wrote to it meanwhile."""
    return bool(await conn.run(_FORGET, upload=id, micros=seconds * SECOND))


async def in_use(conn: Conn, id: str) -> None:
    """Somebody is writing to an upload, though the row has not heard of it."""
    await conn.run(_IN_USE, upload=id)


_KNOWN = select(uploads.c.id).where(uploads.c.id == bindparam("upload"))


async def known(conn: Conn, id: str) -> bool:
    """Is there a row for it?"""
    return await conn.first(_KNOWN, upload=id) is not None
