"""`/projects/{project}/metadatas/`: the settings of a project, one by one.

A project is always either public or private: `public` can be set and read like the others, is never new, and where it is
deleted the project is private.
"""

from typing import Annotated

from fastapi import Path, Response
from pydantic import RootModel

from fairway.core.oci.errors import BadRequest
from fairway.features.projects import rules
from fairway.features.projects.model import Change
from fairway.features.projects.store import projects
from fairway.features.projects.store import settings as store
from fairway.frame.access.catalogue import (
    METADATA_CREATE,
    METADATA_DELETE,
    METADATA_LIST,
    METADATA_READ,
    METADATA_UPDATE,
)
from fairway.frame.access.may import ProjectFacts
from fairway.frame.access.principals import Principal
from fairway.frame.db import Conn, Database
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict, NotFound
from fairway.frame.web.routes import AskedBy, InProject, Routes

_ALL = "/projects/{project_name_or_id}/metadatas/"
_ALL_AS_ASKED = "/projects/{project_name_or_id}/metadatas"
"""How clients write it, where Harbor's document has the slash; Harbor takes either."""
_ONE = "/projects/{project_name_or_id}/metadatas/{meta_name}"

Name = Annotated[str, Path(max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]


class SettingsIn(RootModel[dict[str, str]]):
    """Settings by name."""


def add_routes(made: Routes, db: Database) -> None:
    """Add the routes of this page."""
    _all_settings(made, db)
    _one_setting(made, db)


def _all_settings(made: Routes, db: Database) -> None:
    @made.get(_ALL_AS_ASKED, permission=METADATA_LIST, include_in_schema=False)
    @made.get(_ALL, permission=METADATA_LIST)
    async def list_metadata(project: InProject) -> dict[str, str]:
        return await _read(db, project)

    @made.post(
        _ALL_AS_ASKED,
        permission=METADATA_CREATE,
        response_class=Response,
        raises=(BadRequest, Conflict),
        include_in_schema=False,
    )
    @made.post(
        _ALL,
        permission=METADATA_CREATE,
        response_class=Response,
        raises=(BadRequest, Conflict),
    )
    async def add_metadata(
        project: InProject, by: AskedBy, asked: Annotated[SettingsIn, json_body(SettingsIn)]
    ) -> Response:
        name, value = rules.only_setting(asked.root)

        async def add(conn: Conn) -> None:
            await projects.lock(conn, project.id)
            if name in await _read(conn, project):
                raise Conflict(f"the setting {name} is there already; change it with PUT")
            await _set(conn, project, name, value, by)

        await db.write(add)
        return Response()


def _one_setting(made: Routes, db: Database) -> None:
    @made.get(_ONE, permission=METADATA_READ)
    async def get_metadata(project: InProject, meta_name: Name) -> dict[str, str]:
        return {meta_name: await _present(db, project, meta_name)}

    @made.put(_ONE, permission=METADATA_UPDATE, response_class=Response, raises=(BadRequest, Conflict))
    async def update_metadata(
        project: InProject, meta_name: Name, by: AskedBy, asked: Annotated[SettingsIn, json_body(SettingsIn)]
    ) -> Response:
        name, value = rules.only_setting(asked.root)
        if name != meta_name:
            raise BadRequest(f'the path names {meta_name}: send {{"{meta_name}": "…"}}')

        async def change(conn: Conn) -> None:
            await projects.lock(conn, project.id)
            await _present(conn, project, name)
            await _set(conn, project, name, value, by)

        await db.write(change)
        return Response()

    @made.delete(_ONE, permission=METADATA_DELETE, response_class=Response, raises=(BadRequest, Conflict))
    async def delete_metadata(project: InProject, meta_name: Name, by: AskedBy) -> Response:
        rules.check_removable(meta_name)

        async def remove(conn: Conn) -> None:
            await projects.lock(conn, project.id)
            await _present(conn, project, meta_name)
            await _set(conn, project, meta_name, None, by)

        await db.write(remove)
        return Response()


async def _read(conn: Conn, project: ProjectFacts) -> dict[str, str]:
    public = await projects.is_public(conn, project.id)
    return {rules.PUBLIC: "true" if public else "false", **await store.of(conn, project.id)}


async def _present(conn: Conn, project: ProjectFacts, name: str) -> str:
    value = (await _read(conn, project)).get(name)
    if value is None:
        raise NotFound(f"the project has no setting {name}; add it with POST")
    return value


async def _set(conn: Conn, project: ProjectFacts, name: str, value: str | None, by: Principal) -> None:
    """None removes it."""
    change = Change(public=value == "true") if name == rules.PUBLIC else Change(settings={name: value})
    if not await projects.change(conn, project.id, change, by):
        raise NotFound("the project was deleted just now")
