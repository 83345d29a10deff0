"""What `Local` must ask of a database: which names exist, and what they stand for.

An implementation is bound to one caller and one project when it is made: it knows whose uploads these are, whom to
charge, and whether a positive answer must be kept true for a while (a lease) because the caller may push.  Each writing
method is one transaction; when it returns, what it wrote is durable.
"""

from collections.abc import Sequence
from typing import Protocol

from fairway.core.content.protocols import ManifestInfo, StoredManifest
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import FairwayError
from fairway.core.oci.manifest import Descriptor, Manifest
from fairway.core.oci.names import Reference, Repository, Tag
from fairway.core.stores.protocols import Session, Stored


class ManifestDamaged(FairwayError):
    """The kept bytes of a manifest do not match its digest.  Never passed on, never cached."""

    code = "MANIFEST_INVALID"


class Names(Protocol):
    """The naming half of a registry; the bytes are a `BlobStore`'s."""

    async def manifest(self, repo: Repository, ref: Reference) -> StoredManifest:
        """The bytes, checked against their digest.  Raises ManifestUnknown, NameUnknown, ManifestDamaged."""
        ...

    async def manifest_info(self, repo: Repository, ref: Reference) -> ManifestInfo:
        """Without the bytes.  Raises ManifestUnknown, NameUnknown."""
        ...

    async def tags(self, repo: Repository, *, after: str, limit: int) -> list[str]:
        """In ASCII order, those that follow `after`.  Raises NameUnknown."""
        ...

    async def referrers(
        self, repo: Repository, digest: Digest, *, artifact_type: str, after: str, limit: int
    ) -> list[Descriptor]:
        """Ordered by digest, those that follow `after`."""
        ...

    async def blob(self, repo: Repository, digest: Digest) -> Stored:
        """Where a blob that `repo` may show lies.  Raises BlobUnknown."""
        ...

    async def held(self, digest: Digest) -> Stored | None:
        """Where the blob lies if anybody has pushed it; for de-duplication only, never shown to a caller."""
        ...

    async def add_blob(
        self,
        repo: Repository,
        digest: Digest,
        stored: Stored,
        *,
        upload: str | None,
        instead_of: Stored | None,
    ) -> Stored | None:
        """Make `stored` the blob of `digest` and link it to the project; close the upload it came by.

        Another object of the same digest may be there already: then that one stays, unless it is the damaged one named
        by `instead_of`, and the answer is the object nobody needs now.  Raises QuotaExceeded.
        """
        ...

    async def mount_blob(self, repo: Repository, digest: Digest, source: Repository) -> bool:
        """Link a blob that `source`'s project has.  The caller has checked the right to read there."""
        ...

    async def damaged(self, digest: Digest, stored: Stored) -> None:
        """The bytes of a blob are not what they should be: stop offering it until somebody pushes it again."""
        ...

    async def put_manifest(self, repo: Repository, manifest: Manifest, tags: Sequence[Tag]) -> None:
        """Raises ManifestBlobUnknown, QuotaExceeded."""
        ...

    async def delete_tag(self, repo: Repository, tag: Tag) -> None:
        """Raises ManifestUnknown, NameUnknown."""
        ...

    async def delete_manifest(self, repo: Repository, digest: Digest) -> None:
        """Raises ManifestUnknown, NameUnknown, and PreconditionFailed while an index names it."""
        ...

    async def delete_blob(self, repo: Repository, digest: Digest) -> None:
        """Raises BlobUnknown, InUse."""
        ...

    async def open_upload(self, repo: Repository, session: Session) -> None:
        """Remember a new upload.  Raises Unavailable when the caller has too many."""
        ...

    async def upload(self, repo: Repository, upload_id: str, /) -> Session:
        """The session as last saved.  Raises BlobUploadUnknown, also for another caller's or repository's."""
        ...

    async def save_upload(self, repo: Repository, session: Session) -> None:
        """Remember how far it has come.  May be lost in a power cut, with the bytes it speaks of."""
        ...

    async def close_upload(self, repo: Repository, upload_id: str, /) -> None:
        """Forget an upload."""
        ...
