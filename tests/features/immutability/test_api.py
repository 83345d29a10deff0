"""Immutable tag rules as Harbor's clients use them, and what lists say about tags."""

import asyncio
import json
import re
from typing import Any

import pytest

from fairway.features.immutability.rules import MAX_RULES
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import audit_log, immutable_rules
from fairway.frame.events import hand_over
from fairway.reactions import reactions
from features.immutability.rules import API, RULES, ask, make, rule
from stories.world import Person, World, image


@pytest.fixture
async def alice(world: World) -> Person:
    return await world.person("alice")


@pytest.fixture
async def team(world: World, alice: Person) -> int:
    return await world.project("team", alice)


async def test_a_rule_is_made_shown_changed_and_deleted(world: World, alice: Person, team: int) -> None:
    number = await make(alice, tags="{v*,release-*}", repositories="app/**")
    answer = await alice("GET", RULES)
    assert (answer.status, answer["x-total-count"]) == (200, "1")
    expected = {
        "id": number,
        "priority": 0,
        "disabled": False,
        "action": "immutable",
        "template": "immutable_template",
        "params": {},
        "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "{v*,release-*}"}],
        "scope_selectors": {
            "repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "app/**"}]
        },
    }
    assert answer.json == [expected]
    # As Harbor's pages do to disable one: all of it comes back.
    one = f"{RULES}/{number}"
    answer = await ask(alice, "PUT", one, {**expected, "disabled": True})
    assert (answer.status, answer.body) == (200, b"")
    assert (await alice("GET", RULES)).json == [{**expected, "disabled": True}]
    # As other clients do.
    assert (await ask(alice, "PUT", one, {"disabled": False})).status == 200
    assert (await alice("GET", RULES)).json == [expected]
    changed = rule("^1", "b", kind="semver", priority=3)
    assert (await ask(alice, "PUT", one, changed)).status == 200
    [now] = (await alice("GET", RULES)).json
    assert (now["tag_selectors"][0]["kind"], now["priority"], now["id"]) == ("semver", 3, number)
    answer = await alice("DELETE", one)
    assert (answer.status, answer.body) == (200, b"")
    assert (await alice("GET", RULES)).json == []
    assert (await alice("DELETE", one)).status == 404
    assert (await ask(alice, "PUT", one, changed)).status == 404


async def test_what_was_done_is_in_the_log(world: World, alice: Person, team: int) -> None:
    number = await make(alice)
    await ask(alice, "PUT", f"{RULES}/{number}", {"disabled": True})
    await alice("DELETE", f"{RULES}/{number}")
    while await hand_over(world.db, reactions(world.parts.notifications)):
        pass
    lines = [row for row in await world.rows(audit_log) if row["resource_type"] == "immutablerule"]
    assert [(row["operation"], row["username"]) for row in lines] == [
        ("create", "alice"),
        ("update", "alice"),
        ("delete", "alice"),
    ]
    assert "'v*' in '**', disabled" in lines[1]["resource"]


async def test_the_project_may_be_named_by_its_number(alice: Person, team: int) -> None:
    number = await make(alice, at=f"{API}/projects/{team}/immutabletagrules")
    assert [each["id"] for each in (await alice("GET", RULES)).json] == [number]


async def test_two_rules_of_a_project_never_say_the_same(world: World, alice: Person, team: int) -> None:
    first = await make(alice)
    second = await make(alice, tags="x*")
    assert (await ask(alice, "POST", RULES, rule(disabled=True))).status == 409
    assert (await ask(alice, "PUT", f"{RULES}/{second}", rule())).status == 409
    assert (await ask(alice, "PUT", f"{RULES}/{first}", rule())).status == 200
    await world.project("other", alice)
    await make(alice, at=f"{API}/projects/other/immutabletagrules")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({**rule(), "tag_selectors": []}, "has one selector"),
        ({**rule(), "tag_selectors": rule()["tag_selectors"] * 2}, "only the first would count"),
        ({**rule(), "scope_selectors": {}}, "has one selector"),
        ({**rule(), "scope_selectors": {"registry": []}}, "repository"),
        ({"disabled": True}, "has one selector"),
        (rule(action="retain"), "action is immutable"),
        (rule(template="other"), "template is immutable_template"),
        (rule("{a"), "never closed"),
        (rule("(a+", kind="regex"), "missing"),
        (rule("(?=a)", kind="regex"), "Look-around"),
        (rule("latest", kind="semver"), "range of versions"),
        (rule("a" * 1025), "1024 are the most"),
        (rule(repositories="[z-a]"), "scope_selectors: .*backwards"),
        (rule(kind="glob"), "kind is one of"),
        (rule(priority=2**31), "priority"),
    ],
)
async def test_a_bad_rule_is_refused_with_what_is_wrong(
    world: World, alice: Person, team: int, body: dict[str, Any], says: str
) -> None:
    answer = await ask(alice, "POST", RULES, body)
    assert answer.status in {400, 422}
    assert re.search(says, answer.json["errors"][0]["message"])
    assert await world.count(immutable_rules) == 0


async def test_a_project_has_so_many_rules_and_no_more(world: World, alice: Person, team: int) -> None:
    for n in range(MAX_RULES - 2):
        await make(alice, tags=f"v{n}")
    answers = await asyncio.gather(*(ask(alice, "POST", RULES, rule(f"x{n}")) for n in range(5)))
    assert sorted(answer.status for answer in answers) == [201, 201, 412, 412, 412]
    assert await world.count(immutable_rules) == MAX_RULES


async def test_who_may_lay_rules_down(world: World, alice: Person, team: int) -> None:
    number = await make(alice)
    maintainer = await world.member(team, "mia", Role.MAINTAINER)
    assert (await maintainer("GET", RULES)).status == 200
    await make(maintainer, tags="m*")
    for name, role in (("dora", Role.DEVELOPER), ("gus", Role.GUEST)):
        who = await world.member(team, name, role)
        before = await world.rows(immutable_rules)
        for method, target, body in (
            ("GET", RULES, None),
            ("POST", RULES, rule("n")),
            ("PUT", f"{RULES}/{number}", {"disabled": True}),
            ("DELETE", f"{RULES}/{number}", None),
        ):
            assert (await ask(who, method, target, body)).status == 403
        assert await world.rows(immutable_rules) == before


async def test_a_rule_is_reached_through_its_own_project_only(world: World, alice: Person, team: int) -> None:
    number = await make(alice)
    bob = await world.person("bob")
    await world.project("other", bob)
    before = await world.rows(immutable_rules)
    through = f"{API}/projects/other/immutabletagrules/{number}"
    assert (await ask(bob, "PUT", through, {"disabled": True})).status == 404
    assert (await bob("DELETE", through)).status == 404
    assert await world.rows(immutable_rules) == before


async def test_lists_are_paged_sorted_and_filtered(alice: Person, team: int) -> None:
    made = [await make(alice, tags=f"v{n}", priority=9 - n) for n in range(3)]
    await ask(alice, "PUT", f"{RULES}/{made[1]}", {"disabled": True})

    async def ids(query: str) -> list[int]:
        answer = await alice("GET", f"{RULES}?{query}")
        assert answer.status == 200, answer.body
        return [each["id"] for each in answer.json]

    assert await ids("") == made
    assert await ids("page=2&page_size=2") == made[2:]
    assert await ids("sort=priority") == made[::-1]
    assert await ids("sort=-id") == made[::-1]
    assert await ids("q=disabled%3Dtrue") == [made[1]]


async def test_lists_say_which_tags_are_immutable(alice: Person, team: int) -> None:
    for tag in ("v1", "v2", "latest"):
        assert (await alice.push(f"team/app:{tag}", image("base", annotations={"of": tag[0]}))).status == 201
    assert (await alice.push("team/other:v1", image("base"))).status == 201
    await make(alice, repositories="app")
    app = f"{API}/projects/team/repositories/app/artifacts"

    async def shown(target: str, query: str) -> dict[str, bool]:
        found = (await alice("GET", f"{target}?{query}")).json
        found = found if isinstance(found, list) else [found]
        tags = [tag for each in found for tag in each.get("tags", [each])]
        return {tag["name"]: tag["immutable"] for tag in tags}

    everything = {"v1": True, "v2": True, "latest": False}
    assert await shown(app, "with_immutable_status=true") == everything
    assert await shown(app, "") == dict.fromkeys(everything, False)
    assert await shown(f"{app}/v1", "with_immutable_status=true") == {"v1": True, "v2": True}
    assert await shown(f"{app}/v1/tags", "with_immutable_status=true") == {"v1": True, "v2": True}
    assert await shown(f"{app}/v1/tags", "") == {"v1": False, "v2": False}
    in_project = f"{API}/projects/team/artifacts"
    found = (await alice("GET", f"{in_project}?with_immutable_status=true")).json
    by_name = {
        (each["repository_name"], tag["name"]): tag["immutable"] for each in found for tag in each["tags"]
    }
    assert by_name == {
        ("team/app", "v1"): True,
        ("team/app", "v2"): True,
        ("team/app", "latest"): False,
        ("team/other", "v1"): False,
    }


async def test_rules_go_with_their_project(world: World, alice: Person, team: int) -> None:
    await make(alice)
    assert (await alice("DELETE", f"{API}/projects/team")).status == 200
    assert await world.count(immutable_rules) == 0
    assert json.loads((await alice("GET", f"{API}/projects")).body) == []
