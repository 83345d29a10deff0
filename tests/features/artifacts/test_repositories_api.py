"""`/repositories` and `/projects/{name}/repositories` as Harbor's clients use them."""

import re
from typing import Any

import pytest

from fairway.core.oci.digest import Digest
from fairway.features.artifacts import changing
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import artifacts, deleted_artifacts, project_blobs, repositories
from stories.world import Person, World, image, index

API = "/api/v2.0"
JSON = {"content-type": "application/json"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
async def alice(world: World) -> Person:
    return await world.person("alice")


@pytest.fixture
async def team(world: World, alice: Person) -> int:
    """Her project with `app` and `tools/deep/cli` in it, and somebody else's public one."""
    team = await world.project("team", alice)
    both = index(image("amd64"), image("arm64"))
    assert (await alice.push("team/app:v1", both)).status == 201
    assert (await alice.push("team/app:v2", image("amd64"))).status == 201
    assert (await alice.push("team/tools/deep/cli:v1", image("cli"))).status == 201
    await world.project("open", public=True)
    assert (await world.admin.push("open/app:v1", image("open"))).status == 201
    return team


async def names(who: Person, target: str = f"{API}/repositories") -> list[str]:
    answer = await who("GET", target)
    assert answer.status == 200, answer.body
    return [each["name"] for each in answer.json]


async def test_a_repository_is_shown_as_harbor_shows_it(world: World, alice: Person, team: int) -> None:
    shown = (await alice("GET", f"{API}/projects/team/repositories/app")).json
    assert MOMENT.fullmatch(shown.pop("creation_time"))
    assert MOMENT.fullmatch(shown.pop("update_time"))
    assert shown == {
        "id": 1,
        "project_id": team,
        "name": "team/app",
        "description": "",
        "artifact_count": 2,  # the index, and the child that has a tag of its own
        "pull_count": 0,
    }
    [first, second] = (await alice("GET", f"{API}/projects/team/repositories")).json
    assert first["artifact_count"] == 2
    assert (second["name"], second["artifact_count"]) == ("team/tools/deep/cli", 1)


async def test_everybody_sees_what_they_may(world: World, alice: Person, team: int) -> None:
    private, public = ["team/app", "team/tools/deep/cli"], ["open/app"]
    bob = await world.person("bob")
    guest = await world.member(team, "guest", Role.GUEST)
    limited = await world.member(team, "limited", Role.LIMITED_GUEST)
    for who, expected in (
        (world.admin, public + private),
        (alice, public + private),
        (guest, public + private),
        (limited, public + private),
        (bob, public),
        (world.anybody, public),
    ):
        assert await names(who) == expected, who.name
    target = f"{API}/projects/team/repositories"
    statuses = [(await who("GET", target)).status for who in (limited, bob, world.anybody)]
    assert statuses == [200, 403, 401]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?q=name%3D~deep", ["team/tools/deep/cli"]),
        ("?q=name%3Dteam/app", ["team/app"]),
        ("?q=nonsense%3D1&sort=-name", ["team/tools/deep/cli", "team/app"]),
        ("?sort=-update_time,name&page_size=1", ["team/tools/deep/cli"]),
        ("?page=2&page_size=1", ["team/tools/deep/cli"]),
    ],
)
async def test_lists_are_filtered_and_sorted(
    alice: Person, team: int, query: str, expected: list[str]
) -> None:
    assert await names(alice, f"{API}/projects/team/repositories{query}") == expected


async def test_pages_have_links(alice: Person, team: int) -> None:
    answer = await alice("GET", f"{API}/repositories?page_size=1&page=2")
    assert answer["x-total-count"] == "3"
    assert answer["link"] == (
        '</api/v2.0/repositories?page=1&page_size=1>; rel="prev" , '
        '</api/v2.0/repositories?page=3&page_size=1>; rel="next"'
    )


@pytest.mark.parametrize("spelt", ["tools%252Fdeep%252Fcli", "tools%2Fdeep%2Fcli", "tools%2fdeep%252fcli"])
async def test_slashes_in_a_name_are_encoded_twice_or_once(alice: Person, team: int, spelt: str) -> None:
    answer = await alice("GET", f"{API}/projects/team/repositories/{spelt}")
    assert (answer.status, answer.json["name"]) == (200, "team/tools/deep/cli")
    answer = await alice("GET", f"{API}/projects/team/repositories/{spelt}/artifacts/v1")
    assert answer.json["repository_name"] == "team/tools/deep/cli"


async def test_no_spelling_gets_into_another_project(world: World, alice: Person, team: int) -> None:
    bob = await world.person("bob")
    for spelt in ("open/repositories/..%2F..%2Fteam%2Fapp", "open/repositories/..%252F..%252Fteam%252Fapp"):
        assert (await bob("GET", f"{API}/projects/{spelt}/artifacts")).short == (400, "NAME_INVALID")
    assert (await bob("GET", f"{API}/projects/open%2F..%2Fteam/repositories/app")).status in (403, 404)


async def test_a_description_is_all_that_can_be_changed(alice: Person, team: int) -> None:
    target = f"{API}/projects/team/repositories/app"
    answer = await alice("PUT", target, b'{"description": "ours", "name": "x", "id": 7}', headers=JSON)
    assert (answer.status, answer.body) == (200, b"")
    shown = (await alice("GET", target)).json
    assert (shown["description"], shown["name"]) == ("ours", "team/app")
    assert (await alice("PUT", target, b'{"description": 7}', headers=JSON)).status == 422
    assert (await alice("PUT", f"{target}x", b"{}", headers=JSON)).short == (404, "NOT_FOUND")


async def test_deleting_takes_everything_along_and_can_be_undone(
    world: World, alice: Person, team: int
) -> None:
    answer = await alice("DELETE", f"{API}/projects/team/repositories/app")
    assert (answer.status, answer.body) == (200, b"")
    assert await names(alice, f"{API}/projects/team/repositories") == ["team/tools/deep/cli"]
    assert (await alice.pull("team/app:v1")).status == 404
    assert {row["repository_id"] for row in await world.rows(artifacts)} == {2, 3}
    assert [row["repository"] for row in await world.rows(deleted_artifacts)] == ["app"] * 3
    left = {row["digest"] for row in await world.rows(project_blobs) if row["blob_id"] is None}
    assert left == {row["digest"] for row in await world.rows(artifacts)}
    assert (await alice("DELETE", f"{API}/projects/team/repositories/app")).short == (404, "NOT_FOUND")
    assert (await alice.push("team/app:v1", image("anew"))).status == 201


async def test_many_artifacts_are_deleted_in_many_transactions(
    world: World, alice: Person, team: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairway.features.artifacts.changing.AT_A_TIME", 1)
    children = [image(f"child{n}") for n in range(4)]
    assert (await alice.push("team/many:v1", index(*children))).status == 201
    assert (await alice.push("team/many:v2", index(index(children[0])))).status == 201
    assert (await alice("DELETE", f"{API}/projects/team/repositories/many")).status == 200
    assert "many" not in {row["name"] for row in await world.rows(repositories)}


@pytest.mark.parametrize("most", [1, 3, 7])
async def test_no_transaction_deletes_very_many_links(
    world: World, alice: Person, team: int, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr("fairway.features.artifacts.changing.LINKS_AT_A_TIME", most)
    children = [image(f"child{n}", f"layer{n}") for n in range(4)]
    assert (await alice.push("team/many:v1", index(*children))).status == 201
    at_once = []
    delete = changing._delete

    async def counted(*arguments: Any, **named: Any) -> list[Digest]:
        at_once.append(len(arguments[4]))
        return await delete(*arguments, **named)

    monkeypatch.setattr(changing, "_delete", counted)
    assert (await alice("DELETE", f"{API}/projects/team/repositories/many")).status == 200
    assert "many" not in {row["name"] for row in await world.rows(repositories)}
    assert max(at_once) == {1: 1, 3: 1, 7: 2}[most]


@pytest.mark.parametrize(
    ("role", "put", "delete"),
    [
        (Role.LIMITED_GUEST, 403, 403),
        (Role.GUEST, 403, 403),
        (Role.DEVELOPER, 200, 403),
        (Role.MAINTAINER, 200, 200),
        (Role.PROJECT_ADMIN, 200, 200),
    ],
)
async def test_who_may_change_and_delete(world: World, team: int, role: Role, put: int, delete: int) -> None:
    person = await world.member(team, "member", role)
    target = f"{API}/projects/team/repositories/app"
    assert (await person("GET", target)).status == 200
    assert (await person("PUT", target, b"{}", headers=JSON)).status == put
    assert (await person("DELETE", target)).status == delete


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("repositories/APP", 400),
        ("repositories/absent", 404),
        ("repositories?page_size=101", 422),
        ("repositories?page=0", 422),
        ("repositories?q=name", 400),
        ("repositories?q=pull_count%3Dx", 400),
    ],
)
async def test_bad_input(alice: Person, team: int, target: str, status: int) -> None:
    assert (await alice("GET", f"{API}/projects/team/{target}")).status == status
