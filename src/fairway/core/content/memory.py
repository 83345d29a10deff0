"""A whole registry in memory: the executable specification of `Registry`, and the double that tests use.

No rights, no clock and no limits: everyone may do everything that makes sense. What does not make sense is
refused here as everywhere: a manifest without its blobs, a blob deleted under a manifest, bytes that are not
their digest.
"""

import uuid
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass, field

from fairway.core.content.protocols import ManifestInfo, StoredManifest, UploadState
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import (
    BlobUnknown,
    BlobUploadUnknown,
    DigestInvalid,
    InUse,
    ManifestBlobUnknown,
    ManifestUnknown,
    NameUnknown,
    PreconditionFailed,
    RangeInvalid,
)
from fairway.core.oci.manifest import Descriptor, Manifest
from fairway.core.oci.names import Reference, Repository, Tag

_PIECE = 64 * 1024


@dataclass(slots=True)
class _Contents:
    """What one repository holds."""

    manifests: dict[Digest, Manifest] = field(default_factory=dict)
    tags: dict[Tag, Digest] = field(default_factory=dict)
    blobs: dict[Digest, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MemoryBlob:
    """Bytes that behave as a stored blob; there is no file behind them."""

    data: bytes
    path: None = None
    content: None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data)

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes [start, end)."""
        for at in range(start, min(end, len(self.data)), _PIECE):
            yield self.data[at : min(at + _PIECE, end)]


class Memory:
    """A `Registry` that forgets everything when the process ends.

    `allow_sparse` accepts an index whose children are not there, as a cache of another registry must.
    """

    def __init__(self, *, allow_sparse: bool = False) -> None:
        self._allow_sparse = allow_sparse
        self._repositories: dict[Repository, _Contents] = {}
        self._uploads: dict[tuple[Repository, str], bytearray] = {}

    async def ping(self) -> None:
        """Everyone may use the API."""

    async def repositories(self, *, after: str = "", limit: int) -> list[Repository]:
        return sorted(name for name in self._repositories if name > after)[:limit]

    # What is there

    async def manifest(self, repo: Repository, ref: Reference) -> StoredManifest:
        found = self._manifest(repo, ref)
        return StoredManifest(found.digest, found.media_type, found.raw)

    async def manifest_info(self, repo: Repository, ref: Reference) -> ManifestInfo:
        found = self._manifest(repo, ref)
        return ManifestInfo(found.digest, found.media_type, found.size)

    async def blob(self, repo: Repository, digest: Digest) -> MemoryBlob:
        return MemoryBlob(self._blob(repo, digest))

    async def blob_size(self, repo: Repository, digest: Digest) -> int:
        return len(self._blob(repo, digest))

    async def tags(self, repo: Repository, *, after: str = "", limit: int) -> list[str]:
        return sorted(str(tag) for tag in self._contents(repo).tags if tag > after)[:limit]

    async def referrers(
        self, repo: Repository, digest: Digest, *, artifact_type: str = "", after: str = "", limit: int
    ) -> list[Descriptor]:
        contents = self._repositories.get(repo, _Contents())
        found = [
            Descriptor(
                media_type=manifest.media_type,
                digest=manifest.digest,
                size=manifest.size,
                annotations=manifest.annotations,
                artifact_type=manifest.artifact_type,
            )
            for manifest in contents.manifests.values()
            if manifest.subject
            and manifest.subject.digest == digest
            and manifest.digest > after
            and (not artifact_type or manifest.artifact_type == artifact_type)
        ]
        return sorted(found, key=lambda descriptor: descriptor.digest)[:limit]

    # Writing and deleting

    async def put_blob(self, repo: Repository, digest: Digest, body: AsyncIterable[bytes]) -> None:
        data = bytearray()
        async for piece in body:
            data += piece
        self._keep(repo, digest, bytes(data))

    async def mount_blob(self, repo: Repository, digest: Digest, source: Repository | None) -> bool:
        sources = [source] if source else list(self._repositories)
        for name in sources:
            data = self._repositories.get(name, _Contents()).blobs.get(digest)
            if data is not None:
                self._repositories.setdefault(repo, _Contents()).blobs[digest] = data
                return True
        return False

    async def put_manifest(self, repo: Repository, manifest: Manifest, tags: Sequence[Tag]) -> None:
        contents = self._repositories.get(repo, _Contents())
        missing = [digest for digest in manifest.required_blobs() if digest not in contents.blobs]
        if not self._allow_sparse:
            missing += [digest for digest in manifest.children() if digest not in contents.manifests]
        if missing:
            raise ManifestBlobUnknown("push these before the manifest that names them", detail=missing)
        self._repositories[repo] = contents
        contents.manifests[manifest.digest] = manifest
        contents.tags.update(dict.fromkeys(tags, manifest.digest))

    async def delete_tag(self, repo: Repository, tag: Tag) -> None:
        self._manifest(repo, tag)
        del self._contents(repo).tags[tag]

    async def delete_manifest(self, repo: Repository, digest: Digest) -> None:
        self._manifest(repo, digest)
        contents = self._contents(repo)
        if any(digest in manifest.children() for manifest in contents.manifests.values()):
            raise PreconditionFailed("an index of this repository names the manifest; delete the index first")
        del contents.manifests[digest]
        contents.tags = {tag: kept for tag, kept in contents.tags.items() if kept != digest}

    async def delete_blob(self, repo: Repository, digest: Digest) -> None:
        self._blob(repo, digest)
        contents = self._contents(repo)
        if any(digest in manifest.required_blobs() for manifest in contents.manifests.values()):
            raise InUse("a manifest of this repository still uses the blob; delete the manifest first")
        del contents.blobs[digest]

    # Uploads in pieces

    async def start_upload(self, repo: Repository) -> UploadState:
        upload_id = uuid.uuid4().hex
        self._uploads[repo, upload_id] = bytearray()
        return UploadState(upload_id, 0)

    async def upload(self, repo: Repository, upload_id: str, /) -> UploadState:
        return UploadState(upload_id, len(self._upload(repo, upload_id)))

    async def append(
        self, repo: Repository, upload_id: str, body: AsyncIterable[bytes], /, *, at: int | None
    ) -> UploadState:
        data = self._upload_at(repo, upload_id, at)
        async for piece in body:
            data += piece
        return UploadState(upload_id, len(data))

    async def finish(
        self,
        repo: Repository,
        upload_id: str,
        digest: Digest,
        body: AsyncIterable[bytes] | None,
        /,
        *,
        at: int | None,
    ) -> None:
        self._upload_at(repo, upload_id, at)
        if body is not None:
            await self.append(repo, upload_id, body, at=at)
        self._keep(repo, digest, bytes(self._uploads.pop((repo, upload_id))))

    async def cancel(self, repo: Repository, upload_id: str, /) -> None:
        self._upload(repo, upload_id)
        del self._uploads[repo, upload_id]

    # Looking things up

    def _contents(self, repo: Repository) -> _Contents:
        contents = self._repositories.get(repo)
        if contents is None:
            raise NameUnknown(f"there is no repository {repo}")
        return contents

    def _manifest(self, repo: Repository, ref: Reference) -> Manifest:
        contents = self._contents(repo)
        digest = contents.tags.get(ref) if isinstance(ref, Tag) else ref
        found = contents.manifests.get(digest) if digest else None
        if found is None:
            raise ManifestUnknown(f"{repo} has no manifest {ref}")
        return found

    def _blob(self, repo: Repository, digest: Digest) -> bytes:
        data = self._repositories.get(repo, _Contents()).blobs.get(digest)
        if data is None:
            raise BlobUnknown(f"{repo} has no blob {digest}")
        return data

    def _upload(self, repo: Repository, upload_id: str) -> bytearray:
        data = self._uploads.get((repo, upload_id))
        if data is None:
            raise BlobUploadUnknown("this upload is finished, cancelled or was never begun; begin a new one")
        return data

    def _upload_at(self, repo: Repository, upload_id: str, at: int | None) -> bytearray:
        data = self._upload(repo, upload_id)
        if at is not None and at != len(data):
            raise RangeInvalid(
                "the next piece must begin where the last one ended", location_id=upload_id, offset=len(data)
            )
        return data

    def _keep(self, repo: Repository, digest: Digest, data: bytes) -> None:
        if Digest.of(data, digest.algorithm) != digest:
            raise DigestInvalid(f"the bytes are not those of {digest}")
        self._repositories.setdefault(repo, _Contents()).blobs[digest] = data
