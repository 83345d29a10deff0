"""`/robots` of Harbor's API v2.0: robots of projects and of the system level, their rights and their secrets."""

from collections.abc import Iterable
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, Field
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest, Denied
from fairway.features.accounts.passwords import Hasher
from fairway.features.projects.store import projects
from fairway.features.robots import rules, secret, store
from fairway.features.robots.model import (
    ALL_PROJECTS,
    FOR_EVER,
    WHOLE_SERVER,
    Access,
    RobotAccount,
    Wanted,
)
from fairway.frame.access.catalogue import ROBOT_CREATE, ROBOT_DELETE, ROBOT_LIST, ROBOT_READ, ROBOT_UPDATE
from fairway.frame.access.may import ABSENT, ProjectFacts, may
from fairway.frame.access.principals import EVERY_PROJECT, SERVER, Grant, Principal, Robot, User
from fairway.frame.db import SECOND, Conn, Database, ReferenceViolation, UniqueViolation
from fairway.frame.db.listing import Exact, Filters
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict, Forbidden, NotFound
from fairway.frame.web.moments import moment
from fairway.frame.web.paging import Paged, page_headers
from fairway.frame.web.query import Filtered, Ordered, parse_filters
from fairway.frame.web.routes import AUTHENTICATED, Authoriser, Caller, LoggedIn, ProjectRef, Routes

Id = Annotated[int, Path(ge=1, le=2**63 - 1)]
_NO_PROJECT: Final = -2
"""Stands for a project that does not exist, in what somebody asks to be granted."""


class AccessIn(BaseModel):
    """Harbor's Access: one pair.  The only effect is `allow`."""

    resource: str = Field(default="", max_length=255)
    action: str = Field(default="", max_length=255)
    effect: str | None = Field(default=None, max_length=16)


class PermissionIn(BaseModel):
    """Harbor's RobotPermission: what is granted in one place."""

    kind: str = Field(default="", max_length=16)
    namespace: str = Field(default="", max_length=255)
    access: list[AccessIn] | None = None


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


class SecretOut(BaseModel):
    """Harbor's RobotSec: what was generated."""

    secret: str


class CreatedOut(BaseModel):
    """Harbor's RobotCreated.  The secret is shown here and never again; it is empty when it was chosen."""

    id: int
    name: str
    secret: str
    creation_time: str
    expires_at: int


class AccessOut(BaseModel):
    """Harbor's Access."""

    resource: str
    action: str
    effect: str = "allow"


class PermissionOut(BaseModel):
    """Harbor's RobotPermission."""

    kind: str
    namespace: str
    access: list[AccessOut]


class RobotOut(BaseModel):
    """Harbor's Robot, without its secret.  `expires_at` is in seconds since the epoch, -1 for never."""

    id: int
    name: str
    description: str
    level: str
    duration: int
    editable: bool = True
    disable: bool
    expires_at: int
    permissions: list[PermissionOut]
    creator_type: str
    creator_ref: int
    creation_time: str
    update_time: str


def routes(db: Database, authoriser: Authoriser, hasher: Hasher) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    made = Routes(authoriser, tags=["robot"])
    _listing(made, db)
    _creating(made, db, hasher)
    _one_robot(made, db)
    _secrets(made, db, hasher)
    return made.router


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
    match filters.get("projectid"):
        case Exact(text) if text.isascii() and text.isdecimal() and len(text) <= 18 and int(text) > 0:
            return int(text)
    raise BadRequest("q: with Level=project name the project by its id: Level=project,ProjectID=5")


def _home_of_robot(db: Database) -> "_Find":
    return _Find(db)


class _Find:
    """Finds the project of the robot in the path; a robot that does not exist is about the server."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def __call__(self, request: Request) -> ProjectRef | None:
        text = str(request.path_params["robot_id"])
        if not (text.isascii() and text.isdecimal() and len(text) <= 18):
            return None
        found = await store.by_id(self._db, int(text))
        return None if found is None else found.project


async def _home(request: Request) -> int | None:
    """The project that the caller was let in for."""
    caller: Caller = request.state.caller
    return None if caller.project is None else caller.project.id


Home = Annotated[int | None, Depends(_home)]


# -- routes


def _listing(made: Routes, db: Database) -> None:
    @made.get("/robots", permission=ROBOT_LIST, project=_home_of_list, raises=(BadRequest,))
    async def list_robots(
        request: Request, response: Response, home: Home, page: Paged, filters: Filtered, order: Ordered
    ) -> list[RobotOut]:
        found, total, access = await _read_page(db, home, filters, order, page.offset, page.size)
        response.headers.update(page_headers(request, page, total))
        return [_shown(robot, access.get(robot.id, ())) for robot in found]


async def _read_page(
    db: Database, home: int | None, filters: Filters, order: Ordered, offset: int, limit: int
) -> tuple[list[RobotAccount], int, dict[int, tuple[Access, ...]]]:
    async def read(conn: Conn) -> tuple[list[RobotAccount], int, dict[int, tuple[Access, ...]]]:
        found, total = await store.listed(conn, home, filters, order, offset=offset, limit=limit)
        return found, total, await store.access_of(conn, [robot.id for robot in found])

    return await db.read(read)


def _creating(made: Routes, db: Database, hasher: Hasher) -> None:
    # Whose right it takes is in the body: `_make` decides about it.
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
        shown, kept = await _new_secret(hasher, asked.secret)
        try:
            robot = await db.write(lambda conn: _make(conn, wanted, kept, by))
        except UniqueViolation:
            raise Conflict(f"there is a robot {wanted.name} already") from None
        except ReferenceViolation:
            raise NotFound("a project that is named here was deleted just now") from None
        response.headers["location"] = f"{request.scope['path'].rstrip('/')}/{robot.id}"
        return CreatedOut(
            id=robot.id,
            name=robot.login,
            secret=shown,
            creation_time=moment(robot.created_at),
            expires_at=_end(robot),
        )


async def _make(conn: Conn, wanted: Wanted, secret_hash: str, by: User | Robot) -> RobotAccount:
    home: ProjectFacts | None = None
    if wanted.home is not None:
        home = await projects.facts(conn, by, wanted.home) or ABSENT
    if not may(by, ROBOT_CREATE, home):
        raise Forbidden(f"this needs the permission {ROBOT_CREATE}, which you do not have here")
    held = await _granted(conn, wanted, by, home)
    return await store.create(conn, wanted, home.id if home else None, held, secret_hash, by)


async def _granted(conn: Conn, wanted: Wanted, by: Principal, home: ProjectFacts | None) -> frozenset[Grant]:
    """What a robot will hold; raises Denied for what `by` cannot give, NotFound for a project that is not there."""
    named = {access.namespace for access in wanted.access} - {ALL_PROJECTS, WHOLE_SERVER}
    ids = await store.project_ids(conn, named)
    places = {WHOLE_SERVER: SERVER, ALL_PROJECTS: EVERY_PROJECT, **ids}
    held = frozenset(
        Grant(places.get(access.namespace, _NO_PROJECT), permission)
        for access in wanted.access
        for permission in access.permissions
    )
    if (too_much := rules.beyond(by, held, home)) is not None:
        raise Denied(f"you cannot grant {too_much.permission} there: it is more than you hold yourself")
    if missing := sorted(named - ids.keys()):
        raise NotFound(f"project {missing[0]} not found")
    return held


def _one_robot(made: Routes, db: Database) -> None:
    find = _home_of_robot(db)

    @made.get("/robots/{robot_id}", permission=ROBOT_READ, project=find)
    async def get_robot(robot_id: Id, home: Home) -> RobotOut:
        async def read(conn: Conn) -> RobotOut:
            robot = await _present(conn, robot_id, home)
            return _shown(robot, (await store.access_of(conn, [robot.id])).get(robot.id, ()))

        return await db.read(read)

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
            robot = await _present(conn, robot_id, home, lock=True)
            wanted = _wanted(asked, rules.own_name(asked.name, robot))
            facts = None if home is None else await projects.facts(conn, by, home)
            rules.check_same(wanted, robot, await store.project_name(conn, home))
            await store.change(conn, robot, wanted, await _granted(conn, wanted, by, facts), by)

        try:
            await db.write(change)
        except ReferenceViolation:
            raise NotFound("a project that is named here was deleted just now") from None
        return Response()

    @made.delete("/robots/{robot_id}", permission=ROBOT_DELETE, project=find, response_class=Response)
    async def delete_robot(robot_id: Id, home: Home, by: LoggedIn) -> Response:
        async def remove(conn: Conn) -> None:
            await store.remove(conn, await _present(conn, robot_id, home, lock=True), by)

        await db.write(remove)
        return Response()


def _secrets(made: Routes, db: Database, hasher: Hasher) -> None:
    @made.patch(
        "/robots/{robot_id}",
        permission=ROBOT_UPDATE,
        project=_home_of_robot(db),
        raises=(BadRequest, NotFound),
    )
    async def refresh_secret(
        robot_id: Id, home: Home, by: LoggedIn, asked: Annotated[SecretIn, json_body(SecretIn)]
    ) -> SecretOut:
        """The old secret is void at once."""
        shown, kept = await _new_secret(hasher, asked.secret)

        async def change(conn: Conn) -> None:
            await store.set_secret(conn, await _present(conn, robot_id, home, lock=True), kept, by)

        await db.write(change)
        return SecretOut(secret=shown)


async def _new_secret(hasher: Hasher, chosen: str | None) -> tuple[str, str]:
    """A secret as it is shown, empty when it was chosen, and as it is stored."""
    if chosen:
        rules.check_secret(chosen)
        return "", await hasher.hash(chosen)
    made = secret.generate()
    return made, secret.kept(made)


async def _present(conn: Conn, robot: int, home: int | None, *, lock: bool = False) -> RobotAccount:
    found = await store.by_id(conn, robot, lock=lock)
    if found is None or found.project != home:
        raise NotFound(f"there is no robot {robot}")
    return found


def _wanted(asked: RobotIn, name: str) -> Wanted:
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
            )
            for each in asked.permissions or ()
        ],
    )


def _end(robot: RobotAccount) -> int:
    return FOR_EVER if robot.expires_at is None else robot.expires_at // SECOND


def _shown(robot: RobotAccount, access: Iterable[Access]) -> RobotOut:
    return RobotOut(
        id=robot.id,
        name=robot.login,
        description=robot.description,
        level=robot.level.value,
        duration=robot.duration,
        disable=robot.disabled,
        expires_at=_end(robot),
        permissions=[
            PermissionOut(
                kind=each.kind.value,
                namespace=each.namespace,
                access=[
                    AccessOut(resource=pair.resource, action=pair.action) for pair in sorted(each.permissions)
                ],
            )
            for each in access
        ],
        creator_type=robot.creator.value,
        creator_ref=robot.creator_ref,
        creation_time=moment(robot.created_at),
        update_time=moment(robot.updated_at),
    )
