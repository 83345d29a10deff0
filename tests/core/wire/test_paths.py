"""Paths: every call has one URL, every URL at most one call, and tricks lead nowhere (security cases T01, T40, T54, T57, T58)."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import (
    BadRequest,
    BlobUploadUnknown,
    DigestInvalid,
    FairwayError,
    MethodNotAllowed,
    NameInvalid,
    RouteUnknown,
    TagInvalid,
)
from fairway.core.oci.names import Repository, Tag
from fairway.core.wire import paths
from fairway.core.wire.paths import (
    Call,
    CancelUpload,
    Catalog,
    DeleteBlob,
    DeleteManifest,
    GetBlob,
    GetManifest,
    GetUpload,
    HeadBlob,
    HeadManifest,
    ListReferrers,
    ListTags,
    PatchUpload,
    Ping,
    PutManifest,
    PutUpload,
    StartUpload,
    parse,
)

APP = Repository("team/app")
LATEST = Tag("latest")
D = Digest.of(b"content")
D512 = Digest.of(b"content", "sha512")
ID = "0123456789abcdef0123456789abcdef"

CALLS: dict[str, Call | type[FairwayError]] = {
    "GET /v2/": Ping(),
    "GET /v2": Ping(),
    "HEAD /v2/": Ping(),
    "GET /v2/?ns=docker.io": Ping(),
    "GET /v2/_catalog": Catalog(),
    "GET /v2/_catalog?n=5&last=a/b": Catalog(5, "a/b"),
    "HEAD /v2/team/app/manifests/latest": HeadManifest(APP, LATEST),
    "GET /v2/team/app/manifests/latest": GetManifest(APP, LATEST),
    "GET /v2/team/app/manifests/latest?ns=docker.io": GetManifest(APP, LATEST),
    f"GET /v2/team/app/manifests/{D}": GetManifest(APP, D),
    "PUT /v2/team/app/manifests/latest": PutManifest(APP, LATEST),
    f"PUT /v2/team/app/manifests/{D512}?tag=a&tag=b&tag=a": PutManifest(APP, D512, (Tag("a"), Tag("b"))),
    "DELETE /v2/team/app/manifests/latest": DeleteManifest(APP, LATEST),
    f"HEAD /v2/team/app/blobs/{D}": HeadBlob(APP, D),
    f"GET /v2/team/app/blobs/{D}": GetBlob(APP, D),
    f"DELETE /v2/team/app/blobs/{D}": DeleteBlob(APP, D),
    "POST /v2/team/app/blobs/uploads/": StartUpload(APP),
    f"POST /v2/team/app/blobs/uploads/?digest={D}": StartUpload(APP, digest=D),
    "POST /v2/team/app/blobs/uploads/?digest-algorithm=sha512": StartUpload(APP, algorithm="sha512"),
    f"POST /v2/team/app/blobs/uploads/?mount={D}&from=lib/base": StartUpload(
        APP, D, Repository("lib/base"), True
    ),
    f"POST /v2/team/app/blobs/uploads/?mount={D}": StartUpload(APP, D, None, True),
    f"POST /v2/team/app/blobs/uploads/?mount={D}&from=": StartUpload(APP, D, None, True),
    f"POST /v2/team/app/blobs/uploads/?mount={D}&from=NO/name": StartUpload(APP, None, None, True),
    "POST /v2/team/app/blobs/uploads/?mount=": StartUpload(APP, mount_asked=True),
    "POST /v2/team/app/blobs/uploads/?from=lib/base": StartUpload(APP),
    f"GET /v2/team/app/blobs/uploads/{ID}": GetUpload(APP, ID),
    f"PATCH /v2/team/app/blobs/uploads/{ID}": PatchUpload(APP, ID),
    f"PUT /v2/team/app/blobs/uploads/{ID}?digest={D}": PutUpload(APP, ID, D),
    f"PUT /v2/team/app/blobs/uploads/{ID}?digest={D.replace(':', '%3A')}": PutUpload(APP, ID, D),
    f"DELETE /v2/team/app/blobs/uploads/{ID}": CancelUpload(APP, ID),
    "GET /v2/team/app/tags/list": ListTags(APP),
    "GET /v2/team/app/tags/list?n=0": ListTags(APP, 0),
    "GET /v2/team/app/tags/list?last=v1&n=00020": ListTags(APP, 20, "v1"),
    f"GET /v2/team/app/referrers/{D}": ListReferrers(APP, D),
    f"GET /v2/team/app/referrers/{D}?artifactType=a/b%2Bjson": ListReferrers(APP, D, "a/b+json"),
    f"GET /v2/team/app/referrers/{D}?artifactType=a/b+json&last={D}": ListReferrers(
        APP, D, "a/b+json", None, D
    ),
    # names that look like routes
    f"GET /v2/tags/list/blobs/{D}": GetBlob(Repository("tags/list"), D),
    "GET /v2/a/blobs/uploads/manifests/x": GetManifest(Repository("a/blobs/uploads"), Tag("x")),
    "GET /v2/manifests/manifests/manifests": GetManifest(Repository("manifests"), Tag("manifests")),
    "POST /v2/blobs/uploads/blobs/uploads/": StartUpload(Repository("blobs/uploads")),
    "GET /v2/_catalog/": RouteUnknown,
    # unknown routes
    "GET /": RouteUnknown,
    "GET /v1/": RouteUnknown,
    "GET /v2x/team/app/tags/list": RouteUnknown,
    "GET /v2/team/app": RouteUnknown,
    "GET /v2/team/app/tags": RouteUnknown,
    "GET /v2/team/app/tags/other": RouteUnknown,
    "GET /v2/team/app/tags/list/": RouteUnknown,
    "GET /v2/manifests/latest": RouteUnknown,
    "GET /v2/tags/list": RouteUnknown,
    "POST /v2/blobs/uploads/": RouteUnknown,
    f"GET /v2/team/app/uploads/{ID}": RouteUnknown,
    f"GET /v2/team/app/blobs/{D}/": RouteUnknown,
    f"GET /v2/team/app/blobs/uploads/{ID}/": RouteUnknown,
    f"GET /v2/team/app/blobs/uploads/{ID}/x": RouteUnknown,
    "GET /v2/team/app/blobs/uploads/../x": RouteUnknown,
    # wrong methods
    "POST /v2/": MethodNotAllowed,
    "DELETE /v2/_catalog": MethodNotAllowed,
    "POST /v2/team/app/manifests/latest": MethodNotAllowed,
    "PATCH /v2/team/app/manifests/latest": MethodNotAllowed,
    "get /v2/team/app/manifests/latest": MethodNotAllowed,
    f"PUT /v2/team/app/blobs/{D}": MethodNotAllowed,
    "GET /v2/team/app/blobs/uploads/": MethodNotAllowed,
    "POST /v2/team/app/tags/list": MethodNotAllowed,
    f"PUT /v2/team/app/referrers/{D}": MethodNotAllowed,
    # path tricks: never another repository
    "GET /v2//_catalog": RouteUnknown,
    "GET /v2/./_catalog": RouteUnknown,
    "GET //v2/_catalog": RouteUnknown,
    "GET /api/v2.0/../v2/_catalog": RouteUnknown,
    "GET /v2/../v2/_catalog": RouteUnknown,
    "GET /v2/team//app/manifests/latest": NameInvalid,
    "GET /v2//team/app/manifests/latest": NameInvalid,
    "GET /v2/team/./app/manifests/latest": NameInvalid,
    "GET /v2/team/../app/manifests/latest": NameInvalid,
    "GET /v2/team/app/../../other/app/manifests/latest": NameInvalid,
    "GET /v2/%2e%2e/app/manifests/latest": NameInvalid,
    "GET /v2/team%2fapp/manifests/latest": NameInvalid,
    "GET /v2/team%252fapp/manifests/latest": NameInvalid,
    "GET /v2/team%5capp/manifests/latest": NameInvalid,
    "GET /v2/team\\app/manifests/latest": NameInvalid,
    "GET /v2/team/app;x=1/manifests/latest": NameInvalid,
    "GET /v2/team/app\0/manifests/latest": NameInvalid,
    "GET /v2/Team/App/manifests/latest": NameInvalid,
    "GET /v2/team/app/manifests/latest/": RouteUnknown,
    "GET /v2/team/app/manifests//latest": RouteUnknown,
    "GET /v2/team/app//manifests/latest": NameInvalid,
    "GET http://other/v2/team/app/manifests/latest": RouteUnknown,
    # tags, digests, upload ids
    "GET /v2/team/app/manifests/": TagInvalid,
    "GET /v2/team/app/manifests/..": TagInvalid,
    "GET /v2/team/app/manifests/latest;x=1": TagInvalid,
    "GET /v2/team/app/manifests/latest\0": TagInvalid,
    "GET /v2/team/app/manifests/sha256:baddigeststring": DigestInvalid,
    "PUT /v2/team/app/manifests/sha256:baddigeststring": DigestInvalid,
    f"PUT /v2/team/app/manifests/{D}?tag=": TagInvalid,
    f"PUT /v2/team/app/manifests/{D}?tag=a&tag=b/c": TagInvalid,
    "GET /v2/team/app/blobs/": DigestInvalid,
    "GET /v2/team/app/blobs/uploads": DigestInvalid,
    f"GET /v2/team/app/blobs/{D.upper()}": DigestInvalid,
    "GET /v2/team/app/blobs/md5:00000000000000000000000000000000": DigestInvalid,
    "GET /v2/team/app/blobs/sha256:..": DigestInvalid,
    "GET /v2/team/app/referrers/latest": DigestInvalid,
    "PATCH /v2/team/app/blobs/uploads/..": BlobUploadUnknown,
    "PATCH /v2/team/app/blobs/uploads/a.b": BlobUploadUnknown,
    "PATCH /v2/team/app/blobs/uploads/%2e%2e%2fx": BlobUploadUnknown,
    f"PATCH /v2/team/app/blobs/uploads/{'a' * 129}": BlobUploadUnknown,
    f"PUT /v2/team/app/blobs/uploads/{ID}": DigestInvalid,
    f"PUT /v2/team/app/blobs/uploads/{ID}?digest=": DigestInvalid,
    f"PUT /v2/team/app/blobs/uploads/{ID}?digest={D}&digest={D}": BadRequest,
    "POST /v2/team/app/blobs/uploads/?digest=": DigestInvalid,
    "POST /v2/team/app/blobs/uploads/?mount=sha256:bad": DigestInvalid,
    f"POST /v2/team/app/blobs/uploads/?mount={D}&mount={D}": BadRequest,
    f"POST /v2/team/app/blobs/uploads/?mount={D}&from=a&from=b": BadRequest,
    "POST /v2/team/app/blobs/uploads/?digest-algorithm=md5": DigestInvalid,
    "POST /v2/team/app/blobs/uploads/?digest-algorithm=": DigestInvalid,
    # texts
    "GET /v2/team/app/tags/list?last=%00": BadRequest,
    "GET /v2/team/app/tags/list?last=%0d%0a": BadRequest,
    "GET /v2/team/app/tags/list?last=%ff": BadRequest,
    "GET /v2/team/app/tags/list?last=%C3%A9": BadRequest,
    "GET /v2/team/app/tags/list?last=a&last=b": BadRequest,
    f"GET /v2/team/app/tags/list?last={'a' * 256}": BadRequest,
    f"GET /v2/team/app/referrers/{D}?artifactType=a&artifactType=b": BadRequest,
}


@pytest.mark.parametrize("line", CALLS, ids=lambda line: repr(line)[1:70])
def test_a_request_line_is_one_call_or_a_refusal(line: str) -> None:
    method, _, target = line.partition(" ")
    path, _, query = target.partition("?")
    expected = CALLS[line]
    if isinstance(expected, type):
        with pytest.raises(FairwayError) as refused:
            parse(method, path, query)
        assert type(refused.value) is expected
        assert len(refused.value.message) < 400
    else:
        assert parse(method, path, query) == expected


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("1", 1),
        ("0", 0),
        ("999", 999),
        ("1000", 1000),
        ("1001", 1000),
        ("2147483647", 1000),
        ("9" * 5000, 1000),
        ("1e30", None),
        ("-1", None),
        ("1.5", None),
        ("abc", None),
        ("", None),
        ("%2B5", None),
        ("+5", None),
        ("0x10", None),
        ("%D9%A3", None),
        ("1&n=2", None),
    ],
)
@pytest.mark.parametrize("path", ["/v2/_catalog", "/v2/team/app/tags/list", f"/v2/team/app/referrers/{D}"])
def test_a_page_is_bounded_whatever_is_asked(path: str, text: str, n: int | None) -> None:
    if n is None:
        with pytest.raises(BadRequest):
            parse("GET", path, f"n={text}")
    else:
        call = parse("GET", path, f"n={text}")
        assert isinstance(call, Catalog | ListTags | ListReferrers)
        assert call.n == n


def test_the_number_of_parameters_is_bounded_on_every_route() -> None:
    tags = [f"tag=t{number}" for number in range(paths.MAX_PARAMETERS)]
    call = parse("PUT", f"/v2/team/app/manifests/{D}", "&".join(tags))
    assert isinstance(call, PutManifest)
    assert len(call.tags) == paths.MAX_PARAMETERS
    for method, path, _ in map(paths.format, EXAMPLES):
        with pytest.raises(BadRequest):
            parse(method, path, "&".join(["tag=t"] * 10_000))


def test_a_wrong_method_is_told_the_right_ones() -> None:
    with pytest.raises(MethodNotAllowed) as refused:
        parse("POST", "/v2/team/app/manifests/latest")
    assert set(refused.value.allowed) == {"GET", "HEAD", "PUT", "DELETE"}


# ---- every call there is, from its URL and back

names = st.sampled_from(
    ["a", "team/app", "tags/list", "a/blobs/uploads", "manifests", "x" * 255, "a__b/c-d.e"]
).map(Repository)
digests = st.builds(Digest.of, st.binary(max_size=4), st.sampled_from(["sha256", "sha512"]))
tags = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}", fullmatch=True).map(Tag)
references = tags | digests
ids = st.from_regex(r"[A-Za-z0-9_-]{1,128}", fullmatch=True)
counts = st.none() | st.integers(0, paths.MAX_PAGE)
texts = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=paths.MAX_TEXT)
media_types = texts.map(lambda text: text.replace(" ", ""))
some_tags = st.lists(tags, max_size=5, unique=True).map(tuple)

mounts = st.one_of(
    st.just((None, None, False)),
    st.just((None, None, True)),
    st.tuples(digests, st.none() | names, st.just(True)),
)
uploads = st.builds(
    lambda repo, mount, digest, algorithm: StartUpload(repo, mount[0], mount[1], mount[2], digest, algorithm),
    names,
    mounts,
    st.none() | digests,
    st.sampled_from([None, "sha256", "sha512"]),
)
GENERATED: dict[type[Call], st.SearchStrategy[Call]] = {
    Ping: st.builds(Ping),
    Catalog: st.builds(Catalog, counts, texts),
    HeadManifest: st.builds(HeadManifest, names, references),
    GetManifest: st.builds(GetManifest, names, references),
    PutManifest: st.builds(PutManifest, names, references, some_tags),
    DeleteManifest: st.builds(DeleteManifest, names, references),
    HeadBlob: st.builds(HeadBlob, names, digests),
    GetBlob: st.builds(GetBlob, names, digests),
    DeleteBlob: st.builds(DeleteBlob, names, digests),
    StartUpload: uploads,
    GetUpload: st.builds(GetUpload, names, ids),
    PatchUpload: st.builds(PatchUpload, names, ids),
    PutUpload: st.builds(PutUpload, names, ids, digests),
    CancelUpload: st.builds(CancelUpload, names, ids),
    ListTags: st.builds(ListTags, names, counts, texts),
    ListReferrers: st.builds(ListReferrers, names, digests, media_types, counts, texts),
}
EXAMPLES: list[Call] = [call for call in CALLS.values() if not isinstance(call, type)]


def test_every_kind_of_call_is_generated_and_has_an_example() -> None:
    assert set(GENERATED) == set(get_args(Call)) == {type(call) for call in EXAMPLES}


@given(st.one_of(*GENERATED.values()))
def test_a_call_survives_the_way_to_its_url_and_back(call: Call) -> None:
    assert parse(*paths.format(call)) == call


words = st.sampled_from(
    [
        "v2",
        "",
        ".",
        "..",
        "a",
        "A",
        "%2f",
        "\0",
        "blobs",
        "uploads",
        "manifests",
        "tags",
        "list",
        "referrers",
        D,
        "_catalog",
    ]
)


@given(
    st.sampled_from(["GET", "PUT", "POST", "DELETE", "X"]), st.lists(words, max_size=8), st.text(max_size=20)
)
def test_any_path_is_a_call_with_exactly_this_url_or_a_refusal(
    method: str, parts: list[str], query: str
) -> None:
    path = "/" + "/".join(parts)
    try:
        call = parse(method, path, query)
    except FairwayError:
        return
    assert paths.format(call)[1] == (path if path != "/v2" else "/v2/")
