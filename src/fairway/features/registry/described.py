"""The distribution API and the token service in OpenAPI's words, for the document that describes the whole server.

A row per call: what it takes, what it answers with when all is well, and its errors.  A repository's name may have
slashes, which a path parameter cannot show; they may be sent as they are or as `%2F`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from fairway.core.oci import errors as wrong
from fairway.core.oci.digest import ALGORITHMS, Digest
from fairway.core.oci.media_types import MANIFEST_TYPES, OCI_IMAGE_INDEX
from fairway.core.oci.names import MAX_NAME, Repository, Tag
from fairway.core.wire import paths
from fairway.core.wire.paths import Call
from fairway.features.registry import rights
from fairway.frame.web.described import (
    CREDENTIALS,
    CREDENTIALS_IF_ANY,
    Kinds,
    error_responses,
    parameter,
    path_parameters,
)

_TOKEN: Final[list[dict[str, list[str]]]] = [{"token": []}, *CREDENTIALS]
_REPO, _TAG, _DIGEST = cast("Repository", "{name}"), cast("Tag", "{reference}"), cast("Digest", "{digest}")
_ID: Final = "{id}"
_ALWAYS: Final[Kinds] = (
    wrong.FairwayError,
    wrong.BadRequest,  # names and digests outside the grammar, too
    wrong.Unauthorized,
    wrong.Denied,
    wrong.TooManyRequests,
    wrong.Unavailable,
)
_UNKNOWN: Final[Kinds] = (wrong.NameUnknown,)
_WRITING: Final[Kinds] = (wrong.NameUnknown, wrong.QuotaExceeded, wrong.PreconditionFailed)
_JSON: Final = "application/json"
_OCTETS: Final = "application/octet-stream"
_PARTS: Final = "multipart/byteranges"

_PAGE = (parameter("n", "query", type="integer", minimum=0), parameter("last", "query"))
_SHAPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "name": {"maxLength": MAX_NAME},
    "digest": {"pattern": "^sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})$"},
}
_DIGEST_WANTED = parameter("digest", "query", required=True, **_SHAPES["digest"])


@dataclass(frozen=True, slots=True)
class _Row:
    """One call: `success` maps each status to the media types of its body."""

    call: Call
    success: Mapping[int, Sequence[str]]
    errors: Kinds = ()
    query: Sequence[Mapping[str, Any]] = ()
    headers: Sequence[str] = ()
    body: Sequence[str] = ()


_MANIFESTS = tuple(sorted(MANIFEST_TYPES))
_CHUNK: Final[Kinds] = (wrong.BlobUploadUnknown, wrong.RangeInvalid, *_WRITING)
_CALLS: Final = (
    _Row(paths.Ping(), {200: (_JSON,)}),
    _Row(paths.Catalog(), {200: (_JSON,)}, query=_PAGE),
    _Row(paths.HeadManifest(_REPO, _TAG), {200: _MANIFESTS, 304: ()}, _UNKNOWN, headers=("If-None-Match",)),
    _Row(paths.GetManifest(_REPO, _TAG), {200: _MANIFESTS, 304: ()}, _UNKNOWN, headers=("If-None-Match",)),
    _Row(
        paths.PutManifest(_REPO, _TAG),
        {201: ()},
        (wrong.ManifestInvalid, wrong.ManifestTooLarge, wrong.MediaTypeUnsupported, *_WRITING),
        query=(parameter("tag", "query"),),
        body=_MANIFESTS,
    ),
    _Row(
        paths.DeleteManifest(_REPO, _TAG),
        {202: ()},
        (wrong.NameUnknown, wrong.PreconditionFailed, wrong.Unsupported),
    ),
    _Row(paths.HeadBlob(_REPO, _DIGEST), {200: (_OCTETS,), 304: ()}, _UNKNOWN, headers=("If-None-Match",)),
    _Row(
        paths.GetBlob(_REPO, _DIGEST),
        {200: (_OCTETS,), 206: (_OCTETS, _PARTS), 304: ()},
        (wrong.BlobUnknown, wrong.RangeNotSatisfiable),
        headers=("If-None-Match", "If-Range", "Range"),
    ),
    _Row(paths.DeleteBlob(_REPO, _DIGEST), {202: ()}, (wrong.BlobUnknown, wrong.InUse)),
    _Row(
        paths.StartUpload(_REPO),
        {201: (), 202: ()},
        _WRITING,
        query=(
            *(parameter(name, "query") for name in ("mount", "from", "digest")),
            parameter("digest-algorithm", "query", values=ALGORITHMS),
        ),
        body=(_OCTETS,),
    ),
    _Row(paths.GetUpload(_REPO, _ID), {204: ()}, (wrong.BlobUploadUnknown,)),
    _Row(paths.PatchUpload(_REPO, _ID), {202: ()}, _CHUNK, headers=("Content-Range",), body=(_OCTETS,)),
    _Row(
        paths.PutUpload(_REPO, _ID, _DIGEST),
        {201: ()},
        _CHUNK,
        query=(_DIGEST_WANTED,),
        headers=("Content-Range",),
        body=(_OCTETS,),
    ),
    _Row(paths.CancelUpload(_REPO, _ID), {204: ()}, (wrong.BlobUploadUnknown,)),
    _Row(paths.ListTags(_REPO), {200: (_JSON,)}, _UNKNOWN, query=_PAGE),
    _Row(
        paths.ListReferrers(_REPO, _DIGEST),
        {200: (OCI_IMAGE_INDEX,)},
        _UNKNOWN,
        query=(parameter("artifactType", "query"), *_PAGE),
    ),
)


def described_paths() -> dict[str, dict[str, Any]]:
    """The `paths` of /v2 and /service/token."""
    found: dict[str, dict[str, Any]] = {"/service/token": _token_service()}
    for row in _CALLS:
        method, path, _ = paths.format(row.call)
        found.setdefault(path, {})[method.lower()] = _operation(row, path)
    return found


def _operation(row: _Row, path: str) -> dict[str, Any]:
    name = type(row.call).__name__
    parameters = [
        *(
            {**each, "schema": {**each["schema"], **_SHAPES.get(each["name"], {})}}
            for each in path_parameters(path)
        ),
        *row.query,
        *(parameter(header, "header") for header in row.headers),
    ]
    body = {"requestBody": {"content": _content(row.body)}} if row.body else {}
    return {
        "operationId": name,
        "tags": ["registry"],
        "summary": (type(row.call).__doc__ or name).partition("\n")[0],
        "parameters": parameters,
        "security": [{}, *_TOKEN] if rights.ACTIONS[type(row.call)] == {rights.PULL} else _TOKEN,
        "responses": _responses(row.success, [*_ALWAYS, *row.errors]),
        **body,
    }


def _responses(success: Mapping[int, Sequence[str]], errors: Kinds) -> dict[str, Any]:
    found = error_responses(errors)
    for status, types in success.items():
        found[status] = {"description": "Done", **({"content": _content(types)} if types else {})}
    return {str(status): said for status, said in found.items()}  # numbers to FastAPI, texts in the document


def _content(types: Sequence[str]) -> dict[str, Any]:
    return {media_type: {"schema": {}} for media_type in types}


def _token_service() -> dict[str, Any]:
    errors = (
        wrong.FairwayError,
        wrong.BadRequest,
        wrong.Unauthorized,
        wrong.BodyTooLarge,
        wrong.TooManyRequests,
        wrong.Unavailable,
    )
    asked = ["service", "scope", "account", "client_id", "offline_token"]
    form = [
        "grant_type",
        "service",
        "scope",
        "client_id",
        "access_type",
        "username",
        "password",
        "refresh_token",
    ]
    fields = {"type": "object", "properties": {name: {"type": "string"} for name in form}}
    common = {
        "tags": ["registry"],
        "security": CREDENTIALS_IF_ANY,
        "responses": _responses({200: (_JSON,)}, errors),
    }
    return {
        "get": {
            **common,
            "operationId": "GetToken",
            "summary": "A token for what is asked and granted, as docker asks.",
            "parameters": [parameter(name, "query") for name in asked],
        },
        "post": {
            **common,
            "operationId": "PostToken",
            "summary": "The same as OAuth2 has it: by password or refresh token.",
            "requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": fields}}},
        },
    }
