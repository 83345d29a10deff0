"""The protocols every place of images speaks: `Source`, `Target`, `Resumable` and `Registry`.

`Source` can be read from, `Target` also written to; `Resumable` adds uploads that survive a lost connection,
and `Registry` is all of it: what the HTTP server serves. Implementations differ in *where* content comes
from, never in what a method means; `tests/contract/test_target.py` holds them to that.

Any method may also raise `Denied`, `Unauthorized`, `TooManyRequests` and `Unavailable`: places that ask for
rights, or that live behind a network, have these to say. The errors listed per method are the ones its
meaning calls for.
"""

from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from fairway.core.oci.digest import Digest
from fairway.core.oci.manifest import Descriptor, Limits, Manifest, parse_manifest
from fairway.core.oci.names import Reference, Repository, Tag
from fairway.core.stores.protocols import Blob


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """A manifest as a place keeps it: the exact bytes, their media type, and the digest they are known by."""

    digest: Digest
    media_type: str
    raw: bytes

    @property
    def size(self) -> int:
        """Length of the manifest in bytes."""
        return len(self.raw)

    def parsed(self) -> Manifest:
        """The manifest's content. Raises ManifestInvalid when the place kept what it should have refused."""
        limits = Limits(size=self.size)  # it was kept, so it was within the limits of its time
        return parse_manifest(self.raw, self.media_type, algorithm=self.digest.algorithm, limits=limits)


@dataclass(frozen=True, slots=True)
class ManifestInfo:
    """What a HEAD request says about a manifest; `size` in bytes."""

    digest: Digest
    media_type: str
    size: int


@dataclass(frozen=True, slots=True)
class UploadState:
    """An upload in progress: its id, one path segment, and how many bytes have arrived."""

    id: str
    offset: int


class Source(Protocol):
    """A place images can be read from: our own store, another registry, a peer."""

    async def manifest(self, repo: Repository, ref: Reference) -> StoredManifest:
        """What a tag or digest names. Raises ManifestUnknown, NameUnknown."""
        ...

    async def manifest_info(self, repo: Repository, ref: Reference) -> ManifestInfo:
        """The same without the bytes. Raises ManifestUnknown, NameUnknown."""
        ...

    async def blob(self, repo: Repository, digest: Digest) -> Blob:
        """A blob, ready to be read in whole or in part; nothing is opened yet. Raises BlobUnknown."""
        ...

    async def blob_size(self, repo: Repository, digest: Digest) -> int:
        """A blob's length in bytes, without opening it. Raises BlobUnknown."""
        ...

    async def tags(self, repo: Repository, *, after: str = "", limit: int) -> list[str]:
        """At most `limit` tags that follow `after` in ASCII order. Raises NameUnknown."""
        ...

    async def referrers(
        self, repo: Repository, digest: Digest, *, artifact_type: str = "", after: str = "", limit: int
    ) -> list[Descriptor]:
        """At most `limit` manifests whose subject is `digest`, ordered by digest, those that follow `after`.

        `artifact_type` keeps only those of that type. Empty when there are none, also when neither repository
        nor subject exist: never NameUnknown.
        """
        ...


class Target(Source, Protocol):
    """A source that can also be written to."""

    async def put_blob(self, repo: Repository, digest: Digest, body: AsyncIterable[bytes]) -> None:
        """Store a blob. Raises DigestInvalid when the bytes do not match, and then nothing is kept."""
        ...

    async def mount_blob(self, repo: Repository, digest: Digest, source: Repository | None) -> bool:
        """Let `repo` have a blob that `source` (or, with None, any readable repository) has.

        False when that is not possible, whatever the reason: the caller uploads it instead.
        """
        ...

    async def put_manifest(self, repo: Repository, manifest: Manifest, tags: Sequence[Tag]) -> None:
        """Store a manifest and point `tags` at it. Raises ManifestBlobUnknown when a part is missing."""
        ...

    async def delete_tag(self, repo: Repository, tag: Tag) -> None:
        """Forget a tag; its manifest stays. Raises ManifestUnknown, NameUnknown."""
        ...

    async def delete_manifest(self, repo: Repository, digest: Digest) -> None:
        """Forget a manifest and every tag on it. Raises ManifestUnknown, NameUnknown."""
        ...

    async def delete_blob(self, repo: Repository, digest: Digest) -> None:
        """Forget a blob. Raises BlobUnknown, and InUse while a manifest of the repository needs it."""
        ...


class Resumable(Protocol):
    """A place that takes blobs in pieces and remembers, between requests, what has arrived."""

    async def start_upload(self, repo: Repository) -> UploadState:
        """Open an upload with nothing in it yet."""
        ...

    async def upload(self, repo: Repository, upload_id: str, /) -> UploadState:
        """How far an upload has come. Raises BlobUploadUnknown."""
        ...

    async def append(
        self, repo: Repository, upload_id: str, body: AsyncIterable[bytes], /, *, at: int | None
    ) -> UploadState:
        """Add `body` to an upload. An error of `body` itself is passed on; what arrived before it is kept.

        Raises BlobUploadUnknown, and RangeInvalid, with nothing written, when `at` is given and is not the
        upload's offset.
        """
        ...

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
        """Add an optional last piece and make the upload a blob of `repo`.

        Raises BlobUploadUnknown, RangeInvalid as `append` does, and DigestInvalid, with the upload gone, when
        the bytes do not match.
        """
        ...

    async def cancel(self, repo: Repository, upload_id: str, /) -> None:
        """Drop an upload and its bytes. Raises BlobUploadUnknown."""
        ...


class Registry(Target, Resumable, Protocol):
    """Everything a registry can be asked over the distribution API."""

    async def ping(self) -> None:
        """Return when the caller may use the API. Raises Unauthorized."""
        ...

    async def repositories(self, *, after: str = "", limit: int) -> list[Repository]:
        """At most `limit` repositories that follow `after` in ASCII order, those the caller may see."""
        ...
