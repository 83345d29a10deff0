"""Artifacts: lists of a repository and of a project, one of them, its accessories, and deleting it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest, ManifestUnknown, NameUnknown, PreconditionFailed
from fairway.features.artifacts import changing
from fairway.features.artifacts.api import shown, standing
from fairway.features.artifacts.api.additions import describe
from fairway.features.artifacts.api.places import (
    ARTIFACT,
    REPOSITORY,
    WRONG_NAME,
    InRepository,
    Referred,
    not_found,
    place_of,
    repository_id,
)
from fairway.features.artifacts.api.shown import AccessoryOut, ArtifactOut, Wanted
from fairway.features.artifacts.api.standing import Standing
from fairway.features.artifacts.facts import Describer
from fairway.features.artifacts.model import Periods
from fairway.features.artifacts.store import details, listed
from fairway.features.artifacts.store.listed import Within
from fairway.frame.access.catalogue import ACCESSORY_LIST, ARTIFACT_DELETE, ARTIFACT_LIST, ARTIFACT_READ
from fairway.frame.db import Conn, Database
from fairway.frame.db.listing import walks
from fairway.frame.web.errors import NotFound
from fairway.frame.web.paging import Paged, page_headers
from fairway.frame.web.query import Filtered, Ordered
from fairway.frame.web.routes import AskedBy, Authoriser, InProject, Routes


async def _wanted(
    with_tag: bool = True,
    with_label: bool = False,
    with_accessory: bool = False,
    with_immutable_status: bool = False,
) -> Wanted:
    return Wanted(with_tag, with_label, with_accessory, with_immutable_status)


_Details = Annotated[Wanted, Depends(_wanted)]


def routes(db: Database, authoriser: Authoriser, periods: Periods, describer: Describer) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    made = Routes(authoriser, tags=["artifact"])
    _lists(made, db, describer)
    _one_artifact(made, db, periods, describer)
    _accessories(made, db)
    return made.router


def _lists(made: Routes, db: Database, describer: Describer) -> None:
    @made.get(REPOSITORY + "/artifacts", permission=ARTIFACT_LIST, raises=WRONG_NAME)
    async def list_artifacts(
        request: Request,
        response: Response,
        project: InProject,
        repo: InRepository,
        wanted: _Details,
        filters: Filtered,
        order: Ordered,
        page: Paged,
    ) -> list[ArtifactOut]:
        async def read(conn: Conn) -> tuple[list[ArtifactOut], Standing, int]:
            within = Within(project.id, await repository_id(conn, project, repo))
            rows, total = await listed.page(conn, within, filters, order, offset=page.offset, limit=page.size)
            found = await shown.artifacts(conn, rows, wanted)
            return found, await standing.read(conn, project, wanted), total

        slow = walks(filters, order, indexed="push_time", found=listed.FOUND_IN_REPOSITORY)
        found, rules, total = await (db.walk if slow else db.read)(read)
        response.headers.update(page_headers(request, page, total))
        await standing.mark_artifacts(found, rules)
        return await describe(db, describer, project.id, found)

    @made.get("/projects/{project_name_or_id}/artifacts", permission=ARTIFACT_LIST, raises=(BadRequest,))
    async def list_artifacts_of_project(
        request: Request,
        response: Response,
        project: InProject,
        wanted: _Details,
        filters: Filtered,
        order: Ordered,
        page: Paged,
        latest_in_repository: bool = False,
    ) -> list[ArtifactOut]:
        async def read(conn: Conn) -> tuple[list[ArtifactOut], Standing, int]:
            within = Within(project.id, latest=latest_in_repository)
            rows, total = await listed.page(conn, within, filters, order, offset=page.offset, limit=page.size)
            found = await shown.artifacts(conn, rows, wanted)
            return found, await standing.read(conn, project, wanted), total

        slow = walks(filters, order, indexed="push_time", found=listed.FOUND_IN_PROJECT)
        # The newest of each repository: all repositories are looked into.
        found, rules, total = await (db.walk if slow or latest_in_repository else db.read)(read)
        response.headers.update(page_headers(request, page, total))
        await standing.mark_artifacts(found, rules)
        return await describe(db, describer, project.id, found)


def _one_artifact(made: Routes, db: Database, periods: Periods, describer: Describer) -> None:
    @made.get(ARTIFACT, permission=ARTIFACT_READ, raises=WRONG_NAME)
    async def get_artifact(
        project: InProject, repo: InRepository, ref: Referred, wanted: _Details
    ) -> ArtifactOut:
        async def read(conn: Conn) -> tuple[ArtifactOut, Standing]:
            row = await listed.one(conn, await repository_id(conn, project, repo), ref)
            if row is None:
                raise NotFound(f"artifact {repo}{'@' if ':' in ref else ':'}{ref} not found")
            [found] = await shown.artifacts(conn, [row], wanted)
            return found, await standing.read(conn, project, wanted)

        found, rules = await db.read(read)
        await standing.mark_artifacts([found], rules)
        [described] = await describe(db, describer, project.id, [found])
        return described

    @made.delete(
        ARTIFACT,
        permission=ARTIFACT_DELETE,
        response_class=Response,
        raises=(*WRONG_NAME, PreconditionFailed),
    )
    async def delete_artifact(
        asked_by: AskedBy, project: InProject, repo: InRepository, ref: Referred
    ) -> Response:
        place = place_of(project, asked_by, periods)
        try:
            await db.write(lambda conn: changing.delete_with_accessories(conn, place, repo, ref))
        except (NameUnknown, ManifestUnknown) as error:
            raise not_found(error) from None
        return Response()


def _accessories(made: Routes, db: Database) -> None:
    @made.get(ARTIFACT + "/accessories", permission=ACCESSORY_LIST, raises=WRONG_NAME)
    async def list_accessories(
        request: Request,
        response: Response,
        project: InProject,
        repo: InRepository,
        ref: Referred,
        filters: Filtered,
        order: Ordered,
        page: Paged,
    ) -> list[AccessoryOut]:
        async def read(conn: Conn) -> tuple[list[AccessoryOut], int]:
            row = await listed.one(conn, await repository_id(conn, project, repo), ref)
            if row is None:
                raise NotFound(f"artifact {ref} not found in {repo}")
            rows, total = await details.accessory_page(
                conn, row["id"], filters, order, offset=page.offset, limit=page.size
            )
            return [shown.accessory(each, repo) for each in rows], total

        found, total = await db.read(read)
        response.headers.update(page_headers(request, page, total))
        return found
