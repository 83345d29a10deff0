"""Copying an artifact from one repository to another inside the registry: no byte moves, blobs are linked.

All that an index names is copied before it, and what belongs to any of them, such as signatures, after all of these: each
manifest in a transaction of its own with its blobs.  So whatever ends a copy, what is there is complete in itself, and
copying again finishes it.
"""

import asyncio
from collections import deque
from dataclasses import dataclass

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import Denied, ManifestBlobUnknown, ManifestInvalid, ManifestUnknown, NameUnknown
from fairway.core.oci.manifest import Manifest
from fairway.core.oci.names import Reference, Repository, Tag
from fairway.features.artifacts.names import SqlNames
from fairway.features.artifacts.store import details, listed, manifests
from fairway.frame.db import Row

MOST_MANIFESTS = 1_000
"""How many manifests one copy may lead to."""
MOST_ACCESSORIES = 500
"""How many accessories of one manifest are copied with it."""
DEEPEST = 8
"""How many indexes may be one in the other."""
LARGE = 32 * 1024
"""Bytes of a manifest that is not parsed between two other requests."""


@dataclass(frozen=True, slots=True)
class _Step:
    """A manifest to copy; `again`: all that it names was copied before."""

    digest: Digest
    depth: int = 0
    again: bool = False


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy from the repository `source`, which `near` names, to `into`, which `far` names."""

    near: SqlNames
    far: SqlNames
    source: Repository
    into: Repository

    async def run(self, ref: Reference) -> Digest:
        """Copy what a tag or digest names; its digest.

        A new copy has all the tags of the original; one that is there already gets the tag `ref`, if it is one.
        Raises NameUnknown, ManifestUnknown, Denied for an accessory, which is copied with what it belongs to, and as
        pushing does.
        """
        repository = await manifests.repository(self.near.db, self.near.project, self.source.rest)
        if repository is None:
            raise NameUnknown(f"there is no repository {self.source}")
        root = await self._row(repository, ref)
        if root["accessory_of"] is not None:
            raise Denied(f"this belongs to {root['accessory_of']} and is copied with it; copy that")
        digest = Digest(root["digest"])
        # Not by whole names: either project may be called by a former one.
        if (self.near.project, self.source.rest) != (self.far.project, self.into.rest):
            tags = await self._tags_of(root)
            if await self._there(digest):
                tags = [ref] if isinstance(ref, Tag) else []
            await self._walk(repository, digest, tags)
        return digest

    async def _row(self, repository: int, ref: Reference) -> Row:
        row = await listed.one(self.near.db, repository, ref)
        if row is None:
            raise ManifestUnknown(f"{self.source} has no manifest {ref}")
        return row

    async def _tags_of(self, row: Row) -> list[Tag]:
        found = await details.tags_of(self.near.db, [row["id"]])
        return [Tag(tag["name"]) for tag in found.get(row["id"], ())]

    async def _there(self, digest: Digest) -> bool:
        return (
            await manifests.manifest_info(self.far.db, self.far.project, self.into.rest, digest) is not None
        )

    async def _walk(self, repository: int, root: Digest, tags: list[Tag]) -> None:
        """One manifest in memory at a time: an index is read again when all that it names has been copied."""
        seen: set[Digest] = set()
        belonging: deque[Digest] = deque()
        open_ = [_Step(root)]
        while open_ or belonging:
            step = open_.pop() if open_ else _Step(belonging.popleft())
            if step.digest in seen and not step.again:
                continue
            if not step.again and len(seen) >= MOST_MANIFESTS:
                raise ManifestInvalid(
                    f"this leads to more than {MOST_MANIFESTS} manifests; copy it with a client"
                )
            seen.add(step.digest)
            manifest = await self._read(step.digest)
            children = () if step.again else manifest.children()
            if children:
                if step.depth >= DEEPEST:
                    raise ManifestInvalid(
                        f"this is {DEEPEST} indexes deep, one in the other; copy it with a client"
                    )
                open_.append(_Step(step.digest, step.depth, again=True))
                open_ += [_Step(child, step.depth + 1) for child in children]
                continue
            await self._put(repository, manifest, tags if step.digest == root else None)
            belonging += await manifests.accessories(self.near.db, repository, step.digest, MOST_ACCESSORIES)

    async def _read(self, digest: Digest) -> Manifest:
        stored = await self.near.manifest(self.source, digest)
        if stored.size < LARGE:
            return stored.parsed()
        return await asyncio.to_thread(stored.parsed)

    async def _put(self, repository: int, manifest: Manifest, tags: list[Tag] | None) -> None:
        """With `tags`, whether it is there or not; else with its own if it is an accessory, which older signatures are
        found by."""
        if tags is None:
            if await self._there(manifest.digest):
                return
            row = await self._row(repository, manifest.digest)
            tags = await self._tags_of(row) if row["accessory_of"] is not None else []
        try:
            await self.far.copy_manifest(self.source, self.into, manifest, tags)
        except ManifestBlobUnknown as error:
            raise ManifestBlobUnknown(
                f"{self.source}@{manifest.digest} lacks a part of itself; push it there again",
                detail=error.detail,
            ) from None
