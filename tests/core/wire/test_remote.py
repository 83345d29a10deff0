"""Another registry, as a place: what it says is checked, and what we know stays with us."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from contract.registry_worlds import chunks, image, read
from contract.scripted_registry import Scripted, up
from fairway.core.oci import errors
from fairway.core.oci.digest import Digest
from fairway.core.oci.media_types import OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST
from fairway.core.oci.names import Repository, Tag
from fairway.core.wire.challenge import Login
from fairway.core.wire.client import Client
from fairway.core.wire.remote import RemoteRegistry

APP, V1 = Repository("team/app"), Tag("v1")
DATA = b"0123456789" * 100_000
DIGEST = Digest.of(DATA)
BLOB = f"/v2/team/app/blobs/{DIGEST}"
LOGIN = Login("robot", "s3cret")


@pytest.fixture
async def there() -> AsyncIterator[Scripted]:
    async with up() as registry:
        yield registry


@pytest.fixture
async def elsewhere() -> AsyncIterator[Scripted]:
    async with up() as registry:
        yield registry


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def remote(there: Scripted, session: aiohttp.ClientSession) -> RemoteRegistry:
    return RemoteRegistry(Client(there.url, session))


@pytest.fixture
def known(there: Scripted, session: aiohttp.ClientSession) -> RemoteRegistry:
    """The same, with a login."""
    return RemoteRegistry(Client(there.url, session, LOGIN))


def manifest_reply(raw: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return 200, {"content-type": OCI_IMAGE_MANIFEST, **headers}, raw


class TestManifests:
    RAW = image().raw
    TAGGED = "GET /v2/team/app/manifests/v1"

    async def test_by_tag_the_digest_comes_with_it_or_is_made(
        self, there: Scripted, remote: RemoteRegistry
    ) -> None:
        there.script[self.TAGGED] = manifest_reply(self.RAW)
        assert (await remote.manifest(APP, V1)).digest == Digest.of(self.RAW)
        sha512 = Digest.of(self.RAW, "sha512")
        there.script[self.TAGGED] = manifest_reply(self.RAW, **{"docker-content-digest": sha512})
        assert (await remote.manifest(APP, V1)).digest == sha512

    async def test_one_that_is_not_its_digest_is_refused(
        self, there: Scripted, remote: RemoteRegistry
    ) -> None:
        wrong = Digest.of(b"another")
        there.script[self.TAGGED] = manifest_reply(self.RAW, **{"docker-content-digest": wrong})
        there.script[f"GET /v2/team/app/manifests/{wrong}"] = manifest_reply(self.RAW)
        for ref in (V1, wrong):
            with pytest.raises(errors.DigestInvalid):
                await remote.manifest(APP, ref)

    async def test_one_without_end_is_not_read(self, there: Scripted, session: aiohttp.ClientSession) -> None:
        there.script[self.TAGGED] = manifest_reply(b"x" * 1001)
        remote = RemoteRegistry(Client(there.url, session), max_manifest_bytes=1000)
        with pytest.raises(errors.ManifestTooLarge):
            await remote.manifest(APP, V1)

    async def test_the_type_is_taken_without_parameters(
        self, there: Scripted, remote: RemoteRegistry
    ) -> None:
        typed = {"content-type": f"{OCI_IMAGE_MANIFEST}; charset=utf-8"}
        there.script[self.TAGGED] = manifest_reply(self.RAW, **typed)
        assert (await remote.manifest(APP, V1)).parsed() == image()

    async def test_head_is_enough_when_it_says_enough(self, there: Scripted, remote: RemoteRegistry) -> None:
        digest = Digest.of(self.RAW)
        there.script["HEAD /v2/team/app/manifests/v1"] = [
            manifest_reply(self.RAW, **{"docker-content-digest": digest}),
            manifest_reply(self.RAW),
            (405, {}, b""),
        ]
        there.script[self.TAGGED] = manifest_reply(self.RAW)
        for _ in range(3):
            info = await remote.manifest_info(APP, V1)
            assert (info.digest, info.size, info.media_type) == (digest, len(self.RAW), OCI_IMAGE_MANIFEST)
        assert [asked.method for asked in there.asked] == ["HEAD", "HEAD", "GET", "HEAD", "GET"]


class TestBlobs:
    async def test_whole_blobs_are_verified_and_parts_come_alone(
        self, there: Scripted, remote: RemoteRegistry
    ) -> None:
        there.script[f"HEAD {BLOB}"] = (200, {}, DATA)
        there.script[f"GET {BLOB}"] = [
            (200, {}, DATA),
            (206, {"content-range": "bytes 10-19/1000000"}, DATA[10:20]),
        ]
        assert await read(remote, APP, DIGEST) == DATA
        assert await read(remote, APP, DIGEST, 10, 20) == DATA[10:20]
        assert there.asked[-1].headers["range"] == "bytes=10-19"
        assert there.asked[-1].headers["accept-encoding"] == "identity"

    async def test_a_registry_without_ranges_is_read_past(
        self, there: Scripted, remote: RemoteRegistry
    ) -> None:
        there.script[f"HEAD {BLOB}"] = there.script[f"GET {BLOB}"] = (200, {}, DATA)
        assert await read(remote, APP, DIGEST, 300_001, 700_003) == DATA[300_001:700_003]

    async def test_another_part_than_asked_for_is_refused(
        self, there: Scripted, remote: RemoteRegistry
    ) -> None:
        there.script[f"HEAD {BLOB}"] = (200, {}, DATA)
        there.script[f"GET {BLOB}"] = (206, {"content-range": "bytes 0-9/1000000"}, DATA[:10])
        with pytest.raises(errors.Unavailable):
            await read(remote, APP, DIGEST, 10, 20)

    @pytest.mark.parametrize("served", [b"1" + DATA[1:], DATA[:-1] + b"!"])
    async def test_other_bytes_are_never_given_to_the_end(
        self, there: Scripted, remote: RemoteRegistry, served: bytes
    ) -> None:
        there.script[f"HEAD {BLOB}"] = there.script[f"GET {BLOB}"] = (200, {}, served)
        got: list[bytes] = []

        async def receive() -> None:
            blob = await remote.blob(APP, DIGEST)
            async for piece in blob.read(0, blob.size):
                got.append(piece)  # noqa: PERF401 - what came before the error counts

        with pytest.raises(errors.DigestInvalid):
            await receive()
        assert 0 < len(b"".join(got)) < len(DATA)

    async def test_a_login_page_is_no_blob(self, there: Scripted, remote: RemoteRegistry) -> None:
        there.script[f"HEAD {BLOB}"] = (200, {}, DATA)
        there.script[f"GET {BLOB}"] = (200, {"content-type": "text/html"}, b"<html>please log in</html>")
        with pytest.raises(errors.Unavailable):
            await read(remote, APP, DIGEST)

    async def test_what_claims_to_be_empty_is_checked_too(
        self, there: Scripted, remote: RemoteRegistry
    ) -> None:
        there.script[f"HEAD {BLOB}"] = (200, {}, b"")
        with pytest.raises(errors.DigestInvalid):
            await read(remote, APP, DIGEST)

    async def test_a_redirect_is_followed_without_the_credentials(
        self, there: Scripted, elsewhere: Scripted, known: RemoteRegistry
    ) -> None:
        basic = (401, {"www-authenticate": 'Basic realm="there"'}, b"")
        away = {"location": f"{elsewhere.url}/bucket/key?X-Signature=a%2Fb%3D"}
        there.script[f"HEAD {BLOB}"] = [basic, (307, away, b"")]
        there.script[f"GET {BLOB}"] = (307, away, b"")
        elsewhere.script["HEAD /bucket/key"] = elsewhere.script["GET /bucket/key"] = (200, {}, DATA)
        assert await read(known, APP, DIGEST) == DATA
        assert there.credentials
        assert not elsewhere.credentials
        assert elsewhere.asked[-1].query == {"X-Signature": ["a/b="]}

    async def test_redirects_end(self, there: Scripted, remote: RemoteRegistry) -> None:
        there.script[f"HEAD {BLOB}"] = (307, {"location": BLOB}, b"")
        with pytest.raises(errors.Unavailable):
            await remote.blob_size(APP, DIGEST)
        assert len(there.asked) == 5


class TestLogin:
    async def test_a_token_is_asked_for_once_and_used_again(
        self, there: Scripted, known: RemoteRegistry
    ) -> None:
        challenge = f'Bearer realm="{there.url}/token",service="hub",scope="repository:team/app:pull"'
        there.script[f"HEAD {BLOB}"] = [
            (401, {"www-authenticate": challenge}, b""),
            (200, {}, DATA),
            (200, {}, DATA),
        ]
        there.script["POST /token"] = (200, {}, {"access_token": "abc", "expires_in": 300})
        for _ in range(2):
            assert await known.blob_size(APP, DIGEST) == len(DATA)
        assert there.story == [f"HEAD {BLOB}", "POST /token", f"HEAD {BLOB}", f"HEAD {BLOB}"]
        assert there.credentials == ["Bearer abc"] * 2

    async def test_a_token_service_on_another_host_does_not_see_the_password(
        self, there: Scripted, elsewhere: Scripted, known: RemoteRegistry
    ) -> None:
        challenge = f'Bearer realm="{elsewhere.url}/token",service="hub"'
        there.script[f"HEAD {BLOB}"] = (401, {"www-authenticate": challenge}, b"")
        elsewhere.script["GET /token"] = (200, {}, {"token": "anonymous"})
        with pytest.raises(errors.Unauthorized):
            await known.blob_size(APP, DIGEST)
        assert elsewhere.story == ["GET /token"]
        assert not elsewhere.credentials
        assert b"s3cret" not in elsewhere.asked[0].body

    async def test_a_refused_login_says_so_without_the_others_challenge(
        self, there: Scripted, known: RemoteRegistry
    ) -> None:
        there.script["GET /v2/"] = (401, {"www-authenticate": 'Basic realm="there"'}, b"")
        with pytest.raises(errors.Unauthorized) as refused:
            await known.ping()
        assert refused.value.challenge == ""
        expected = "Basic " + base64.b64encode(b"robot:s3cret").decode()
        assert there.credentials == [expected]


class TestLists:
    LIST = "GET /v2/team/app/tags/list"

    async def test_pages_are_followed_on_the_same_host(self, there: Scripted, remote: RemoteRegistry) -> None:
        there.script[self.LIST] = [
            (200, {"link": '</v2/team/app/tags/list?n=2&last=b>; rel="next"'}, {"tags": ["a", "b"]}),
            (200, {"link": "<?n=2&last=d>; rel=next"}, {"tags": ["c", "d"]}),
            (200, {}, {"tags": ["e"]}),
        ]
        assert await remote.tags(APP, limit=100) == ["a", "b", "c", "d", "e"]
        assert [asked.query.get("last") for asked in there.asked] == [None, ["b"], ["d"]]

    async def test_a_page_on_another_host_is_an_error_not_an_end(
        self, there: Scripted, elsewhere: Scripted, remote: RemoteRegistry
    ) -> None:
        link = {"link": f'<{elsewhere.url}/v2/team/app/tags/list>; rel="next"'}
        there.script[self.LIST] = (200, link, {"tags": ["a"]})
        with pytest.raises(errors.Unavailable):
            await remote.tags(APP, limit=100)
        assert not elsewhere.asked

    async def test_a_registry_that_ignores_what_was_asked_is_cut_to_it(
        self, there: Scripted, remote: RemoteRegistry
    ) -> None:
        there.script[self.LIST] = (200, {}, {"tags": ["a", "b", "c", "d"]})
        assert await remote.tags(APP, after="a", limit=2) == ["b", "c"]

    @pytest.mark.parametrize(
        ("content", "expected"),
        [({"tags": None}, []), ({}, []), ({"tags": ["ok", "../x", "a b", 5, "x" * 200]}, ["ok"])],
    )
    async def test_names_that_are_none_are_left_out(
        self, there: Scripted, remote: RemoteRegistry, content: Any, expected: list[str]
    ) -> None:
        there.script[self.LIST] = (200, {}, content)
        assert await remote.tags(APP, limit=10) == expected

    @pytest.mark.parametrize("content", [b"<html>", b"[]", b'{"tags":', b"[" * 100_000])
    async def test_a_list_that_cannot_be_read_is_an_error(
        self, there: Scripted, remote: RemoteRegistry, content: bytes
    ) -> None:
        there.script[self.LIST] = (200, {}, content)
        with pytest.raises(errors.Unavailable):
            await remote.tags(APP, limit=10)

    async def test_referrers_are_filtered_here_when_they_were_not_there(
        self, there: Scripted, remote: RemoteRegistry
    ) -> None:
        items = [
            {
                "mediaType": OCI_IMAGE_MANIFEST,
                "digest": Digest.of(kind.encode()),
                "size": 1,
                "artifactType": kind,
            }
            for kind in ("application/a", "application/b")
        ]
        listed = {"schemaVersion": 2, "manifests": [*items, {"digest": "nonsense"}, "nonsense"]}
        there.script[f"GET /v2/team/app/referrers/{DIGEST}"] = (200, {}, listed)
        found = await remote.referrers(APP, DIGEST, artifact_type="application/b", limit=10)
        assert [descriptor.digest for descriptor in found] == [items[1]["digest"]]

    async def test_a_registry_without_the_api_may_have_them_under_a_tag(
        self, there: Scripted, remote: RemoteRegistry
    ) -> None:
        assert await remote.referrers(APP, DIGEST, limit=10) == []
        item = {"mediaType": OCI_IMAGE_MANIFEST, "digest": Digest.of(b"signature"), "size": 9}
        tag = f"sha256-{DIGEST.hex}"
        there.script[f"GET /v2/team/app/manifests/{tag}"] = (
            200,
            {"content-type": OCI_IMAGE_INDEX},
            {"schemaVersion": 2, "mediaType": OCI_IMAGE_INDEX, "manifests": [item]},
        )
        (found,) = await remote.referrers(APP, DIGEST, limit=10)
        assert found.digest == item["digest"]


class TestPushing:
    UPLOADS = "/v2/team/app/blobs/uploads/"

    async def test_an_upload_on_another_host_goes_without_the_credentials(
        self, there: Scripted, elsewhere: Scripted, known: RemoteRegistry
    ) -> None:
        there.script[f"POST {self.UPLOADS}"] = [
            (401, {"www-authenticate": 'Basic realm="there"'}, b""),
            (202, {"location": f"{elsewhere.url}/session?_state=a%2Fb"}, b""),
        ]
        elsewhere.script["PATCH /session"] = (202, {"location": "/session/2"}, b"")
        elsewhere.script["PUT /session/2"] = (201, {}, b"")
        await known.put_blob(APP, DIGEST, chunks(DATA))
        patch, put = elsewhere.asked
        assert (patch.body, patch.query) == (DATA, {"_state": ["a/b"]})
        assert put.query == {"digest": [DIGEST]}
        assert not elsewhere.credentials

    async def test_a_body_cannot_be_sent_twice(self, there: Scripted, known: RemoteRegistry) -> None:
        there.script[f"POST {self.UPLOADS}"] = (202, {"location": f"{self.UPLOADS}one"}, b"")
        basic = (401, {"www-authenticate": 'Basic realm="there"'}, b"")
        there.script[f"PATCH {self.UPLOADS}one"] = basic
        there.script[f"DELETE {self.UPLOADS}one"] = (204, {}, b"")
        with pytest.raises(errors.Unauthorized):
            await known.put_blob(APP, DIGEST, chunks(DATA))
        assert there.story[-1] == f"DELETE {self.UPLOADS}one"

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 405])
    async def test_a_mount_that_is_refused_becomes_an_upload(
        self, there: Scripted, remote: RemoteRegistry, status: int
    ) -> None:
        there.script[f"POST {self.UPLOADS}"] = (status, {}, b"")
        assert not await remote.mount_blob(APP, DIGEST, Repository("team/base"))
        assert there.asked[0].query == {"mount": [DIGEST], "from": ["team/base"]}

    async def test_a_mount_that_became_an_upload_is_cancelled(
        self, there: Scripted, remote: RemoteRegistry
    ) -> None:
        there.script[f"POST {self.UPLOADS}"] = (202, {"location": f"{self.UPLOADS}one"}, b"")
        there.script[f"DELETE {self.UPLOADS}one"] = (204, {}, b"")
        assert not await remote.mount_blob(APP, DIGEST, None)
        assert there.story == [f"POST {self.UPLOADS}", f"DELETE {self.UPLOADS}one"]

    async def test_tags_the_other_side_does_not_take_with_a_digest_are_put_one_by_one(
        self, there: Scripted, remote: RemoteRegistry
    ) -> None:
        manifest = image(algorithm="sha512")
        base = "PUT /v2/team/app/manifests/"
        there.script[base + manifest.digest] = (201, {"oci-tag": "v1"}, b"")
        there.script[base + "v2"] = (201, {}, b"")
        await remote.put_manifest(APP, manifest, [V1, Tag("v2")])
        assert there.story == [base + manifest.digest, base + "v2"]
        assert there.asked[0].headers["content-type"] == OCI_IMAGE_MANIFEST


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "headers", "expected"),
        [
            (403, {}, errors.Denied),
            (404, {}, errors.BlobUnknown),
            (429, {"retry-after": "7"}, errors.TooManyRequests),
            (500, {}, errors.Unavailable),
            (503, {"retry-after": "7"}, errors.Unavailable),
            (418, {}, errors.BadRequest),
            (204, {}, errors.Unavailable),
        ],
    )
    async def test_a_status_means_one_of_our_errors(
        self, there: Scripted, remote: RemoteRegistry, status: int, headers: dict[str, str], expected: Any
    ) -> None:
        there.script[f"HEAD {BLOB}"] = (status, headers, b"")
        with pytest.raises(expected) as failed:
            await remote.blob_size(APP, DIGEST)
        if headers:
            assert failed.value.retry_after == 7

    async def test_nothing_the_other_side_wrote_is_passed_on(
        self, there: Scripted, remote: RemoteRegistry
    ) -> None:
        content = {"errors": [{"code": "<script>", "message": "10.0.0.1 says s3cret", "detail": "s3cret"}]}
        there.script["GET /v2/team/app/manifests/v1"] = (500, {}, content)
        with pytest.raises(errors.Unavailable) as failed:
            await remote.manifest(APP, V1)
        assert failed.value.message == "the other registry answered 500"
        assert failed.value.detail is None

    async def test_a_registry_that_is_not_there_is_unavailable(self, session: aiohttp.ClientSession) -> None:
        remote = RemoteRegistry(Client("http://127.0.0.1:9", session))
        with pytest.raises(errors.Unavailable):
            await remote.ping()
