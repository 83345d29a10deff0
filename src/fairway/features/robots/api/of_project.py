"""`/projects/{project}/robots`: robots of a project as clients of older servers ask for them.

They name an end instead of days, and grant pairs of the one project.  What is made here is a robot like every other.
"""

from typing import Annotated

from fastapi import Path, Response
from pydantic import BaseModel, Field
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest, Denied
from fairway.features.robots import rules, secret, store
from fairway.features.robots.api.making import end_for, granted, present
from fairway.features.robots.api.shown import AccessIn, CreatedOut, RobotOut, created, read_one, read_page
from fairway.features.robots.model import Level, RobotAccount
from fairway.frame.access.catalogue import ROBOT_CREATE, ROBOT_DELETE, ROBOT_LIST, ROBOT_READ, ROBOT_UPDATE
from fairway.frame.db import Conn, Database, ReferenceViolation, UniqueViolation
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict, NotFound
from fairway.frame.web.paging import Paged, page_headers
from fairway.frame.web.query import Filtered, Ordered
from fairway.frame.web.routes import InProject, LoggedIn, Routes

_ALL = "/projects/{project_name_or_id}/robots"
_ONE = "/projects/{project_name_or_id}/robots/{robot_id}"
_DAYS = 30
"""Unless a client says when it ends."""

Id = Annotated[int, Path(ge=1, le=2**63 - 1)]


class RobotIn(BaseModel):
    """Harbor's RobotCreateV1.  `expires_at` in seconds since the epoch, -1 for never."""

    name: str = Field(default="", max_length=1024)
    description: str = ""
    expires_at: int | None = None
    access: list[AccessIn] | None = None


class StatusIn(BaseModel):
    """What of a robot is changed here; what is left out stays."""

    description: str | None = None
    disable: bool | None = None


def add_routes(made: Routes, db: Database) -> None:
    """Add the routes of this page."""
    _listing(made, db)
    _creating(made, db)
    _one_robot(made, db)


def _listing(made: Routes, db: Database) -> None:
    @made.get(_ALL, permission=ROBOT_LIST, raises=(BadRequest,), response_model_exclude_none=True)
    async def list_robots_of_project(
        request: Request,
        response: Response,
        project: InProject,
        page: Paged,
        filters: Filtered,
        order: Ordered,
    ) -> list[RobotOut]:
        found, total = await read_page(db, project.id, filters, order, page)
        response.headers.update(page_headers(request, page, total))
        return found


def _creating(made: Routes, db: Database) -> None:
    @made.post(_ALL, permission=ROBOT_CREATE, status_code=201, raises=(BadRequest, Denied, Conflict))
    async def create_robot_of_project(
        request: Request,
        response: Response,
        project: InProject,
        by: LoggedIn,
        asked: Annotated[RobotIn, json_body(RobotIn)],
    ) -> CreatedOut:
        generated = secret.generate()

        async def make(conn: Conn) -> RobotAccount:
            name = await store.project_name(conn, project.id)
            if name is None:
                raise NotFound("the project was deleted just now")
            now = await store.now(conn)
            pairs = [
                (rules.resource_of(each.resource, project.id), each.action, each.effect or "")
                for each in asked.access or ()
            ]
            wanted = rules.wanted(
                name=asked.name,
                level=Level.PROJECT,
                description=asked.description,
                duration=rules.days_until(asked.expires_at, now, store.DAY) if asked.expires_at else _DAYS,
                disabled=False,
                permissions=[(Level.PROJECT, name, pairs, ())],
            )
            held = await granted(conn, wanted, by, project)
            end = await end_for(conn, wanted, by, rules.exact_end(asked.expires_at))
            return await store.create(conn, wanted, project.id, held, secret.kept(generated), by, end=end)

        try:
            robot = await db.write(make)
        except UniqueViolation:
            raise Conflict(f"there is a robot {asked.name} already") from None
        except ReferenceViolation:
            raise NotFound("the project was deleted just now") from None
        response.headers["location"] = f"{request.scope['path'].rstrip('/')}/{robot.id}"
        return created(robot, generated)


def _one_robot(made: Routes, db: Database) -> None:
    @made.get(_ONE, permission=ROBOT_READ, response_model_exclude_none=True)
    async def get_robot_of_project(project: InProject, robot_id: Id) -> RobotOut:
        return await read_one(db, robot_id, project.id)

    @made.put(_ONE, permission=ROBOT_UPDATE, response_class=Response, raises=(BadRequest,))
    async def update_robot_of_project(
        project: InProject, robot_id: Id, by: LoggedIn, asked: Annotated[StatusIn, json_body(StatusIn)]
    ) -> Response:
        if asked.description is not None:
            rules.check_description(asked.description)

        async def change(conn: Conn) -> None:
            robot = await present(conn, robot_id, project.id, lock=True)
            description = robot.description if asked.description is None else asked.description
            disabled = robot.disabled if asked.disable is None else asked.disable
            await store.set_status(conn, robot, description, by, disabled=disabled)

        await db.write(change)
        return Response()

    @made.delete(_ONE, permission=ROBOT_DELETE, response_class=Response)
    async def delete_robot_of_project(project: InProject, robot_id: Id, by: LoggedIn) -> Response:
        async def remove(conn: Conn) -> None:
            await store.remove(conn, await present(conn, robot_id, project.id, lock=True), by)

        await db.write(remove)
        return Response()
