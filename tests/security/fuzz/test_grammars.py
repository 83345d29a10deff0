"""Names, tags, digests, references and request paths: a value that spells what it came from, or a declared refusal."""

import re
from urllib.parse import unquote

from hypothesis import example
from hypothesis import strategies as st

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import (
    BadRequest,
    BlobUploadUnknown,
    DigestInvalid,
    MethodNotAllowed,
    NameInvalid,
    RouteUnknown,
    TagInvalid,
)
from fairway.core.oci.names import Repository, Tag, parse_reference
from fairway.core.wire import paths
from security.fuzz.budget import fuzzed, told_briefly
from security.fuzz.mutations import damaged_text

SHA256, SHA512 = Digest.of(b""), Digest.of(b"", "sha512")

# The specifications' own words (distribution spec, "Pulling manifests"; image spec, descriptor.md), and our bounds.
_NAME = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*\Z")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}\Z")
_DIGEST = re.compile(r"(?:sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})\Z")

NAMES = damaged_text(
    ["a", "library/app", "a.b/c__d/e--f", "team/blobs/uploads", "x" * 255, "a/" * 5000 + "a"]
)
TAGS = damaged_text(["v1", "latest", "_x.y-z", "t" * 128, "1.0.0"])
DIGESTS = damaged_text([SHA256, SHA512, SHA256.upper(), "md5:d41d8cd98f00b204e9800998ecf8427e"])


@fuzzed("repository names", NAMES)
@example("a\n")
@example("a___b")
def test_a_name_is_one_exactly_when_the_specification_says_so(text: str) -> None:
    expected = len(text) <= 255 and _NAME.match(text) is not None
    try:
        name = Repository(text)
    except NameInvalid as refused:
        assert not expected
        told_briefly(refused)
        return
    assert expected
    assert name == text
    assert "/".join(filter(None, (name.project, name.rest))) == text


@fuzzed("tags", TAGS)
@example("v1\n")
def test_a_tag_is_one_exactly_when_the_specification_says_so(text: str) -> None:
    expected = _TAG.match(text) is not None
    try:
        assert Tag(text) == text
    except TagInvalid as refused:
        assert not expected
        told_briefly(refused)
    else:
        assert expected


@fuzzed("digests", DIGESTS)
@example(f"{SHA256}\n")
def test_a_digest_is_one_exactly_when_the_specification_says_so(text: str) -> None:
    expected = _DIGEST.match(text) is not None
    try:
        digest = Digest(text)
    except DigestInvalid as refused:
        assert not expected
        told_briefly(refused)
    else:
        assert expected
        assert f"{digest.algorithm}:{digest.hex}" == text


@fuzzed("references", TAGS | DIGESTS)
def test_a_reference_is_a_tag_or_a_digest_and_never_both(text: str) -> None:
    try:
        reference = parse_reference(text)
    except (TagInvalid, DigestInvalid):
        assert _TAG.match(text) is None
        assert _DIGEST.match(text) is None
        return
    assert reference == text
    assert isinstance(reference, Digest) == (":" in text)


TARGETS = damaged_text(
    [
        "/v2/",
        "/v2/_catalog?n=5&last=a%2Fb",
        "/v2/team/app/manifests/v1",
        f"/v2/team/app/manifests/{SHA256}?tag=a&tag=b",
        f"/v2/team/app/blobs/{SHA512}",
        f"/v2/a/blobs/uploads/?mount={SHA256}&from=b/c",
        f"/v2/a/blobs/uploads/?digest={SHA256}&digest-algorithm=sha512",
        f"/v2/a/blobs/uploads/0123-abc?digest={SHA256}",
        "/v2/team/tags/list/tags/list?n=0&last=v1",
        f"/v2/a/referrers/{SHA256}?artifactType=application/vnd.x%2Bjson&n=1",
    ]
)
METHODS = st.sampled_from(["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "get", ""])


@fuzzed("request paths", METHODS, TARGETS, examples=800)
@example("GET", "/v2/a/tags/list?n=" + "9" * 5000)
def test_a_request_line_is_a_call_that_leads_back_to_it_or_a_refusal(method: str, target: str) -> None:
    raw, _, query = target.partition("?")
    path = unquote(raw, errors="replace")
    try:
        call = paths.parse(method, path, query)
    except MethodNotAllowed as refused:
        told_briefly(refused)
        return
    except (BadRequest, BlobUploadUnknown, DigestInvalid, NameInvalid, RouteUnknown, TagInvalid) as refused:
        told_briefly(refused)
        return
    again = paths.format(call)
    assert paths.parse(*again) == call
    assert again[1] == ("/v2/" if path == "/v2" else path)
    assert again[0] == method or {again[0], method} == {"GET", "HEAD"}
