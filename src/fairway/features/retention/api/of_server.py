"""The policy of the server, for projects without one of their own; and which policy is in force in a project."""

from typing import Annotated, Literal

from fastapi import Response
from pydantic import BaseModel

from fairway.core.oci.errors import BadRequest
from fairway.features.retention.api.shown import PolicyIn, PolicyOut, shown
from fairway.features.retention.store import policies
from fairway.frame.access.catalogue import (
    CONFIGURATION_READ,
    CONFIGURATION_UPDATE,
    TAG_RETENTION_READ,
    TAG_RETENTION_UPDATE,
)
from fairway.frame.db import Conn, Database
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict, NotFound
from fairway.frame.web.routes import AskedBy, InProject, Routes

_DEFAULT = "/retention/default"
_IN_PROJECT = "/retention/projects/{project_name_or_id}"


class InForceOut(BaseModel):
    """Which policy is in force in a project: its own, that of the server, or none; and whether the server's may be."""

    source: Literal["project", "default", "none"]
    use_default: bool
    policy: PolicyOut | None = None


class ChoiceIn(BaseModel):
    """Whether the policy of the server is for a project that has none of its own."""

    use_default: bool


def add_routes(made: Routes, db: Database) -> None:
    """Add the routes of this page."""
    _of_server(made, db)
    _in_project(made, db)


def _of_server(made: Routes, db: Database) -> None:
    @made.get(_DEFAULT, permission=CONFIGURATION_READ, raises=(NotFound,))
    async def get_default_retention() -> PolicyOut:
        async def read(conn: Conn) -> PolicyOut:
            policy = await policies.of_server(conn)
            if policy is None:
                raise _none()
            return await shown(conn, policy)

        return await db.read(read)

    @made.put(_DEFAULT, permission=CONFIGURATION_UPDATE, raises=(BadRequest, Conflict))
    async def set_default_retention(
        by: AskedBy, asked: Annotated[PolicyIn, json_body(PolicyIn)]
    ) -> PolicyOut:
        """One schedule runs it in all projects that it is for, those that come later, too."""

        async def put(conn: Conn) -> PolicyOut:
            policy = await policies.of_server(conn)
            wanted = asked.wanted(before=None if policy is None else policy.wanted)
            if policy is None:
                await policies.create(conn, None, wanted, by.name)
            else:
                await policies.change(conn, policy.id, wanted, by.name)
            made = await policies.of_server(conn)
            assert made is not None
            return await shown(conn, made)

        return await db.write(put)

    @made.delete(_DEFAULT, permission=CONFIGURATION_UPDATE, response_class=Response, raises=(NotFound,))
    async def delete_default_retention() -> Response:
        async def remove(conn: Conn) -> None:
            policy = await policies.of_server(conn)
            if policy is None or not await policies.remove(conn, policy):
                raise _none()

        await db.write(remove)
        return Response()


def _in_project(made: Routes, db: Database) -> None:
    @made.get(_IN_PROJECT, permission=TAG_RETENTION_READ, response_model_exclude_none=True)
    async def get_retention_in_force(project: InProject) -> InForceOut:
        async def read(conn: Conn) -> InForceOut:
            exempt = await policies.is_exempt(conn, project.id)
            own = await policies.of_project(conn, project.id)
            policy = own or (None if exempt else await policies.of_server(conn))
            return InForceOut(
                source="none" if policy is None else "project" if own else "default",
                use_default=not exempt,
                policy=None if policy is None else await shown(conn, policy),
            )

        return await db.read(read)

    @made.put(_IN_PROJECT, permission=TAG_RETENTION_UPDATE, response_class=Response)
    async def choose_retention_in_force(
        project: InProject, asked: Annotated[ChoiceIn, json_body(ChoiceIn)]
    ) -> Response:
        await db.write(lambda conn: policies.exempt(conn, project.id, exempted=not asked.use_default))
        return Response()


def _none() -> NotFound:
    return NotFound("this server has no retention policy for projects without their own; make one with PUT")
