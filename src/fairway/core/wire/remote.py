"""A `Registry` that is somewhere else, spoken to over the distribution API.

What it says is checked: manifests and whole blobs against their digests, lists and errors against bounds (see
`answers`), and a list is continued on its own host only. `urls` in descriptors are never followed.
"""

import uuid
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fairway.core.content.protocols import ManifestInfo, StoredManifest, UploadState
from fairway.core.oci.digest import Digest, Hasher
from fairway.core.oci.errors import (
    DigestInvalid,
    FairwayError,
    ManifestTooLarge,
    ManifestUnknown,
    NameUnknown,
    RangeInvalid,
    Unavailable,
    Unsupported,
)
from fairway.core.oci.manifest import Descriptor, Limits, Manifest
from fairway.core.oci.media_types import MANIFEST_TYPES
from fairway.core.oci.names import Reference, Repository, Tag
from fairway.core.wire import answers, paths
from fairway.core.wire.client import Answer, Client
from fairway.core.wire.paths import MAX_PAGE, Call

_ACCEPT = {"accept": ", ".join(sorted(MANIFEST_TYPES))}
_MAX_PAGES = 10_000
_MAX_UPLOADS = 1000


@dataclass(slots=True)
class _Upload:
    """Where the other registry wants an upload continued, and how much of it we know to have arrived."""

    url: str
    offset: int = 0

    def follow(self, answer: Answer) -> None:
        self.url = answers.place(answer.url, answer.headers.get("location", self.url))


@dataclass(frozen=True, slots=True)
class RemoteBlob:
    """A blob of another registry; asked for when it is read."""

    client: Client
    repo: Repository
    digest: Digest
    size: int
    path: None = None
    content: None = None

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes [start, end). The last piece of a whole blob is given only when its digest is right.

        Raises BlobUnknown, DigestInvalid, and Unavailable when it ends early.
        """
        whole = (start, end) == (0, self.size)
        if whole and not end and Digest.of(b"", self.digest.algorithm) != self.digest:
            raise DigestInvalid(f"the other registry says that {self.digest} is empty")
        if start >= end:
            return
        headers = {} if whole else {"range": f"bytes={start}-{end - 1}"}
        call = paths.GetBlob(self.repo, self.digest)
        async with self.client.ask(call, _pull(self.repo), expect=(200, 206), headers=headers) as answer:
            pieces = answer.pieces() if answer.status == 200 else self._part(answer, start, end)
            pieces = _cut(pieces, start if answer.status == 200 else 0, end - start)
            if whole:
                pieces = _verified(pieces, self.digest)
            async for piece in pieces:
                yield piece

    def _part(self, answer: Answer, start: int, end: int) -> AsyncIterator[bytes]:
        if not answer.headers.get("content-range", "").startswith(f"bytes {start}-{end - 1}/"):
            raise Unavailable("the other registry sent another part than was asked for")
        return answer.pieces()


class RemoteRegistry:
    """Another registry, as a place. Keep one per registry and login: it remembers tokens and uploads."""

    def __init__(self, client: Client, *, max_manifest_bytes: int = Limits().size) -> None:
        self._client = client
        self._max_manifest_bytes = max_manifest_bytes
        self._uploads: dict[tuple[Repository, str], _Upload] = {}

    async def ping(self) -> None:
        async with self._client.ask(paths.Ping(), "", expect=(200,)):
            pass

    async def repositories(self, *, after: str = "", limit: int) -> list[Repository]:
        found: set[Repository] = set()
        first = paths.Catalog(n=min(limit, MAX_PAGE), last=after)
        async for content in self._pages(first, "registry:catalog:*"):
            found.update(name for name in answers.repositories(content) if name > after)
            if len(found) >= limit:
                break
        return sorted(found)[:limit]

    # Reading

    async def manifest(self, repo: Repository, ref: Reference) -> StoredManifest:
        call = paths.GetManifest(repo, ref)
        async with self._client.ask(call, _pull(repo), expect=(200,), headers=_ACCEPT) as answer:
            raw = await answer.read(self._max_manifest_bytes)
        if raw is None:
            raise ManifestTooLarge(f"the manifest has more than {self._max_manifest_bytes} bytes")
        named = answer.headers.get("docker-content-digest")
        expected = ref if isinstance(ref, Digest) else Digest(named) if named else Digest.of(raw)
        if Digest.of(raw, expected.algorithm) != expected:
            raise DigestInvalid(f"the other registry sent a manifest that is not {expected}")
        return StoredManifest(expected, _media_type(answer), raw)

    async def manifest_info(self, repo: Repository, ref: Reference) -> ManifestInfo:
        call = paths.HeadManifest(repo, ref)
        with suppress(Unsupported):
            async with self._client.ask(call, _pull(repo), expect=(200,), headers=_ACCEPT) as answer:
                named = ref if isinstance(ref, Digest) else answer.headers.get("docker-content-digest")
                if named and answer.length is not None:
                    return ManifestInfo(Digest(named), _media_type(answer), answer.length)
        found = await self.manifest(repo, ref)
        return ManifestInfo(found.digest, found.media_type, found.size)

    async def blob(self, repo: Repository, digest: Digest) -> RemoteBlob:
        return RemoteBlob(self._client, repo, digest, await self.blob_size(repo, digest))

    async def blob_size(self, repo: Repository, digest: Digest) -> int:
        async with self._client.ask(paths.HeadBlob(repo, digest), _pull(repo), expect=(200,)) as answer:
            if answer.length is None:
                raise Unavailable("the other registry does not say how large a blob is")
            return answer.length

    async def tags(self, repo: Repository, *, after: str = "", limit: int) -> list[str]:
        found: set[str] = set()
        first = paths.ListTags(repo, n=min(limit, MAX_PAGE), last=after)
        async for content in self._pages(first, _pull(repo)):
            found.update(tag for tag in answers.tags(content) if tag > after)
            if len(found) >= limit:
                break
        return sorted(found)[:limit]

    async def referrers(
        self, repo: Repository, digest: Digest, *, artifact_type: str = "", after: str = "", limit: int
    ) -> list[Descriptor]:
        first = paths.ListReferrers(repo, digest, artifact_type, n=min(limit, MAX_PAGE), last=after)
        found: dict[Digest, Descriptor] = {}
        try:
            async for content in self._pages(first, _pull(repo)):
                found |= _chosen(answers.descriptors(content), artifact_type, after)
                if len(found) >= limit:
                    break
        except (NameUnknown, Unsupported):
            found = _chosen(await self._tagged_referrers(repo, digest), artifact_type, after)
        return [found[key] for key in sorted(found)[:limit]]

    async def _tagged_referrers(self, repo: Repository, digest: Digest) -> Iterator[Descriptor]:
        """What a registry without the referrers API keeps as an index under a tag ("Referrers Tag Schema")."""
        try:
            index = await self.manifest(repo, Tag(f"{digest.algorithm}-{digest.hex[:64]}"))
        except (ManifestUnknown, NameUnknown):
            return iter(())
        return answers.descriptors(answers.page(index.raw))

    async def _pages(self, first: Call, scope: str) -> AsyncIterator[dict[str, Any]]:
        url: str | None = self._client.url(first)
        for _ in range(_MAX_PAGES):
            if url is None:
                return
            async with self._client.ask(first, scope, expect=(200,), url=url) as answer:
                body = await answer.read(answers.MAX_PAGE_BYTES)
            if body is None:
                raise Unavailable("the other registry sent a list without end")
            yield answers.page(body)
            url = answers.next_page(answer.headers, url)
        raise Unavailable("the other registry sent a list without end")

    # Writing and deleting

    async def put_blob(self, repo: Repository, digest: Digest, body: AsyncIterable[bytes]) -> None:
        upload_id = (await self.start_upload(repo)).id
        try:
            await self.append(repo, upload_id, body, at=None)
            await self.finish(repo, upload_id, digest, None, at=None)
        except Exception:
            with suppress(FairwayError):
                await self.cancel(repo, upload_id)
            raise

    async def mount_blob(self, repo: Repository, digest: Digest, source: Repository | None) -> bool:
        call = paths.StartUpload(repo, mount=digest, mount_from=source, mount_asked=True)
        scope = f"{_push(repo)} {_pull(source)}" if source else _push(repo)
        try:
            async with self._client.ask(call, scope, expect=(201, 202)) as answer:
                mounted = answer.status == 201
                upload_id = "" if mounted else self._remember(repo, answer)
        except Unavailable:
            raise
        except FairwayError:
            return False
        if not mounted:
            with suppress(FairwayError):
                await self.cancel(repo, upload_id)
        return mounted

    async def put_manifest(self, repo: Repository, manifest: Manifest, tags: Sequence[Tag]) -> None:
        left = list(tags)
        if not tags or manifest.digest.algorithm != "sha256":
            accepted = await self._put_manifest(
                paths.PutManifest(repo, manifest.digest, tuple(tags)), manifest
            )
            left = [tag for tag in left if tag not in accepted]
        for tag in left:
            await self._put_manifest(paths.PutManifest(repo, tag), manifest)

    async def _put_manifest(self, call: paths.PutManifest, manifest: Manifest) -> set[str]:
        headers = {"content-type": manifest.media_type}
        async with self._client.ask(
            call, _push(call.repo), expect=(200, 201, 202), headers=headers, body=manifest.raw
        ) as answer:
            return {tag.strip() for tag in answer.headers.get("oci-tag", "").split(",")}

    async def delete_tag(self, repo: Repository, tag: Tag) -> None:
        await self._delete(paths.DeleteManifest(repo, tag), repo)

    async def delete_manifest(self, repo: Repository, digest: Digest) -> None:
        await self._delete(paths.DeleteManifest(repo, digest), repo)

    async def delete_blob(self, repo: Repository, digest: Digest) -> None:
        await self._delete(paths.DeleteBlob(repo, digest), repo)

    async def _delete(self, call: Call, repo: Repository) -> None:
        async with self._client.ask(call, f"repository:{repo}:delete,pull", expect=(200, 202, 204)):
            pass

    # Uploads in pieces

    async def start_upload(self, repo: Repository) -> UploadState:
        async with self._client.ask(paths.StartUpload(repo), _push(repo), expect=(202,)) as answer:
            return UploadState(self._remember(repo, answer), 0)

    async def upload(self, repo: Repository, upload_id: str, /) -> UploadState:
        upload = self._upload(repo, upload_id)
        call = paths.GetUpload(repo, upload_id)
        async with self._client.ask(call, _push(repo), expect=(200, 204), url=upload.url) as answer:
            # "0-0" is one byte or none; then what we counted decides.
            upload.offset = answers.upload_offset(answer.headers) or upload.offset
            upload.follow(answer)
        return UploadState(upload_id, upload.offset)

    async def append(
        self, repo: Repository, upload_id: str, body: AsyncIterable[bytes], /, *, at: int | None
    ) -> UploadState:
        upload = await self._upload_at(repo, upload_id, at)
        counted = _Counted(body)
        call = paths.PatchUpload(repo, upload_id)
        async with self._client.ask(call, _push(repo), expect=(202,), url=upload.url, body=counted) as answer:
            upload.offset = answers.upload_offset(answer.headers) or upload.offset + counted.length
            upload.follow(answer)
        return UploadState(upload_id, upload.offset)

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
        upload = await self._upload_at(repo, upload_id, at)
        call = paths.PutUpload(repo, upload_id, digest)
        url = f"{upload.url}{'&' if '?' in upload.url else '?'}digest={digest}"
        last = b"" if body is None else body
        async with self._client.ask(call, _push(repo), expect=(201,), url=url, body=last):
            self._uploads.pop((repo, upload_id), None)

    async def cancel(self, repo: Repository, upload_id: str, /) -> None:
        upload = self._upload(repo, upload_id)
        call = paths.CancelUpload(repo, upload_id)
        async with self._client.ask(call, _push(repo), expect=(200, 202, 204), url=upload.url):
            self._uploads.pop((repo, upload_id), None)

    def _remember(self, repo: Repository, answer: Answer) -> str:
        """The id of an upload just begun: our own, since what the other registry wants back is a whole URL."""
        location = answer.headers.get("location")
        if not location:
            raise Unavailable("the other registry began an upload and does not say where")
        url = answers.place(answer.url, location)
        last = urlsplit(url).path.rpartition("/")[2]
        upload_id = last if self._client.url(paths.GetUpload(repo, last)) == url else uuid.uuid4().hex
        self._uploads[repo, upload_id] = _Upload(url)
        if len(self._uploads) > _MAX_UPLOADS:
            del self._uploads[next(iter(self._uploads))]
        return upload_id

    def _upload(self, repo: Repository, upload_id: str) -> _Upload:
        url = self._client.url(paths.GetUpload(repo, upload_id))
        return self._uploads.setdefault((repo, upload_id), _Upload(url))

    async def _upload_at(self, repo: Repository, upload_id: str, at: int | None) -> _Upload:
        """An upload to go on with. A body of unknown length cannot say its range, so the offset is asked first."""
        if at is not None:
            state = await self.upload(repo, upload_id)
            if state.offset != at:
                raise RangeInvalid(
                    "the next piece must begin where the last one ended",
                    location_id=upload_id,
                    offset=state.offset,
                )
        return self._upload(repo, upload_id)


class _Counted:
    """A body that knows, afterwards, how long it was."""

    def __init__(self, body: AsyncIterable[bytes]) -> None:
        self._body = body
        self.length = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._body:
            self.length += len(piece)
            yield piece


async def _cut(pieces: AsyncIterator[bytes], skip: int, length: int) -> AsyncIterator[bytes]:
    """`length` bytes after the first `skip`, whatever the pieces. Raises Unavailable when there are fewer."""
    async for piece in pieces:
        dropped = min(skip, len(piece))
        skip -= dropped
        kept = piece[dropped : dropped + length]
        length -= len(kept)
        if kept:
            yield kept
        if not length:
            return
    raise Unavailable("the other registry broke off in the middle of a blob")


async def _verified(pieces: AsyncIterator[bytes], digest: Digest) -> AsyncIterator[bytes]:
    """The same pieces, the last one only if the whole has this digest."""
    hasher, held = Hasher(digest.algorithm), b""
    async for piece in pieces:
        hasher.update(piece)
        if held:
            yield held
        held = piece
    if hasher.digest() != digest:
        raise DigestInvalid(f"the other registry sent bytes that are not {digest}")
    yield held


def _chosen(found: Iterator[Descriptor], artifact_type: str, after: str) -> dict[Digest, Descriptor]:
    """Those of the type asked for and beyond `after`: not every registry filters, or knows `last` here."""
    return {
        descriptor.digest: descriptor
        for descriptor in found
        if descriptor.digest > after and artifact_type in ("", descriptor.artifact_type)
    }


def _media_type(answer: Answer) -> str:
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()


def _pull(repo: Repository) -> str:
    return f"repository:{repo}:pull"


def _push(repo: Repository) -> str:
    return f"repository:{repo}:pull,push"
