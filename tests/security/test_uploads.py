"""Uploads belong to who began them, and nobody may begin without end (T51, T56, T57)."""

import asyncio
import os
from pathlib import Path

import pytest

from fairway.core.oci.digest import Digest
from fairway.features.registry.housekeeping import expire_uploads
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import uploads
from stories.world import Person, World, layer, open_world

DATA = layer("data")
DIGEST = Digest.of(DATA)
UNKNOWN = (404, "BLOB_UPLOAD_UNKNOWN")


@pytest.fixture
async def alice(world: World) -> Person:
    """She owns two projects."""
    alice = await world.person("alice")
    for name in ("team", "other"):
        await world.project(name, alice)
    return alice


async def every_call(person: Person, upload: str) -> list[tuple[int, str]]:
    """What becomes of all that can be done with an upload."""
    return [
        (await person("GET", upload)).short,
        (await person("PATCH", upload, b"evil")).short,
        (await person("PATCH", upload, b"evil", headers={"content-range": "0-3"})).short,
        (await person("PUT", f"{upload}?digest={DIGEST}")).short,
        (await person("PUT", f"{upload}?digest={Digest.of(b'evil')}", b"evil")).short,
        (await person("DELETE", upload)).short,
    ]


class TestWhoseUploadItIs:
    """T57: found by id, repository and principal together."""

    @pytest.fixture
    async def upload(self, alice: Person) -> str:
        upload = await alice.start_upload("team/app")
        assert (await alice("PATCH", upload, DATA)).status == 202
        return upload

    async def check_untouched(self, alice: Person, upload: str) -> None:
        assert (await alice("GET", upload))["range"] == f"0-{len(DATA) - 1}"
        assert (await alice("PUT", f"{upload}?digest={DIGEST}")).status == 201
        assert (await alice.blob("team/app", DIGEST)).body == DATA

    async def test_another_member_of_the_project_does_not_find_it(
        self, world: World, alice: Person, upload: str
    ) -> None:
        colleague = await world.member(1, "colleague", Role.PROJECT_ADMIN)
        before = await world.stored()
        for who in (
            colleague,
            await colleague.with_token("repository:team/app:pull,push,delete"),
            world.admin,
        ):
            assert set(await every_call(who, upload)) == {UNKNOWN}
        assert await world.stored() == before
        await self.check_untouched(alice, upload)

    async def test_a_stranger_is_not_told_whether_it_is_there(
        self, world: World, alice: Person, upload: str
    ) -> None:
        bob = await world.person("bob")
        invented = f"{upload[:-4]}0000"
        before = await world.stored()
        for who in (world.anybody, bob):
            assert await every_call(who, upload) == await every_call(who, invented)
            assert set(await every_call(who, upload)) == {(401, "UNAUTHORIZED")}
        assert await world.stored() == before

    async def test_its_owner_does_not_find_it_in_another_repository(
        self, world: World, alice: Person, upload: str
    ) -> None:
        id = upload.rpartition("/")[2]
        before = await world.stored()
        for repo in ("team/app2", "team/app/x", "other/app"):
            assert set(await every_call(alice, f"/v2/{repo}/blobs/uploads/{id}")) == {UNKNOWN}
        assert await world.stored() == before
        await self.check_untouched(alice, upload)

    async def test_invented_ids_lead_nowhere(self, world: World, alice: Person, upload: str) -> None:
        id = upload.rpartition("/")[2]
        before, base = await world.stored(), "/v2/team/app/blobs/uploads/"
        for invented in (
            "0" * 32,
            id.upper(),
            id[:-1],
            f"{id}0",
            f"{id[:8]}-{id[8:12]}-{id[12:16]}-{id[16:20]}-{id[20:]}",
            "x" * 128,
            "x" * 129,
            "..%2f..%2fkeys",
            "%2e%2e",
            "..",
            ".",
            f"..%2fuploads%2f{id}",
            f"{id}%00",
            f"{id}%2f",
            f"{id}.lock",
            "%25",
            "%C3%A9",
        ):
            for found in await every_call(alice, base + invented):
                assert found[0] in (400, 404), invented
                assert found[1] in ("BLOB_UPLOAD_UNKNOWN", "NAME_INVALID", "NOT_FOUND"), invented
        assert await world.stored() == before
        await self.check_untouched(alice, upload)

    async def test_it_ends_once(self, alice: Person, upload: str) -> None:
        assert (await alice("PUT", f"{upload}?digest={DIGEST}")).status == 201
        assert set(await every_call(alice, upload)) == {UNKNOWN}

    async def test_two_requests_do_not_mix_their_bytes(self, alice: Person, upload: str) -> None:
        at = len(DATA)
        headers = {"content-range": f"{at}-{at + 3}"}
        answers = await asyncio.gather(
            *(alice("PATCH", upload, bytes([65 + n]) * 4, headers=headers) for n in range(4))
        )
        assert sorted(answer.status for answer in answers) == [202, 416, 416, 416]
        (won,) = [n for n, answer in enumerate(answers) if answer.status == 202]
        whole = DATA + bytes([65 + won]) * 4
        assert (await alice("PUT", f"{upload}?digest={Digest.of(whole)}")).status == 201


class TestPromises:
    """T56: bytes are hashed before anything is said about them, however well known their digest is."""

    async def test_a_known_digest_does_not_vouch_for_other_bytes(self, world: World, alice: Person) -> None:
        await alice.push_blob("team/app", DATA)
        before = await world.stored()
        for repo in ("team/app", "team/new", "other/app"):
            upload = await alice.start_upload(repo)
            await alice("PATCH", upload, b"other bytes")
            wrong = [
                await alice.push_blob(repo, b"other bytes", DIGEST),
                await alice.push_blob(repo, b"", DIGEST),
                await alice.push_blob(repo, DATA[:-1], DIGEST),
                await alice.push_blob(repo, DATA + b"x", DIGEST),
                await alice.push_blob(repo, DATA, Digest.of(b"x", "sha512")),
                await alice("PUT", f"{upload}?digest={DIGEST}"),
            ]
            assert {answer.short for answer in wrong} == {(400, "DIGEST_INVALID")}
            assert (await alice("GET", upload)).short == UNKNOWN
        assert await world.stored() == before
        assert (await alice.blob("team/app", DIGEST)).body == DATA

    async def test_an_empty_upload_is_not_what_is_known(self, world: World, alice: Person) -> None:
        await alice.push_blob("other/app", DATA)
        upload = await alice.start_upload("team/app")
        assert (await alice("PUT", f"{upload}?digest={DIGEST}")).short == (400, "DIGEST_INVALID")
        assert (await alice.blob("team/app", DIGEST, "HEAD")).status == 404

    async def test_a_length_that_lies_is_refused(self, world: World, alice: Person) -> None:
        before = await world.stored()
        for length in ("3", "5"):
            answer = await alice(
                "POST",
                f"/v2/team/app/blobs/uploads/?digest={Digest.of(b'four')}",
                (b"four",),
                headers={"content-length": length},
            )
            assert answer.short == (400, "SIZE_INVALID")
        assert await world.stored() == before

    async def test_a_range_that_lies_is_refused_and_the_upload_goes_on(self, alice: Person) -> None:
        upload = await alice.start_upload("team/app")
        for header in (
            "0-2",
            "0-4",
            "3-0",
            "bytes 0-4/5",
            "0-",
            "-3",
            "a-b",
            "0-3,5-6",
            "0-99999999999999999999",
        ):
            answer = await alice("PATCH", upload, b"four", headers={"content-range": header})
            assert answer.status in (400, 416), header
        assert (await alice("GET", upload))["range"] == "0-0"
        assert (await alice("PUT", f"{upload}?digest={Digest.of(b'four')}", b"four")).status == 201


class TestTooMany:
    """T51: who begins and never ends is stopped, alone, and cleaned up after."""

    async def test_one_user_may_have_so_many_open(self, database_url: str, tmp_path: Path) -> None:
        async with open_world(database_url, tmp_path, uploads_per_user=5) as world:
            alice, bob = await world.person("alice"), await world.person("bob")
            for name, owner in (("team", alice), ("bobs", bob)):
                await world.project(name, owner)
            began = [await alice.start_upload(f"team/app{n}") for n in range(5)]
            before = await world.stored()
            refused = await alice("POST", "/v2/team/app/blobs/uploads/")
            assert refused.short == (503, "UNAVAILABLE")
            assert int(refused["retry-after"]) > 0
            assert await world.stored() == before
            assert (await bob("POST", "/v2/bobs/app/blobs/uploads/")).status == 202
            assert (await alice.push_blob("team/app", DATA)).status == 201  # in one go it is none that stays
            assert (await alice("DELETE", began[0])).status == 204
            assert (await alice("POST", "/v2/team/app/blobs/uploads/")).status == 202

    async def test_what_is_left_is_cleaned_up(self, world: World, alice: Person) -> None:
        for n in range(30):
            upload = await alice.start_upload("team/app")
            if n % 2:
                await alice("PATCH", upload, bytes(1000))
        assert len(world.files()) == 30
        await world.run(uploads.update().values(updated_at=0))
        for file in world.files():
            os.utime(world.settings.storage_path / file, (0, 0))
        assert await expire_uploads(world.db, world.parts.store, 600) == 30
        assert world.files() == []
        assert await world.count(uploads) == 0
