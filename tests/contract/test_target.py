"""What every `Registry` does alike, wherever its content comes from: one suite, run on each implementation."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from contract.registry_worlds import WORLDS, broken, chunks, image, index, pointer, push, read
from fairway.core.oci import errors
from fairway.core.oci.digest import Digest
from fairway.core.oci.manifest import Manifest
from fairway.core.oci.media_types import OCI_IMAGE_MANIFEST
from fairway.core.oci.names import Repository, Tag

APP = Repository("team/app")
OTHER = Repository("visitors/app")  # of another project: within one, places may share blobs
V1, V2 = Tag("v1"), Tag("v2")
DATA = b"0123456789" * 500
DIGEST = Digest.of(DATA)
NOTHING = Digest.of(b"never pushed")

BAD_BYTES = pytest.raises(errors.DigestInvalid)
NO_BLOB = pytest.raises(errors.BlobUnknown)
NO_MANIFEST = pytest.raises((errors.ManifestUnknown, errors.NameUnknown))
NO_UPLOAD = pytest.raises(errors.BlobUploadUnknown)


@pytest.fixture(params=WORLDS)
async def registry(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    async with WORLDS[request.param]() as registry:
        yield registry


async def test_whoever_may_use_it_may_ask(registry: Any) -> None:
    await registry.ping()


class TestBlobs:
    @pytest.mark.parametrize(
        "data", [b"", b"x", DATA, bytes(1_000_000)], ids=["empty", "one", "some", "many"]
    )
    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    async def test_what_was_put_can_be_read(self, registry: Any, data: bytes, algorithm: str) -> None:
        digest = Digest.of(data, algorithm)
        await registry.put_blob(APP, digest, chunks(data, 70_000))
        assert await read(registry, APP, digest) == data
        assert await registry.blob_size(APP, digest) == len(data)

    @pytest.mark.parametrize(("start", "end"), [(0, 1), (0, 10), (999, 3001), (4990, 5000), (7, 7)])
    async def test_a_part_can_be_read(self, registry: Any, start: int, end: int) -> None:
        await registry.put_blob(APP, DIGEST, chunks(DATA))
        assert await read(registry, APP, DIGEST, start, end) == DATA[start:end]

    async def test_putting_it_again_changes_nothing(self, registry: Any) -> None:
        for _ in range(2):
            await registry.put_blob(APP, DIGEST, chunks(DATA))
        assert await read(registry, APP, DIGEST) == DATA

    async def test_bytes_that_are_not_their_digest_leave_nothing_behind(self, registry: Any) -> None:
        with BAD_BYTES:
            await registry.put_blob(APP, NOTHING, chunks(DATA))
        with NO_BLOB:
            await registry.blob_size(APP, NOTHING)

    async def test_a_body_that_fails_leaves_nothing_behind(self, registry: Any) -> None:
        with pytest.raises(ConnectionResetError):
            await registry.put_blob(APP, DIGEST, broken(DATA[:100]))
        with NO_BLOB:
            await registry.blob_size(APP, DIGEST)

    async def test_a_blob_is_known_in_its_own_repository_only(self, registry: Any) -> None:
        await registry.put_blob(APP, DIGEST, chunks(DATA))
        for digest, repo in ((NOTHING, APP), (DIGEST, OTHER)):
            with NO_BLOB:
                await registry.blob(repo, digest)
            with NO_BLOB:
                await registry.blob_size(repo, digest)

    async def test_a_deleted_blob_is_gone(self, registry: Any) -> None:
        await registry.put_blob(APP, DIGEST, chunks(DATA))
        await registry.delete_blob(APP, DIGEST)
        with NO_BLOB:
            await registry.blob_size(APP, DIGEST)
        with NO_BLOB:
            await registry.delete_blob(APP, DIGEST)

    async def test_a_deleted_blob_can_be_put_again(self, registry: Any) -> None:
        await registry.put_blob(APP, DIGEST, chunks(DATA))
        await registry.delete_blob(APP, DIGEST)
        await registry.put_blob(APP, DIGEST, chunks(DATA))
        assert await read(registry, APP, DIGEST) == DATA

    async def test_a_blob_that_a_manifest_needs_cannot_be_deleted(self, registry: Any) -> None:
        await push(registry, APP, image(DATA), V1, blobs=(DATA,))
        with pytest.raises(errors.Unsupported):
            await registry.delete_blob(APP, DIGEST)
        assert await read(registry, APP, DIGEST) == DATA


class TestMounting:
    async def test_a_blob_of_another_repository_can_be_mounted(self, registry: Any) -> None:
        await registry.put_blob(APP, DIGEST, chunks(DATA))
        assert await registry.mount_blob(OTHER, DIGEST, APP)
        assert await read(registry, OTHER, DIGEST) == DATA

    async def test_a_blob_that_is_not_there_cannot(self, registry: Any) -> None:
        await registry.put_blob(APP, DIGEST, chunks(DATA))
        assert not await registry.mount_blob(OTHER, NOTHING, APP)
        assert not await registry.mount_blob(OTHER, DIGEST, Repository("nowhere/app"))
        with NO_BLOB:
            await registry.blob_size(OTHER, DIGEST)


class TestManifests:
    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    async def test_a_manifest_is_kept_byte_for_byte(self, registry: Any, algorithm: str) -> None:
        manifest = image(DATA, algorithm=algorithm, unknown={"kept": [1, 2.50]})
        await push(registry, APP, manifest, V1, blobs=(DATA,))
        for ref in (V1, manifest.digest):
            stored = await registry.manifest(APP, ref)
            assert (stored.raw, stored.size) == (manifest.raw, manifest.size)
            assert (stored.digest, stored.media_type) == (manifest.digest, manifest.media_type)
            assert stored.parsed() == manifest
            info = await registry.manifest_info(APP, ref)
            assert (info.digest, info.media_type, info.size) == (
                manifest.digest,
                manifest.media_type,
                manifest.size,
            )

    async def test_a_manifest_may_have_no_tag(self, registry: Any) -> None:
        await push(registry, APP, image(), blobs=())
        assert (await registry.manifest(APP, image().digest)).raw == image().raw
        assert await registry.tags(APP, limit=10) == []

    async def test_a_manifest_may_have_several_tags(self, registry: Any) -> None:
        await push(registry, APP, image(), V1, V2, blobs=())
        for tag in (V1, V2):
            assert (await registry.manifest_info(APP, tag)).digest == image().digest

    async def test_a_tag_moves_and_the_manifest_stays(self, registry: Any) -> None:
        old, new = image(), image(DATA)
        await push(registry, APP, old, V1, blobs=())
        await push(registry, APP, new, V1, blobs=(DATA,))
        assert (await registry.manifest(APP, V1)).digest == new.digest
        assert (await registry.manifest(APP, old.digest)).raw == old.raw

    async def test_a_manifest_needs_its_layers_first(self, registry: Any) -> None:
        await registry.put_blob(APP, Digest.of(b"{}"), chunks(b"{}"))
        with pytest.raises(errors.ManifestBlobUnknown):
            await registry.put_manifest(APP, image(DATA), [V1])
        with NO_MANIFEST:
            await registry.manifest(APP, V1)

    async def test_layers_of_another_repository_do_not_count(self, registry: Any) -> None:
        await push(registry, OTHER, image(DATA), blobs=(DATA,))
        with pytest.raises(errors.ManifestBlobUnknown):
            await registry.put_manifest(APP, image(DATA), [])

    async def test_layers_that_live_elsewhere_are_not_needed(self, registry: Any) -> None:
        foreign = {**pointer("application/vnd.oci.image.layer.nondistributable.v1.tar", DATA)}
        await push(registry, APP, image(layers=[foreign]), V1, blobs=())
        assert await registry.tags(APP, limit=10) == ["v1"]

    async def test_an_index_needs_its_children_first(self, registry: Any) -> None:
        child = image()
        with pytest.raises(errors.ManifestBlobUnknown):
            await registry.put_manifest(APP, index(child), [V1])
        await push(registry, APP, child, blobs=())
        await registry.put_manifest(APP, index(child), [V1])
        assert (await registry.manifest(APP, V1)).parsed().children() == (child.digest,)

    async def test_an_index_may_be_empty_or_nested(self, registry: Any) -> None:
        await registry.put_manifest(APP, index(), [])
        await registry.put_manifest(APP, index(index()), [V1])
        assert (await registry.manifest(APP, V1)).digest == index(index()).digest

    async def test_what_is_not_there_is_unknown(self, registry: Any) -> None:
        await push(registry, APP, image(), V1, blobs=())
        for repo, ref in ((APP, V2), (APP, NOTHING), (OTHER, V1)):
            with NO_MANIFEST:
                await registry.manifest(repo, ref)
            with NO_MANIFEST:
                await registry.manifest_info(repo, ref)

    async def test_a_deleted_tag_leaves_its_manifest(self, registry: Any) -> None:
        await push(registry, APP, image(), V1, V2, blobs=())
        await registry.delete_tag(APP, V1)
        with NO_MANIFEST:
            await registry.manifest(APP, V1)
        with NO_MANIFEST:
            await registry.delete_tag(APP, V1)
        assert (await registry.manifest(APP, V2)).digest == image().digest

    async def test_a_deleted_manifest_takes_its_tags_along(self, registry: Any) -> None:
        await push(registry, APP, image(), V1, V2, blobs=())
        await registry.delete_manifest(APP, image().digest)
        for ref in (V1, V2, image().digest):
            with NO_MANIFEST:
                await registry.manifest(APP, ref)
        with NO_MANIFEST:
            await registry.delete_manifest(APP, image().digest)


class TestLists:
    async def test_tags_come_in_ascii_order_after_the_one_named(self, registry: Any) -> None:
        await push(registry, APP, image(), *map(Tag, ("v2", "V1", "v10", "_x", "v1")), blobs=())
        assert await registry.tags(APP, limit=100) == ["V1", "_x", "v1", "v10", "v2"]
        assert await registry.tags(APP, limit=2) == ["V1", "_x"]
        assert await registry.tags(APP, after="_x", limit=2) == ["v1", "v10"]
        assert await registry.tags(APP, after="v11", limit=2) == ["v2"]
        assert await registry.tags(APP, after="zzz", limit=2) == []

    async def test_a_repository_that_never_was_has_no_list(self, registry: Any) -> None:
        with pytest.raises(errors.NameUnknown):
            await registry.tags(OTHER, limit=10)

    async def test_repositories_are_listed(self, registry: Any) -> None:
        for repo in (OTHER, APP):
            await push(registry, repo, image(), V1, blobs=())
        assert await registry.repositories(limit=10) == [APP, OTHER]
        assert await registry.repositories(limit=1) == [APP]
        assert await registry.repositories(after=APP, limit=10) == [OTHER]


class TestReferrers:
    def referring(self, subject: Manifest, number: int, kind: str) -> Manifest:
        return image(
            subject=pointer(OCI_IMAGE_MANIFEST, subject.raw),
            artifactType=kind,
            annotations={"number": str(number)},
        )

    async def test_those_who_refer_are_listed_by_digest(self, registry: Any) -> None:
        subject = image(DATA)  # need not be there
        pushed = [self.referring(subject, n, f"application/x.{n % 2}") for n in range(5)]
        for manifest in (*pushed, image()):
            await push(registry, APP, manifest, blobs=())
        expected = sorted(pushed, key=lambda manifest: manifest.digest)
        found = await registry.referrers(APP, subject.digest, limit=100)
        assert [descriptor.digest for descriptor in found] == [manifest.digest for manifest in expected]
        for descriptor, manifest in zip(found, expected, strict=True):
            assert descriptor.size == manifest.size
            assert descriptor.media_type == manifest.media_type
            assert descriptor.artifact_type == manifest.artifact_type
            assert descriptor.annotations == manifest.annotations

        after = await registry.referrers(APP, subject.digest, after=expected[1].digest, limit=2)
        assert [descriptor.digest for descriptor in after] == [manifest.digest for manifest in expected[2:4]]
        odd = await registry.referrers(APP, subject.digest, artifact_type="application/x.1", limit=100)
        assert {descriptor.digest for descriptor in odd} == {pushed[1].digest, pushed[3].digest}

    async def test_an_image_without_artifact_type_shows_that_of_its_config(self, registry: Any) -> None:
        await push(registry, APP, image(subject=pointer(OCI_IMAGE_MANIFEST, DATA)), blobs=())
        (found,) = await registry.referrers(APP, DIGEST, limit=10)
        assert found.artifact_type == "application/vnd.oci.empty.v1+json"

    async def test_an_index_may_refer_too(self, registry: Any) -> None:
        await registry.put_manifest(APP, index(subject=pointer(OCI_IMAGE_MANIFEST, DATA)), [])
        (found,) = await registry.referrers(APP, DIGEST, limit=10)
        assert found.artifact_type == ""

    async def test_nobody_refers_to_nothing_and_that_is_no_error(self, registry: Any) -> None:
        assert await registry.referrers(OTHER, NOTHING, limit=10) == []

    async def test_a_deleted_referrer_is_gone(self, registry: Any) -> None:
        referring = image(subject=pointer(OCI_IMAGE_MANIFEST, DATA))
        await push(registry, APP, referring, blobs=())
        await registry.delete_manifest(APP, referring.digest)
        assert await registry.referrers(APP, DIGEST, limit=10) == []


class TestUploads:
    async def test_a_blob_may_come_in_pieces(self, registry: Any) -> None:
        upload = await registry.start_upload(APP)
        assert upload.offset == 0
        for at in range(0, 5000, 1000):
            state = await registry.append(APP, upload.id, chunks(DATA[at : at + 1000], 300), at=at)
            assert (state.id, state.offset) == (upload.id, at + 1000)
        assert await registry.upload(APP, upload.id) == state
        await registry.finish(APP, upload.id, DIGEST, None, at=None)
        assert await read(registry, APP, DIGEST) == DATA
        with NO_UPLOAD:
            await registry.upload(APP, upload.id)

    @pytest.mark.parametrize("at", [None, 4000])
    async def test_the_last_piece_may_come_with_the_end(self, registry: Any, at: int | None) -> None:
        upload = await registry.start_upload(APP)
        await registry.append(APP, upload.id, chunks(DATA[:4000]), at=None)
        await registry.finish(APP, upload.id, DIGEST, chunks(DATA[4000:]), at=at)
        assert await read(registry, APP, DIGEST) == DATA

    async def test_everything_may_come_with_the_end(self, registry: Any) -> None:
        upload = await registry.start_upload(APP)
        digest = Digest.of(DATA, "sha512")
        await registry.finish(APP, upload.id, digest, chunks(DATA), at=None)
        assert await read(registry, APP, digest) == DATA

    @pytest.mark.parametrize("at", [0, 999, 1001])
    async def test_a_piece_out_of_order_is_refused_and_nothing_lost(self, registry: Any, at: int) -> None:
        upload = await registry.start_upload(APP)
        await registry.append(APP, upload.id, chunks(DATA[:1000]), at=0)
        with pytest.raises(errors.RangeInvalid) as refused:
            await registry.append(APP, upload.id, chunks(b"elsewhere"), at=at)
        assert refused.value.offset == 1000
        with pytest.raises(errors.RangeInvalid):
            await registry.finish(APP, upload.id, DIGEST, chunks(b"elsewhere"), at=at)
        assert (await registry.upload(APP, upload.id)).offset == 1000
        await registry.finish(APP, upload.id, DIGEST, chunks(DATA[1000:]), at=1000)
        assert await read(registry, APP, DIGEST) == DATA

    async def test_what_arrived_before_a_failure_is_kept(self, registry: Any) -> None:
        upload = await registry.start_upload(APP)
        with pytest.raises(ConnectionResetError):
            await registry.append(APP, upload.id, broken(DATA[:700]), at=0)
        assert (await registry.upload(APP, upload.id)).offset == 700
        await registry.append(APP, upload.id, chunks(DATA[700:]), at=700)
        await registry.finish(APP, upload.id, DIGEST, None, at=None)
        assert await read(registry, APP, DIGEST) == DATA

    async def test_bytes_that_are_not_their_digest_end_the_upload(self, registry: Any) -> None:
        upload = await registry.start_upload(APP)
        with BAD_BYTES:
            await registry.finish(APP, upload.id, NOTHING, chunks(DATA), at=None)
        with NO_BLOB:
            await registry.blob_size(APP, NOTHING)
        with NO_UPLOAD:
            await registry.upload(APP, upload.id)

    async def test_a_cancelled_upload_is_gone(self, registry: Any) -> None:
        upload = await registry.start_upload(APP)
        await registry.cancel(APP, upload.id)
        with NO_UPLOAD:
            await registry.upload(APP, upload.id)
        with NO_UPLOAD:
            await registry.append(APP, upload.id, chunks(DATA), at=None)
        with NO_UPLOAD:
            await registry.finish(APP, upload.id, DIGEST, None, at=None)
        with NO_UPLOAD:
            await registry.cancel(APP, upload.id)

    async def test_an_upload_is_known_in_its_own_repository_only(self, registry: Any) -> None:
        upload = await registry.start_upload(APP)
        with NO_UPLOAD:
            await registry.upload(OTHER, upload.id)
        with NO_UPLOAD:
            await registry.append(OTHER, upload.id, chunks(DATA), at=None)
        with NO_UPLOAD:
            await registry.finish(OTHER, upload.id, DIGEST, chunks(DATA), at=None)
        with NO_UPLOAD:
            await registry.cancel(OTHER, upload.id)
        assert (await registry.upload(APP, upload.id)).offset == 0

    async def test_nobody_guesses_an_upload(self, registry: Any) -> None:
        with NO_UPLOAD:
            await registry.upload(APP, "0123456789abcdef0123456789abcdef")
