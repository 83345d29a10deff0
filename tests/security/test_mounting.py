"""Bytes that are somewhere are not everywhere: mounts, looks and manifests read nothing across projects (T55, T63)."""

from pathlib import Path

import pytest
from sqlalchemy import delete

from fairway.core.oci.digest import Digest
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import members
from stories.asgi import Answer
from stories.world import Person, World, image, index, layer, replica

SECRET = layer("secret")
DIGEST = Digest.of(SECRET)


@pytest.fixture
async def owner(world: World) -> Person:
    """Somebody with a private project that holds a secret layer."""
    owner = await world.person("owner")
    await world.project("vault", owner)
    assert (await owner.push("vault/app:v1", image("secret"))).status == 201
    return owner


@pytest.fixture
async def thief(world: World, owner: Person) -> Person:
    """Somebody who knows all digests, and has a project of their own."""
    thief = await world.person("thief")
    await world.project("mine", thief)
    assert (await thief.push_blob("mine/app", b"{}")).status == 201
    return thief


def told(answer: Answer) -> tuple[int, list[tuple[str, str]], bytes]:
    """All that an answer says, but for what is random in it."""
    random = ("location", "docker-upload-uuid", "x-request-id")
    return answer.status, [pair for pair in answer.headers if pair[0] not in random], answer.body


class TestMounting:
    async def test_a_source_one_may_not_read_is_as_good_as_none(self, world: World, thief: Person) -> None:
        nothing = Digest.of(b"nobody has this")
        scopes = ("repository:mine/app:pull,push", "repository:vault/app:pull", "repository:none/app:pull")
        for who in (thief, await thief.with_token(*scopes)):
            answers = [
                await who.mount("mine/app", DIGEST, "vault/app"),
                await who.mount("mine/app", nothing, "vault/app"),
                await who.mount("mine/app", DIGEST, "none/app"),
                await who.mount("mine/app", nothing, "mine/app"),
                await who.mount("mine/app", DIGEST, "mine/app"),
            ]
            assert answers[0].status == 202
            assert len({str(told(answer)) for answer in answers}) == 1
        assert (await thief.blob("mine/app", DIGEST, "HEAD")).status == 404

    async def test_without_a_source_only_ones_own_project_is_searched(
        self, world: World, thief: Person
    ) -> None:
        assert (await thief.mount("mine/other", DIGEST)).status == 202
        assert (await thief.mount("mine/other", Digest.of(b"{}"))).status == 201

    async def test_who_may_read_there_may_mount(self, world: World, owner: Person, thief: Person) -> None:
        friend = await world.member(1, "friend", Role.GUEST)
        await world.project("friends", friend)
        assert (await friend.mount("friends/app", DIGEST, "vault/app")).status == 201
        assert (await friend.blob("friends/app", DIGEST)).body == SECRET

    async def test_the_right_to_read_is_asked_for_when_mounting(self, world: World, owner: Person) -> None:
        friend = await world.member(1, "friend", Role.GUEST)
        await world.project("friends", friend)
        bearer = await friend.with_token("repository:friends/app:pull,push", "repository:vault/app:pull")
        await world.run(delete(members).where(members.c.user_id == friend.id, members.c.project_id == 1))
        assert (await bearer.mount("friends/app", DIGEST, "vault/app")).status == 202

    async def test_one_may_not_mount_where_one_may_not_push(self, world: World, thief: Person) -> None:
        before = await world.stored()
        for who in (thief, world.anybody):
            answer = await who.mount("vault/app", Digest.of(b"{}"), "mine/app")
            assert answer.short == (401, "UNAUTHORIZED")
        assert await world.stored() == before


class TestLooking:
    async def test_a_digest_known_elsewhere_is_unknown_here(self, world: World, thief: Person) -> None:
        nothing = Digest.of(b"nobody has this")
        for kind, digest in (("blobs", DIGEST), ("manifests", image("secret").digest)):
            for method in ("GET", "HEAD", "DELETE"):
                there = await thief(method, f"/v2/mine/app/{kind}/{digest}")
                none = await thief(method, f"/v2/mine/app/{kind}/{nothing}")
                assert there.status == none.status == 404
                assert there.body.replace(digest.encode(), b"") == none.body.replace(nothing.encode(), b"")

    async def test_a_manifest_is_no_way_to_read(self, world: World, thief: Person) -> None:
        before = await world.stored()
        for what in (image("secret"), index(image("secret"))):
            answer = await thief.push_manifest("mine/app:v1", what)
            assert answer.short == (400, "MANIFEST_BLOB_UNKNOWN")
        assert await world.stored() == before

    async def test_referring_to_it_tells_nothing(self, world: World, owner: Person, thief: Person) -> None:
        """A subject may be absent: the referrer is stored, here, and shown here only."""
        subject = {"mediaType": "a/b", "digest": image("secret").digest, "size": 1}
        await thief.push("mine/app:v1", image(subject=subject))
        theirs = await owner("GET", f"/v2/vault/app/referrers/{image('secret').digest}")
        assert theirs.json["manifests"] == []
        mine = await thief("GET", f"/v2/mine/app/referrers/{image('secret').digest}")
        assert len(mine.json["manifests"]) == 1

    async def test_who_has_the_bytes_may_push_them_and_sees_no_difference(
        self, world: World, thief: Person
    ) -> None:
        known, new = await thief.push_blob("mine/app", SECRET), await thief.push_blob("mine/app", b"new")
        assert [name for name, _ in known.headers] == [name for name, _ in new.headers]
        assert known.status == new.status == 201


class TestSeveralProcesses:
    """T63: what one process deletes, no other remembers."""

    async def test_what_is_gone_is_gone_everywhere_at_once(
        self, world: World, owner: Person, database_url: str, tmp_path: Path
    ) -> None:
        async with replica(database_url, tmp_path) as other:
            there = Person(other, owner.name, owner.id, owner.authorization)
            bearer = await there.with_token("repository:vault/app:pull,push")
            manifest = f"vault/app@{image('secret').digest}"
            for who in (owner, there, bearer):  # everybody has seen it
                assert (await who.pull("vault/app:v1")).status == 200
                assert (await who.pull(manifest)).status == 200
                assert (await who.blob("vault/app", DIGEST, "HEAD")).status == 200
            assert (await owner.delete(manifest)).status == 202
            assert (await owner.blob("vault/app", DIGEST, "DELETE")).status == 202
            for who in (there, bearer, owner):
                assert (await who.pull("vault/app:v1")).short == (404, "MANIFEST_UNKNOWN")
                assert (await who.pull(manifest)).short == (404, "MANIFEST_UNKNOWN")
                for method in ("GET", "HEAD"):
                    assert (await who.blob("vault/app", DIGEST, method)).status == 404
                refused = await who.push_manifest("vault/app:v2", image("secret"))
                assert refused.short == (400, "MANIFEST_BLOB_UNKNOWN")

    async def test_a_push_elsewhere_does_not_bring_it_back(
        self, world: World, owner: Person, thief: Person, database_url: str, tmp_path: Path
    ) -> None:
        await owner.delete(f"vault/app@{image('secret').digest}")
        await owner.blob("vault/app", DIGEST, "DELETE")
        async with replica(database_url, tmp_path) as other:
            there = Person(other, thief.name, thief.id, thief.authorization)
            assert (await there.push("mine/app:v1", image("secret"))).status == 201
            for who in (owner, Person(other, owner.name, owner.id, owner.authorization)):
                assert (await who.blob("vault/app", DIGEST)).short == (404, "BLOB_UNKNOWN")
                assert (await who.pull(f"vault/app@{image('secret').digest}")).status == 404

    async def test_a_right_that_is_taken_is_taken_everywhere(
        self, world: World, owner: Person, database_url: str, tmp_path: Path
    ) -> None:
        dev = await world.member(1, "dev", Role.DEVELOPER)
        async with replica(database_url, tmp_path) as other:
            there = Person(other, dev.name, dev.id, dev.authorization)
            bearer = await there.with_token("repository:vault/app:pull,push")
            assert (await bearer.push_blob("vault/app", b"one")).status == 201
            await world.run(delete(members).where(members.c.user_id == dev.id))
            for who in (there, bearer):
                assert (await who.push_blob("vault/app", b"two")).short == (401, "UNAUTHORIZED")
            assert (await there.pull("vault/app:v1")).short == (401, "UNAUTHORIZED")
            await world.set_password(dev, "Another-password-2")
            assert (await there("GET", "/v2/")).short == (401, "UNAUTHORIZED")
