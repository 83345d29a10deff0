"""Several values of a field, `q=name={one two}`, in every list that is filtered.  On both databases."""

from urllib.parse import quote

import pytest

from fairway.features.labels import store as labels
from fairway.features.labels.model import Wanted
from fairway.frame.events import hand_over
from fairway.reactions import reactions
from stories.world import World, image

PROJECT = "/api/v2.0/projects/team"
REPOSITORY = f"{PROJECT}/repositories/app"


@pytest.mark.parametrize(
    ("path", "filters"),
    [
        ("/api/v2.0/projects", "project_id={1 2}"),
        ("/api/v2.0/labels", "name={stable x},project_id={0 7}"),
        ("/api/v2.0/projects", "name={team x},public={true},owner={admin x}"),
        ("/api/v2.0/repositories", "name={team/app x},project_id={1 2},pull_count={0 7}"),
        (f"{PROJECT}/repositories", "name={team/app x}"),
        (f"{PROJECT}/artifacts", "tags={v1 x},id={1 2}"),
        (f"{REPOSITORY}/artifacts", "tags={v1 x},id={1 2}"),
        (f"{REPOSITORY}/artifacts/v1/tags", "name={v1 x}"),
        ("/api/v2.0/users", "username={admin x},sysadmin_flag={true 1}"),
        ("/api/v2.0/audit-logs", "username={admin x},operation_result={true},operation={create x}"),
    ],
)
async def test_a_list_has_what_has_one_of_them(world: World, path: str, filters: str) -> None:
    await world.project("team", public=True)
    assert (await world.admin.push("team/app:v1", image("base"))).status == 201
    await world.db.write(lambda conn: labels.create(conn, None, Wanted("stable"), world.admin.user))
    await hand_over(world.db, reactions(world.parts.notifications))
    for more in ("", "&sort=-id", "&page=2&page_size=1"):
        answer = await world.admin("GET", f"{path}?q={quote(filters)}{more}&scope=g")
        assert answer.status == 200, answer.body
        assert int(answer["x-total-count"]) >= 1
    none = await world.admin("GET", f"{path}?q={quote(filters.replace('={', '={7', 1))}&scope=g")
    assert (none.status, none.json) == (200, [])
