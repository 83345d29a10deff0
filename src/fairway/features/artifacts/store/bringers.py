"""Which blobs of a project somebody may see who does not see all of its repositories.

All repositories of a project share their blobs.  To them a blob is there when a manifest names it in a repository that
they may pull from, or when they have brought it themselves: then they know its bytes.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, bindparam, exists, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.core.oci.digest import Digest
from fairway.features.projects.store.granted import named
from fairway.frame.db import Conn
from fairway.frame.db.tables import artifact_links, artifacts, blob_bringers, project_blobs, repositories
from fairway.frame.db.types import within

_BROUGHT = (
    upsert(blob_bringers)
    .values(project_id=bindparam("project"), digest=bindparam("digest"), principal=bindparam("principal"))
    .on_conflict_do_nothing(index_elements=["project_id", "digest", "principal"])
)
_brought_by = exists().where(
    blob_bringers.c.project_id == project_blobs.c.project_id,
    blob_bringers.c.digest == project_blobs.c.digest,
    blob_bringers.c.principal == bindparam("principal"),
)
_named_in = (
    select(artifact_links.c.digest)
    .select_from(
        artifact_links.join(artifacts, artifacts.c.id == artifact_links.c.artifact_id).join(
            repositories, repositories.c.id == artifacts.c.repository_id
        )
    )
    .where(
        artifact_links.c.project_id == project_blobs.c.project_id,
        artifact_links.c.digest == project_blobs.c.digest,
        artifact_links.c.kind.in_(("config", "layer", "foreign")),
    )
    .correlate(project_blobs)
)


async def brought(conn: Conn, project: int, digest: Digest, principal: str) -> None:
    """Somebody has sent all bytes of a blob, or mounted it from where they may read it.  Needs a transaction.

    Raises ReferenceViolation when the project has it no more.
    """
    await conn.run(_BROUGHT, project=project, digest=digest, principal=principal)


async def unseen(
    conn: Conn, project: int, digests: Sequence[Digest], only: Sequence[str], principal: str
) -> list[Digest]:
    """Which of these blobs are not there for `principal`, who may pull from the repositories that `only` means."""
    seen: Select[Any] = select(project_blobs.c.digest).where(
        project_blobs.c.project_id == bindparam("project"),
        within(project_blobs.c.digest, bindparam("digests")),
        or_(_brought_by, _named_in.where(named(only, repositories.c.name)).exists()),
    )
    rows = await conn.all(seen, project=project, digests=json.dumps(list(digests)), principal=principal)
    found = {row["digest"] for row in rows}
    return [each for each in digests if each not in found]
