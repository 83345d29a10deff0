"""Which stored objects somebody still names, and which blobs name an object."""

import json
from collections.abc import Sequence

from sqlalchemy import bindparam, select

from fairway.core.oci.digest import Digest
from fairway.frame.db import Conn, Row
from fairway.frame.db.tables import blobs, trash
from fairway.frame.db.types import within

_NAMED = select(blobs.c.key).where(
    within(blobs.c.digest, bindparam("digests")), within(blobs.c.key, bindparam("keys"))
)
_IN_TRASH = select(trash.c.key).where(within(trash.c.key, bindparam("keys")))


async def named(conn: Conn, keys: Sequence[str]) -> set[str]:
    """Of these keys, the ones that a blob or the trash names.

    A blob is found by its digest, which every key begins with; there is no index of keys.
    """
    array = json.dumps(list(keys))
    digests = json.dumps(sorted({digest for key in keys if (digest := digest_of(key))}))
    rows = await conn.all(_NAMED, digests=digests, keys=array)
    rows += await conn.all(_IN_TRASH, keys=array)
    return {row["key"] for row in rows}


def digest_of(key: str) -> str:
    """The digest a key was made for: `sha256/ab/<hex>-<uuid>`, or `sha256:<hex>-<uuid>`."""
    name = key.replace(":", "/", 1)
    algorithm, _, rest = name.partition("/")
    return f"{algorithm}:{rest.rpartition('/')[2].partition('-')[0]}"


_PAGE = (
    select(blobs.c.id, blobs.c.digest, blobs.c.key)
    .where(blobs.c.id > bindparam("after"))
    .order_by(blobs.c.id)
    .limit(bindparam("limit"))
)
_STILL = select(blobs.c.key).where(blobs.c.digest == bindparam("digest"))


async def page(conn: Conn, after: int, limit: int) -> list[Row]:
    """id, digest and key of blobs, by id, those that follow `after`."""
    return await conn.all(_PAGE, after=after, limit=limit)


async def key_of(conn: Conn, digest: Digest) -> str | None:
    """Where a blob lies now."""
    key: str | None = await conn.scalar(_STILL, digest=digest)
    return key
