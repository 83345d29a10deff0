"""The distribution API as one function: method, path and query ⇄ a typed call.

Behind `parse` there are no strings left to check: names, digests, tags and counts are valid because they exist, and
the authoriser sees the very values that the handler gets.  Source: OCI distribution specification, "Endpoints".

    /v2/                                  Ping
    /v2/_catalog                          Catalog
    /v2/<name>/manifests/<reference>      HeadManifest  GetManifest  PutManifest  DeleteManifest
    /v2/<name>/blobs/<digest>             HeadBlob  GetBlob  DeleteBlob
    /v2/<name>/blobs/uploads/             StartUpload
    /v2/<name>/blobs/uploads/<id>         GetUpload  PatchUpload  PutUpload  CancelUpload
    /v2/<name>/tags/list                  ListTags
    /v2/<name>/referrers/<digest>         ListReferrers

A path is split from its right end, since a name may itself contain `/tags/` or `/blobs/`.  Nothing is cleaned or
normalised: `//`, `.` and `..` are never part of a valid name, so such paths are refused, not repaired.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode

from fairway.core.oci.digest import ALGORITHMS, Digest
from fairway.core.oci.errors import (
    BadRequest,
    BlobUploadUnknown,
    DigestInvalid,
    MethodNotAllowed,
    NameInvalid,
    RouteUnknown,
)
from fairway.core.oci.names import Reference, Repository, Tag, parse_reference

MAX_PAGE = 1000
MAX_PARAMETERS = 100
MAX_TEXT = 255

_UPLOAD_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_COUNT = re.compile(r"[0-9]+")
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Ping:
    """Is this a registry, and who does it think I am?"""


@dataclass(frozen=True, slots=True)
class Catalog:
    """The repositories after `last`; `n` is at most MAX_PAGE, None when the caller leaves it to us."""

    n: int | None = None
    last: str = ""


@dataclass(frozen=True, slots=True)
class HeadManifest:
    """What a tag or digest names, without the bytes."""

    repo: Repository
    ref: Reference


@dataclass(frozen=True, slots=True)
class GetManifest:
    """What a tag or digest names."""

    repo: Repository
    ref: Reference


@dataclass(frozen=True, slots=True)
class PutManifest:
    """Store a manifest under `ref`, and under each of `tags` (distinct) as well."""

    repo: Repository
    ref: Reference
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True, slots=True)
class DeleteManifest:
    """Remove a tag, or a manifest with all its tags."""

    repo: Repository
    ref: Reference


@dataclass(frozen=True, slots=True)
class HeadBlob:
    """Whether a blob is there, and its size."""

    repo: Repository
    digest: Digest


@dataclass(frozen=True, slots=True)
class GetBlob:
    """A blob's bytes."""

    repo: Repository
    digest: Digest


@dataclass(frozen=True, slots=True)
class DeleteBlob:
    """Remove a blob from a repository."""

    repo: Repository
    digest: Digest


@dataclass(frozen=True, slots=True)
class StartUpload:
    """Open an upload, mount a blob, or (with `digest`) push a blob in this one request.

    `mount_asked` with `mount` None is a mount that cannot be: its source is no repository name.  It is answered like
    any mount that fails, by opening an upload.  `mount` without `mount_from` leaves the source to us.
    """

    repo: Repository
    mount: Digest | None = None
    mount_from: Repository | None = None
    mount_asked: bool = False
    digest: Digest | None = None
    algorithm: str | None = None


@dataclass(frozen=True, slots=True)
class GetUpload:
    """How far an upload has come."""

    repo: Repository
    id: str


@dataclass(frozen=True, slots=True)
class PatchUpload:
    """The next chunk of an upload."""

    repo: Repository
    id: str


@dataclass(frozen=True, slots=True)
class PutUpload:
    """The end of an upload, with its last chunk or without."""

    repo: Repository
    id: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class CancelUpload:
    """Forget an upload."""

    repo: Repository
    id: str


@dataclass(frozen=True, slots=True)
class ListTags:
    """The tags after `last`, in ASCII order; `n` as for Catalog."""

    repo: Repository
    n: int | None = None
    last: str = ""


@dataclass(frozen=True, slots=True)
class ListReferrers:
    """The manifests whose subject is `digest`, after `last`; only those of `artifact_type` unless that is ""."""

    repo: Repository
    digest: Digest
    artifact_type: str = ""
    n: int | None = None
    last: str = ""


Call = (
    Ping
    | Catalog
    | HeadManifest
    | GetManifest
    | PutManifest
    | DeleteManifest
    | HeadBlob
    | GetBlob
    | DeleteBlob
    | StartUpload
    | GetUpload
    | PatchUpload
    | PutUpload
    | CancelUpload
    | ListTags
    | ListReferrers
)


# Method and path of every call.  Nothing in them ever needs escaping.
_SHAPES: dict[type[Call], tuple[str, str]] = {
    Ping: ("GET", "/v2/"),
    Catalog: ("GET", "/v2/_catalog"),
    HeadManifest: ("HEAD", "/v2/{0.repo}/manifests/{0.ref}"),
    GetManifest: ("GET", "/v2/{0.repo}/manifests/{0.ref}"),
    PutManifest: ("PUT", "/v2/{0.repo}/manifests/{0.ref}"),
    DeleteManifest: ("DELETE", "/v2/{0.repo}/manifests/{0.ref}"),
    HeadBlob: ("HEAD", "/v2/{0.repo}/blobs/{0.digest}"),
    GetBlob: ("GET", "/v2/{0.repo}/blobs/{0.digest}"),
    DeleteBlob: ("DELETE", "/v2/{0.repo}/blobs/{0.digest}"),
    StartUpload: ("POST", "/v2/{0.repo}/blobs/uploads/"),
    GetUpload: ("GET", "/v2/{0.repo}/blobs/uploads/{0.id}"),
    PatchUpload: ("PATCH", "/v2/{0.repo}/blobs/uploads/{0.id}"),
    PutUpload: ("PUT", "/v2/{0.repo}/blobs/uploads/{0.id}"),
    CancelUpload: ("DELETE", "/v2/{0.repo}/blobs/uploads/{0.id}"),
    ListTags: ("GET", "/v2/{0.repo}/tags/list"),
    ListReferrers: ("GET", "/v2/{0.repo}/referrers/{0.digest}"),
}


def format(call: Call) -> tuple[str, str, str]:  # noqa: A001 (read as paths.format)
    """Method, path and query of a call; `parse` takes them back."""
    method, shape = _SHAPES[type(call)]
    return method, shape.format(call), urlencode(list(_parameters(call)))


def _parameters(call: Call) -> Iterator[tuple[str, str]]:
    match call:
        case PutManifest(tags=tags):
            yield from (("tag", tag) for tag in tags)
        case PutUpload(digest=digest):
            yield "digest", digest
        case StartUpload():
            if call.mount_asked:
                yield "mount", call.mount or ""
            yield from _given(("from", call.mount_from), ("digest", call.digest))
            yield from _given(("digest-algorithm", call.algorithm))
        case Catalog() | ListTags():
            yield from _given(("n", call.n), ("last", call.last))
        case ListReferrers():
            yield from _given(("artifactType", call.artifact_type), ("n", call.n), ("last", call.last))
        case _:
            return


def _given(*parameters: tuple[str, str | int | None]) -> Iterator[tuple[str, str]]:
    return ((key, str(value)) for key, value in parameters if value is not None and value != "")


def parse(method: str, path: str, query: str = "") -> Call:
    """The call a request makes.  `path` is percent-decoded, once; `query` is as it was sent, without the `?`.

    Raises RouteUnknown, MethodNotAllowed, NameInvalid, DigestInvalid, TagInvalid, BlobUploadUnknown, BadRequest.
    """
    if query.count("&") >= MAX_PARAMETERS:
        raise BadRequest(f"more than {MAX_PARAMETERS} query parameters")
    if path in ("/v2/", "/v2"):
        return _for_method(_PING, method)(query)
    if path == "/v2/_catalog":
        return _for_method(_CATALOG, method)(query)
    head, _, last = path.rpartition("/")
    head, _, kind = head.rpartition("/")
    if kind == "uploads" and head.endswith("/blobs"):
        head, kind = head[:-6], "blobs/uploads" if last else "blobs/uploads/"
    elif kind == "tags":
        kind = f"tags/{last}"
    routes = _ROUTES.get(kind)
    if routes is None or not head.startswith("/v2/"):
        raise RouteUnknown(
            "no such route: the registry API is /v2/<name>/manifests, blobs, tags or referrers"
        )
    return _for_method(routes, method)(Repository(head[4:]), last, query)


def _for_method(routes: Mapping[str, Callable[..., Call]], method: str) -> Callable[..., Call]:
    build = routes.get(method)
    if build is None:
        raise MethodNotAllowed(f"use one of {', '.join(routes)} here", allowed=tuple(routes))
    return build


def _put_manifest(repo: Repository, last: str, query: str) -> Call:
    tags = dict.fromkeys(Tag(tag) for tag in _fields(query).get("tag", ()))
    return PutManifest(repo, parse_reference(last), tuple(tags))


def _start_upload(repo: Repository, _last: str, query: str) -> Call:
    fields = _fields(query)
    wanted, source = _one(fields, "mount"), _one(fields, "from")
    digest, algorithm = _one(fields, "digest"), _one(fields, "digest-algorithm")
    if algorithm is not None and algorithm not in ALGORITHMS:
        raise DigestInvalid(f"unknown digest algorithm {algorithm[:_SHOWN]!r}: use sha256 or sha512")
    mount = Digest(wanted) if wanted else None
    mount_from = None
    if mount is not None and source:
        try:
            mount_from = Repository(source)
        except NameInvalid:
            mount = None
    return StartUpload(
        repo,
        mount=mount,
        mount_from=mount_from,
        mount_asked=wanted is not None,
        digest=None if digest is None else Digest(digest),
        algorithm=algorithm,
    )


def _put_upload(repo: Repository, last: str, query: str) -> Call:
    digest = _one(_fields(query), "digest")
    if digest is None:
        raise DigestInvalid("an upload is closed with ?digest=<digest>")
    return PutUpload(repo, _upload_id(last), Digest(digest))


def _list_tags(repo: Repository, _last: str, query: str) -> Call:
    fields = _fields(query)
    return ListTags(repo, _count(fields), _text(fields, "last"))


def _list_referrers(repo: Repository, last: str, query: str) -> Call:
    fields = _fields(query)
    # A media type never holds a space: that is a `+` which the client did not escape.
    artifact_type = _text(fields, "artifactType").replace(" ", "+")
    return ListReferrers(repo, Digest(last), artifact_type, _count(fields), _text(fields, "last"))


def _catalog(query: str) -> Call:
    fields = _fields(query)
    return Catalog(_count(fields), _text(fields, "last"))


def _upload_id(text: str) -> str:
    if _UPLOAD_ID.fullmatch(text) is None:
        raise BlobUploadUnknown("no such upload")
    return text


def _fields(query: str) -> dict[str, list[str]]:
    try:
        return parse_qs(query, keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise BadRequest("the query is not UTF-8") from error


def _one(fields: Mapping[str, list[str]], key: str) -> str | None:
    values = fields.get(key)
    if values is None:
        return None
    if len(values) > 1:
        raise BadRequest(f"the parameter {key!r} is given more than once")
    return values[0]


def _count(fields: Mapping[str, list[str]]) -> int | None:
    text = _one(fields, "n")
    if text is None:
        return None
    if _COUNT.fullmatch(text) is None:
        raise BadRequest("n must be a whole number, zero or more")
    return min(int(text), MAX_PAGE) if len(text) < 10 else MAX_PAGE


def _text(fields: Mapping[str, list[str]], key: str) -> str:
    text = _one(fields, key) or ""
    if len(text) > MAX_TEXT or not text.isascii() or not text.isprintable():
        raise BadRequest(f"{key} must be at most {MAX_TEXT} printable ASCII characters")
    return text


_PING = {"GET": lambda _: Ping(), "HEAD": lambda _: Ping()}
_CATALOG = {"GET": _catalog}
_ROUTES: dict[str, dict[str, Callable[[Repository, str, str], Call]]] = {
    "manifests": {
        "GET": lambda repo, last, _: GetManifest(repo, parse_reference(last)),
        "HEAD": lambda repo, last, _: HeadManifest(repo, parse_reference(last)),
        "PUT": _put_manifest,
        "DELETE": lambda repo, last, _: DeleteManifest(repo, parse_reference(last)),
    },
    "blobs": {
        "GET": lambda repo, last, _: GetBlob(repo, Digest(last)),
        "HEAD": lambda repo, last, _: HeadBlob(repo, Digest(last)),
        "DELETE": lambda repo, last, _: DeleteBlob(repo, Digest(last)),
    },
    "blobs/uploads/": {"POST": _start_upload},
    "blobs/uploads": {
        "GET": lambda repo, last, _: GetUpload(repo, _upload_id(last)),
        "PATCH": lambda repo, last, _: PatchUpload(repo, _upload_id(last)),
        "PUT": _put_upload,
        "DELETE": lambda repo, last, _: CancelUpload(repo, _upload_id(last)),
    },
    "tags/list": {"GET": _list_tags},
    "referrers": {"GET": _list_referrers},
}
