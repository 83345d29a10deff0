"""Pushing and deleting: what may come in which order, what may come twice, and what may not go."""

import asyncio

import pytest

from fairway.core.oci.digest import Digest
from fairway.core.stores.disk import LATELY
from fairway.frame.db.tables import blobs
from stories.world import Person, World, image, index, layer

BASE = Digest.of(layer("base"))


@pytest.fixture
async def alice(world: World) -> Person:
    """She owns two projects."""
    alice = await world.person("alice")
    await world.project("team", alice)
    await world.project("other", alice)
    return alice


class TestPushing:
    async def test_what_was_pushed_is_pulled_byte_for_byte(self, alice: Person) -> None:
        wanted = image("base", "code", annotations={"note": "größer"}, unknown=[1, 2.50])
        answer = await alice.push("team/app:v1", wanted)
        assert answer["docker-content-digest"] == wanted.digest
        assert answer["location"] == f"/v2/team/app/manifests/{wanted.digest}"
        for ref in (":v1", f"@{wanted.digest}"):
            pulled = await alice.pull(f"team/app{ref}")
            assert pulled.body == wanted.manifest.raw
            assert pulled["content-type"] == wanted.manifest.media_type
            assert pulled["docker-content-digest"] == wanted.digest
        assert (await alice.blob("team/app", BASE)).body == layer("base")

    async def test_the_same_push_again_is_fine(self, alice: Person) -> None:
        for _ in range(3):
            assert (await alice.push("team/app:v1", image("base"))).status == 201
        assert await alice.tags("team/app") == ["v1"]

    async def test_a_tag_moves_and_what_it_left_stays(self, alice: Person) -> None:
        old, new = image("old"), image("new")
        await alice.push("team/app:v1", old)
        await alice.push("team/app:v1", new)
        assert (await alice.pull("team/app:v1")).body == new.manifest.raw
        assert (await alice.pull(f"team/app@{old.digest}")).body == old.manifest.raw
        await alice.push_manifest("team/app:v1", old)
        assert (await alice.pull("team/app:v1")).body == old.manifest.raw

    async def test_one_push_may_set_several_tags(self, alice: Person) -> None:
        await alice.push("team/app:first", image("base"))
        answer = await alice.push_manifest(
            f"team/app@{image('base').digest}?tag=a&tag=b&tag=a", image("base")
        )
        assert (answer.status, answer.all("oci-tag")) == (201, ["a", "b"])
        assert await alice.tags("team/app") == ["a", "b", "first"]

    async def test_an_image_needs_its_layers_first(self, world: World, alice: Person) -> None:
        await alice.push_blob("team/app", b"{}")
        before = await world.stored()
        answer = await alice.push_manifest("team/app:v1", image("base"))
        assert answer.short == (400, "MANIFEST_BLOB_UNKNOWN")
        assert answer.json["errors"][0]["detail"] == [{"digest": BASE}]
        assert await world.stored() == before

    async def test_an_index_needs_its_children_first(self, world: World, alice: Person) -> None:
        both = index(image("amd64"), image("arm64"))
        await alice.push(f"team/app@{image('amd64').digest}", image("amd64"))
        before = await world.stored()
        assert (await alice.push_manifest("team/app:v1", both)).short == (400, "MANIFEST_BLOB_UNKNOWN")
        assert await world.stored() == before
        assert (await alice.push("team/app:v1", both)).status == 201

    async def test_children_of_another_repository_do_not_count(self, alice: Person) -> None:
        await alice.push("team/base:v1", image("amd64"))
        answer = await alice.push_manifest("team/app:v1", index(image("amd64")))
        assert answer.short == (400, "MANIFEST_BLOB_UNKNOWN")

    async def test_a_blob_counts_in_all_repositories_of_its_project(self, alice: Person) -> None:
        await alice.push("team/base:v1", image("base"))
        assert (await alice.push_manifest("team/app:v1", image("base"))).status == 201

    async def test_a_repository_is_a_name_within_a_project(self, world: World, alice: Person) -> None:
        before = await world.stored()
        assert (await alice.push_blob("team", b"data")).short == (400, "NAME_INVALID")
        assert (await alice.push_manifest("team:v1", index())).short == (400, "NAME_INVALID")
        assert await world.stored() == before
        assert (await alice.push("team/a/b/c:v1", image("base"))).status == 201
        assert (await world.admin("GET", "/v2/_catalog")).json == {"repositories": ["team/a/b/c"]}


class TestMounting:
    async def test_a_blob_of_another_project_is_mounted(self, alice: Person) -> None:
        await alice.push("other/base:v1", image("base"))
        answer = await alice.mount("team/app", BASE, "other/base")
        assert answer.status == 201
        assert answer["location"] == f"/v2/team/app/blobs/{BASE}"
        assert (await alice.blob("team/app", BASE)).body == layer("base")

    async def test_it_stays_when_the_source_is_gone(self, alice: Person) -> None:
        await alice.push_blob("other/base", layer("base"))
        await alice.mount("team/app", BASE, "other/base")
        assert (await alice.blob("other/base", BASE, "DELETE")).status == 202
        assert (await alice.blob("team/app", BASE)).body == layer("base")

    async def test_what_is_not_there_is_uploaded_instead(self, alice: Person) -> None:
        for source in ("other/base", "none/base", "team/base", None, "NO NAME"):
            answer = await alice.mount("team/app", BASE, source)
            assert answer.status == 202, source
            done = await alice("PUT", f"{answer['location']}?digest={Digest.of(b'x')}", b"x")
            assert done.status == 201

    async def test_a_token_that_does_not_know_the_source_is_asked_for_both(self, alice: Person) -> None:
        await alice.push_blob("other/base", layer("base"))
        scopes = ["repository:team/app:pull,push", "repository:other/base:pull"]
        refused = await (await alice.with_token(scopes[0])).mount("team/app", BASE, "other/base")
        assert refused.status == 401
        assert f'scope="{" ".join(scopes)}"' in refused["www-authenticate"]
        assert (await (await alice.with_token(*scopes)).mount("team/app", BASE, "other/base")).status == 201


class TestUploading:
    async def test_docker_sends_one_stream_and_closes_it(self, alice: Person) -> None:
        upload = await alice.start_upload("team/app")
        sent = await alice("PATCH", upload, (b"one ", b"two ", b"three"))
        assert (sent.status, sent["range"]) == (202, "0-12")
        done = await alice("PUT", f"{sent['location']}?digest={Digest.of(b'one two three')}")
        assert (done.status, done["location"]) == (201, f"/v2/team/app/blobs/{Digest.of(b'one two three')}")
        assert (await alice("GET", upload)).short == (404, "BLOB_UPLOAD_UNKNOWN")

    async def test_a_chunk_out_of_order_is_told_where_to_go_on(self, alice: Person) -> None:
        upload = await alice.start_upload("team/app")
        await alice("PATCH", upload, b"0123", headers={"content-range": "0-3"})
        for method, target in (("PATCH", upload), ("PUT", f"{upload}?digest={BASE}")):
            refused = await alice(method, target, b"89", headers={"content-range": "8-9"})
            assert (refused.status, refused["range"], refused["location"]) == (416, "0-3", upload)
        where = await alice("GET", upload)
        assert (where.status, where["range"]) == (204, "0-3")

    async def test_an_upload_goes_on_with_password_or_token_alike(self, alice: Person) -> None:
        upload = await alice.start_upload("team/app")
        bearer = await alice.with_token("repository:team/app:pull,push")
        assert (await bearer("PATCH", upload, b"by token")).status == 202
        assert (await alice("PUT", f"{upload}?digest={Digest.of(b'by token')}")).status == 201

    async def test_a_cancelled_upload_leaves_nothing(self, world: World, alice: Person) -> None:
        before = await world.stored()
        upload = await alice.start_upload("team/app")
        await alice("PATCH", upload, b"data")
        assert (await alice("DELETE", upload)).status == 204
        assert await world.stored() == before


class TestLostBytes:
    """A blob whose file is gone is not there, whoever asks: it is pushed again, and that repairs it."""

    @pytest.fixture
    async def _lost(self, world: World, alice: Person) -> None:
        await alice.push("team/app:v1", image("base"))
        (key,) = [row["key"] for row in await world.rows(blobs) if row["digest"] == BASE]
        (world.settings.storage_path / key).unlink()
        await asyncio.sleep(LATELY)

    @pytest.mark.usefixtures("_lost")
    async def test_a_pusher_who_asks_is_told_to_push_it(self, alice: Person) -> None:
        assert (await alice.blob("team/app", BASE, "HEAD")).status == 404
        assert (await alice.push("team/app:v1", image("base"))).status == 201
        assert (await alice.blob("team/app", BASE)).body == layer("base")

    @pytest.mark.usefixtures("_lost")
    async def test_nobody_mounts_it(self, alice: Person) -> None:
        assert (await alice.mount("other/app", BASE, "team/app")).status == 202


class TestDeleting:
    async def test_a_tag_goes_alone(self, alice: Person) -> None:
        await alice.push("team/app:v1", image("base"))
        await alice.push("team/app:v2", image("base"))
        assert (await alice.delete("team/app:v1")).status == 202
        assert (await alice.pull("team/app:v1")).short == (404, "MANIFEST_UNKNOWN")
        assert (await alice.pull("team/app:v2")).status == 200
        assert (await alice.delete("team/app:v1")).short == (404, "MANIFEST_UNKNOWN")

    async def test_a_manifest_takes_its_tags_along(self, alice: Person) -> None:
        await alice.push("team/app:v1", image("base"))
        assert (await alice.delete(f"team/app@{image('base').digest}")).status == 202
        assert (await alice.pull("team/app:v1")).short == (404, "MANIFEST_UNKNOWN")
        assert await alice.tags("team/app") == []

    async def test_a_child_of_an_index_stays_as_long_as_the_index(self, alice: Person) -> None:
        child, parent = image("amd64"), index(image("amd64"))
        await alice.push("team/app:v1", parent)
        assert (await alice.delete(f"team/app@{child.digest}")).short == (412, "PRECONDITION")
        assert (await alice.delete(f"team/app@{parent.digest}")).status == 202
        assert (await alice.delete(f"team/app@{child.digest}")).status == 202

    async def test_a_blob_that_is_used_stays(self, alice: Person) -> None:
        await alice.push("team/app:v1", image("base"))
        assert (await alice.blob("team/app", BASE, "DELETE")).short == (405, "UNSUPPORTED")
        assert (await alice.blob("team/app", BASE)).body == layer("base")
        await alice.delete(f"team/app@{image('base').digest}")
        assert (await alice.blob("team/app", BASE, "DELETE")).status == 202
        assert (await alice.blob("team/app", BASE)).short == (404, "BLOB_UNKNOWN")

    async def test_a_foreign_layer_that_is_here_stays_while_it_is_used(self, alice: Person) -> None:
        pointer = {
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": BASE,
            "size": len(layer("base")),
        }
        foreign = image(layers=[{**pointer, "urls": ["https://example.com/base"]}])
        await alice.push_blob("team/app", layer("base"))
        assert (await alice.push("team/app:v1", foreign)).status == 201
        assert (await alice.blob("team/app", BASE, "DELETE")).short == (405, "UNSUPPORTED")

    async def test_a_blob_that_another_repository_of_the_project_uses_stays(self, alice: Person) -> None:
        await alice.push("team/app:v1", image("base"))
        assert (await alice.blob("team/unused", BASE, "DELETE")).short == (405, "UNSUPPORTED")

    async def test_deleting_in_one_project_leaves_the_other(self, alice: Person) -> None:
        for name in ("team/app:v1", "other/app:v1"):
            await alice.push(name, image("base"))
        await alice.delete(f"team/app@{image('base').digest}")
        assert (await alice.blob("team/app", BASE, "DELETE")).status == 202
        assert (await alice.pull("other/app:v1")).status == 200
        assert (await alice.blob("other/app", BASE)).body == layer("base")

    async def test_what_was_deleted_can_be_pushed_again(self, alice: Person) -> None:
        for _ in range(2):
            assert (await alice.push("team/app:v1", image("base"))).status == 201
            assert (await alice.delete(f"team/app@{image('base').digest}")).status == 202
            assert (await alice.blob("team/app", BASE, "DELETE")).status == 202

    async def test_bytes_that_are_a_manifest_and_a_blob_at_once_lose_only_what_is_deleted(
        self, alice: Person
    ) -> None:
        both = index()
        await alice.push("team/app:v1", both)
        assert (await alice.push_blob("team/app", both.manifest.raw)).status == 201
        assert (await alice.blob("team/app", both.digest, "DELETE")).status == 202
        assert (await alice.blob("team/app", both.digest)).status == 404
        for method in ("HEAD", "GET"):
            assert (await alice(method, f"/v2/team/app/manifests/{both.digest}")).status == 200
        assert (await alice.push_blob("team/app", both.manifest.raw)).status == 201
        assert (await alice.delete(f"team/app@{both.digest}")).status == 202
        assert (await alice.blob("team/app", both.digest)).status == 200
