"""What Harbor's table of operations says of additions and icons is served and described."""

from pathlib import Path

from fairway.features.artifacts import icons
from features.artifacts.kinds import a_chart
from inventory import API, check_described, check_shape, operations
from stories.world import World

OPERATIONS = operations(Path(__file__).with_name("inventory.tsv"))
AT = f"{API}/projects/team/repositories/app/artifacts/v1/additions"


async def test_each_answers_as_it_should(world: World) -> None:
    await world.project("team")
    assert (await world.admin.push("team/app:v1", a_chart())).status == 201
    for name in ("values.yaml", "readme.md", "dependencies"):
        answer = await world.admin("GET", f"{AT}/{name}")
        assert answer.status == 200
        assert "charset=utf-8" in answer["content-type"]
    for digest in icons.OURS:
        answer = await world.admin("GET", f"{API}/icons/{digest}")
        assert answer.status == 200
        check_shape(answer.json, {"content-type": str, "content": str})


async def test_each_is_described_with_its_errors(world: World) -> None:
    check_described(world, OPERATIONS, {})
