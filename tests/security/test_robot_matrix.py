"""What a robot was granted opens the routes that declare it, and no others: every route of the management API is tried.

The table of `test_api_matrix.py` says which routes there are and what a request to each looks like.
"""

from collections.abc import Iterable

from fastapi.routing import APIRoute, iter_route_contexts

from fairway.app import management_api
from fairway.features.robots import secret, store
from fairway.features.robots.model import Level, Wanted
from fairway.frame.access.catalogue import (
    CONFIGURATION_READ,
    CONFIGURATION_UPDATE,
    IN_PROJECT,
    ON_SERVER,
    REPOSITORY_PULL,
    ROBOT_CREATE,
    ROBOT_UPDATE,
    ROLE_CREATE,
    ROLE_DELETE,
    ROLE_UPDATE,
    TAG_RETENTION_OPERATE,
    Permission,
)
from fairway.frame.access.grantable import GRANTABLE_IN_PROJECT, GRANTABLE_ON_SERVER
from fairway.frame.access.principals import SERVER, Grant, User
from fairway.frame.web.deciding import Declared, Guard, OrAnybodyWhile, OrOwn
from security.test_api_matrix import ROUTES, make, template
from stories.asgi import Answer
from stories.world import Person, World, basic, image

MADE = "Secret1" + "x" * 25
REFUSED_TO_ROBOTS = {
    "DELETE:/api/fairway/roles/100",
    "DELETE:/api/fairway/retention/default",
    "PUT:/api/v2.0/users/1",
    "DELETE:/api/v2.0/users/1",
    "PUT:/api/v2.0/users/1/sysadmin",
    "PUT:/api/v2.0/users/1/password",
    "PUT:/api/v2.0/users/1/cli_secret",
    "DELETE:/api/fairway/users/1/tokens/4711",
    "PUT:/api/fairway/projects/team/name",
}
"""The account is an administrator's; roles are people's to make, no grant opens them; and a project's new name takes the
right to make projects, too."""


def declared(world: World) -> dict[str, Declared]:
    """Template → what it declares."""
    found: dict[str, Declared] = {}
    for context in iter_route_contexts(management_api(world.parts).routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            (guard,) = (each.dependency for each in route.dependencies if isinstance(each.dependency, Guard))
            found |= {f"{method}:{context.path}": guard.declared for method in context.methods or ()}
    return found


def rows(world: World) -> dict[str, Permission]:
    """Row of the table → the permission it takes."""
    known, found = declared(world), {}
    for row in ROUTES:
        needs = known.get(template(row))
        if isinstance(needs, OrOwn | OrAnybodyWhile):
            needs = needs.permission
        if isinstance(needs, Permission) and "absent" not in row:
            found[row] = needs
    return found


def places(permissions: Iterable[Permission], project: int) -> frozenset[Grant]:
    """Each of them wherever it can be held: in the project, and on the server."""
    return frozenset(
        Grant(where, permission)
        for permission in permissions
        for where, grantable in ((project, GRANTABLE_IN_PROJECT), (SERVER, GRANTABLE_ON_SERVER))
        if permission in grantable
    )


async def robot(world: World, name: str, grants: frozenset[Grant]) -> Person:
    wanted = Wanted(name, Level.SYSTEM, "", -1, disabled=False, access=())
    by = User(world.admin.id, "admin")
    made = await world.db.write(lambda conn: store.create(conn, wanted, None, grants, secret.kept(MADE), by))
    return Person(world, made.login, made.id, basic(made.login, MADE))


async def ask(who: Person, row: str) -> Answer:
    target = f"{row}?project_name=team" if row.startswith("HEAD:/api/v2.0/projects") else row
    return await make(who, target, 0)


async def test_nothing_opens_but_by_the_permission_it_declares(world: World) -> None:
    team = await world.project("team")
    assert (await world.admin.push("team/app:v1", image("base"))).status == 201
    assert (await make(world.admin, "POST:/api/v2.0/retentions", 0)).status == 201
    all_of_them = GRANTABLE_IN_PROJECT | GRANTABLE_ON_SERVER
    asked = rows(world)
    assert len(asked) > 60
    for n, permission in enumerate(sorted(set(asked.values()))):
        rest = await robot(world, f"rest{n}", places(all_of_them - {permission}, team))
        before = await world.stored()
        for row, needed in asked.items():
            if needed == permission:
                assert (await ask(rest, row)).short[0] == 403, row
        assert await world.stored() == before


async def test_each_opens_by_it_alone(world: World) -> None:
    team = await world.project("team")
    assert (await world.admin.push("team/app:v1", image("base"))).status == 201
    assert (await make(world.admin, "POST:/api/v2.0/retentions", 0)).status == 201
    asked = rows(world)
    grantable = GRANTABLE_IN_PROJECT | GRANTABLE_ON_SERVER
    roles = {ROLE_CREATE, ROLE_UPDATE, ROLE_DELETE}
    never = {ROBOT_UPDATE, CONFIGURATION_READ, CONFIGURATION_UPDATE, TAG_RETENTION_OPERATE, *roles}
    assert set(asked.values()) - grantable == never
    for n, permission in enumerate(sorted(set(asked.values()) & grantable)):
        # Who makes a robot must hold what it grants, too.
        held = {permission, REPOSITORY_PULL} if permission == ROBOT_CREATE else {permission}
        only = await robot(world, f"only{n}", places(held, team))
        for row, needed in asked.items():
            if needed == permission and row not in REFUSED_TO_ROBOTS and not row.startswith("DELETE:"):
                assert (await ask(only, row)).status not in (401, 403), row
    deletes = [row for row in asked if row.startswith("DELETE:") and row not in REFUSED_TO_ROBOTS]
    for n, row in enumerate(deletes):
        only = await robot(world, f"last{n}", places({asked[row]}, team))
        if "projects/1" not in row and not row.endswith("projects/team"):
            assert (await ask(only, row)).status in (200, 404), row


async def test_every_permission_there_is_opens_something(world: World) -> None:
    """Or it would be declared by nobody, and a grant of it an empty promise."""
    beyond_the_table = {"repository:pull", "repository:push", "artifact:delete", "catalog:read"}
    by_handlers = {"robot:create", "project:create", "project:list", "repository:create", "artifact:create"}
    by_handlers |= {f"label:{action}" for action in ("create", "read", "update", "list", "delete")}
    by_handlers |= {"tag-retention:create"}
    used = {str(each) for each in rows(world).values()} | beyond_the_table | by_handlers
    assert {str(each) for each in IN_PROJECT | ON_SERVER} - used == set()
