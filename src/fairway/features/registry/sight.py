"""What is there of a project's blobs for somebody whose rights in it are narrowed to some repositories.

To them a blob that they cannot see answers as one that is nowhere: they cannot read it, mount it, or get at it by a manifest
that names it.  Sending its bytes opens it, as everywhere.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import ManifestBlobUnknown
from fairway.core.oci.manifest import Manifest
from fairway.features.artifacts.store import bringers
from fairway.frame.access.catalogue import REPOSITORY_PULL
from fairway.frame.access.may import ProjectFacts, only_in
from fairway.frame.access.principals import Anonymous, Principal, Robot, User
from fairway.frame.db import Conn, Database, ReferenceViolation


@dataclass(frozen=True, slots=True)
class Sight:
    """Whose: `key`, and the patterns `only` of the repositories of `project` that they may pull from."""

    project: int
    only: tuple[str, ...]
    key: str


def key_of(principal: Principal) -> str:
    """By which uploads know whose they are."""
    match principal:
        case User(id):
            return f"user:{id}"
        case Robot(id):
            return f"robot:{id}"
        case Anonymous():
            return "anonymous"


def sight_in(principal: Principal, facts: ProjectFacts) -> Sight | None:
    """None for who sees all that is there."""
    only = only_in(principal, REPOSITORY_PULL, facts)
    return None if only is None else Sight(facts.id, only, key_of(principal))


async def hides(db: Database, sight: Sight | None, digest: Digest) -> bool:
    """Whether a blob is not there for them."""
    return sight is not None and bool(await _unseen(db, sight, [digest]))


async def _unseen(conn: Conn, sight: Sight, digests: Sequence[Digest]) -> list[Digest]:
    return await bringers.unseen(conn, sight.project, digests, sight.only, sight.key)


async def admit(db: Database, sight: Sight | None, manifest: Manifest) -> None:
    """Raise ManifestBlobUnknown when a manifest names what is not there for them.

    Layers that may be elsewhere must be there, too: once they came, by whomever, the manifest would open them.
    """
    if sight is None:
        return
    named = sorted({each.digest for each in manifest.links() if each.kind in ("config", "layer", "foreign")})
    missing = await _unseen(db, sight, named) if named else []
    if missing:
        more = f" ({len(missing) - 1} more are missing too)" if len(missing) > 1 else ""
        raise ManifestBlobUnknown(
            f"the blob {missing[0]} is not in this project; push it first{more}",
            detail=[{"digest": digest} for digest in missing[:20]],
        )


async def brought(db: Database, sight: Sight | None, digest: Digest) -> None:
    """They have sent a blob, or mounted it."""
    if sight is None:
        return
    with suppress(ReferenceViolation):  # it was removed just now
        await db.write(lambda conn: bringers.brought(conn, sight.project, digest, sight.key))
