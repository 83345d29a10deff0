"""What a robot of the system level was granted in a project ends with the project, whatever a process remembers of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from fairway.frame.events import hand_over
from fairway.reactions import reactions
from features.narrowed.places import EVERYTHING, PROJECT, only
from features.robots.making import ROBOTS, on, post, robot, send, shown
from stories.world import World, image, replica

LOGS = "/api/v2.0/audit-logs"


async def test_its_repositories_are_in_no_list(world: World) -> None:
    """They are there until the job has removed them."""
    await world.project("team")
    await world.admin.push("team/team-a/app:v1", image("a"))
    ci = await robot(world, "ci", only("team", ["team-a/**"], *EVERYTHING), on("*", "label:list"))
    assert (await ci("GET", "/api/v2.0/repositories"))["x-total-count"] == "1"
    assert (await world.admin("DELETE", f"{PROJECT}?force=true")).status == 200
    listed = await ci("GET", "/api/v2.0/repositories")
    assert (listed.json, listed["x-total-count"]) == ([], "0")
    assert (await ci("GET", "/api/v2.0/search?q=app")).json == {"project": [], "repository": []}


@pytest.mark.parametrize("how", ["", "?force=true"])
async def test_every_process_forgets_what_it_held(
    world: World, database_url: str, tmp_path: Path, how: str
) -> None:
    await world.project("team")
    ci = await robot(world, "ci", on("team", "log:list"), on("*", "label:list"))
    async with replica(database_url, tmp_path) as other:
        there = replace(ci, world=other)
        for who in (ci, there):
            assert (await who("GET", f"{PROJECT}/logs")).status == 200
        assert (await world.admin("DELETE", f"{PROJECT}{how}")).status == 200
        while await hand_over(world.db, reactions(world.parts.notifications)):
            pass
        assert "delete" in {each["operation"] for each in (await world.admin("GET", LOGS)).json}
        for who in (ci, there):
            assert (await who("GET", LOGS)).json == []


async def test_one_that_holds_nothing_any_more_is_still_locked_out(world: World) -> None:
    """`fairway robot disable` sends it back as it was read."""
    await world.project("team")
    ci = await robot(world, "ci", on("team", "repository:pull"), level="system")
    at = f"{ROBOTS}/{ci.id}"
    nothing = await shown(world, ci.id) | {"permissions": []}
    assert (await send(world.admin, "PUT", at, nothing)).status == 400
    assert (await world.admin("DELETE", PROJECT)).status == 200
    whole = await shown(world, ci.id)
    assert whole["permissions"] == []
    assert (await send(world.admin, "PUT", at, whole | {"disable": True})).status == 200
    assert (await ci("GET", "/v2/")).status == 401
    assert (await post(world.admin, "new", level="system")).status == 400
