"""Renaming projects, which Harbor has no word for, and the former names that lead to them.

```text
PUT    /api/fairway/projects/{project}/name             call it something else
GET    /api/fairway/projects/{project}/aliases          its former names
DELETE /api/fairway/projects/{project}/aliases/{name}   let go of one
```

A former name is served as the name itself is, without a redirection: docker, Helm and Terraform follow none with
credentials.  It leads to the project's id before anything is decided about rights, so that whoever may not see a project
learns by its former names as little as by its name.
"""

from typing import Annotated

from fastapi import Path, Response
from pydantic import BaseModel, Field

from fairway.core.oci.errors import BadRequest
from fairway.features.projects import rules
from fairway.features.projects.store import names as store
from fairway.frame.access.catalogue import PROJECT_UPDATE
from fairway.frame.access.may import may_make_projects
from fairway.frame.access.principals import Principal
from fairway.frame.configuration import Configuration
from fairway.frame.configuration.declared import EVERYONE, PROJECT_CREATION
from fairway.frame.db import Database, UniqueViolation
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict, Forbidden, NotFound
from fairway.frame.web.moments import moment
from fairway.frame.web.routes import AskedBy, InProject, Routes

_Former = Annotated[str, Path(max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]


class NameIn(BaseModel):
    """What a project is to be called; other fields are ignored."""

    name: str = Field(default="", max_length=1024)


class AliasOut(BaseModel):
    """A former name; `creation_time` is when it became one."""

    name: str
    creation_time: str


def add_routes(made: Routes, db: Database, chosen: Configuration) -> None:
    """Add the routes of this page, relative to `/api/fairway`."""

    @made.put(
        "/projects/{project_name_or_id}/name",
        permission=PROJECT_UPDATE,
        response_class=Response,
        raises=(BadRequest, Conflict, Forbidden),
    )
    async def rename_project(
        by: AskedBy, project: InProject, asked: Annotated[NameIn, json_body(NameIn)]
    ) -> Response:
        """Needs the right to make projects, too: a name is taken either way."""
        if not _may_take_names(by, chosen):
            raise Forbidden("who renames a project needs the right to make projects; ask an administrator")
        rules.check_name(asked.name)
        try:
            found = await db.write(lambda conn: store.rename(conn, project.id, asked.name, by))
        except UniqueViolation:
            raise Conflict(f"the project {asked.name} exists already; choose another name") from None
        if not found:
            raise NotFound("the project was deleted just now")
        return Response()

    @made.get("/projects/{project_name_or_id}/aliases", permission=PROJECT_UPDATE)
    async def list_aliases(project: InProject) -> list[AliasOut]:
        """All of them: there are few."""
        rows = await store.aliases(db, project.id)
        return [AliasOut(name=row["name"], creation_time=moment(row["created_at"])) for row in rows]

    @made.delete(
        "/projects/{project_name_or_id}/aliases/{former_name}",
        permission=PROJECT_UPDATE,
        response_class=Response,
    )
    async def drop_alias(by: AskedBy, project: InProject, former_name: _Former) -> Response:
        """Whoever makes a project of this name from now on gets what is still sent to it."""
        if not await db.write(lambda conn: store.drop_alias(conn, project.id, former_name, by)):
            raise NotFound("the project has no such former name; GET aliases lists those it has")
        return Response()


def _may_take_names(who: Principal, chosen: Configuration) -> bool:
    """As for making a project: a robot needs the permission itself, a person may where everybody does."""
    return may_make_projects(who, everyone=chosen.get(PROJECT_CREATION) == EVERYONE)
