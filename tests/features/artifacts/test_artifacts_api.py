"""Artifacts, their accessories and their tags as Harbor's clients use them."""

import json
import re
from typing import Any

import pytest

from fairway.core.oci.digest import Digest
from fairway.core.oci.manifest import parse_manifest
from fairway.features.artifacts import icons
from fairway.features.artifacts.api.shown import MOST_ANNOTATIONS
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import artifacts, deleted_artifacts, gc_reviews, outbox
from stories.world import Image, Person, World, image, index

API = "/api/v2.0"
APP = f"{API}/projects/team/repositories/app"
JSON = {"content-type": "application/json"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
NEVER = "0001-01-01T00:00:00.000Z"

AMD, ARM, OLD = image("amd64"), image("arm64"), image("old")
NOTARY = "application/vnd.cncf.notary.signature"


def platform(of: Image, architecture: str) -> dict[str, Any]:
    return {
        "mediaType": of.manifest.media_type,
        "digest": of.digest,
        "size": of.manifest.size,
        "platform": {"os": "linux", "architecture": architecture},
    }


def remade(of: Image, **members: Any) -> Image:
    """The same with other members in its manifest."""
    body = {**json.loads(of.manifest.raw), **members}
    made = parse_manifest(json.dumps(body).encode(), of.manifest.media_type)
    return Image(made, of.blobs, of.children)


def typed(of: Image, config: str) -> Image:
    """The same with another media type of its config."""
    return remade(of, config={"mediaType": config, "digest": Digest.of(b"{}"), "size": 2})


def about(subject: Image, name: str, artifact_type: str = NOTARY) -> Image:
    """Something that names `subject`."""
    return image(name, subject=platform(subject, "any"), artifactType=artifact_type)


BOTH = remade(index(AMD, ARM), manifests=[platform(AMD, "amd64"), platform(ARM, "arm64")])
SIGNED = about(BOTH, "signature")
OF_SIGNED = about(SIGNED, "about the signature", "application/example")


@pytest.fixture
async def alice(world: World) -> Person:
    return await world.person("alice")


@pytest.fixture
async def team(world: World, alice: Person) -> int:
    """Her project: `app` has an image, then an index of two platforms with a signature which has an accessory itself."""
    team = await world.project("team", alice)
    for name, what in (("v1", OLD), ("v2", BOTH), ("latest", BOTH)):
        assert (await alice.push(f"team/app:{name}", what)).status == 201
    for what in (SIGNED, OF_SIGNED):
        assert (await alice.push(f"team/app@{what.digest}", what)).status == 201
    assert (await alice.push("team/other:v1", image("other"))).status == 201
    return team


async def digests(who: Person, target: str) -> list[str]:
    answer = await who("GET", target)
    assert answer.status == 200, answer.body
    assert answer["x-total-count"] == str(len(answer.json))
    return [each["digest"] for each in answer.json]


class TestShown:
    """What lists and single artifacts show."""

    async def test_an_index_with_all_its_details(self, alice: Person, team: int) -> None:
        shown = (await alice("GET", f"{APP}/artifacts/v2?with_accessory=true&with_label=true")).json
        assert MOMENT.fullmatch(shown.pop("push_time"))
        tags, [accessory] = shown.pop("tags"), shown.pop("accessories")
        references = shown.pop("references")
        assert shown == {
            "id": 4,
            "type": "IMAGE",
            "media_type": BOTH.manifest.media_type,
            "manifest_media_type": BOTH.manifest.media_type,
            "artifact_type": "",
            "project_id": team,
            "repository_id": 1,
            "repository_name": "team/app",
            "digest": BOTH.digest,
            "size": BOTH.manifest.size + AMD.size + ARM.size,
            "icon": icons.of_type("IMAGE"),
            "pull_time": NEVER,
            "extra_attrs": {},
            "annotations": {},
            "labels": [],
            "addition_links": {},
        }
        assert [(each["name"], each["artifact_id"], each["immutable"]) for each in tags] == [
            ("latest", 4, False),
            ("v2", 4, False),
        ]
        assert [
            (each["parent_id"], each["child_id"], each["child_digest"], each["platform"]["architecture"])
            for each in references
        ] == [(4, 2, AMD.digest, "amd64"), (4, 3, ARM.digest, "arm64")]
        assert references[0]["platform"] == {
            "architecture": "amd64",
            "os": "linux",
            "os.version": "",
            "os.features": [],
            "variant": "",
        }
        signature = (await alice("GET", f"{APP}/artifacts/{SIGNED.digest}")).json
        assert MOMENT.fullmatch(accessory.pop("creation_time"))
        assert accessory == {
            "id": signature["id"],
            "artifact_id": signature["id"],
            "subject_artifact_id": 4,
            "subject_artifact_digest": BOTH.digest,
            "subject_artifact_repo": "team/app",
            "size": SIGNED.size,
            "digest": SIGNED.digest,
            "type": "signature.notation",
            "icon": icons.of_accessory("signature.notation"),
        }

    async def test_details_are_null_unless_they_are_asked_for(self, alice: Person, team: int) -> None:
        shown = (await alice("GET", f"{APP}/artifacts/{BOTH.digest}?with_tag=false")).json
        assert (shown["tags"], shown["labels"], shown["accessories"]) == (None, None, None)

    async def test_accessories_and_children_are_not_listed_alone(self, alice: Person, team: int) -> None:
        assert await digests(alice, f"{APP}/artifacts") == [BOTH.digest, OLD.digest]
        assert (await alice("GET", APP)).json["artifact_count"] == 2
        assert (await alice.push_manifest("team/app:arm", ARM)).status == 201
        assert await digests(alice, f"{APP}/artifacts") == [ARM.digest, BOTH.digest, OLD.digest]
        everything = f"{APP}/artifacts?q=base%3D*&sort=id"
        assert await digests(alice, everything) == [
            each.digest for each in (OLD, AMD, ARM, BOTH, SIGNED, OF_SIGNED)
        ]
        assert (await alice("GET", f"{APP}/artifacts/{SIGNED.digest}")).status == 200

    async def test_what_can_be_asked_for(self, alice: Person, team: int) -> None:
        untagged = typed(image("untagged"), "application/vnd.cncf.helm.config.v1+json")
        assert (await alice.push(f"team/app@{untagged.digest}", untagged)).status == 201
        for q, expected in {
            "tags=*": [BOTH, OLD],
            "tags=nil": [untagged],
            "tags=v1": [OLD],
            "tags=~V": [BOTH, OLD],
            "tags={v1 latest}": [BOTH, OLD],
            "tags=absent": [],
            "type=CHART": [untagged],
            "media_type=application/vnd.cncf.helm.config.v1+json": [untagged],
            f"digest={OLD.digest}": [OLD],
            f"digest={AMD.digest},base=*": [AMD],
            "nonsense=1": [untagged, BOTH, OLD],
        }.items():
            assert await digests(alice, f"{APP}/artifacts?q={quoted(quoted(q))}") == [
                e.digest for e in expected
            ], q
        assert await digests(alice, f"{APP}/artifacts?sort=id") == [
            each.digest for each in (OLD, BOTH, untagged)
        ]
        answer = await alice("GET", f"{APP}/artifacts?page_size=1&page=2")
        assert ([each["digest"] for each in answer.json], answer["x-total-count"]) == ([BOTH.digest], "3")
        assert (await alice("GET", f"{APP}/artifacts?q=tags%3D[1~2]")).status == 400
        assert (await alice("GET", f"{APP}/artifacts?q=size%3Dlarge")).status == 400
        assert (await alice("GET", f"{APP}/artifacts?with_tag=maybe")).status == 422

    async def test_all_of_a_project(self, alice: Person, team: int) -> None:
        other = image("other").digest
        for project in ("team", str(team)):
            assert await digests(alice, f"{API}/projects/{project}/artifacts") == [
                other,
                BOTH.digest,
                OLD.digest,
            ]
        latest = f"{API}/projects/team/artifacts?latest_in_repository=true"
        assert await digests(alice, latest) == [other, BOTH.digest]
        assert await digests(alice, f"{latest}&q=tags%3Dv1") == [other, OLD.digest]

    async def test_a_cosign_signature_by_tag_belongs_to_what_the_tag_names(
        self, alice: Person, team: int
    ) -> None:
        signing = image("payload")
        [signed] = json.loads(signing.manifest.raw)["layers"]
        kind = "application/vnd.dev.cosign.simplesigning.v1+json"
        signature = remade(signing, layers=[{**signed, "mediaType": kind}])
        assert (await alice.push(f"team/app:sha256-{OLD.digest.hex}.sig", signature)).status == 201
        assert signature.digest not in await digests(alice, f"{APP}/artifacts")
        [found] = (await alice("GET", f"{APP}/artifacts/v1/accessories")).json
        assert (found["digest"], found["type"]) == (signature.digest, "signature.cosign")
        referrers = await alice("GET", f"/v2/team/app/referrers/{OLD.digest}")
        assert referrers.json["manifests"] == []  # which are about `subject` alone

    async def test_an_accessory_may_come_first(self, alice: Person, team: int) -> None:
        late = image("late")
        early = about(late, "early")
        assert (await alice.push(f"team/app@{early.digest}", early)).status == 201
        assert early.digest not in await digests(alice, f"{APP}/artifacts")
        assert (await alice.push("team/app:late", late)).status == 201
        [found] = (await alice("GET", f"{APP}/artifacts/late/accessories?q=type%3Dsignature.notation")).json
        assert found["digest"] == early.digest

    async def test_pulling_sets_the_time(self, world: World, alice: Person, team: int) -> None:
        await alice.pull("team/app:v1")
        await world.parts.hub.pulls.flush()
        shown = (await alice("GET", f"{APP}/artifacts/v1")).json
        assert MOMENT.fullmatch(shown["pull_time"])
        assert shown["pull_time"] != NEVER
        assert shown["tags"][0]["pull_time"] > shown["push_time"]
        assert (await alice("GET", APP)).json["pull_count"] == 1


def quoted(q: str) -> str:
    """To be done twice, as Harbor's clients do: a plus sign is a blank after the second decoding."""
    return "".join(letter if letter.isalnum() else f"%{ord(letter):02X}" for letter in q)


class TestDeleting:
    """By tag or digest, with what belongs to it, on the way that the registry's own deletions go."""

    async def test_tags_and_accessories_go_along(self, world: World, alice: Person, team: int) -> None:
        answer = await alice("DELETE", f"{APP}/artifacts/v2")
        assert (answer.status, answer.body) == (200, b"")
        gone = {BOTH.digest, SIGNED.digest, OF_SIGNED.digest}
        left = {row["digest"] for row in await world.rows(artifacts)}
        assert left & gone == set()
        assert await alice.tags("team/app") == ["v1"]
        assert {row["digest"] for row in await world.rows(deleted_artifacts)} == gone
        assert gone | {AMD.digest} <= {row["digest"] for row in await world.rows(gc_reviews)}
        events = [json.loads(row["payload"]) for row in await world.rows(outbox)]
        assert {event["digest"] for event in events[-3:]} == gone
        assert (await alice("DELETE", f"{APP}/artifacts/v2")).short == (404, "NOT_FOUND")
        assert (await alice("DELETE", f"{APP}x/artifacts/v2")).short == (404, "NOT_FOUND")

    async def test_what_an_index_names_stays(self, alice: Person, team: int) -> None:
        answer = await alice("DELETE", f"{APP}/artifacts/{AMD.digest}")
        assert answer.short == (412, "PRECONDITION")
        assert BOTH.digest in answer.json["errors"][0]["message"]
        named = index(SIGNED)
        assert (await alice.push_manifest("team/app:named", named)).status == 201
        assert (await alice("DELETE", f"{APP}/artifacts/v2")).status == 200
        assert (await alice.pull(f"team/app@{SIGNED.digest}")).status == 200
        assert (await alice.pull(f"team/app@{OF_SIGNED.digest}")).status == 404

    async def test_the_quota_is_released(self, world: World, alice: Person) -> None:
        await world.project("small", alice, limit=OLD.size)
        assert (await alice.push("small/app:v1", OLD)).status == 201
        await alice("DELETE", f"{API}/projects/small/repositories/app/artifacts/v1")
        for row in await world.rows(outbox):
            assert json.loads(row["payload"])["actor" if "actor" in row["payload"] else "by"]
        assert (await alice.push_manifest("small/app:v1", OLD)).status == 201


class TestTags:
    async def test_listing_adding_and_deleting(self, world: World, alice: Person, team: int) -> None:
        target = f"{APP}/artifacts/v1/tags"
        answer = await alice("POST", target, b'{"name": "stable", "immutable": true}', headers=JSON)
        assert (answer.status, answer.body) == (201, b"")
        answer = await alice("GET", target)
        assert ([each["name"] for each in answer.json], answer["x-total-count"]) == (["stable", "v1"], "2")
        assert answer.json[0]["pull_time"] == NEVER
        answer = await alice("GET", f"{target}?sort=-name&q=name%3D~v&with_immutable_status=true")
        assert [each["name"] for each in answer.json] == ["v1"]
        assert (await alice.pull("team/app:stable")).status == 200
        for name, status in (("stable", 409), ("v2", 409), ("no tag", 400), ("", 400)):
            body = json.dumps({"name": name}).encode()
            assert (await alice("POST", target, body, headers=JSON)).status == status, name
        assert (
            await alice("POST", f"{APP}/artifacts/absent/tags", b'{"name": "x"}', headers=JSON)
        ).status == 404
        assert (await alice("DELETE", f"{APP}/artifacts/v2/tags/stable")).short == (404, "NOT_FOUND")
        answer = await alice("DELETE", f"{APP}/artifacts/{OLD.digest}/tags/stable")
        assert (answer.status, answer.body) == (200, b"")
        assert "stable" not in await alice.tags("team/app")
        kinds = [row["kind"] for row in await world.rows(outbox)]
        assert kinds[-2:] == ["tag.created", "tag.deleted"]


# Status by kind of caller: nobody, stranger, limited guest, guest, developer, maintainer.
PERMITTED = {
    ("GET", "{app}/artifacts"): (401, 403, 200, 200, 200, 200),
    ("GET", f"{API}/projects/team/artifacts"): (401, 403, 200, 200, 200, 200),
    ("GET", "{app}/artifacts/v1"): (401, 403, 200, 200, 200, 200),
    ("GET", "{app}/artifacts/v1/tags"): (401, 403, 200, 200, 200, 200),
    ("GET", "{app}/artifacts/v1/accessories"): (401, 403, 200, 200, 200, 200),
    ("POST", "{app}/artifacts/v1/tags"): (401, 403, 403, 403, 201, 409),
    ("DELETE", "{app}/artifacts/v1/tags/new"): (401, 403, 403, 403, 403, 200),
    ("DELETE", "{app}/artifacts/v1"): (401, 403, 403, 403, 403, 200),
}


async def test_who_may_do_what(world: World, team: int) -> None:
    roles = (Role.LIMITED_GUEST, Role.GUEST, Role.DEVELOPER, Role.MAINTAINER)
    people = [world.anybody, await world.person("bob")]
    people += [await world.member(team, role.name.lower(), role) for role in roles]
    for (method, target), expected in PERMITTED.items():
        body = b'{"name": "new"}' if method == "POST" else b""
        found = tuple(
            [(await who(method, target.format(app=APP), body, headers=JSON)).status for who in people]
        )
        assert found == expected, (method, target)
        absent = target.format(app=APP).replace("/team/", "/absent/")
        assert {(await who(method, absent, body, headers=JSON)).status for who in people[1:]} == {403}


@pytest.mark.parametrize("reference", ["sha256:short", "sha256:" + "G" * 64, "-tag", "x" * 129])
async def test_what_cannot_be_a_reference(alice: Person, team: int, reference: str) -> None:
    assert (await alice("GET", f"{APP}/artifacts/{reference}")).status == 400
    assert (await alice("GET", f"{APP}/artifacts/{Digest.of(b'absent')}")).short == (404, "NOT_FOUND")


async def test_lists_leave_out_what_is_very_long(world: World, alice: Person, team: int) -> None:
    long = remade(image("base", "long"), annotations={"text": "x" * MOST_ANNOTATIONS})
    assert (await alice.push("team/long:v1", long)).status == 201
    assert (await alice.push("team/long:v2", image("base", "short"))).status == 201
    listed = (await alice("GET", f"{API}/projects/team/repositories/long/artifacts")).json
    assert {each["digest"]: each["annotations"] for each in listed}[long.digest] == {}
    one = (await alice("GET", f"{API}/projects/team/repositories/long/artifacts/v1")).json
    assert one["annotations"] == {"text": "x" * MOST_ANNOTATIONS}
