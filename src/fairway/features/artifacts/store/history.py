"""What tags named before and after each change, and who changed them.

A row per change, written by the transaction that makes it.  Of each tag the last KEPT_CHANGES stay, and of all of them
those of the last KEPT_DAYS: that is seen to later, from what is new, so that nobody who pushes waits for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import BigInteger, bindparam, delete, func, insert, select

from fairway.frame.db import SECOND, Conn, Row, now_us
from fairway.frame.db.tables import repositories, tag_changes

KEPT_CHANGES: Final = 100
KEPT_DAYS: Final = 365
_DAY: Final = 86_400 * SECOND
LOOKED_AT_AFTER_SECONDS: Final = 3600
"""A repository that is being deleted is gone by then, mostly, and so is of interest what was noted of its tags."""

PUSH, COPY, TAG, DELETE, UNDO, ROLLBACK = "push", "copy", "tag", "delete", "undo", "rollback"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a tag: the digests it named `before` (None: it was not there) and `after` (None: it was deleted)."""

    id: int
    before: str | None
    after: str | None
    how: str
    actor: str
    at: int
    """Microseconds since the epoch."""


_NOTE = insert(tag_changes).values(
    repository_id=bindparam("repository"),
    tag=bindparam("name"),
    before=bindparam("was"),
    after=bindparam("now"),
    how=bindparam("way"),
    actor=bindparam("by"),
    at=now_us(),
)
_OF_TAG = (
    tag_changes.c.repository_id == bindparam("repository"),
    tag_changes.c.tag == bindparam("name"),
)
_PAGE = (
    select(tag_changes)
    .where(*_OF_TAG)
    .order_by(tag_changes.c.id.desc())
    .offset(bindparam("skip"))
    .limit(bindparam("limit"))
)
_COUNT = select(func.count()).select_from(tag_changes).where(*_OF_TAG)


async def note(
    conn: Conn,
    repository: int,
    moved: Mapping[str, tuple[str | None, str | None]],
    *,
    how: str,
    actor: str,
) -> None:
    """Note changes of tags, each with what it named before and names now; one that names the same still is no change."""
    rows = [
        {"repository": repository, "name": tag, "was": before, "now": after, "way": how, "by": actor}
        for tag, (before, after) in sorted(moved.items())
        if before != after
    ]
    if len(rows) == 1:
        await conn.run(_NOTE, **rows[0])
    elif rows:
        await conn.many(_NOTE, rows)


async def page(conn: Conn, repository: int, tag: str, *, offset: int, limit: int) -> tuple[list[Change], int]:
    """A page of a tag's changes, the last one first, and how many there are."""
    rows = await conn.all(_PAGE, repository=repository, name=tag, skip=offset, limit=limit)
    return [_change(row) for row in rows], int(await conn.scalar(_COUNT, repository=repository, name=tag))


async def last(conn: Conn, repository: int, tag: str) -> Change | None:
    """The last change of a tag."""
    row = await conn.first(_PAGE, repository=repository, name=tag, skip=0, limit=1)
    return None if row is None else _change(row)


def _change(row: Row) -> Change:
    return Change(row["id"], row["before"], row["after"], row["how"], row["actor"], row["at"])


_NEWEST = select(func.coalesce(func.max(tag_changes.c.id), 0))
_NEW = (
    select(tag_changes.c.id, tag_changes.c.repository_id, tag_changes.c.tag, repositories.c.id.label("there"))
    .join(repositories, repositories.c.id == tag_changes.c.repository_id, isouter=True)
    .where(
        tag_changes.c.id > bindparam("after"),
        tag_changes.c.at < now_us() - LOOKED_AT_AFTER_SECONDS * SECOND,
    )
    .order_by(tag_changes.c.id)
    .limit(bindparam("limit"))
)
_LAST_KEPT = (
    select(tag_changes.c.id)
    .where(*_OF_TAG)
    .order_by(tag_changes.c.id.desc())
    .offset(bindparam("kept"))
    .limit(1)
)
_BEYOND = (
    select(tag_changes.c.id)
    .where(*_OF_TAG, tag_changes.c.id <= bindparam("last", type_=BigInteger))
    .order_by(tag_changes.c.id)
    .limit(bindparam("limit"))
)
_OLDEST = (
    select(tag_changes.c.id, (tag_changes.c.at < now_us() - KEPT_DAYS * _DAY).label("old"))
    .order_by(tag_changes.c.id)
    .limit(bindparam("limit"))
)
_DROP = delete(tag_changes).where(tag_changes.c.id == bindparam("change"))


async def newest(conn: Conn) -> int:
    """The highest id of a change; 0 for none."""
    return int(await conn.scalar(_NEWEST))


async def some_new(conn: Conn, after: int, limit: int) -> list[Row]:
    """id, repository_id, tag and `there` (None: the repository is gone) of changes that follow `after`."""
    return await conn.all(_NEW, after=after, limit=limit)


async def drop_beyond(conn: Conn, repository: int, tag: str, kept: int, limit: int) -> int:
    """Forget the oldest changes of a tag, all but `kept` of them; how many, `limit` at most."""
    last_one = await conn.scalar(_LAST_KEPT, repository=repository, name=tag, kept=kept)
    if last_one is None:
        return 0
    rows = await conn.all(_BEYOND, repository=repository, name=tag, last=last_one, limit=limit)
    await conn.many(_DROP, [{"change": row["id"]} for row in rows])
    return len(rows)


async def drop_old(conn: Conn, limit: int) -> int:
    """Forget changes of long ago, among the `limit` first; how many."""
    rows = [row for row in await conn.all(_OLDEST, limit=limit) if row["old"]]
    await conn.many(_DROP, [{"change": row["id"]} for row in rows])
    return len(rows)
