"""`Local`: our own place, names in a database and bytes in a store.

The order of every write is the law: bytes first and durable, then one short transaction that names them.  A crash
between the two leaves an object nobody names, never a name without its object.
"""

from collections.abc import AsyncIterable, Sequence
from contextlib import suppress
from typing import NoReturn

from fairway.core.content.names import Names
from fairway.core.content.protocols import ManifestInfo, StoredManifest, UploadState
from fairway.core.content.small import LARGEST, SmallBlob, SmallBlobs
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import BlobUnknown, DigestInvalid, QuotaExceeded, RangeInvalid, Unavailable
from fairway.core.oci.manifest import Descriptor, Manifest
from fairway.core.oci.names import Reference, Repository, Tag
from fairway.core.stores.protocols import (
    Blob,
    BlobStore,
    BodyCut,
    ObjectDamaged,
    ObjectMissing,
    Session,
    Stored,
    UploadLost,
)


class Local:
    """Everything a registry can be asked, except who may ask it (that is the gate's)."""

    def __init__(self, names: Names, store: BlobStore, small: SmallBlobs) -> None:
        self.names = names
        self.store = store
        self.small = small

    # -- reading

    async def manifest(self, repo: Repository, ref: Reference) -> StoredManifest:
        return await self.names.manifest(repo, ref)

    async def manifest_info(self, repo: Repository, ref: Reference) -> ManifestInfo:
        return await self.names.manifest_info(repo, ref)

    async def tags(self, repo: Repository, *, after: str = "", limit: int) -> list[str]:
        return await self.names.tags(repo, after=after, limit=limit)

    async def referrers(
        self, repo: Repository, digest: Digest, *, artifact_type: str = "", after: str = "", limit: int
    ) -> list[Descriptor]:
        return await self.names.referrers(repo, digest, artifact_type=artifact_type, after=after, limit=limit)

    async def blob_size(self, repo: Repository, digest: Digest) -> int:
        stored = await self.names.blob(repo, digest)
        if not await self._intact(stored, lately=True):  # whoever asks would not push it again
            await self._damaged(digest, stored)
        return stored.size

    async def blob(self, repo: Repository, digest: Digest) -> Blob:
        stored = await self.names.blob(repo, digest)
        blob: Blob | None = None
        if stored.size <= LARGEST:
            blob = self.small.get(stored.key) or await self._read_small(digest, stored)
        elif await self._intact(stored, lately=True):
            blob = self.store.blob(stored.key, stored.size)
        if blob is None:
            await self._damaged(digest, stored)
        return blob

    async def _damaged(self, digest: Digest, stored: Stored) -> NoReturn:
        await self.names.damaged(digest, stored)
        raise BlobUnknown(f"the stored bytes of {digest} are damaged; push it again to repair it")

    async def _read_small(self, digest: Digest, stored: Stored) -> SmallBlob | None:
        """A small blob, hashed; None when it is damaged.  Raises Unavailable as `_intact`."""
        with suppress(ObjectMissing, ObjectDamaged):
            reading = self.store.blob(stored.key, stored.size).read(0, stored.size)
            content = b"".join([piece async for piece in reading])
            if Digest.of(content, digest.algorithm) == digest:
                return self.small.keep(stored.key, content)
        await self.store.confirm()
        return None

    async def _intact(self, stored: Stored, *, lately: bool = False) -> bool:
        """Raises Unavailable when not the blob is at fault but the storage, such as a volume that is not mounted."""
        try:
            if await self.store.size(stored.key, lately=lately) == stored.size:
                return True
        except ObjectMissing:
            pass
        await self.store.confirm()
        return False

    # -- writing blobs

    async def put_blob(self, repo: Repository, digest: Digest, body: AsyncIterable[bytes]) -> None:
        session = await self.store.uploads.begin()
        async with self.store.uploads.hold(session.id):
            try:
                session = await self.store.uploads.append(session, body)
                stored = await self.store.uploads.finish(session, digest)
            except BaseException as error:
                await self.store.uploads.abort(session)
                if isinstance(error, BodyCut) and error.__cause__ is not None:
                    raise error.__cause__ from None
                raise
        await self._name(repo, digest, stored, upload=None)

    async def mount_blob(self, repo: Repository, digest: Digest, source: Repository | None) -> bool:
        if not await self.names.mount_blob(repo, digest, source if source is not None else repo):
            return False
        # Looked at only now: whether anybody else has the blob must not show, not even in the time it takes.
        held = await self.names.held(digest)
        if held is not None and await self._intact(held, lately=True):
            return True
        if held is not None:
            await self.names.damaged(digest, held)
        return False

    async def delete_blob(self, repo: Repository, digest: Digest) -> None:
        await self.names.delete_blob(repo, digest)

    async def _name(self, repo: Repository, digest: Digest, stored: Stored, *, upload: str | None) -> None:
        held = await self.names.held(digest)
        damaged = held if held is not None and not await self._intact(held) else None
        try:
            needless = await self.names.add_blob(repo, digest, stored, upload=upload, instead_of=damaged)
        except QuotaExceeded:
            await self.store.remove(stored.key)
            if upload is not None:
                await self.names.close_upload(repo, upload)  # its bytes are gone
            raise
        # After any other error the COMMIT may have happened unheard: the object stays, for reconciliation to judge.
        if needless is not None and needless.key == stored.key:
            await self.store.remove(stored.key)  # no row ever named it

    # -- uploads in pieces

    async def start_upload(self, repo: Repository) -> UploadState:
        session = await self.store.uploads.begin()
        try:
            await self.names.open_upload(repo, session)
        except BaseException:
            await self.store.uploads.abort(session)
            raise
        return UploadState(session.id, session.offset)

    async def upload(self, repo: Repository, upload_id: str, /) -> UploadState:
        session = await self.names.upload(repo, upload_id)
        await self.store.uploads.idle(session)  # BlobUploadUnknown when the bytes it speaks of are gone
        return UploadState(session.id, session.offset)

    async def append(
        self, repo: Repository, upload_id: str, /, body: AsyncIterable[bytes], *, at: int | None
    ) -> UploadState:
        await self.names.upload(repo, upload_id)  # not this caller's: not even worth a lock
        async with self.store.uploads.hold(upload_id):
            session = await self._append(repo, upload_id, body, at)
            await self.names.save_upload(repo, session)
        return UploadState(session.id, session.offset)

    async def _append(
        self, repo: Repository, upload_id: str, /, body: AsyncIterable[bytes], at: int | None
    ) -> Session:
        """The session after the body; saved only if the body broke off."""
        session = await self.names.upload(repo, upload_id)  # read while held: nobody moves it now
        _expect(session, at)
        try:
            return await self.store.uploads.append(session, body)
        except BodyCut as cut:
            await self.names.save_upload(repo, cut.session)
            raise (cut.__cause__ or cut) from None
        except UploadLost:
            await self.names.close_upload(repo, upload_id)
            raise

    async def finish(
        self,
        repo: Repository,
        upload_id: str,
        /,
        digest: Digest,
        body: AsyncIterable[bytes] | None,
        *,
        at: int | None,
    ) -> None:
        await self.names.upload(repo, upload_id)
        async with self.store.uploads.hold(upload_id):
            if body is None:
                session = await self.names.upload(repo, upload_id)
                _expect(session, at)
            else:
                session = await self._append(repo, upload_id, body, at)
            try:
                stored = await self.store.uploads.finish(session, digest)
            except (DigestInvalid, Unavailable):
                await self.names.close_upload(repo, upload_id)  # nothing of it is kept
                raise
        await self._name(repo, digest, stored, upload=upload_id)

    async def cancel(self, repo: Repository, upload_id: str, /) -> None:
        session = await self.names.upload(repo, upload_id)
        await self.names.close_upload(repo, upload_id)
        await self.store.uploads.abort(session)

    # -- manifests and tags

    async def put_manifest(self, repo: Repository, manifest: Manifest, tags: Sequence[Tag]) -> None:
        await self.names.put_manifest(repo, manifest, tags)

    async def delete_tag(self, repo: Repository, tag: Tag) -> None:
        await self.names.delete_tag(repo, tag)

    async def delete_manifest(self, repo: Repository, digest: Digest) -> None:
        await self.names.delete_manifest(repo, digest)


def _expect(session: Session, at: int | None) -> None:
    if at is not None and at != session.offset:
        raise RangeInvalid(
            f"this upload has {session.offset} bytes; the next chunk must start there, not at {at}",
            location_id=session.id,
            offset=session.offset,
        )
