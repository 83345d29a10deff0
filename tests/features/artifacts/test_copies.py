"""Copying artifacts inside the registry: what goes along, who may, and what is written."""

import asyncio
import json
from typing import Any

import pytest

from fairway.core.oci.digest import Digest
from fairway.features.artifacts import copying
from fairway.features.projects.store import names
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import (
    artifacts,
    audit_log,
    blobs,
    gc_reviews,
    leases,
    outbox,
    project_blobs,
    quotas,
)
from fairway.frame.events import hand_over
from fairway.reactions import reactions
from features.artifacts.test_artifacts_api import about, remade
from stories.asgi import Answer
from stories.world import Image, Person, World, image, index

API = "/api/v2.0"
AMD, ARM = image("amd64"), image("arm64")
BOTH = index(AMD, ARM)
SIGNED, OF_AMD = about(BOTH, "signature"), about(AMD, "about one platform")
OF_SIGNED = about(SIGNED, "about the signature", "application/example")


@pytest.fixture
async def alice(world: World) -> Person:
    return await world.person("alice")


@pytest.fixture
async def team(world: World, alice: Person) -> int:
    """Her project with an index in `app` that is signed, and an empty one."""
    team = await world.project("team", alice)
    await world.project("shop", alice)
    for name in ("v1", "latest"):
        assert (await alice.push(f"team/app:{name}", BOTH)).status == 201
    for what in (SIGNED, OF_SIGNED, OF_AMD):
        assert (await alice.push(f"team/app@{what.digest}", what)).status == 201
    return team


async def copy(who: Person, to: str, source: str) -> Answer:
    project, _, name = to.partition("/")
    target = f"{API}/projects/{project}/repositories/{name.replace('/', '%252F')}/artifacts"
    return await who("POST", f"{target}?from={source.replace('/', '%2F').replace(':', '%3A')}")


async def digests(world: World, project: int) -> set[str]:
    return {row["digest"] for row in await world.rows(artifacts) if row["project_id"] == project}


async def test_all_of_it_goes_along(world: World, alice: Person, team: int) -> None:
    files = world.files()
    answer = await copy(alice, "shop/web/app", "team/app:v1")
    assert (answer.status, answer.body) == (201, b""), answer.body
    assert answer["location"] == f"{API}/projects/shop/repositories/web%252Fapp/artifacts/{BOTH.digest}"
    assert (await alice("GET", answer["location"])).json["digest"] == BOTH.digest
    assert await digests(world, 2) == {e.digest for e in (BOTH, AMD, ARM, SIGNED, OF_SIGNED, OF_AMD)}
    assert await alice.tags("shop/web/app") == ["latest", "v1"]
    for each in (AMD, ARM):
        assert (await alice.pull(f"shop/web/app@{each.digest}")).body == each.manifest.raw
        for blob in each.blobs:
            assert (await alice.blob("shop/web/app", Digest.of(blob))).body == blob
    accessories = await alice("GET", answer["location"] + "/accessories")
    assert [each["digest"] for each in accessories.json] == [SIGNED.digest]
    referrers = await alice("GET", f"/v2/shop/web/app/referrers/{SIGNED.digest}")
    assert [each["digest"] for each in referrers.json["manifests"]] == [OF_SIGNED.digest]
    assert world.files() == files, "no byte moved"
    assert len(await world.rows(blobs)) == len({row["digest"] for row in await world.rows(blobs)})


async def test_what_is_written_is_what_a_push_writes(world: World, alice: Person, team: int) -> None:
    before = len(await world.rows(outbox))
    assert (await copy(alice, "shop/app", "team/app:v1")).status == 201
    linked = {row["digest"] for row in await world.rows(project_blobs) if row["project_id"] == 2}
    assert linked == {row["digest"] for row in await world.rows(project_blobs) if row["project_id"] == team}
    for table in (leases, gc_reviews):
        assert linked <= {row["digest"] for row in await world.rows(table) if row["project_id"] == 2}
    events = [(row["kind"], json.loads(row["payload"])) for row in (await world.rows(outbox))[before:]]
    assert all(facts["project_id"] == 2 and facts["actor"] == "alice" for _, facts in events)
    pushed = [facts["digest"] for kind, facts in events if kind == "artifact.pushed"]
    assert pushed.index(BOTH.digest) > max(pushed.index(AMD.digest), pushed.index(ARM.digest))
    assert {facts["mounted_from"] for kind, facts in events if kind == "blob.pushed"} == {"team/app"}
    await hand_over(world.db, reactions(world.parts.notifications))
    lines = [row["resource"] for row in await world.rows(audit_log) if row["project_id"] == 2]
    assert "shop/app:latest" in lines
    used = await alice("GET", f"{API}/projects/shop/summary")
    same = await alice("GET", f"{API}/projects/team/summary")
    assert used.json["quota"]["used"] == same.json["quota"]["used"] != {"storage": 0}


async def test_what_is_there_already_is_no_error(world: World, alice: Person, team: int) -> None:
    assert (await copy(alice, "shop/app", f"team/app@{BOTH.digest}")).status == 201
    assert (await alice.delete("shop/app:latest")).status == 202
    await alice.push_manifest("team/app:stable", BOTH)
    before = await digests(world, 2)
    charged = (await alice("GET", f"{API}/projects/shop/summary")).json["quota"]
    for source in (f"team/app@{BOTH.digest}", "team/app:stable"):
        answer = await copy(alice, "shop/app", source)
        assert answer.status == 201
        assert answer["location"].endswith(BOTH.digest)
    assert await alice.tags("shop/app") == ["stable", "v1"], "a tag that was deleted does not come back"
    assert await digests(world, 2) == before
    assert (await alice("GET", f"{API}/projects/shop/summary")).json["quota"] == charged
    late = about(BOTH, "a later signature")
    assert (await alice.push(f"team/app@{late.digest}", late)).status == 201
    assert (await copy(alice, "shop/app", "team/app:v1")).status == 201
    assert late.digest in await digests(world, 2)
    stored = await world.stored()
    assert (await copy(alice, "team/app", "team/app:v1")).status == 201
    assert await world.stored() == stored, "onto itself"
    assert await world.db.write(lambda conn: names.rename(conn, team, "crew", alice.user))
    stored = await world.stored()
    for to, source in (("crew", "team"), ("team", "crew"), ("team", "team")):
        assert (await copy(alice, f"{to}/app", f"{source}/app:v1")).status == 201
        assert await world.stored() == stored, "onto itself, by whatever name"


async def test_within_one_project_nothing_is_charged(world: World, alice: Person) -> None:
    size = AMD.size
    await world.project("small", alice, limit=size)
    assert (await alice.push("small/app:v1", AMD)).status == 201
    assert (await copy(alice, "small/other", "small/app:v1")).status == 201
    assert await alice.tags("small/other") == ["v1"]
    assert [row["used"] for row in await world.rows(quotas)] == [size]


async def test_a_tag_moves(world: World, alice: Person, team: int) -> None:
    assert (await alice.push("shop/app:v1", ARM)).status == 201
    assert (await copy(alice, "shop/app", "team/app:v1")).status == 201
    assert Digest.of((await alice.pull("shop/app:v1")).body) == BOTH.digest
    assert (await alice.pull(f"shop/app@{ARM.digest}")).status == 200


async def test_a_signature_of_older_cosign_keeps_its_tag(world: World, alice: Person, team: int) -> None:
    signing = image("payload")
    [signed] = json.loads(signing.manifest.raw)["layers"]
    kind = "application/vnd.dev.cosign.simplesigning.v1+json"
    signature = remade(signing, layers=[{**signed, "mediaType": kind}])
    tag = f"sha256-{BOTH.digest.hex}.sig"
    assert (await alice.push(f"team/app:{tag}", signature)).status == 201
    assert (await copy(alice, "shop/app", "team/app:v1")).status == 201
    assert (await alice.pull(f"shop/app:{tag}")).body == signature.manifest.raw
    found = (await alice("GET", f"{API}/projects/shop/repositories/app/artifacts/v1/accessories")).json
    assert {each["type"] for each in found} == {"signature.cosign", "signature.notation"}


async def test_a_layer_that_is_elsewhere_may_stay_there(world: World, alice: Person, team: int) -> None:
    def foreign(name: str) -> Image:
        plain = image(name)
        [layer] = json.loads(plain.manifest.raw)["layers"]
        kind = "application/vnd.oci.image.layer.nondistributable.v1.tar"
        return remade(plain, layers=[{**layer, "mediaType": kind, "urls": ["https://elsewhere.example/x"]}])

    here, absent = foreign("here"), foreign("absent")
    assert (await alice.push("team/win:here", here)).status == 201
    config = next(blob for blob in absent.blobs if Digest.of(blob) == absent.manifest.config.digest)  # type: ignore[union-attr]
    await alice.push_blob("team/win", config)
    assert (await alice.push_manifest("team/win:absent", absent)).status == 201
    for name in ("here", "absent"):
        assert (await copy(alice, "shop/win", f"team/win:{name}")).status == 201
        assert (await alice.pull(f"shop/win:{name}")).status == 200
    layers = {Digest.of(blob) for blob in here.blobs} - {here.manifest.config.digest}  # type: ignore[union-attr]
    for digest in layers:
        assert (await alice.blob("shop/win", digest)).status == 200


async def test_what_cannot_be_copied(world: World, alice: Person, team: int) -> None:
    before = await world.stored()
    for source, short in (
        (f"team/app@{SIGNED.digest}", (403, "DENIED")),
        ("team/app:v9", (404, "NOT_FOUND")),
        (f"team/app@{Digest.of(b'none')}", (404, "NOT_FOUND")),
        ("team/none:v1", (404, "NOT_FOUND")),
        ("absent/app:v1", (403, "FORBIDDEN")),
        ("team/app", (400, "BAD_REQUEST")),
        ("team:v1", (400, "BAD_REQUEST")),
        ("team/app:", (400, "BAD_REQUEST")),
        ("team/app@v1", (400, "BAD_REQUEST")),
        ("@", (400, "BAD_REQUEST")),
        ("localhost:5000/team/app", (400, "BAD_REQUEST")),
        ("team/app@sha256:12", (400, "DIGEST_INVALID")),
        ("team/App:v1", (400, "NAME_INVALID")),
        ("team/app:no tag", (400, "TAG_INVALID")),
    ):
        assert (await copy(alice, "shop/app", source)).short == short, source
    assert (await alice("POST", f"{API}/projects/shop/repositories/app/artifacts")).status == 422
    assert (await copy(alice, "shop/app", "t/" + "a" * 600 + ":v1")).status == 422
    assert (await copy(world.admin, "shop/app", "absent/app:v1")).short == (404, "NOT_FOUND")
    assert (await copy(world.admin, "absent/app", "team/app:v1")).short == (404, "NOT_FOUND")
    assert await world.stored() == before


async def test_who_may(world: World, alice: Person, team: int) -> None:
    shop = 2
    reader = await world.member(team, "reader", Role.LIMITED_GUEST)
    developer = await world.member(shop, "developer", Role.DEVELOPER)
    guest, stranger = await world.member(shop, "guest", Role.GUEST), await world.person("stranger")
    before = await world.stored()
    for who in (reader, guest, stranger):
        assert (await copy(who, "shop/app", "team/app:v1")).short == (403, "FORBIDDEN"), who.name
    assert (await copy(world.anybody, "shop/app", "team/app:v1")).short == (401, "UNAUTHORIZED")
    answers = [await copy(developer, "shop/app", f"{name}/app:v1") for name in ("team", "absent")]
    assert answers[0].short == answers[1].short == (403, "FORBIDDEN")
    assert answers[0].body.replace(b"team", b"absent") == answers[1].body
    assert await world.stored() == before
    await world.project("shown", alice, public=True)
    assert (await alice.push("shown/app:v1", AMD)).status == 201
    assert (await copy(developer, "shop/app", "shown/app:v1")).status == 201


async def test_a_quota_that_is_full_says_so_and_a_later_copy_finishes(
    world: World, alice: Person, team: int
) -> None:
    small = await world.project("small", alice, limit=AMD.size + ARM.size)
    answer = await copy(alice, "small/app", "team/app:v1")
    assert answer.short == (403, "DENIED")
    assert BOTH.digest not in await digests(world, small)
    quota = {"hard": {"storage": -1}}
    body = json.dumps(quota).encode()
    headers = {"content-type": "application/json"}
    assert (await world.admin("PUT", f"{API}/quotas/{small}", body, headers=headers)).status == 200
    assert (await copy(alice, "small/app", "team/app:v1")).status == 201
    assert await digests(world, small) == await digests(world, team)


async def test_too_much_is_refused(
    world: World, alice: Person, team: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "MOST_MANIFESTS", 5)
    answer = await copy(alice, "shop/app", "team/app:v1")
    assert answer.short == (400, "MANIFEST_INVALID")
    assert "client" in answer.json["errors"][0]["message"]


async def test_indexes_in_indexes_are_copied_so_deep(
    world: World, alice: Person, team: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "LARGE", 0)  # and large ones are parsed aside
    shared = image("base")
    nested = index(shared)
    for _ in range(copying.DEEPEST - 1):
        nested = index(nested, shared)
    assert (await alice.push("team/deep:v1", nested)).status == 201
    assert (await copy(alice, "shop/deep", "team/deep:v1")).status == 201
    assert (await alice.pull("shop/deep:v1")).status == 200
    assert (await alice.push("team/deeper:v1", index(nested))).status == 201
    assert (await copy(alice, "shop/deeper", "team/deeper:v1")).short == (400, "MANIFEST_INVALID")


async def test_many_at_once_make_one(world: World, alice: Person, team: int) -> None:
    answers = await asyncio.gather(*(copy(alice, "shop/app", "team/app:v1") for _ in range(4)))
    assert {answer.status for answer in answers} == {201}
    assert await digests(world, 2) == await digests(world, team)
    first: dict[str, Any] = (await alice("GET", f"{API}/projects/shop/summary")).json["quota"]["used"]
    second: dict[str, Any] = (await alice("GET", f"{API}/projects/team/summary")).json["quota"]["used"]
    assert first == second


async def test_copies_pushes_and_deletions_of_the_same_do_not_hold_each_other_up(
    world: World, alice: Person, team: int
) -> None:
    """Whatever their order, each does its work or says why not, and what is there in the end is whole."""
    at = f"{API}/projects/shop/repositories/app/artifacts"
    for _ in range(4):
        answers = await asyncio.gather(
            copy(alice, "shop/app", "team/app:v1"),
            alice.push("shop/app:v1", BOTH),
            alice("DELETE", f"{at}/v1"),
            copy(alice, "shop/app", f"team/app@{AMD.digest}"),
            alice.delete(f"shop/app@{ARM.digest}"),
            copy(alice, "shop/other", "shop/app:v1"),
        )
        # 400: a child was deleted between its own copy and that of the index.
        assert {answer.status for answer in answers} <= {200, 201, 202, 400, 403, 404, 412}
    assert (await copy(alice, "shop/app", "team/app:v1")).status == 201
    for each in (AMD, ARM):
        for blob in each.blobs:
            assert (await alice.blob("shop/app", Digest.of(blob))).body == blob
    assert Digest.of((await alice.pull("shop/app:v1")).body) == BOTH.digest
    [listed] = [e for e in (await alice("GET", at)).json if e["digest"] == BOTH.digest]
    assert "v1" in {tag["name"] for tag in listed["tags"]}


async def test_what_the_collector_takes_meanwhile_is_missed(world: World, alice: Person) -> None:
    """A source that lost a blob is not copied halfway."""
    await world.project("team", alice)
    await world.project("shop", alice)
    assert (await alice.push("team/app:v1", AMD)).status == 201
    lost = AMD.manifest.required_blobs()[0]
    await world.run(project_blobs.delete().where(project_blobs.c.digest == lost))
    answer = await copy(alice, "shop/app", "team/app:v1")
    assert answer.short == (400, "MANIFEST_BLOB_UNKNOWN")
    assert answer.json["errors"][0]["detail"] == [{"digest": lost}]
    assert "push it there again" in answer.json["errors"][0]["message"]
    assert [row for row in await world.rows(project_blobs) if row["project_id"] == 2] == []
