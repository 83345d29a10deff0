"""Tags."""

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.core.oci.names import Tag
from fairway.frame.db import Conn, now_us
from fairway.frame.db.tables import artifacts, tags

_TAGS = (
    select(tags.c.name)
    .where(tags.c.repository_id == bindparam("repository"), tags.c.name > bindparam("after"))
    .order_by(tags.c.name)
    .limit(bindparam("limit"))
)
_TAGS_OF = (
    select(tags.c.name)
    .where(tags.c.artifact_id == bindparam("artifact"))
    .order_by(tags.c.name)
    .with_for_update()
)
_TAG_LOCKED = (
    select(tags.c.id, artifacts.c.digest)
    .join(artifacts, artifacts.c.id == tags.c.artifact_id)
    .where(tags.c.repository_id == bindparam("repository"), tags.c.name == bindparam("name"))
    .with_for_update(of=tags)
)
_DIGEST_OF = (
    select(artifacts.c.digest)
    .join(tags, tags.c.artifact_id == artifacts.c.id)
    .where(tags.c.repository_id == bindparam("repository"), tags.c.name == bindparam("name"))
)
_NEW_TAG = (
    upsert(tags)
    .values(
        repository_id=bindparam("repository"),
        name=bindparam("name"),
        artifact_id=bindparam("artifact"),
        pushed_at=now_us(),
        created_at=now_us(),
    )
    .on_conflict_do_nothing(index_elements=["repository_id", "name"])
)
_MOVE = (
    update(tags)
    .where(tags.c.id == bindparam("tag"))
    .values(artifact_id=bindparam("artifact"), pushed_at=now_us())
)
_UNTAG = delete(tags).where(tags.c.id == bindparam("tag"))


async def tag_names(conn: Conn, repository: int, after: str, limit: int) -> list[str]:
    """In ASCII order."""
    return [row["name"] for row in await conn.all(_TAGS, repository=repository, after=after, limit=limit)]


async def digest_of(conn: Conn, repository: int, tag: str) -> str | None:
    """The digest that a tag names."""
    found: str | None = await conn.scalar(_DIGEST_OF, repository=repository, name=tag)
    return found


async def lock_tags_of(conn: Conn, artifact: int) -> list[str]:
    """The tags on an artifact, which nobody moves away until the transaction ends."""
    return [row["name"] for row in await conn.all(_TAGS_OF, artifact=artifact)]


async def move_tag(conn: Conn, repository: int, tag: Tag, artifact: int) -> str | None:
    """Point a tag at an artifact; the digest it pointed at before, exactly, however many move it at once."""
    while True:
        row = await conn.first(_TAG_LOCKED, repository=repository, name=tag)
        if row is not None:
            await conn.run(_MOVE, tag=row["id"], artifact=artifact)
            return str(row["digest"])
        if await conn.run(_NEW_TAG, repository=repository, name=tag, artifact=artifact):
            return None
        # Somebody else's first push of this tag was committed between the two statements.


async def add_tag(conn: Conn, repository: int, tag: Tag, artifact: int) -> bool:
    """Point a tag at an artifact unless it is there already; whether it was free."""
    return bool(await conn.run(_NEW_TAG, repository=repository, name=tag, artifact=artifact))


async def remove_tag(conn: Conn, repository: int, tag: Tag) -> str | None:
    """Delete a tag; the digest it pointed at, exactly, or None when there was no such tag."""
    row = await conn.first(_TAG_LOCKED, repository=repository, name=tag)
    if row is None:
        return None
    await conn.run(_UNTAG, tag=row["id"])
    return str(row["digest"])
