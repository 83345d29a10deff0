"""What an immutable tag keeps stays, and is told as IMMUTABLE: whether the rule was there before or comes meanwhile."""

import pytest

from features.retention.making import API, OWN, ask, make, push, rule, run, said, selector
from features.retention.test_races import NONE, Between
from features.retention.test_runs import team
from stories.world import Person, World, image


async def freeze(who: Person, pattern: str) -> None:
    body = {
        "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": pattern}],
        "scope_selectors": {
            "repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]
        },
    }
    answer = await ask(who, "POST", f"{API}/projects/team/immutabletagrules", body)
    assert answer.status == 201, answer.body


@pytest.mark.parametrize("meanwhile", [False, True])
@pytest.mark.parametrize("mode", ["artifact", "tag"])
async def test_immutable_tags_stay(
    world: World, monkeypatch: pytest.MonkeyPatch, mode: str, meanwhile: bool
) -> None:
    alice, project = await team(world)
    both = image("both")
    for name in ("release-1", "nightly"):
        assert (await alice.push(f"team/app:{name}", both)).status == 201
    await push(alice, "team/app:lost")
    number = await make(alice, project, NONE, mode=mode)
    if meanwhile:
        Between(world, monkeypatch, lambda: freeze(alice, "release-*"))
    else:
        await freeze(alice, "release-*")
        dry = await run(world, alice, number, dry_run=True)
    execution = await run(world, alice, number)
    marks = {tag: (mark, reason) for tag, mark, reason in await said(alice, number, execution)}
    if not meanwhile:
        assert marks == {tag: (mark, reason) for tag, mark, reason in await said(alice, number, dry)}
    if mode == "tag":
        assert {tag: mark for tag, (mark, _) in marks.items()} == {
            "release-1": "IMMUTABLE",
            "nightly": "IMMUTABLE" if meanwhile else "DEL",
            "lost": "DEL",
        }
        assert "release-1" in await alice.tags("team/app")
    else:
        assert {tag: mark for tag, (mark, _) in marks.items()} == {
            "nightly,release-1": "IMMUTABLE",
            "lost": "DEL",
        }
        assert await alice.tags("team/app") == ["nightly", "release-1"]
    assert "immutable" in marks.get("release-1", marks.get("nightly,release-1"))[1]  # type: ignore[index]


async def test_a_simulation_tells_them_too(world: World) -> None:
    alice, _ = await team(world)
    await push(alice, "team/app:release-1")
    await freeze(alice, "release-*")
    none = rule("always", tags=[selector("none")])
    asked = {"rules": [none], "repository": "app"}
    answer = await ask(alice, "POST", f"{OWN}/projects/team/simulate", asked)
    [decision] = answer.json["decisions"]
    assert decision["retention"] == "IMMUTABLE"
    assert decision["reason"].startswith("release-1 is immutable by rule ")
    assert answer.json["repositories"][0]["deleted"] == 0
