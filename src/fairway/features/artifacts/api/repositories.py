"""Repositories: lists of all and of a project, one of them, its description, and deleting it."""

from typing import Annotated, Final

from fastapi import APIRouter, Response
from pydantic import BaseModel, StringConstraints
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest, NameUnknown, PreconditionFailed
from fairway.features.artifacts import changing
from fairway.features.artifacts.api import shown
from fairway.features.artifacts.api.places import (
    REPOSITORY,
    WRONG_NAME,
    InRepository,
    not_found,
    place_of,
)
from fairway.features.artifacts.api.shown import RepositoryOut
from fairway.features.artifacts.model import Periods
from fairway.features.artifacts.store import repositories as store
from fairway.frame.access.catalogue import (
    REPOSITORY_DELETE,
    REPOSITORY_LIST,
    REPOSITORY_READ,
    REPOSITORY_UPDATE,
)
from fairway.frame.access.may import ProjectFacts, only_in
from fairway.frame.access.principals import Principal
from fairway.frame.db import Conn, Database
from fairway.frame.db.listing import Filters, Order, walks
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import NotFound
from fairway.frame.web.paging import Page, Paged, page_headers
from fairway.frame.web.query import Filtered, Ordered
from fairway.frame.web.routes import PUBLIC, AskedBy, Authoriser, InProject, Routes

_FOUND_IN_PROJECT: Final = frozenset({"id", "repository_id", "repository_name"})
_FOUND_IN_ALL: Final = frozenset({"id", "repository_id", "project_id", "project_name"})
"""The fields of which an index finds one value."""


class RepositoryIn(BaseModel):
    """What a client may change of a repository; other fields are ignored."""

    description: Annotated[str, StringConstraints(max_length=65_536, pattern=r"^[^\x00]*$")] = ""


def routes(db: Database, authoriser: Authoriser, periods: Periods) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    made = Routes(authoriser, tags=["repository"])
    _lists(made, db)
    _one_repository(made, db, periods)
    return made.router


def _lists(made: Routes, db: Database) -> None:
    async def page_of(
        viewer: Principal, project: ProjectFacts | None, filters: Filters, order: Order, page: Page
    ) -> tuple[list[RepositoryOut], int]:
        async def read(conn: Conn) -> tuple[list[RepositoryOut], int]:
            rows, total = await store.page(
                conn,
                viewer,
                None if project is None else project.id,
                filters,
                order,
                only=None if project is None else only_in(viewer, REPOSITORY_LIST, project),
                offset=page.offset,
                limit=page.size,
            )
            counts = await store.artifact_counts(conn, [row["id"] for row in rows]) if rows else {}
            return [shown.repository(row, counts) for row in rows], total

        found = _FOUND_IN_ALL if project is None else _FOUND_IN_PROJECT
        return await (db.walk if walks(filters, order, found=found) else db.read)(read)

    @made.get("/repositories", permission=PUBLIC, raises=(BadRequest,))
    async def list_all_repositories(
        request: Request, response: Response, viewer: AskedBy, filters: Filtered, order: Ordered, page: Paged
    ) -> list[RepositoryOut]:
        found, total = await page_of(viewer, None, filters, order, page)
        response.headers.update(page_headers(request, page, total))
        return found

    @made.get(
        "/projects/{project_name}/repositories", permission=REPOSITORY_LIST, raises=(BadRequest, NotFound)
    )
    async def list_repositories(
        request: Request,
        response: Response,
        viewer: AskedBy,
        project: InProject,
        filters: Filtered,
        order: Ordered,
        page: Paged,
    ) -> list[RepositoryOut]:
        found, total = await page_of(viewer, project, filters, order, page)
        response.headers.update(page_headers(request, page, total))
        return found


def _one_repository(made: Routes, db: Database, periods: Periods) -> None:
    @made.get(REPOSITORY, permission=REPOSITORY_READ, raises=WRONG_NAME)
    async def get_repository(project: InProject, repo: InRepository) -> RepositoryOut:
        async def read(conn: Conn) -> RepositoryOut:
            row = await store.one(conn, project.id, repo.rest)
            if row is None:
                raise NotFound(f"repository {repo} not found")
            return shown.repository(row, await store.artifact_counts(conn, [row["id"]]))

        return await db.read(read)

    @made.put(REPOSITORY, permission=REPOSITORY_UPDATE, response_class=Response, raises=WRONG_NAME)
    async def update_repository(
        project: InProject, repo: InRepository, asked: Annotated[RepositoryIn, json_body(RepositoryIn)]
    ) -> Response:
        if not await db.write(lambda conn: store.describe(conn, project.id, repo.rest, asked.description)):
            raise NotFound(f"repository {repo} not found")
        return Response()

    @made.delete(
        REPOSITORY,
        permission=REPOSITORY_DELETE,
        response_class=Response,
        raises=(*WRONG_NAME, PreconditionFailed),
    )
    async def delete_repository(asked_by: AskedBy, project: InProject, repo: InRepository) -> Response:
        try:
            await changing.delete_repository(db, place_of(project, asked_by, periods), repo)
        except NameUnknown as error:
            raise not_found(error) from None
        return Response()
