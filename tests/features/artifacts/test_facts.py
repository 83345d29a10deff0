"""What is found out once and kept, what a hostile layer comes to through the API, and by which indexes it is looked up."""

import asyncio
import gzip
import os
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import BlobUnknown, Unavailable
from fairway.core.oci.names import Repository
from fairway.features.artifacts import facts
from fairway.features.artifacts.facts import Describer, Facts, Kept
from fairway.features.artifacts.store import blobs, details, manifests
from fairway.features.projects.store import granted
from fairway.frame.db.statements import Compiler
from fairway.frame.db.tables import artifacts
from fairway.frame.jobs import apart
from features.artifacts.kinds import CHART_FILES, a_chart, a_model, an_image, index_of, tar
from features.artifacts.processors.test_archives import bomb, entry, many
from frame.db.plans import plan
from stories.asgi import Answer
from stories.world import Person, World

APP = "/api/v2.0/projects/team/repositories/app/artifacts"
MIB = 2**20


@pytest.fixture
async def alice(world: World) -> Person:
    alice = await world.person("alice")
    await world.project("team", alice)
    return alice


async def values(who: Person, content: bytes, tag: str = "v1") -> Answer:
    """The values of a chart with this archive, which is taken as it is."""
    assert (await who.push(f"team/app:{tag}", a_chart(content))).status == 201
    shown = (await who("GET", f"{APP}/{tag}")).json
    assert "values.yaml" in shown["addition_links"]
    return await who("GET", shown["addition_links"]["values.yaml"]["href"])


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "a bomb": (lambda: bomb(64 * MIB), "200 times its size"),
    "a million entries": (lambda: gzip.compress(many(1_000_000), 1), "200 times|20000 entries"),
    "a huge header": (lambda: entry("x", b"9" * 100_000, type=b"x"), "header of the archive is too long"),
    "a huge file": (lambda: entry("a/values.yaml", size=2**60), "larger than 2 MiB"),
    "cut": (lambda: tar(CHART_FILES, packed=True)[:100], "ends early"),
    "no archive": (lambda: b"<html><script>alert(1)</script>" * 30, "no tar archive"),
    "zstd": (lambda: b"\x28\xb5\x2f\xfd" + bytes(50), "zstd"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_hostile_archive_is_refused_by_name(alice: Person, kind: str) -> None:
    """T46: 422 that says why, soon, whatever it claims to be."""
    make, why = HOSTILE[kind]
    answer = await values(alice, make())
    assert answer.short == (422, "UNPROCESSABLE_ENTITY")
    assert answer.json["errors"][0]["message"].startswith("the addition values.yaml cannot be shown: ")
    assert re.search(why, answer.json["errors"][0]["message"])


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
async def test_what_a_link_points_to_is_not_shown(
    world: World, alice: Person, kind: bytes, tmp_path: Path
) -> None:
    """T47: a link to a file of the server is no page; the page is empty."""
    (tmp_path / "secret").write_text("secret")
    for target in (tmp_path / "secret", Path("/etc/passwd")):
        link = entry("pier/values.yaml", type=kind, linkname=str(target)) + bytes(1024)
        answer = await values(alice, link, tag=f"t{len(str(target))}")
        assert (answer.status, answer.body) == (200, b"")


async def test_yaml_is_text(alice: Person) -> None:
    """T48: what would be gigabytes to who reads YAML is sent as it is."""
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 30))
    laughing = f"l0: &l0 [lol]\n{levels}a: !!python/object/apply:os.system ['id']\n".encode()
    answer = await values(alice, tar({"pier/values.yaml": laughing}, packed=True))
    assert (answer.status, answer.body) == (200, laughing)


async def test_a_layer_that_is_too_large_is_not_searched(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "LARGEST_LAYER", 1000)
    answer = await values(alice, tar(CHART_FILES))
    assert answer.short == (422, "UNPROCESSABLE_ENTITY")
    monkeypatch.setattr(facts, "LARGEST_PAGE", 5)
    assert (await alice.push("team/app:model", a_model())).status == 201
    assert (await alice("GET", f"{APP}/model/additions/readme.md")).status == 422


async def test_a_refusal_is_remembered(world: World, alice: Person) -> None:
    first = await values(alice, b"no archive at all, and long enough for a header" * 20)
    for name in world.files():
        (world.settings.storage_path / name).unlink()
    again = await alice("GET", f"{APP}/v1/additions/values.yaml")
    assert first.status == again.status == 422
    assert first.body == again.body


async def test_damage_is_not_remembered(world: World, alice: Person) -> None:
    content = tar({**CHART_FILES, "pier/padding": os.urandom(50_000)})
    chart = a_chart(content)
    assert (await alice.push("team/app:v1", chart)).status == 201
    [layer] = [world.settings.storage_path / name for name in world.files() if Digest.of(content).hex in name]
    layer.chmod(0o640)
    layer.write_bytes(content.replace(b"berths: 2", b"berths: 9"))
    at = f"{APP}/v1/additions/values.yaml"
    assert (await alice("GET", at)).short == (404, "NOT_FOUND")
    layer.write_bytes(content)
    assert (await alice("GET", at)).body == CHART_FILES["pier/values.yaml"]


async def test_when_many_wait_the_next_is_told_to_come_back(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "_MOST_WAITING", 1)
    for tag in ("a", "b"):
        content = tar({**CHART_FILES, "pier/NOTES": tag.encode()}, packed=True)
        assert (await alice.push(f"team/app:{tag}", a_chart(content))).status == 201
    answers = await asyncio.gather(
        *(alice("GET", f"{APP}/{tag}/additions/values.yaml") for tag in ("a", "b"))
    )
    assert sorted(answer.status for answer in answers) == [200, 503]
    [busy] = [answer for answer in answers if answer.status == 503]
    assert busy["retry-after"] == "5"
    for tag in ("a", "b"):
        assert (await alice("GET", f"{APP}/{tag}/additions/values.yaml")).status == 200


async def test_a_child_that_fails_is_no_error_of_ours(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "_MEMORY", apart.MIB)
    answer = await values(alice, tar(CHART_FILES, packed=True))
    assert answer.short == (422, "UNPROCESSABLE_ENTITY")
    assert "more time or memory" in answer.json["errors"][0]["message"]


async def test_what_was_found_out_is_not_asked_again(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    both = index_of((an_image(name="one"), {}), (an_image(name="two"), {}))
    assert (await alice.push("team/app:v1", both)).status == 201
    assert (await alice.push("team/app:v2", a_chart())).status == 201
    asked: list[str] = []
    compile_ = Compiler.compile

    def counted(self: Compiler, statement: Any, params: Any) -> Any:
        made = compile_(self, statement, params)
        asked.append(made.sql)
        return made

    monkeypatch.setattr(Compiler, "compile", counted)
    first = await alice("GET", f"{APP}?sort=id")
    payloads = [sql for sql in asked if "payload" in sql]
    assert len(payloads) == 1
    asked.clear()
    assert (await alice("GET", f"{APP}?sort=id")).body == first.body
    assert not [sql for sql in asked if "payload" in sql]


async def test_manifests_are_read_together_each_from_its_repository(world: World, alice: Person) -> None:
    """One that is damaged, large or elsewhere hides no other."""
    there = [an_image(name=f"n{number}") for number in range(5)]
    for number, each in enumerate(there):
        assert (await alice.push(f"team/{'app' if number % 2 else 'lib'}:v{number}", each)).status == 201
    assert (await alice.push("team/app:again", there[0])).status == 201
    damaged = (artifacts.c.digest == there[0].digest, artifacts.c.repository_id == 1)
    await world.run(update(artifacts).where(*damaged).values(payload=b"{}"))
    places = [("lib", there[0].digest), ("app", there[1].digest), ("lib", there[2].digest)]
    found = await manifests.small(world.db, 1, places, 2**15)
    assert {digest: len(row["payload"]) > 2 for digest, row in found.items()} == {
        there[0].digest: False,
        there[1].digest: True,
        there[2].digest: True,
    }
    elsewhere = await manifests.small(
        world.db, 1, [("app", there[0].digest), ("app", there[2].digest)], 2**15
    )
    assert list(elsewhere) == [there[0].digest]
    assert len(elsewhere[there[0].digest]["payload"]) > 2
    assert await manifests.small(world.db, 1, places, 2) == {}
    describer = Describer(world.db, world.parts.hub.open_blob)
    asked = [(Repository(f"team/{name}"), digest) for name, digest in places]
    said = await describer.facts(1, asked)
    assert said[0] == Facts()
    assert all('"arm64"' in each.attributes for each in said[1:])


def storage_that(world: World, does: Callable[[int], Any]) -> facts.OpenBlob:
    """Opens blobs after it has done something, which is told how often it was asked."""
    opened = 0

    async def open_blob(project: int, repo: Repository, digest: Digest) -> Any:
        nonlocal opened
        opened += 1
        await does(opened)
        return await world.parts.hub.open_blob(project, repo, digest)

    return open_blob


async def test_failures_are_not_remembered(world: World, alice: Person) -> None:
    """Facts follow from the digest; that bytes cannot be read just now does not."""
    assert (await alice.push("team/app:v1", an_image())).status == 201
    asked: list[int] = []

    async def fail_once(number: int) -> None:
        asked.append(number)
        if number == 1:
            raise Unavailable("the storage is not there")

    describer = Describer(world.db, storage_that(world, fail_once))
    places = [(Repository("team/app"), an_image().digest)] * 2
    assert await describer.facts(1, places) == [Facts(), Facts()]
    for _ in range(2):
        found, same = await describer.facts(1, places)
        assert '"arm64"' in found.attributes
        assert found is same
    assert asked == [1, 2]


async def test_what_is_lost_is_looked_for_now_and_then(
    world: World, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list does not look each time; whoever asks for the one artifact has it looked at."""
    assert (await alice.push("team/app:v1", an_image())).status == 201
    asked: list[int] = []

    async def lost_at_first(number: int) -> None:
        asked.append(number)
        if number <= 2:
            raise BlobUnknown("it is not there")

    describer = Describer(world.db, storage_that(world, lost_at_first))
    place = (Repository("team/app"), an_image().digest)
    for _ in range(3):
        assert await describer.facts(1, [place, place]) == [Facts(), Facts()]
    assert asked == [1]
    monkeypatch.setattr(facts, "AGAIN_SECONDS", 0.0)
    assert await describer.facts(1, [place]) == [Facts()]
    assert '"arm64"' in (await describer.facts(1, [place, place]))[0].attributes
    assert asked == [1, 2, 3]


async def test_a_storage_that_hangs_holds_no_list_up(
    world: World, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(facts, "_MOST_LOOKS", 1)
    both = [an_image(name="one"), an_image(name="two")]
    for number, each in enumerate(both):
        assert (await alice.push(f"team/app:v{number}", each)).status == 201
    goes_on = asyncio.Event()
    describer = Describer(world.db, storage_that(world, lambda _: goes_on.wait()))
    places = [(Repository("team/app"), each.digest) for each in both]
    for _ in range(3):
        assert await describer.facts(1, places) == [Facts(), Facts()]
    assert len(describer._looks) == 1
    goes_on.set()
    await asyncio.gather(*describer._looks.values())
    for place in places:
        monkeypatch.setattr(facts, "PATIENCE_SECONDS", 60)
        assert [each.additions for each in await describer.facts(1, [place])] == [("build_history",)]


def test_what_is_kept_is_bounded() -> None:
    kept: Kept[int] = Kept(100, overhead=10)
    for number in range(4):
        kept.keep(number, number, 20)
    assert [kept.get(number) for number in range(4)] == [None, 1, 2, 3]
    kept.keep(9, 9, 20)
    assert [kept.get(number) for number in (1, 2, 3, 9)] == [None, 2, 3, 9]
    kept.keep("large", 1, 1000)
    assert [kept.get(key) for key in (2, 3, 9, "large")] == [None] * 4


async def test_by_which_indexes(world: World) -> None:
    seen = blobs._LAYER_SEEN.where(granted.listable_by(world.admin.user))
    found = await plan(world.db, seen, digest="x", largest=1, viewer=1)
    assert "SCAN" not in found.replace("SCAN holders", "")  # a thousand at most, found by the digest
    assert "Seq Scan" not in found
    newest = await plan(world.db, details._NEWEST, ids="[1]", kind="sbom.harbor", most=1)
    assert "ix_artifacts_accessory_of" in newest
