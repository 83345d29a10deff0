"""Who may make which call: every call of the distribution API for every kind of caller, as a table (T02)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import get_args

import pytest
from sqlalchemy import update

from fairway.core.oci.digest import Digest
from fairway.core.wire.paths import Call
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import projects
from stories.asgi import Answer
from stories.world import Image, Person, World, image

# y: may. n: 401, and nothing has changed. t: with a token only (anybody has one; it says "this is a registry").
PRIVATE = """
                        anonymous  stranger  limited_guest  guest  developer  maintainer  project_admin  sysadmin
Ping                    t          y         y              y      y          y           y              y
Catalog                 n          n         n              n      n          n           n              y
HeadManifest            n          n         y              y      y          y           y              y
GetManifest             n          n         y              y      y          y           y              y
PutManifest             n          n         n              n      y          y           y              y
DeleteManifest/tag      n          n         n              n      n          y           y              y
DeleteManifest/digest   n          n         n              n      n          y           y              y
HeadBlob                n          n         y              y      y          y           y              y
GetBlob                 n          n         y              y      y          y           y              y
DeleteBlob              n          n         n              n      n          y           y              y
StartUpload             n          n         n              n      y          y           y              y
StartUpload/whole       n          n         n              n      y          y           y              y
StartUpload/mount       n          n         n              n      y          y           y              y
GetUpload               n          n         n              n      y          y           y              y
PatchUpload             n          n         n              n      y          y           y              y
PutUpload               n          n         n              n      y          y           y              y
CancelUpload            n          n         n              n      y          y           y              y
ListTags                n          n         y              y      y          y           y              y
ListReferrers           n          n         y              y      y          y           y              y
"""
READS = ("HeadManifest", "GetManifest", "HeadBlob", "GetBlob", "ListTags", "ListReferrers")

Cells = dict[str, dict[str, str]]


def cells(table: str) -> Cells:
    """call → caller → cell."""
    head, *lines = (line.split() for line in table.strip().splitlines())
    return {name: dict(zip(head, row, strict=True)) for name, *row in lines}


def public(private: Cells) -> Cells:
    """In a public project everybody reads."""
    return {call: dict.fromkeys(row, "y") if call in READS else row for call, row in private.items()}


@dataclass(frozen=True)
class Target:
    """What a call is made on."""

    image: Image
    tag: str
    blob: bytes
    upload: str = ""


NEW = b"pushed by this very call"
REPO = "/v2/team/app"
CALLS: dict[str, tuple[Callable[[Person, Target], Awaitable[Answer]], int]] = {
    "Ping": (lambda p, _: p("GET", "/v2/"), 200),
    "Catalog": (lambda p, _: p("GET", "/v2/_catalog"), 200),
    "HeadManifest": (lambda p, t: p("HEAD", f"{REPO}/manifests/{t.tag}"), 200),
    "GetManifest": (lambda p, t: p("GET", f"{REPO}/manifests/{t.tag}"), 200),
    "PutManifest": (lambda p, t: p.push_manifest(f"team/app:{t.tag}-new", t.image), 201),
    "DeleteManifest/tag": (lambda p, t: p.delete(f"team/app:{t.tag}"), 202),
    "DeleteManifest/digest": (lambda p, t: p.delete(f"team/app@{t.image.digest}"), 202),
    "HeadBlob": (lambda p, t: p("HEAD", f"{REPO}/blobs/{Digest.of(t.blob)}"), 200),
    "GetBlob": (lambda p, t: p("GET", f"{REPO}/blobs/{Digest.of(t.blob)}"), 200),
    "DeleteBlob": (lambda p, t: p("DELETE", f"{REPO}/blobs/{Digest.of(t.blob)}"), 202),
    "StartUpload": (lambda p, _: p("POST", f"{REPO}/blobs/uploads/"), 202),
    "StartUpload/whole": (lambda p, _: p.push_blob("team/app", NEW), 201),
    "StartUpload/mount": (lambda p, t: p.mount("team/app", Digest.of(t.blob), "team/app"), 201),
    "GetUpload": (lambda p, t: p("GET", t.upload), 204),
    "PatchUpload": (lambda p, t: p("PATCH", t.upload, NEW), 202),
    "PutUpload": (lambda p, t: p("PUT", f"{t.upload}?digest={Digest.of(NEW)}", NEW), 201),
    "CancelUpload": (lambda p, t: p("DELETE", t.upload), 204),
    "ListTags": (lambda p, _: p("GET", f"{REPO}/tags/list"), 200),
    "ListReferrers": (lambda p, t: p("GET", f"{REPO}/referrers/{t.image.digest}"), 200),
}


async def callers(world: World, team: int) -> dict[str, Person]:
    """One of each kind."""
    members = {role.name.lower(): await world.member(team, role.name.lower(), role) for role in Role}
    stranger = await world.person("stranger")
    return {"anonymous": world.anybody, "stranger": stranger, **members, "sysadmin": world.admin}


async def tokens(people: dict[str, Person]) -> dict[str, Person]:
    """The same people with a token for all that they may do."""
    everything = ("repository:team/app:*", "registry:catalog:*")
    return {kind: await person.with_token(*everything) for kind, person in people.items()}


async def target(world: World, name: str) -> Target:
    made, blob = image(name), f"a blob for {name}".encode()
    assert (await world.admin.push(f"team/app:{name}", made)).status == 201
    assert (await world.admin.push_blob("team/app", blob)).status == 201
    return Target(made, name, blob)


async def targets(world: World, people: dict[str, Person], table: Cells) -> dict[tuple[str, str], Target]:
    """(call, caller) → target: what is consumed is made for that one call, everything else is shared."""
    shared = await target(world, "shared")
    made = {}
    for call, row in table.items():
        for kind, cell in row.items():
            mine = shared
            if cell == "y" and call.startswith("Delete"):
                mine = await target(world, f"{call.lower().replace('/', '-')}-{kind}")
            if call.endswith("Upload") and call != "StartUpload":
                who = people[kind] if cell == "y" else world.admin
                mine = replace(mine, upload=await who.start_upload("team/app"))
            made[call, kind] = mine
    return made


def verdict(answer: Answer, allowed: int) -> str:
    if answer.status == 401:
        assert "www-authenticate" in answer
        assert not answer.body or answer.code == "UNAUTHORIZED"
    return {allowed: "y", 401: "n"}.get(answer.status, str(answer.status))


@pytest.mark.parametrize("is_public", [False, True], ids=["private", "public"])
@pytest.mark.parametrize("with_token", [False, True], ids=["by password", "by token"])
async def test_who_may_do_what(world: World, is_public: bool, with_token: bool) -> None:
    team = await world.project("team")
    people = await callers(world, team)
    expected = cells(PRIVATE)
    on = await targets(world, people, expected)
    if is_public:
        await world.run(update(projects).values(public=True))
        expected = public(expected)
    if with_token:
        people = await tokens(people)
    expected = {
        call: {kind: cell.replace("t", "y" if with_token else "n") for kind, cell in row.items()}
        for call, row in expected.items()
    }
    may_not = [(call, kind) for call, row in expected.items() for kind, cell in row.items() if cell == "n"]
    found: Cells = {call: {} for call in expected}

    async def make(call: str, kind: str) -> None:
        act, allowed = CALLS[call]
        found[call][kind] = verdict(await act(people[kind], on[call, kind]), allowed)

    before = await world.stored()
    for call, kind in may_not:
        await make(call, kind)
    assert await world.stored() == before
    for call, row in expected.items():
        for kind in row:
            if (call, kind) not in may_not:
                await make(call, kind)
    assert found == expected


def test_no_call_is_missing_from_the_table() -> None:
    assert {row.partition("/")[0] for row in cells(PRIVATE)} == {call.__name__ for call in get_args(Call)}
    assert cells(PRIVATE).keys() == CALLS.keys()


async def test_a_method_that_a_path_does_not_know_is_refused(world: World) -> None:
    await world.project("team")
    digest = Digest.of(b"anything")
    known = {
        "/v2/": "GET HEAD",
        "/v2/_catalog": "GET",
        f"{REPO}/manifests/v1": "GET HEAD PUT DELETE",
        f"{REPO}/blobs/{digest}": "GET HEAD DELETE",
        f"{REPO}/blobs/uploads/": "POST",
        f"{REPO}/blobs/uploads/0123": "GET PATCH PUT DELETE",
        f"{REPO}/tags/list": "GET",
        f"{REPO}/referrers/{digest}": "GET",
    }
    methods = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"}
    before = await world.stored()
    for path, declared in known.items():
        for method in sorted(methods - set(declared.split())):
            for who in (world.anybody, world.admin):
                answer = await who(method, path)
                assert answer.status == 405, (method, path)
                assert set(answer["allow"].split(", ")) == set(declared.split())
    assert await world.stored() == before


async def test_the_management_api_takes_no_registry_tokens(world: World) -> None:
    bearer = await world.admin.with_token("registry:catalog:*")
    assert (await bearer("POST", "/api/v2.0/projects", b'{"project_name":"mine"}')).short[0] == 401
    assert (await bearer("GET", "/api/v2.0/projects")).status == 401
