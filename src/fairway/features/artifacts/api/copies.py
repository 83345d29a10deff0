"""Copying an artifact to another repository, of the same project or of another one."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Response
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest, Denied, ManifestUnknown, NameUnknown, PreconditionFailed
from fairway.core.oci.names import Reference, Repository, parse_reference
from fairway.features.artifacts.api.places import REPOSITORY, WRONG_NAME, InRepository, not_found
from fairway.features.artifacts.copying import Copy
from fairway.features.artifacts.model import Caller, Periods
from fairway.features.artifacts.names import SqlNames
from fairway.features.projects.store import projects
from fairway.frame.access.catalogue import ARTIFACT_CREATE, REPOSITORY_PULL
from fairway.frame.access.may import ProjectFacts, may
from fairway.frame.access.principals import Principal
from fairway.frame.db import Database
from fairway.frame.web.errors import Forbidden, NotFound
from fairway.frame.web.routes import AskedBy, Authoriser, InProject, Routes

_From = Annotated[str, Query(alias="from", min_length=1, max_length=600)]


def routes(db: Database, authoriser: Authoriser, periods: Periods) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    made = Routes(authoriser, tags=["artifact"])

    def names(project: ProjectFacts, by: Principal, *, may_push: bool) -> SqlNames:
        return SqlNames(db, project.id, Caller("", by.name, may_push), periods, uploads_per_caller=0)

    @made.post(
        REPOSITORY + "/artifacts",
        permission=ARTIFACT_CREATE,
        status_code=201,
        response_class=Response,
        raises=(*WRONG_NAME, Denied, PreconditionFailed),
    )
    async def copy_artifact(
        request: Request, asked_by: AskedBy, project: InProject, repo: InRepository, source: _From
    ) -> Response:
        origin, ref = _parse(source)
        readable = await _readable(db, asked_by, origin)
        copy = Copy(
            names(readable, asked_by, may_push=False), names(project, asked_by, may_push=True), origin, repo
        )
        try:
            digest = await copy.run(ref)
        except (NameUnknown, ManifestUnknown) as error:
            raise not_found(error) from None
        # A client decodes a location as it encoded the path: twice.
        name = quote(quote(repo.rest, safe=""), safe="")
        at = f"{request.scope['path'].partition('/projects/')[0]}/projects/{repo.project}/repositories/{name}"
        return Response(status_code=201, headers={"location": f"{at}/artifacts/{digest}"})

    return made.router


def _parse(source: str) -> tuple[Repository, Reference]:
    """`project/repository@digest` or `project/repository:tag`.  Raises BadRequest, NameInvalid, DigestInvalid, TagInvalid."""
    name, at, ref = source.partition("@")
    if not at:
        name, colon, ref = source.rpartition(":")
        at = colon if "/" not in ref else ""
    if not (at and "/" in name and ref):
        raise BadRequest("from is project/repository:tag or project/repository@sha256:…")
    if at == "@" and ":" not in ref:
        raise BadRequest("from: what follows the @ is a digest, such as sha256:…")
    return Repository(name), parse_reference(ref)


async def _readable(db: Database, by: Principal, origin: Repository) -> ProjectFacts:
    """The project to copy from.  Whether it is hidden or absent cannot be told.  Raises Forbidden, NotFound."""
    facts = await projects.facts(db, by, origin.project)
    if not may(by, REPOSITORY_PULL, facts, origin.rest):
        raise Forbidden(
            f"this needs the permission {REPOSITORY_PULL} in {origin.project}, which you do not have"
        )
    if facts is None:
        raise NotFound(f"project {origin.project} not found")
    return facts
