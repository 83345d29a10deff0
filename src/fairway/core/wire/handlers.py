"""What the registry answers to each call of the distribution API: a few straight lines per call.

Handlers translate between `Registry` and HTTP, and decide nothing: rights, rules and storage are behind the
registry they are given. `HANDLERS` is the complete list of what the server can do.
Source: OCI distribution specification 1.1 and its main branch; RFC 9110 for conditions and ranges.
"""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

# Handlers have one signature, whether they need all of it or not.
# ruff: noqa: ARG001
from fairway.core.content.protocols import Registry
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import DigestInvalid
from fairway.core.oci.manifest import Descriptor, Limits, parse_manifest
from fairway.core.oci.media_types import OCI_IMAGE_INDEX
from fairway.core.oci.names import Tag
from fairway.core.wire import paths
from fairway.core.wire.bodies import Body
from fairway.core.wire.paths import MAX_PAGE, Call
from fairway.core.wire.ranges import content_range, multipart_length, parse_content_range, parse_range
from fairway.core.wire.replies import API_VERSION, EMPTY, NOSNIFF, Headers, Reply, json_reply, upload_headers

_OCTETS = (b"content-type", b"application/octet-stream")
_RANGES = (b"accept-ranges", b"bytes")
_FOREVER = (b"cache-control", b"private, max-age=31536000, immutable")
_ASK_AGAIN = (b"cache-control", b"no-cache")
_NEVER_SHOWN = (
    (b"content-disposition", b"attachment"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    NOSNIFF,
)
"""A pushed blob opened in a browser must not become a page of this site."""

_REFERRER_PAGE_BYTES = 4 * 2**20 - 1024
"""Of descriptors, so that a page stays below the 4 MiB that clients read; only one that is larger alone is more."""
_REFERRERS_AT_ONCE = 8
_PARSE_HERE_BYTES = 64 * 2**10


@dataclass(slots=True)
class Request:
    """One request, parsed. `headers` have lower-case names; repeated ones are joined by ", " (RFC 9110 §5.3).

    `client` is the address of the peer, "" when unknown. `call` is None only in hooks, for a URL that is no call.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    client: str
    call: Call | None
    body: Body
    max_manifest_bytes: int


Handler = Callable[[Registry, Any, Request], Awaitable[Reply]]


async def ping(registry: Registry, call: paths.Ping, request: Request) -> Reply:
    await registry.ping()
    return json_reply(200, {}, API_VERSION)


async def catalog(registry: Registry, call: paths.Catalog, request: Request) -> Reply:
    limit = _limit(call.n)
    found = await registry.repositories(after=call.last, limit=limit + 1)
    page = found[:limit]
    more = _next(paths.Catalog(n=limit, last=page[-1])) if page and len(found) > limit else ()
    return json_reply(200, {"repositories": page}, *more)


# Manifests


async def head_manifest(registry: Registry, call: paths.HeadManifest, request: Request) -> Reply:
    info = await registry.manifest_info(call.repo, call.ref)
    return _manifest_reply(call, request, info.digest, info.media_type, info.size)


async def get_manifest(registry: Registry, call: paths.GetManifest, request: Request) -> Reply:
    if "if-none-match" in request.headers:
        info = await registry.manifest_info(call.repo, call.ref)
        if _unchanged(request, info.digest):
            return _manifest_reply(call, request, info.digest, info.media_type, info.size)
    found = await registry.manifest(call.repo, call.ref)
    return _manifest_reply(call, request, found.digest, found.media_type, len(found.raw), found.raw)


def _manifest_reply(
    call: paths.HeadManifest | paths.GetManifest,
    request: Request,
    digest: Digest,
    media_type: str,
    size: int,
    raw: bytes = b"",
) -> Reply:
    name = digest.encode()
    headers = [
        (b"content-type", media_type.encode("latin-1")),
        (b"content-length", b"%d" % size),
        (b"docker-content-digest", name),
        (b"etag", b'"%b"' % name),
        _ASK_AGAIN if isinstance(call.ref, Tag) else _FOREVER,
        NOSNIFF,
    ]
    if _unchanged(request, digest):
        return Reply(304, headers[2:])
    return Reply(200, headers, raw)


async def put_manifest(registry: Registry, call: paths.PutManifest, request: Request) -> Reply:
    raw = await request.body.read(request.max_manifest_bytes)
    parse = partial(
        parse_manifest,
        raw,
        request.headers.get("content-type"),
        algorithm=call.ref.algorithm if isinstance(call.ref, Digest) else "sha256",
        limits=Limits(size=request.max_manifest_bytes),
    )
    manifest = parse() if len(raw) <= _PARSE_HERE_BYTES else await asyncio.to_thread(parse)
    if isinstance(call.ref, Digest) and manifest.digest != call.ref:
        raise DigestInvalid(f"the manifest received is {manifest.digest}")
    tags = (call.ref, *call.tags) if isinstance(call.ref, Tag) else call.tags
    await registry.put_manifest(call.repo, manifest, tags)
    name = manifest.digest.encode()
    headers = [
        (b"location", f"/v2/{call.repo}/manifests/{manifest.digest}".encode()),
        (b"docker-content-digest", name),
        (b"etag", b'"%b"' % name),
        EMPTY,
        *((b"oci-tag", tag.encode()) for tag in call.tags),
    ]
    if manifest.subject is not None:
        headers.append((b"oci-subject", manifest.subject.digest.encode()))
    return Reply(201, headers)


async def delete_manifest(registry: Registry, call: paths.DeleteManifest, request: Request) -> Reply:
    if isinstance(call.ref, Tag):
        await registry.delete_tag(call.repo, call.ref)
    else:
        await registry.delete_manifest(call.repo, call.ref)
    return Reply(202, [EMPTY])


# Blobs


async def head_blob(registry: Registry, call: paths.HeadBlob, request: Request) -> Reply:
    size = await registry.blob_size(call.repo, call.digest)
    headers = _blob_headers(call.digest)
    if _unchanged(request, call.digest):
        return Reply(304, headers)
    return Reply(200, [_OCTETS, *headers, (b"content-length", b"%d" % size)])


async def get_blob(registry: Registry, call: paths.GetBlob, request: Request) -> Reply:
    blob = await registry.blob(call.repo, call.digest)
    headers = _blob_headers(call.digest)
    if _unchanged(request, call.digest):
        return Reply(304, headers)
    wanted = request.headers.get("range")
    spans = parse_range(wanted, blob.size) if wanted and _range_holds(request, call.digest) else None
    if spans is None:
        return Reply(200, [_OCTETS, *headers, (b"content-length", b"%d" % blob.size)], blob=blob)
    if len(spans) == 1:
        headers += [_OCTETS, (b"content-range", content_range(spans[0], blob.size).encode())]
        return Reply(206, [*headers, (b"content-length", b"%d" % spans[0].length)], blob=blob, spans=spans)
    boundary = secrets.token_hex(16)
    headers += [
        (b"content-type", b"multipart/byteranges; boundary=" + boundary.encode()),
        (b"content-length", b"%d" % multipart_length(boundary, spans, blob.size)),
    ]
    return Reply(206, headers, blob=blob, spans=spans, boundary=boundary)


def _blob_headers(digest: Digest) -> Headers:
    name = digest.encode()
    return [(b"docker-content-digest", name), (b"etag", b'"%b"' % name), _RANGES, _FOREVER, *_NEVER_SHOWN]


async def delete_blob(registry: Registry, call: paths.DeleteBlob, request: Request) -> Reply:
    await registry.delete_blob(call.repo, call.digest)
    return Reply(202, [EMPTY])


# Uploads


async def start_upload(registry: Registry, call: paths.StartUpload, request: Request) -> Reply:
    if call.mount is not None and await registry.mount_blob(call.repo, call.mount, call.mount_from):
        return _blob_created(call.repo, call.mount)
    if call.digest is not None:
        await registry.put_blob(call.repo, call.digest, request.body)
        return _blob_created(call.repo, call.digest)
    state = await registry.start_upload(call.repo)
    return Reply(202, [*upload_headers(call.repo, state.id, state.offset), EMPTY])


async def get_upload(registry: Registry, call: paths.GetUpload, request: Request) -> Reply:
    state = await registry.upload(call.repo, call.id)
    return Reply(204, upload_headers(call.repo, state.id, state.offset))


async def patch_upload(registry: Registry, call: paths.PatchUpload, request: Request) -> Reply:
    state = await registry.append(call.repo, call.id, request.body, at=_chunk_start(request))
    return Reply(202, [*upload_headers(call.repo, state.id, state.offset), EMPTY])


async def put_upload(registry: Registry, call: paths.PutUpload, request: Request) -> Reply:
    at = _chunk_start(request)
    last = None if request.body.ended else request.body
    await registry.finish(call.repo, call.id, call.digest, last, at=at)
    return _blob_created(call.repo, call.digest)


async def cancel_upload(registry: Registry, call: paths.CancelUpload, request: Request) -> Reply:
    await registry.cancel(call.repo, call.id)
    return Reply(204)


def _chunk_start(request: Request) -> int | None:
    """Where the chunk says it belongs, after checking that it is as long as it says."""
    header = request.headers.get("content-range")
    if header is None:
        return None
    span = parse_content_range(header)
    request.body.must_be(span.length)
    return span.start


def _blob_created(repo: str, digest: Digest) -> Reply:
    location = f"/v2/{repo}/blobs/{digest}".encode()
    return Reply(201, [(b"location", location), (b"docker-content-digest", digest.encode()), EMPTY])


# Lists


async def list_tags(registry: Registry, call: paths.ListTags, request: Request) -> Reply:
    limit = _limit(call.n)
    found = await registry.tags(call.repo, after=call.last, limit=limit + 1)
    page = found[:limit]
    more = _next(paths.ListTags(call.repo, n=limit, last=page[-1])) if page and len(found) > limit else ()
    return json_reply(200, {"name": call.repo, "tags": page}, *more)


async def list_referrers(registry: Registry, call: paths.ListReferrers, request: Request) -> Reply:
    page, complete = await _referrers(registry, call)
    headers: Headers = [(b"content-type", OCI_IMAGE_INDEX.encode())]
    if call.artifact_type:
        headers.append((b"oci-filters-applied", b"artifactType"))
    if not complete:
        headers += _next(
            paths.ListReferrers(
                call.repo, call.digest, artifact_type=call.artifact_type, n=call.n, last=list(page)[-1]
            )
        )
    index = b'{"schemaVersion":2,"mediaType":"%b","manifests":[%b]}'
    body = index % (OCI_IMAGE_INDEX.encode(), b",".join(page.values()))
    return Reply(200, [*headers, (b"content-length", b"%d" % len(body)), NOSNIFF], body)


async def _referrers(registry: Registry, call: paths.ListReferrers) -> tuple[dict[Digest, bytes], bool]:
    """One page of descriptors as JSON, and whether it is the last.

    A descriptor carries all annotations of its manifest, megabytes perhaps, and those seen say nothing about the next:
    they are asked for a few at a time until the page is large enough.
    """
    limit = _limit(call.n)
    page: dict[Digest, bytes] = {}
    size = 0
    after = call.last
    while True:
        asked = min(_REFERRERS_AT_ONCE, limit + 1 - len(page))
        found = await registry.referrers(
            call.repo, call.digest, artifact_type=call.artifact_type, after=after, limit=asked
        )
        for descriptor in found:
            shown = _descriptor(descriptor)
            size += len(shown) + 1
            if len(page) == limit or (page and size > _REFERRER_PAGE_BYTES):
                return page, limit == 0
            page[descriptor.digest] = shown
            after = descriptor.digest
        if len(found) < asked:
            return page, True


def _descriptor(found: Descriptor) -> bytes:
    """In no more bytes than it had in its manifest: letters stay letters."""
    shown: dict[str, object] = {"mediaType": found.media_type, "digest": found.digest, "size": found.size}
    if found.artifact_type:
        shown["artifactType"] = found.artifact_type
    if found.annotations:
        shown["annotations"] = found.annotations
    return json.dumps(shown, separators=(",", ":"), ensure_ascii=False, default=dict).encode()


def _limit(n: int | None) -> int:
    return MAX_PAGE if n is None else n


def _next(call: Call) -> Headers:
    """The Link header that leads to the next page (RFC 8288)."""
    _, path, query = paths.format(call)
    return [(b"link", f'<{path}?{query}>; rel="next"'.encode("latin-1"))]


# Conditions


def _unchanged(request: Request, digest: Digest) -> bool:
    """Whether `If-None-Match` names what we would send (RFC 9110 §13.1.2); unquoted tags are taken, too."""
    known = request.headers.get("if-none-match")
    if known is None:
        return False
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in known.split(",")]
    return digest in tags or tags == ["*"]


def _range_holds(request: Request, digest: Digest) -> bool:
    """Whether a `Range` is meant for what we have (RFC 9110 §13.1.5)."""
    condition = request.headers.get("if-range")
    return condition is None or condition.strip() == f'"{digest}"'


HANDLERS: dict[type[Call], Handler] = {
    paths.Ping: ping,
    paths.Catalog: catalog,
    paths.HeadManifest: head_manifest,
    paths.GetManifest: get_manifest,
    paths.PutManifest: put_manifest,
    paths.DeleteManifest: delete_manifest,
    paths.HeadBlob: head_blob,
    paths.GetBlob: get_blob,
    paths.DeleteBlob: delete_blob,
    paths.StartUpload: start_upload,
    paths.GetUpload: get_upload,
    paths.PatchUpload: patch_upload,
    paths.PutUpload: put_upload,
    paths.CancelUpload: cancel_upload,
    paths.ListTags: list_tags,
    paths.ListReferrers: list_referrers,
}
