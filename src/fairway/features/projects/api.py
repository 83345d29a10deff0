"""`/projects` of Harbor's API v2.0: list, create, get, head, delete."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest, PreconditionFailed
from fairway.features.projects import rules, store
from fairway.features.projects.model import Filters, Project
from fairway.frame.access.catalogue import PROJECT_DELETE, PROJECT_READ, PROJECT_UPDATE
from fairway.frame.access.may import ProjectFacts, may
from fairway.frame.access.principals import Principal
from fairway.frame.db import Conn, Database, UniqueViolation
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict, Forbidden, NotFound
from fairway.frame.web.moments import moment
from fairway.frame.web.paging import Paged, page_headers
from fairway.frame.web.routes import (
    AUTHENTICATED,
    PUBLIC,
    AskedBy,
    Authoriser,
    InProject,
    LoggedIn,
    LookUp,
    ProjectRef,
    Routes,
    project_in_query,
)

_Text = Annotated[str, Query(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]


class ProjectReq(BaseModel):
    """What a client may ask for when it makes a project; other fields are ignored."""

    project_name: str = ""
    public: bool | None = None
    metadata: dict[str, str | None] | None = None
    storage_limit: int | None = None
    registry_id: int | None = None


class ProjectOut(BaseModel):
    """Harbor's Project."""

    project_id: int
    owner_id: int
    owner_name: str
    name: str
    registry_id: int = 0
    creation_time: str
    update_time: str
    deleted: bool = False
    togglable: bool
    current_user_role_id: int
    current_user_role_ids: list[int]
    repo_count: int
    chart_count: int = 0
    metadata: dict[str, str]


def look_up(db: Database) -> LookUp:
    """How the authoriser finds the facts about a project."""

    async def find(principal: Principal, ref: ProjectRef) -> ProjectFacts | None:
        return await store.facts(db, principal, ref)

    return find


def routes(db: Database, authoriser: Authoriser, *, gc_grace_seconds: int) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    made = Routes(authoriser, tags=["project"])
    _listing(made, db)
    _creating(made, db)
    _one_project(made, db, gc_grace_seconds)
    return made.router


def _listing(made: Routes, db: Database) -> None:
    @made.get("/projects", permission=PUBLIC)
    async def list_projects(
        request: Request,
        response: Response,
        viewer: AskedBy,
        page: Paged,
        name: _Text = "",
        public: bool | None = None,
        owner: _Text = "",
    ) -> list[ProjectOut]:
        filters = Filters(name, public, owner)

        async def read(conn: Conn) -> tuple[list[Project], int]:
            return await store.listed(conn, viewer, filters, offset=page.offset, limit=page.size)

        found, total = await db.read(read)
        response.headers.update(page_headers(request, page, total))
        return [_shown(project, viewer) for project in found]

    @made.head(
        "/projects",
        permission=PROJECT_READ,
        project=project_in_query("project_name"),
        response_class=Response,
    )
    async def head_project(_project: InProject) -> Response:
        return Response()


def _creating(made: Routes, db: Database) -> None:
    @made.post(
        "/projects",
        permission=AUTHENTICATED,
        status_code=201,
        response_class=Response,
        raises=(BadRequest, Forbidden, Conflict),
    )
    async def create_project(
        request: Request, creator: LoggedIn, asked: Annotated[ProjectReq, json_body(ProjectReq)]
    ) -> Response:
        if asked.registry_id:
            if not creator.sysadmin:
                raise Forbidden("only a system administrator can make a proxy cache project")
            raise BadRequest("proxy cache projects are not available on this server; leave registry_id out")
        wanted = rules.wanted(
            asked.project_name,
            public=asked.public,
            metadata=asked.metadata or {},
            storage_limit=asked.storage_limit,
            by_sysadmin=creator.sysadmin,
        )
        try:
            project = await db.write(lambda conn: store.create(conn, wanted, creator))
        except UniqueViolation:
            raise Conflict(f"the project {wanted.name} exists already") from None
        by_name = request.headers.get("x-resource-name-in-location", "").lower() == "true"
        # Relative and by path: Terraform keeps what follows /api/v2.0 as the resource's id.
        location = f"{request.scope['path'].rstrip('/')}/{wanted.name if by_name else project}"
        return Response(status_code=201, headers={"location": location})


def _one_project(made: Routes, db: Database, gc_grace_seconds: int) -> None:
    @made.get("/projects/{project_name_or_id}", permission=PROJECT_READ)
    async def get_project(viewer: AskedBy, project: InProject) -> ProjectOut:
        found = await store.by_id(db, project.id, viewer)
        if found is None:
            raise NotFound("the project was deleted just now")
        return _shown(found, viewer)

    @made.delete(
        "/projects/{project_name_or_id}",
        permission=PROJECT_DELETE,
        response_class=Response,
        raises=(PreconditionFailed,),
    )
    async def delete_project(asked_by: AskedBy, project: InProject) -> Response:
        empty = partial(store.empty, project=project.id, grace_seconds=gc_grace_seconds)
        while await db.write(empty):
            continue
        remove = partial(store.remove, project=project.id, by=asked_by, grace_seconds=gc_grace_seconds)
        if not await db.write(remove):
            raise NotFound("the project was deleted just now")
        return Response()


def _shown(project: Project, viewer: Principal) -> ProjectOut:
    facts = ProjectFacts(project.id, project.public, project.role)
    role: dict[str, Any] = {
        "current_user_role_id": int(project.role or 0),
        "current_user_role_ids": [int(project.role)] if project.role else [],
    }
    return ProjectOut(
        project_id=project.id,
        owner_id=project.owner_id,
        owner_name=project.owner_name,
        name=project.name,
        creation_time=moment(project.created_at),
        update_time=moment(project.updated_at),
        togglable=may(viewer, PROJECT_UPDATE, facts),
        repo_count=project.repositories,
        metadata={"public": "true" if project.public else "false"},
        **role,
    )
