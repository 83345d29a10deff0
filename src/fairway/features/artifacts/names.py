"""`SqlNames`: the naming half of a registry in our database, for one caller in one project.

Each writing method is one transaction which also writes what the laws ask for: the project's link and its charge, the
lease, the collector's review row and the outbox event.  `charge` comes last.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from fairway.core.content.names import ManifestDamaged
from fairway.core.content.protocols import ManifestInfo, StoredManifest
from fairway.core.crash import crashpoint
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import (
    BlobUnknown,
    BlobUploadUnknown,
    InUse,
    ManifestBlobUnknown,
    ManifestUnknown,
    NameUnknown,
    Unavailable,
)
from fairway.core.oci.manifest import Descriptor, Manifest
from fairway.core.oci.names import Reference, Repository, Tag
from fairway.core.stores.protocols import Session, Stored
from fairway.features.artifacts import changing, charges, rules
from fairway.features.artifacts.model import Caller, Periods
from fairway.features.artifacts.store import blobs, manifests, shown, uploads
from fairway.features.artifacts.store import tags as tag_rows
from fairway.features.artifacts.store.kept import Kept
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
        except charges.Refused as error:
            charges.tell(self.db, error)
            raise

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
            await self._record_blob(conn, repo, digest, stored.size)
            if upload is not None:
                await uploads.close(conn, self._upload_key(repo, upload))
            await charges.charge(conn, self._place, repo, charge, digest)
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
            found, charge = await self._mount(conn, repo, [digest], source)
            await charges.charge(conn, self._place, repo, charge, digest)
            return found == 1

        return await self._write(body)

    async def _mount(
        self, conn: Conn, repo: Repository, digests: Sequence[Digest], source: Repository
    ) -> tuple[int, int]:
        """Mount what the project of `source` has of blobs that are in order: how many, and the bytes to charge."""
        sizes, charge = {}, 0
        for digest in digests:
            if (row := await blobs.mountable(conn, source.project, digest)) is not None:
                sizes[digest] = row["size"]
                charge += await ledger.link(conn, self.project, digest, row["size"], row["id"])
        for digest, size in sizes.items():
            await self._record_blob(conn, repo, digest, size, mounted_from=source)
        return len(sizes), charge

    async def _record_blob(
        self,
        conn: Conn,
        repo: Repository,
        digest: Digest,
        size: int,
        *,
        mounted_from: Repository | None = None,
    ) -> None:
        await ledger.lease(conn, self.project, digest, self.periods.lease)
        await ledger.review(conn, self.project, digest, "blob pushed", self.periods.grace)
        await ledger.review(conn, ledger.EVERYWHERE, digest, "blob pushed", self.periods.grace)
        payload: dict[str, Any] = {"digest": digest, "size": size}
        if mounted_from is not None:
            payload["mounted_from"] = mounted_from
        await self._record(conn, repo, "blob.pushed", payload)

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
        crashpoint("manifest.before_transaction")
        await self._write(lambda conn: self._put(conn, repo, manifest, tags))
        crashpoint("manifest.after_commit")

    async def copy_manifest(
        self, source: Repository, repo: Repository, manifest: Manifest, tags: Sequence[Tag]
    ) -> None:
        """The same for what is in `source` already: the blobs it needs come from there, in the same transaction."""
        await self._write(lambda conn: self._put(conn, repo, manifest, tags, source))

    async def _mount_missing(
        self, conn: Conn, repo: Repository, manifest: Manifest, source: Repository
    ) -> int:
        """Mount what this project has not; the bytes to charge."""
        kinds = ("config", "layer", "foreign")  # a layer with `urls` may be here, or elsewhere only
        named = _in_lock_order(link.digest for link in manifest.links() if link.kind in kinds)
        present = await blobs.present_blobs(conn, self.project, named)
        return (await self._mount(conn, repo, [each for each in named if each not in present], source))[1]

    async def _put(
        self,
        conn: Conn,
        repo: Repository,
        manifest: Manifest,
        tags: Sequence[Tag],
        source: Repository | None = None,
    ) -> None:
        kept = await self._place.ensure(conn, repo)
        repository = kept.id
        children = set(manifest.children())
        before = await shown.behind(conn, repository, tags) - {manifest.digest} if tags else set()
        around = children | before
        held = await shown.hold(conn, repository, {manifest.digest, *around}) if around else {}
        mounted = 0 if source is None else await self._mount_missing(conn, repo, manifest, source)
        await self._require(conn, manifest, held)
        artifact, new = await self._add(conn, repo, kept, manifest, tags)
        crashpoint("manifest.after_row")
        moved = {tag: await self._point(conn, repository, tag, artifact) for tag in sorted(set(tags))}
        charge = await ledger.link(conn, self.project, manifest.digest, manifest.size, None)
        await ledger.lease(conn, self.project, manifest.digest, self.periods.lease)
        changed = {manifest.digest, *(Digest(before) for before in moved.values() if before is not None)}
        await self._review(conn, changed, "manifest pushed")
        if around or not new or any(moved.values()):  # the last: a tag that was set since `around` was read
            await shown.refresh(conn, repository, changed | children)
        await self._record(conn, repo, "artifact.pushed", _pushed(manifest, moved) | kept.facts)
        await charges.charge(conn, self._place, repo, charge + mounted, manifest.digest, tags)

    async def _add(
        self, conn: Conn, repo: Repository, kept: Kept, manifest: Manifest, tags: Sequence[Tag]
    ) -> tuple[int, bool]:
        """The id, and whether it is new."""
        children = manifest.children()
        sizes = await manifests.total_sizes(conn, kept.id, children) if children else []
        artifact, new = await manifests.add_artifact(
            conn, self.project, kept.id, manifest, total_size=rules.total_size(manifest, sizes)
        )
        if (found := rules.accessory(manifest, tags)) is not None:
            added = await manifests.make_accessory(conn, artifact, found.kind, found.subject)
            if added and found.kind in rules.SIGNATURES:
                facts = {"digest": found.subject, "signature": manifest.digest, "kind": found.kind}
                await self._record(conn, repo, "signature.added", facts | kept.facts)
        return artifact, new

    async def _require(self, conn: Conn, manifest: Manifest, held: Collection[Digest]) -> None:
        """All that the manifest needs is here and stays until the transaction ends; `held`: manifests that do.

        Raises ManifestBlobUnknown.
        """
        needed = _in_lock_order(manifest.required_blobs())
        if needed:
            present = await blobs.present_blobs(conn, self.project, needed)
            _refuse_missing([digest for digest in needed if digest not in present], "blob", "push it first")
        missing = [digest for digest in _in_lock_order(manifest.children()) if digest not in held]
        _refuse_missing(missing, "manifest", "push it first")

    async def _point(self, conn: Conn, repository: int, tag: Tag, artifact: int) -> str | None:
        crashpoint("manifest.before_tag")
        return await tag_rows.move_tag(conn, repository, tag, artifact)

    async def _review(self, conn: Conn, digests: Iterable[Digest], reason: str) -> None:
        await ledger.review_all(conn, self.project, _in_lock_order(digests), reason, self.periods.grace)

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


def _pushed(manifest: Manifest, moved: Mapping[Tag, str | None]) -> dict[str, Any]:
    return {
        "digest": manifest.digest,
        "media_type": manifest.media_type,
        "artifact_type": manifest.artifact_type,
        "size": manifest.size,
        "subject": manifest.subject.digest if manifest.subject else None,
        "tags": {tag: {"was": before} for tag, before in moved.items()},
    }


def _refuse_missing(missing: Sequence[Digest], what: str, advice: str) -> None:
    if missing:
        raise ManifestBlobUnknown(
            f"the {what} {missing[0]} is not in this project; {advice}"
            + (f" ({len(missing) - 1} more are missing too)" if len(missing) > 1 else ""),
            detail=[{"digest": digest} for digest in missing[:20]],
        )


def _in_lock_order(digests: Iterable[Digest]) -> list[Digest]:
    return sorted(set(digests))
