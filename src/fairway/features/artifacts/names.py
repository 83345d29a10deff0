"""`SqlNames`: the naming half of a registry in our database, for one caller in one project.

Each writing method is one transaction which also writes what the laws ask for: the project's link and its charge, the
lease, the collector's review row and the outbox event.  `charge` comes last.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from fairway.core.content.names import ManifestDamaged
from fairway.core.content.protocols import ManifestInfo, StoredManifest
from fairway.core.crash import crashpoint
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import (
    BlobUnknown,
    BlobUploadUnknown,
    InUse,
    ManifestUnknown,
    NameUnknown,
    Unavailable,
)
from fairway.core.oci.manifest import Descriptor, Manifest
from fairway.core.oci.names import Reference, Repository, Tag
from fairway.core.stores.protocols import Session, Stored
from fairway.features.artifacts import changing, pushing
from fairway.features.artifacts.model import Caller, Periods
from fairway.features.artifacts.store import blobs, manifests, uploads
from fairway.features.artifacts.store import tags as tag_rows
from fairway.frame.db import SECOND, Body, Conn, Database, ReferenceViolation, Row, ledger
from fairway.frame.db.tables.content import LIVE

T = TypeVar("T")


__all__ = ["Caller", "Periods", "SqlNames"]


class SqlNames:
    """Implements `Names`.  Cheap: made per request."""

    def __init__(
        self, db: Database, project: int, caller: Caller, periods: Periods, *, uploads_per_caller: int
    ) -> None:
        self.db = db
        self.project = project
        self.caller = caller
        self.periods = periods
        self.uploads_per_caller = uploads_per_caller
        self._place = changing.Place(project, caller.name, periods)

    # -- reading

    async def manifest(self, repo: Repository, ref: Reference) -> StoredManifest:
        row = await manifests.manifest(self.db, self.project, repo.rest, ref)
        if row is None:
            raise await self._unknown(repo, ref)
        digest = Digest(row["digest"])
        if Digest.of(row["payload"], digest.algorithm) != digest:
            raise ManifestDamaged(
                f"the stored manifest {digest} of {repo} is damaged; push it again to repair it"
            )
        if self.caller.may_push and isinstance(ref, Digest):
            await self._promise(digest, ManifestUnknown(f"{repo}@{digest} was deleted"))
        return StoredManifest(digest, row["media_type"], row["payload"])

    async def manifest_info(self, repo: Repository, ref: Reference) -> ManifestInfo:
        row = await manifests.manifest_info(self.db, self.project, repo.rest, ref)
        if row is None:
            raise await self._unknown(repo, ref)
        digest = Digest(row["digest"])
        if self.caller.may_push and isinstance(ref, Digest):
            await self._promise(digest, ManifestUnknown(f"{repo}@{digest} was deleted"))
        return ManifestInfo(digest, row["media_type"], row["size"])

    async def _unknown(self, repo: Repository, ref: Reference) -> Exception:
        if await manifests.repository(self.db, self.project, repo.rest) is None:
            return NameUnknown(f"there is no repository {repo}")
        return ManifestUnknown(f"{repo} has no manifest {ref}")

    async def tags(self, repo: Repository, *, after: str, limit: int) -> list[str]:
        repository = await self._place.repository(self.db, repo)
        return await tag_rows.tag_names(self.db, repository, after, limit)

    async def referrers(
        self, repo: Repository, digest: Digest, *, artifact_type: str, after: str, limit: int
    ) -> list[Descriptor]:
        rows = await manifests.referrers(
            self.db, self.project, repo.rest, digest, artifact_type, after, limit
        )
        return [_descriptor(row) for row in rows]

    async def blob(self, repo: Repository, digest: Digest) -> Stored:
        stored = await blobs.visible(self.db, self.project, digest)
        if stored is None:
            raise BlobUnknown(f"{repo} has no blob {digest}")
        if self.caller.may_push:
            await self._promise(digest, BlobUnknown(f"{repo} has no blob {digest}"))
        return stored

    async def held(self, digest: Digest) -> Stored | None:
        row = await blobs.held(self.db, digest)
        return Stored(row["key"], row["size"]) if row is not None else None

    async def _write(self, body: Body[T], *, soft: bool = False) -> T:
        try:
            return await self.db.write(body, soft=soft)
        except ReferenceViolation as error:
            raise NameUnknown("the project was deleted just now") from error

    async def _promise(self, digest: Digest, gone: Exception) -> None:
        """Keep a positive answer true: renew the lease when less than half is left, or raise `gone`."""
        left = await blobs.lease_left(self.db, self.project, digest)
        if left is not None and left * 2 > self.periods.lease * SECOND:
            return

        async def body(conn: Conn) -> bool:
            if not await ledger.keep_link(conn, self.project, digest):
                return False
            await ledger.lease(conn, self.project, digest, self.periods.lease)
            return True

        if not await self._write(body, soft=True):
            raise gone

    # -- blobs

    async def add_blob(
        self,
        repo: Repository,
        digest: Digest,
        stored: Stored,
        *,
        upload: str | None,
        instead_of: Stored | None,
    ) -> Stored | None:
        async def body(conn: Conn) -> Stored | None:
            blob, needless = await self._blob_row(conn, digest, stored, instead_of)
            crashpoint("blob.in_transaction")
            charge = await ledger.link(conn, self.project, digest, stored.size, blob)
            await pushing.record_blob(conn, self._place, repo, digest, stored.size)
            if upload is not None:
                await uploads.close(conn, self._upload_key(repo, upload))
            await ledger.charge(conn, self.project, charge)
            return needless

        crashpoint("blob.before_transaction")
        needless = await self._write(body)
        crashpoint("blob.after_commit")
        return needless

    async def _blob_row(
        self, conn: Conn, digest: Digest, stored: Stored, instead_of: Stored | None
    ) -> tuple[int, Stored | None]:
        """The digest's row, and which object nobody needs when there were two."""
        while True:
            made = await blobs.add_blob(conn, digest, stored)
            if made is not None:
                return made, None
            row = await blobs.held_locked(conn, digest)
            if row is not None:
                break
            # The collector removed it between the two statements.
        old = Stored(row["key"], row["size"])
        if row["state"] == LIVE and old != instead_of:
            return row["id"], stored
        await blobs.replace_object(conn, row["id"], stored)
        await ledger.discard(conn, old.key, old.size, self.periods.trash)
        return row["id"], old

    async def mount_blob(self, repo: Repository, digest: Digest, source: Repository) -> bool:
        async def body(conn: Conn) -> bool:
            found, charge = await pushing.mount(conn, self._place, repo, [digest], source)
            await ledger.charge(conn, self.project, charge)
            return found == 1

        return await self._write(body)

    async def damaged(self, digest: Digest, stored: Stored) -> None:
        await self._write(lambda conn: blobs.mark_damaged(conn, digest, stored.key))

    async def delete_blob(self, repo: Repository, digest: Digest) -> None:
        async def body(conn: Conn) -> None:
            linked = await ledger.lock_link(conn, self.project, digest)
            if not linked or await blobs.visible(conn, self.project, digest) is None:
                raise BlobUnknown(f"{repo} has no blob {digest}")
            user = await blobs.needed_by(conn, self.project, digest)
            if user is not None:
                raise InUse(f"the blob {digest} is part of the manifest {user}; delete that first")
            released = await blobs.release(conn, self.project, digest)
            await ledger.review(conn, ledger.EVERYWHERE, digest, "blob deleted", self.periods.grace)
            await self._record(conn, repo, "blob.deleted", {"digest": digest})
            await ledger.charge(conn, self.project, -released)

        await self._write(body)

    # -- manifests and tags

    async def put_manifest(self, repo: Repository, manifest: Manifest, tags: Sequence[Tag]) -> None:
        async def body(conn: Conn) -> None:
            charge = await pushing.put(conn, self._place, repo, manifest, tags)
            await ledger.charge(conn, self.project, charge)

        crashpoint("manifest.before_transaction")
        await self._write(body)
        crashpoint("manifest.after_commit")

    async def copy_manifest(
        self, source: Repository, repo: Repository, manifest: Manifest, tags: Sequence[Tag]
    ) -> None:
        """The same for what is in `source` already: the blobs it needs come from there, in the same transaction."""

        async def body(conn: Conn) -> None:
            charge = await pushing.put(conn, self._place, repo, manifest, tags, source)
            await ledger.charge(conn, self.project, charge)

        await self._write(body)

    async def delete_tag(self, repo: Repository, tag: Tag) -> None:
        await self._write(lambda conn: changing.delete_tag(conn, self._place, repo, tag))

    async def delete_manifest(self, repo: Repository, digest: Digest) -> None:
        await self._write(lambda conn: changing.delete_manifest(conn, self._place, repo, digest))

    async def _record(self, conn: Conn, repo: Repository, kind: str, facts: Mapping[str, Any]) -> None:
        await self._place.record(conn, repo, kind, facts)

    # -- uploads

    def _upload_key(self, repo: Repository, upload_id: str) -> uploads.Key:
        return {
            "upload": upload_id,
            "project": self.project,
            "repository": repo.rest,
            "principal": self.caller.key,
        }

    async def open_upload(self, repo: Repository, session: Session) -> None:
        async def body(conn: Conn) -> bool:
            if not await uploads.may_begin(conn, self.caller.key, self.uploads_per_caller):
                return False
            await uploads.open_(conn, self._upload_key(repo, session.id), session.state)
            return True

        if not await self._write(body, soft=True):
            raise Unavailable(
                f"{self.caller.name} has {self.uploads_per_caller} uploads open; finish or cancel some, then try again",
                retry_after=30,
            )
        crashpoint("upload.after_row")

    async def upload(self, repo: Repository, upload_id: str, /) -> Session:
        session = await uploads.get(self.db, self._upload_key(repo, upload_id))
        if session is None:
            raise BlobUploadUnknown("there is no such upload here; start a new one")
        return session

    async def save_upload(self, repo: Repository, session: Session) -> None:
        key = self._upload_key(repo, session.id)
        if not await self._write(lambda conn: uploads.save(conn, key, session), soft=True):
            raise BlobUploadUnknown("this upload was cancelled meanwhile; start a new one")

    async def close_upload(self, repo: Repository, upload_id: str, /) -> None:
        await self._write(lambda conn: uploads.close(conn, self._upload_key(repo, upload_id)), soft=True)


def _descriptor(row: Row) -> Descriptor:
    return Descriptor(
        media_type=row["media_type"],
        digest=Digest(row["digest"]),
        size=row["size"],
        platform=None,
        annotations=json.loads(row["annotations"]),
        artifact_type=row["artifact_type"],
        urls=(),
        data=None,
    )
