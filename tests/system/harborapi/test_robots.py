"""Robots, told through harborapi."""

import pytest
from harborapi import HarborAsyncClient
from harborapi.exceptions import Forbidden, NotFound, PreconditionFailed
from harborapi.models import Access, RobotCreate, RobotCreateV1, RobotPermission

from hub import Hub
from system.harborapi.pushing import push
from system.harborapi.steps import SECRET, new_project
from system.harborapi.watched import logged_in
from system.wire import Wire

pytestmark = pytest.mark.system


async def test_a_robot_of_a_project(hub: Hub, harbor: HarborAsyncClient) -> None:
    await new_project(harbor, "crane")
    wanted = ("repository", "pull"), ("repository", "push"), ("project", "read")
    access = [Access(resource=resource, action=action) for resource, action in wanted]
    made = await harbor.create_robot(
        RobotCreate(
            name="lifter",
            description="lifts",
            level="project",
            duration=30,
            disable=False,
            permissions=[RobotPermission(kind="project", namespace="crane", access=access)],
        )
    )
    assert (made.name, bool(made.id), bool(made.secret)) == ("robot$crane+lifter", True, True)
    assert made.id
    robot = await harbor.get_robot(made.id)
    assert (robot.level, robot.duration, robot.disable, robot.editable) == ("project", 30, False, True)
    assert robot.permissions
    assert robot.permissions[0].namespace == "crane"
    crane = (await harbor.get_project("crane")).project_id
    listed = await harbor.get_robots(query=f"Level=project,ProjectID={crane}", sort="name")
    assert [r.id for r in listed] == [made.id]
    push(Wire(hub, made.name or "", made.secret or ""), "crane/hook", "1")

    robot.description, robot.disable = "rests", True
    await harbor.update_robot(made.id, robot)
    assert (await harbor.get_robot(made.id)).description == "rests"
    assert Wire(hub, made.name or "", made.secret or "").ask("GET", "/v2/").status == 401
    robot.disable = False
    await harbor.update_robot(made.id, robot)

    assert (await harbor.refresh_robot_secret(made.id, SECRET)).secret in ("", None)
    assert Wire(hub, made.name or "", SECRET).ask("GET", "/v2/").status == 200
    drawn = (await harbor.refresh_robot_secret(made.id, "")).secret
    assert drawn
    assert Wire(hub, made.name or "", SECRET).ask("GET", "/v2/").status == 401
    async with logged_in(hub, made.name or "", drawn) as own:
        assert [p.name for p in await own.get_projects(name="crane")] == ["crane"]
        with pytest.raises(PreconditionFailed):
            await own.get_current_user()

    await harbor.delete_robot(made.id)
    with pytest.raises(NotFound):
        await harbor.get_robot(made.id)


async def test_a_robot_for_the_whole_server(hub: Hub, harbor: HarborAsyncClient) -> None:
    known = await harbor.get_permissions()
    assert ("catalog", "read") in [(p.resource, p.action) for p in known.system or ()]
    assert ("repository", "push") in [(p.resource, p.action) for p in known.project or ()]
    made = await harbor.create_robot(
        RobotCreate(
            name="watch",
            level="system",
            duration=-1,
            permissions=[
                RobotPermission(
                    kind="system", namespace="/", access=[Access(resource="catalog", action="read")]
                ),
                RobotPermission(
                    kind="project", namespace="*", access=[Access(resource="repository", action="list")]
                ),
            ],
        )
    )
    assert (made.name, made.expires_at) == ("robot$watch", -1)
    assert made.id
    assert made.id in [robot.id for robot in await harbor.get_robots(query="Level=system")]
    async with logged_in(hub, "robot$watch", made.secret or "") as own:
        assert isinstance(await own.get_repositories(), list)
        with pytest.raises(Forbidden):
            await own.get_users()
    await harbor.delete_robot(made.id)


async def test_robots_as_older_servers_had_them(hub: Hub, harbor: HarborAsyncClient) -> None:
    project = await new_project(harbor, "barge")
    asked = RobotCreateV1(
        name="tow", description="tows", expires_at=-1, access=[Access(resource="repository", action="pull")]
    )
    made = await harbor.create_robot_v1("barge", asked)
    assert made.id
    assert made.secret
    assert [robot.id for robot in await harbor.get_robots_v1(project)] == [made.id]
    robot = await harbor.get_robot_v1("barge", made.id)
    assert robot.description == "tows"
    robot.description = "tugs"
    await harbor.update_robot_v1("barge", made.id, robot)
    assert (await harbor.get_robot_v1("barge", made.id)).description == "tugs"
    await harbor.delete_robot_v1("barge", made.id)
    assert await harbor.get_robots_v1("barge") == []
