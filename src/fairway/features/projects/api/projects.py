"""`/projects`: list, create, get, head, change, summarise, delete."""

from functools import partial
from typing import Annotated

from fastapi import Depends, Query, Response
from pydantic import BaseModel
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest, PreconditionFailed
from fairway.features.immutability.store import standing
from fairway.features.projects import deletions, rules
from fairway.features.projects.api import allowlists
from fairway.features.projects.model import Allowlist, Project
from fairway.features.projects.store import going, members
from fairway.features.projects.store import projects as store
from fairway.features.robots import store as robots
from fairway.frame.access.catalogue import (
    ARTIFACT_DELETE,
    MEMBER_LIST,
    PROJECT_CREATE,
    PROJECT_DELETE,
    PROJECT_READ,
    PROJECT_UPDATE,
    QUOTA_READ,
    REPOSITORY_DELETE,
    REPOSITORY_LIST,
)
from fairway.frame.access.may import ProjectFacts, may, may_make_projects, only_in
from fairway.frame.access.principals import Principal, Robot, User, narrowed_to
from fairway.frame.access.roles import Role
from fairway.frame.configuration import Configuration
from fairway.frame.configuration.declared import EVERYONE, PROJECT_CREATION, QUOTAS, STORAGE
from fairway.frame.db import Conn, Database, UniqueViolation
from fairway.frame.db.listing import Contains, Exact, Filters, Term
from fairway.frame.jobs.job import Job
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict, Forbidden, NotFound
from fairway.frame.web.moments import moment
from fairway.frame.web.paging import Paged, page_headers
from fairway.frame.web.query import Filtered, Ordered
from fairway.frame.web.routes import (
    AUTHENTICATED,
    PUBLIC,
    AskedBy,
    InProject,
    LoggedIn,
    Routes,
    project_in_query,
)

_Text = Annotated[str, Query(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]


MOST_LISTED = 100
"""Vulnerabilities of a project's list that lists of projects show; a longer one is shown with its project only."""


class ProjectReq(BaseModel):
    """What a client may ask for when it makes a project; other fields are ignored."""

    project_name: str = ""
    public: bool | None = None
    metadata: dict[str, str | None] | None = None
    storage_limit: int | None = None
    registry_id: int | None = None
    cve_allowlist: allowlists.AllowlistIn | None = None


class ProjectOut(BaseModel):
    """Harbor's Project.  `current_user_repositories` is there for who may list some of them only: which, as patterns."""

    project_id: int
    owner_id: int
    owner_name: str
    name: str
    registry_id: int = 0
    creation_time: str
    update_time: str
    deleted: bool = False
    togglable: bool | None = None
    current_user_role_id: int | None = None
    current_user_role_ids: list[int] | None = None
    current_user_repositories: list[str] | None = None
    repo_count: int | None = None
    chart_count: int | None = None
    metadata: dict[str, str] | None = None
    cve_allowlist: allowlists.AllowlistOut | None = None


class StorageOut(BaseModel):
    """Bytes; as a limit -1 is none."""

    storage: int


class QuotaOut(BaseModel):
    """What may be used, and what is."""

    hard: StorageOut
    used: StorageOut


class SummaryOut(BaseModel):
    """Harbor's ProjectSummary."""

    repo_count: int
    project_admin_count: int | None = None
    maintainer_count: int | None = None
    developer_count: int | None = None
    guest_count: int | None = None
    limited_guest_count: int | None = None
    quota: QuotaOut | None = None


class DeletableOut(BaseModel):
    """Harbor's ProjectDeletable."""

    deletable: bool
    message: str | None = None


def add_routes(
    made: Routes,
    db: Database,
    chosen: Configuration,
    gc_grace_seconds: int,
    removal: Job[deletions.Arguments],
) -> None:
    """Add the routes of this page."""
    _listing(made, db)
    _creating(made, db, chosen)
    _reading(made, db)
    _changing(made, db)
    _deleting(made, db, gc_grace_seconds, removal)


async def _older_filters(name: _Text = "", public: bool | None = None, owner: _Text = "") -> Filters:
    """The parameters from before there was `q`."""
    asked: dict[str, Term] = {}
    if name:
        asked["name"] = Contains(name)
    if public is not None:
        asked["public"] = Exact("true" if public else "false")
    if owner:
        asked["owner"] = Exact(owner)
    return asked


def _listing(made: Routes, db: Database) -> None:
    @made.get("/projects", permission=PUBLIC, raises=(BadRequest,), response_model_exclude_none=True)
    async def list_projects(
        request: Request,
        response: Response,
        viewer: AskedBy,
        page: Paged,
        filters: Filtered,
        order: Ordered,
        older: Annotated[Filters, Depends(_older_filters)],
        with_detail: bool = True,
    ) -> list[ProjectOut]:
        asked = {**filters, **older}

        async def read(conn: Conn) -> tuple[list[Project], int]:
            return await store.listed(conn, viewer, asked, order, offset=page.offset, limit=page.size)

        found, total = await db.read(read)
        response.headers.update(page_headers(request, page, total))
        return [in_list(shown(project, viewer, detail=with_detail)) for project in found]

    @made.head(
        "/projects",
        permission=PROJECT_READ,
        project=project_in_query("project_name"),
        response_class=Response,
    )
    async def head_project(_project: InProject) -> Response:
        return Response()


def _creating(made: Routes, db: Database, chosen: Configuration) -> None:
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
        owner = await _owner(db, creator)
        sysadmin = isinstance(creator, User) and creator.sysadmin
        if not may_make_projects(creator, everyone=chosen.get(PROJECT_CREATION) == EVERYONE):
            if narrowed_to(creator):
                raise Forbidden("this token does not let you create projects")
            raise Forbidden("on this server only system administrators create projects; ask one of them")
        if asked.registry_id:
            if not sysadmin:
                raise Forbidden("only a system administrator can make a proxy cache project")
            raise BadRequest("proxy cache projects are not available on this server; leave registry_id out")
        wanted = rules.wanted(
            asked.project_name,
            public=asked.public,
            metadata=asked.metadata or {},
            storage_limit=asked.storage_limit,
            by_sysadmin=sysadmin,
            usual=rules.usual_limit(enabled=chosen.get(QUOTAS), storage=chosen.get(STORAGE)),
            allowlist=_allowlist(asked),
        )
        try:
            project = await db.write(lambda conn: store.create(conn, wanted, owner, creator))
        except UniqueViolation:
            raise Conflict(f"the project {wanted.name} exists already") from None
        by_name = request.headers.get("x-resource-name-in-location", "").lower() == "true"
        # Relative and by path: Terraform keeps what follows /api/v2.0 as the resource's id.
        location = f"{request.scope['path'].rstrip('/')}/{wanted.name if by_name else project}"
        return Response(status_code=201, headers={"location": location})


async def _owner(db: Database, creator: User | Robot) -> User:
    """Who a new project belongs to: the person who makes it, or who is behind the robot that does."""
    if isinstance(creator, User):
        return creator
    if not may(creator, PROJECT_CREATE):
        raise Forbidden(f"this needs the permission {PROJECT_CREATE}, which you do not have here")
    owner = await robots.person_behind(db, creator.id)
    if owner is None:
        raise Forbidden(
            "whoever made this robot has no account any more, so that the project would be nobody's"
        )
    return owner


def _reading(made: Routes, db: Database) -> None:
    @made.get("/projects/{project_name_or_id}", permission=PROJECT_READ, response_model_exclude_none=True)
    async def get_project(viewer: AskedBy, project: InProject) -> ProjectOut:
        found = await store.by_id(db, project.id, viewer)
        if found is None:
            raise NotFound("the project was deleted just now")
        return shown(found, viewer)

    @made.get(
        "/projects/{project_name_or_id}/summary",
        permission=PROJECT_READ,
        raises=(BadRequest,),
        response_model_exclude_none=True,
    )
    async def get_summary(viewer: AskedBy, project: InProject) -> SummaryOut:
        """Members are counted for who may list them, and the quota is for who may read it."""

        async def read(conn: Conn) -> SummaryOut:
            shown = SummaryOut(
                repo_count=await store.repositories_of(
                    conn, project.id, only_in(viewer, REPOSITORY_LIST, project)
                )
            )
            if may(viewer, QUOTA_READ, project):
                hard, used = await store.quota_of(conn, project.id)
                shown.quota = QuotaOut(hard=StorageOut(storage=hard), used=StorageOut(storage=used))
            if may(viewer, MEMBER_LIST, project):
                counts = await members.by_role(conn, project.id)
                shown.project_admin_count = counts.get(Role.PROJECT_ADMIN, 0)
                shown.maintainer_count = counts.get(Role.MAINTAINER, 0)
                shown.developer_count = counts.get(Role.DEVELOPER, 0)
                shown.guest_count = counts.get(Role.GUEST, 0)
                shown.limited_guest_count = counts.get(Role.LIMITED_GUEST, 0)
            return shown

        return await db.read(read)


def _changing(made: Routes, db: Database) -> None:
    @made.put(
        "/projects/{project_name_or_id}",
        permission=PROJECT_UPDATE,
        response_class=Response,
        raises=(BadRequest,),
    )
    async def update_project(
        by: AskedBy, project: InProject, asked: Annotated[ProjectReq, json_body(ProjectReq)]
    ) -> Response:
        """A name, a limit and a registry in the body are ignored: none of them is changed here."""
        wanted = rules.change(public=asked.public, metadata=asked.metadata or {}, allowlist=_allowlist(asked))
        if not await db.write(lambda conn: store.change(conn, project.id, wanted, by)):
            raise NotFound("the project was deleted just now")
        return Response()


def _deleting(made: Routes, db: Database, gc_grace_seconds: int, removal: Job[deletions.Arguments]) -> None:
    @made.get(
        "/projects/{project_name_or_id}/_deletable",
        permission=PROJECT_DELETE,
        response_model_exclude_none=True,
    )
    async def get_deletable(project: InProject) -> DeletableOut:
        if await store.has_repositories(db, project.id):
            return DeletableOut(deletable=False, message=store.NOT_EMPTY)
        return DeletableOut(deletable=True)

    @made.delete(
        "/projects/{project_name_or_id}",
        permission=PROJECT_DELETE,
        response_class=Response,
        raises=(PreconditionFailed,),
    )
    async def delete_project(
        viewer: AskedBy,
        project: InProject,
        force: Annotated[bool, Query(description="With all that is in it, in the background")] = False,
    ) -> Response:
        if force:
            return await _force(viewer, project)
        empty = partial(store.empty, project=project.id, grace_seconds=gc_grace_seconds)
        while await db.write(empty):
            continue
        remove = partial(store.remove, project=project.id, by=viewer, grace_seconds=gc_grace_seconds)
        if not await db.write(remove):
            raise NotFound("the project was deleted just now")
        return Response()

    async def _force(by: Principal, project: ProjectFacts) -> Response:
        lacking = [each for each in (REPOSITORY_DELETE, ARTIFACT_DELETE) if not may(by, each, project)]
        if lacking:
            raise Forbidden(
                f"deleting what is in the project takes {lacking[0]}; ask for it, or empty it first"
            )

        async def body(conn: Conn) -> None:
            name = await going.hide(conn, project.id, by)
            if name is None:
                raise NotFound("the project was deleted just now")
            await deletions.ask(conn, removal, deletions.Arguments(project.id, name, by.name))

        await standing.unless_immutable(db, project.id, project.name, body)
        return Response()


def in_list(out: ProjectOut) -> ProjectOut:
    """A project as it is shown among others: without a long list of vulnerabilities."""
    if out.cve_allowlist is not None and len(out.cve_allowlist.items) > MOST_LISTED:
        out.cve_allowlist = None
    return out


def _allowlist(asked: ProjectReq) -> Allowlist | None:
    return None if asked.cve_allowlist is None else allowlists.read(asked.cve_allowlist)


def shown(project: Project, viewer: Principal, *, detail: bool = True) -> ProjectOut:
    """Without `detail`, what a list of names and ids needs."""
    out = ProjectOut(
        project_id=project.id,
        owner_id=project.owner_id,
        owner_name=project.owner_name,
        name=project.name,
        creation_time=moment(project.created_at),
        update_time=moment(project.updated_at),
    )
    if detail:
        out.togglable = may(viewer, PROJECT_UPDATE, project.facts)
        out.current_user_role_id = project.shown_role
        out.current_user_role_ids = sorted(project.roles)
        only = only_in(viewer, REPOSITORY_LIST, project.facts)
        if only is None:
            out.repo_count = project.repositories
        else:
            out.current_user_repositories = list(only)
        out.chart_count = 0
        out.metadata = {"public": "true" if project.public else "false", **project.settings}
        out.cve_allowlist = allowlists.shown(project.allowlist)
    return out
