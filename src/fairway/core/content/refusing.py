"""A registry that refuses every call: the base of every guard.

A guard opens methods one by one; a method added to `Registry` later is closed until someone opens it.
"""

from collections.abc import AsyncIterable, Sequence
from typing import NoReturn

from fairway.core.content.protocols import ManifestInfo, StoredManifest, UploadState
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import Denied
from fairway.core.oci.manifest import Descriptor, Manifest
from fairway.core.oci.names import Reference, Repository, Tag
from fairway.core.stores.protocols import Blob

# The arguments are part of the protocol, and there is nothing to do with them.
# ruff: noqa: ARG002


class Refusing:
    """A `Registry` whose every method raises Denied."""

    async def ping(self) -> None:
        _refuse()

    async def repositories(self, *, after: str = "", limit: int) -> list[Repository]:
        _refuse()

    async def manifest(self, repo: Repository, ref: Reference) -> StoredManifest:
        _refuse()

    async def manifest_info(self, repo: Repository, ref: Reference) -> ManifestInfo:
        _refuse()

    async def blob(self, repo: Repository, digest: Digest) -> Blob:
        _refuse()

    async def blob_size(self, repo: Repository, digest: Digest) -> int:
        _refuse()

    async def tags(self, repo: Repository, *, after: str = "", limit: int) -> list[str]:
        _refuse()

    async def referrers(
        self, repo: Repository, digest: Digest, *, artifact_type: str = "", after: str = "", limit: int
    ) -> list[Descriptor]:
        _refuse()

    async def put_blob(self, repo: Repository, digest: Digest, body: AsyncIterable[bytes]) -> None:
        _refuse()

    async def mount_blob(self, repo: Repository, digest: Digest, source: Repository | None) -> bool:
        _refuse()

    async def put_manifest(self, repo: Repository, manifest: Manifest, tags: Sequence[Tag]) -> None:
        _refuse()

    async def delete_tag(self, repo: Repository, tag: Tag) -> None:
        _refuse()

    async def delete_manifest(self, repo: Repository, digest: Digest) -> None:
        _refuse()

    async def delete_blob(self, repo: Repository, digest: Digest) -> None:
        _refuse()

    async def start_upload(self, repo: Repository) -> UploadState:
        _refuse()

    async def upload(self, repo: Repository, upload_id: str, /) -> UploadState:
        _refuse()

    async def append(
        self, repo: Repository, upload_id: str, body: AsyncIterable[bytes], /, *, at: int | None
    ) -> UploadState:
        _refuse()

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
        _refuse()

    async def cancel(self, repo: Repository, upload_id: str, /) -> None:
        _refuse()


def _refuse() -> NoReturn:
    raise Denied("this is not allowed here")
