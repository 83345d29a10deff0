"""Copying an image: everything it needs, in an order that is complete at every step, each thing once."""

from typing import Any

import pytest

from contract.registry_worlds import chunks, image, index, pointer, push, read
from fairway.core.content import copy as copying
from fairway.core.content.copy import copy
from fairway.core.content.memory import Memory
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import BlobUnknown, ManifestInvalid, ManifestUnknown
from fairway.core.oci.names import Repository, Tag

APP, MIRROR, V1 = Repository("team/app"), Repository("mirror/app"), Tag("v1")
BASE, CODE = b"base" * 1000, b"code" * 1000


class Watched(Memory):
    """A memory that tells what it was asked to read and write, in order."""

    def __init__(self, *, allow_sparse: bool = False) -> None:
        super().__init__(allow_sparse=allow_sparse)
        self.read: list[Digest] = []
        self.written: list[Digest] = []

    async def manifest(self, repo: Repository, ref: Any) -> Any:
        found = await super().manifest(repo, ref)
        self.read.append(found.digest)
        return found

    async def blob(self, repo: Repository, digest: Digest) -> Any:
        self.read.append(digest)
        return await super().blob(repo, digest)

    async def put_blob(self, repo: Repository, digest: Digest, body: Any) -> None:
        await super().put_blob(repo, digest, body)
        self.written.append(digest)

    async def put_manifest(self, repo: Repository, manifest: Any, tags: Any) -> None:
        await super().put_manifest(repo, manifest, tags)
        self.written.append(manifest.digest)


@pytest.fixture
def src() -> Watched:
    return Watched(allow_sparse=True)


@pytest.fixture
def dst() -> Watched:
    return Watched()


async def test_an_image_is_copied_with_its_tag_and_its_blobs(src: Watched, dst: Watched) -> None:
    await push(src, APP, image(BASE, CODE), V1, blobs=(BASE, CODE))
    assert await copy(src, dst, APP, V1) == image(BASE, CODE).digest
    assert (await dst.manifest(APP, V1)).raw == image(BASE, CODE).raw
    assert await read(dst, APP, Digest.of(BASE)) == BASE


async def test_it_may_go_by_another_name(src: Watched, dst: Watched) -> None:
    await push(src, APP, image(BASE), V1, blobs=(BASE,))
    await copy(src, dst, APP, V1, into=MIRROR)
    assert await dst.tags(MIRROR, limit=10) == ["v1"]
    assert await dst.repositories(limit=10) == [MIRROR]


async def test_a_digest_is_copied_without_a_tag(src: Watched, dst: Watched) -> None:
    manifest = image(BASE, algorithm="sha512")
    await push(src, APP, manifest, blobs=(BASE,))
    assert await copy(src, dst, APP, manifest.digest) == manifest.digest
    assert (await dst.manifest(APP, manifest.digest)).raw == manifest.raw
    assert await dst.tags(APP, limit=10) == []


async def test_what_a_manifest_needs_lands_before_it(src: Watched, dst: Watched) -> None:
    one, two = image(BASE), image(BASE, CODE)
    nested = index(one)
    top = index(nested, two)
    for manifest in (one, two):
        await push(src, APP, manifest, blobs=(BASE, CODE))
    await src.put_manifest(APP, nested, [])
    await src.put_manifest(APP, top, [V1])
    await copy(src, dst, APP, V1)  # dst refuses a manifest that comes too early
    order = dst.written
    assert order.index(one.digest) < order.index(nested.digest) < order.index(top.digest)
    assert order.index(two.digest) < order.index(top.digest)


async def test_what_many_share_is_moved_once(src: Watched, dst: Watched) -> None:
    """A diamond of n levels has 2ⁿ paths and n + 2 manifests."""
    await push(src, APP, image(BASE), blobs=(BASE,))
    left, right = index(image(BASE)), index(image(BASE), annotations={"a": "b"})
    for level in range(20):
        for manifest in (left, right):
            await src.put_manifest(APP, manifest, [])
        left, right = index(left, right), index(left, right, annotations={"level": str(level)})
    await src.put_manifest(APP, left, [V1])
    await copy(src, dst, APP, V1)
    assert len(src.read) == len(set(src.read))
    assert len(dst.written) == len(set(dst.written))


async def test_a_chain_of_indexes_may_be_long(src: Watched, dst: Watched) -> None:
    top = index()
    for _ in range(2000):
        await src.put_manifest(APP, top, [])
        top = index(top)
    await src.put_manifest(APP, top, [V1])
    assert await copy(src, dst, APP, V1) == top.digest


async def test_an_index_without_end_is_refused(
    src: Watched, dst: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "MAX_MANIFESTS", 3)
    children = [index(annotations={"n": str(n)}) for n in range(3)]
    for child in children:
        await src.put_manifest(APP, child, [])
    await src.put_manifest(APP, index(*children[:2]), [V1])
    await copy(src, dst, APP, V1)
    await src.put_manifest(APP, index(*children), [V1])
    with pytest.raises(ManifestInvalid):
        await copy(src, dst, APP, V1)


async def test_blobs_that_are_there_are_not_moved_again(src: Watched, dst: Watched) -> None:
    await push(src, APP, image(BASE, CODE), V1, blobs=(BASE, CODE))
    await dst.put_blob(APP, Digest.of(BASE), chunks(BASE))
    await copy(src, dst, APP, V1)
    assert Digest.of(BASE) not in src.read


async def test_a_repeated_copy_moves_the_tag(src: Watched, dst: Watched) -> None:
    for manifest in (image(BASE), image(CODE)):
        await push(src, APP, manifest, V1, blobs=(BASE, CODE))
        await copy(src, dst, APP, V1)
        assert (await dst.manifest(APP, V1)).digest == manifest.digest


async def test_layers_that_must_not_be_distributed_stay_where_they_are(src: Watched, dst: Watched) -> None:
    elsewhere = {
        **pointer("application/vnd.oci.image.layer.nondistributable.v1.tar", BASE),
        "urls": ["http://169.254.169.254/latest"],
    }
    await push(src, APP, image(layers=[elsewhere]), V1, blobs=())
    await copy(src, dst, APP, V1)
    assert Digest.of(BASE) not in src.read


async def test_what_the_source_lacks_ends_the_copy_before_the_name_appears(
    src: Watched, dst: Watched
) -> None:
    await push(src, APP, image(BASE), blobs=(BASE,))
    await src.put_manifest(APP, index(image(BASE), image(CODE)), [V1])
    with pytest.raises(ManifestUnknown):
        await copy(src, dst, APP, V1)
    with pytest.raises(ManifestUnknown):
        await copy(src, dst, APP, Tag("nothing"))
    src._repositories[APP].blobs.clear()
    with pytest.raises(BlobUnknown):
        await copy(src, Memory(), APP, image(BASE).digest)
    assert await dst.repositories(limit=10) == [] or await dst.tags(APP, limit=10) == []
