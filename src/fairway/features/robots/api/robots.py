"""`/robots`: list, create, read, change, delete, and give another secret."""

from typing import Annotated

from fastapi import Depends, Path, Response
from pydantic import BaseModel, Field
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest, Denied
from fairway.features.accounts.passwords import Hasher
from fairway.features.projects.store import projects
from fairway.features.robots import rules, store
from fairway.features.robots.api.making import end_for, granted, new_secret, present
from fairway.features.robots.api.shown import (
    AccessIn,
    CreatedOut,
    RobotOut,
    SecretOut,
    created,
    read_one,
    read_page,
)
from fairway.features.robots.model import RobotAccount, Wanted
from fairway.frame.access.catalogue import ROBOT_CREATE, ROBOT_DELETE, ROBOT_LIST, ROBOT_READ, ROBOT_UPDATE
from fairway.frame.access.may import ABSENT, ProjectFacts, may
from fairway.frame.access.principals import ANONYMOUS, Principal, Robot, User
from fairway.frame.db import Conn, Database, ReferenceViolation, UniqueViolation
from fairway.frame.db.listing import Exact
from fairway.frame.web.body import json_body
from fairway.frame.web.deciding import Caller
from fairway.frame.web.errors import Conflict, Forbidden, NotFound
from fairway.frame.web.paging import Paged, page_headers
from fairway.frame.web.query import Filtered, Ordered, parse_filters
from fairway.frame.web.routes import AUTHENTICATED, LoggedIn, ProjectRef, Routes

Id = Annotated[int, Path(ge=1, le=2**63 - 1)]


Pattern = Annotated[str, Field(max_length=1024)]


class PermissionIn(BaseModel):
    """Harbor's RobotPermission: what is granted in one place.

    `repositories`, which is ours, are patterns of those of the project that it is for; without any it is for all.
    """

    kind: str = Field(default="", max_length=16)
    namespace: str = Field(default="", max_length=255)
    access: list[AccessIn] | None = None
    repositories: list[Pattern] | None = None


class RobotIn(BaseModel):
    """Harbor's RobotCreate, and what of a Robot can be changed.  `secret` counts when one is made."""

    name: str = Field(default="", max_length=1024)
    description: str = ""
    level: str = ""
    duration: int = 0
    disable: bool = False
    permissions: list[PermissionIn] | None = None
    secret: str | None = None


class SecretIn(BaseModel):
    """Harbor's RobotSec: a secret that somebody chose, or none for one that is generated."""

    secret: str | None = None


def add_routes(made: Routes, db: Database, hasher: Hasher) -> None:
    """Add the routes of this page."""
    _listing(made, db)
    _creating(made, db, hasher)
    _one_robot(made, db)
    _secrets(made, db, hasher)


# -- where a robot belongs


def _home_of_list(request: Request) -> int | None:
    """`q` says whose robots: `Level=project,ProjectID=5`, else those of the system level."""
    filters = {
        key.lower().replace("_", ""): term
        for key, term in parse_filters(request.query_params.get("q", "")).items()
    }
    level = filters.get("level", Exact("system"))
    if level == Exact("system"):
        return None
    if level != Exact("project"):
        raise BadRequest("q: Level is system or project")
    project = filters.get("projectid")
    id = rules.an_id(project.text) if isinstance(project, Exact) else None
    if id is not None:
        return id
    raise BadRequest("q: with Level=project name the project by its id: Level=project,ProjectID=5")


class _HomeOfRobot:
    """Finds the project of the robot in the path; a robot that does not exist is about the server."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def __call__(self, request: Request) -> ProjectRef | None:
        id = rules.an_id(str(request.path_params["robot_id"]))
        found = None if id is None else await store.by_id(self._db, id)
        if found is None or found.project is None:
            await projects.facts(self._db, ANONYMOUS, 0)  # as much is asked as for one of a project
            return None
        return found.project


async def _home(request: Request) -> int | None:
    """The project that the caller was let in for."""
    caller: Caller = request.state.caller
    return None if caller.project is None else caller.project.id


Home = Annotated[int | None, Depends(_home)]


# -- routes


def _listing(made: Routes, db: Database) -> None:
    @made.get(
        "/robots",
        permission=ROBOT_LIST,
        project=_home_of_list,
        raises=(BadRequest,),
        response_model_exclude_none=True,
    )
    async def list_robots(
        request: Request, response: Response, home: Home, page: Paged, filters: Filtered, order: Ordered
    ) -> list[RobotOut]:
        found, total = await read_page(db, home, filters, order, page)
        response.headers.update(page_headers(request, page, total))
        return found


def _creating(made: Routes, db: Database, hasher: Hasher) -> None:
    # Whose right it takes is in the body: `_may_make` decides about it.
    @made.post(
        "/robots",
        permission=AUTHENTICATED,
        status_code=201,
        raises=(BadRequest, Denied, Forbidden, NotFound, Conflict),
    )
    async def create_robot(
        request: Request, response: Response, by: LoggedIn, asked: Annotated[RobotIn, json_body(RobotIn)]
    ) -> CreatedOut:
        wanted = _wanted(asked, asked.name)
        await _may_make(db, wanted, by)  # before a slow hash is made for somebody who may not
        secret, kept = await new_secret(hasher, asked.secret)
        try:
            robot = await db.write(lambda conn: _make(conn, wanted, kept, by))
        except UniqueViolation:
            raise Conflict(f"there is a robot {wanted.name} already") from None
        except ReferenceViolation:
            raise NotFound("a project that is named here was deleted just now") from None
        response.headers["location"] = f"{request.scope['path'].rstrip('/')}/{robot.id}"
        return created(robot, secret)


async def _may_make(conn: Conn, wanted: Wanted, by: Principal) -> ProjectFacts | None:
    """The project that a robot is to belong to, None for the system level.  Raises Forbidden."""
    home: ProjectFacts | None = None
    if wanted.home is not None:
        home = await projects.facts(conn, by, wanted.home) or ABSENT
    if not may(by, ROBOT_CREATE, home):
        raise Forbidden(f"this needs the permission {ROBOT_CREATE}, which you do not have here")
    return home


async def _make(conn: Conn, wanted: Wanted, secret_hash: str, by: User | Robot) -> RobotAccount:
    home = await _may_make(conn, wanted, by)
    held = await granted(conn, wanted, by, home)
    end = await end_for(conn, wanted, by)
    return await store.create(conn, wanted, home.id if home else None, held, secret_hash, by, end=end)


def _one_robot(made: Routes, db: Database) -> None:
    find = _HomeOfRobot(db)

    @made.get("/robots/{robot_id}", permission=ROBOT_READ, project=find, response_model_exclude_none=True)
    async def get_robot(robot_id: Id, home: Home) -> RobotOut:
        return await read_one(db, robot_id, home)

    @made.put(
        "/robots/{robot_id}",
        permission=ROBOT_UPDATE,
        project=find,
        response_class=Response,
        raises=(BadRequest, Denied, NotFound),
    )
    async def update_robot(
        robot_id: Id, home: Home, by: LoggedIn, asked: Annotated[RobotIn, json_body(RobotIn)]
    ) -> Response:
        """Needs the whole robot, as it was read: what is left out is not as it was."""

        async def change(conn: Conn) -> None:
            robot = await present(conn, robot_id, home, lock=True)
            called = await store.by_login(conn, asked.name)  # also with a former name of its project
            same = called is not None and called.id == robot.id
            before = (await store.access_of(conn, [robot.id])).get(robot.id, ())
            name = robot.name if same else rules.own_name(asked.name, robot)
            wanted = _wanted(asked, name, holds_nothing=not before)
            ids = await store.project_ids(conn, {each.namespace for each in (*wanted.access, *before)})
            rules.check_still_narrowed(wanted, _saying(asked), before, ids)
            facts = None if home is None else await projects.facts(conn, by, home)
            rules.check_same(wanted, robot, ids.get(wanted.home or ""))
            await store.change(conn, robot, wanted, await granted(conn, wanted, by, facts), by)

        try:
            await db.write(change)
        except ReferenceViolation:
            raise NotFound("a project that is named here was deleted just now") from None
        return Response()

    @made.delete("/robots/{robot_id}", permission=ROBOT_DELETE, project=find, response_class=Response)
    async def delete_robot(robot_id: Id, home: Home, by: LoggedIn) -> Response:
        async def remove(conn: Conn) -> None:
            await store.remove(conn, await present(conn, robot_id, home, lock=True), by)

        await db.write(remove)
        return Response()


def _secrets(made: Routes, db: Database, hasher: Hasher) -> None:
    @made.patch(
        "/robots/{robot_id}",
        permission=ROBOT_UPDATE,
        project=_HomeOfRobot(db),
        raises=(BadRequest, NotFound),
    )
    async def refresh_secret(
        robot_id: Id, home: Home, by: LoggedIn, asked: Annotated[SecretIn, json_body(SecretIn)]
    ) -> SecretOut:
        """The old secret is void at once."""
        secret, kept = await new_secret(hasher, asked.secret)

        async def change(conn: Conn) -> None:
            await store.set_secret(conn, await present(conn, robot_id, home, lock=True), kept, by)

        await db.write(change)
        return SecretOut(secret=secret)


def _saying(asked: RobotIn) -> set[str]:
    """The namespaces of which something is said about repositories: a client that knows the field sends it there."""
    return {each.namespace for each in asked.permissions or () if each.repositories is not None}


def _wanted(asked: RobotIn, name: str, *, holds_nothing: bool = False) -> Wanted:
    return rules.wanted(
        name=name,
        level=asked.level,
        description=asked.description,
        duration=asked.duration,
        disabled=asked.disable,
        permissions=[
            (
                each.kind,
                each.namespace,
                [(pair.resource, pair.action, pair.effect or "") for pair in each.access or ()],
                each.repositories or (),
            )
            for each in asked.permissions or ()
        ],
        holds_nothing=holds_nothing,
    )
