"""Reading another registry's answers: errors, pages and descriptors, none of which are believed unseen.

Errors become ours by status and code; nothing else of what the other side wrote is passed on, so that its words
cannot reach our callers. Lists are bounded, and names in them that are none are left out.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urljoin, urlsplit

from fairway.core.oci import errors, json
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import FairwayError
from fairway.core.oci.manifest import Descriptor
from fairway.core.oci.names import Repository, Tag
from fairway.core.wire import paths
from fairway.core.wire.paths import Call

MAX_PAGE_BYTES = 16 * 2**20
MAX_ERROR_BYTES = 64 * 1024

_BY_CODE: Mapping[str, type[FairwayError]] = {
    kind.code: kind
    for kind in (
        errors.BlobUploadInvalid,
        errors.DigestInvalid,
        errors.ManifestBlobUnknown,
        errors.ManifestInvalid,
        errors.NameInvalid,
        errors.SizeInvalid,
        errors.TagInvalid,
    )
}
_BY_STATUS: Mapping[int, type[FairwayError]] = {
    401: errors.Unauthorized,
    403: errors.Denied,
    405: errors.Unsupported,
    412: errors.PreconditionFailed,
    413: errors.ManifestTooLarge,
    415: errors.MediaTypeUnsupported,
}
_MISSING: Mapping[type[Call], type[FairwayError]] = {
    paths.HeadManifest: errors.ManifestUnknown,
    paths.GetManifest: errors.ManifestUnknown,
    paths.DeleteManifest: errors.ManifestUnknown,
    paths.HeadBlob: errors.BlobUnknown,
    paths.GetBlob: errors.BlobUnknown,
    paths.DeleteBlob: errors.BlobUnknown,
    paths.GetUpload: errors.BlobUploadUnknown,
    paths.PatchUpload: errors.BlobUploadUnknown,
    paths.PutUpload: errors.BlobUploadUnknown,
    paths.CancelUpload: errors.BlobUploadUnknown,
    paths.Ping: errors.Unavailable,
}
_LINK = re.compile(r"""<([^<>\s]{1,4096})>\s*;[^,<]*\brel\s*=\s*"?next\b""")
_UPLOAD_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,18})")
_LONGEST_WAIT = 3600


def failure(call: Call, status: int, headers: Mapping[str, str], body: bytes) -> FairwayError:
    """The error that an answer with an unexpected status means for `call`. Header names are in lower case."""
    code = _code(body)
    said = f"the other registry answered {status}" + (f" ({code})" if code in _BY_CODE else "")
    if status == 429:
        return errors.TooManyRequests(said, retry_after=_retry_after(headers, 1))
    if status == 416:
        return errors.RangeInvalid(said, offset=upload_offset(headers) or 0)
    if code in _BY_CODE and 400 <= status < 500:
        return _BY_CODE[code](said)
    if status == 404:
        if code == errors.NameUnknown.code and isinstance(call, paths.HeadManifest | paths.GetManifest):
            return errors.NameUnknown(said)
        return _MISSING.get(type(call), errors.NameUnknown)(said)
    if status in _BY_STATUS:
        return _BY_STATUS[status](said)
    if 400 <= status < 500:
        return errors.BadRequest(said)
    return errors.Unavailable(said, retry_after=_retry_after(headers, 5))


def _code(body: bytes) -> str:
    try:
        content = json.loads(body, max_bytes=MAX_ERROR_BYTES, max_depth=32, max_members=10_000)
        code = content["errors"][0]["code"]
    except (json.JsonInvalid, LookupError, TypeError):
        return ""
    return code if isinstance(code, str) else ""


def _retry_after(headers: Mapping[str, str], otherwise: int) -> int:
    text = headers.get("retry-after", "")
    return (
        min(int(text), _LONGEST_WAIT) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise
    )


def upload_offset(headers: Mapping[str, str]) -> int | None:
    """How many bytes of an upload a `Range: 0-<last>` says have arrived, None when it does not say.

    `0-0` is one byte or none: the specification has no way to tell.
    """
    match = _UPLOAD_RANGE.fullmatch(headers.get("range", ""))
    if match is None:
        return None
    return int(match[1]) + 1 if match[1] != "0" else 0


def place(base: str, named: str) -> str:
    """The whole URL of what a reply from `base` names. Raises Unavailable when it names no place at all.

    A place with a login in it is none: who we are is not for the other side to say.
    """
    try:
        url: str = urljoin(base, named)
        _origin(url)
    except ValueError as error:
        raise errors.Unavailable("the other registry names a place that is no URL") from error
    if "@" in urlsplit(url).netloc:
        raise errors.Unavailable("the other registry names a place with a login in it")
    return url


def same_origin(one: str, other: str) -> bool:
    """Whether two URLs have the same scheme, host and port (RFC 6454)."""
    return _origin(one) == _origin(other)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def next_page(headers: Mapping[str, str], url: str) -> str | None:
    """Where the page after the one at `url` is, None at the end. Raises Unavailable if that is another host."""
    match = _LINK.search(headers.get("link", ""))
    if match is None:
        return None
    target = place(url, match[1])
    if not same_origin(target, url):
        raise errors.Unavailable("the other registry continues its list on another host")
    return target


def page(body: bytes) -> dict[str, Any]:
    """One page of a list. Raises Unavailable when that is no JSON object."""
    try:
        content = json.loads(body, max_bytes=MAX_PAGE_BYTES, max_depth=32, max_members=2_000_000)
    except json.JsonInvalid as error:
        raise errors.Unavailable(f"the other registry sent a list that cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise errors.Unavailable("the other registry sent a list that is none")
    return content


def tags(content: Mapping[str, Any]) -> Iterator[Tag]:
    """The tags of a page."""
    for text in _strings(content.get("tags")):
        with suppress(errors.TagInvalid):
            yield Tag(text)


def repositories(content: Mapping[str, Any]) -> Iterator[Repository]:
    """The repositories of a page."""
    for text in _strings(content.get("repositories")):
        with suppress(errors.NameInvalid):
            yield Repository(text)


def descriptors(content: Mapping[str, Any]) -> Iterator[Descriptor]:
    """The descriptors of a page of referrers."""
    listed = content.get("manifests")
    for item in listed if isinstance(listed, list) else []:
        found = _descriptor(item)
        if found is not None:
            yield found


def _descriptor(item: object) -> Descriptor | None:
    if not isinstance(item, dict):
        return None
    digest, size, annotations = item.get("digest"), item.get("size"), item.get("annotations") or {}
    if not (isinstance(digest, str) and isinstance(size, int) and isinstance(annotations, dict)):
        return None
    try:
        return Descriptor(
            media_type=str(item.get("mediaType") or ""),
            digest=Digest(digest),
            size=size,
            annotations={key: text for key, text in annotations.items() if isinstance(text, str)},
            artifact_type=str(item.get("artifactType") or ""),
        )
    except errors.DigestInvalid:
        return None


def _strings(values: object) -> list[str]:
    return [text for text in values if isinstance(text, str)] if isinstance(values, list) else []
