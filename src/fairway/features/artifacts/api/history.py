"""What a tag named before, and going back to it: ours, beside Harbor's API."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel
from starlette.requests import Request

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import DigestInvalid, ManifestUnknown, NameUnknown, PreconditionFailed
from fairway.core.oci.names import Tag
from fairway.features.artifacts.api.places import (
    REPOSITORY,
    WRONG_NAME,
    InRepository,
    not_found,
    place_of,
    repository_id,
)
from fairway.features.artifacts.model import Periods
from fairway.features.artifacts.rolling import roll_back
from fairway.features.artifacts.store import history
from fairway.features.artifacts.store.history import Change
from fairway.frame.access.catalogue import REPOSITORY_PUSH, TAG_CREATE
from fairway.frame.db import Conn, Database, UniqueViolation
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict
from fairway.frame.web.moments import moment
from fairway.frame.web.paging import Paged, page_headers
from fairway.frame.web.routes import AskedBy, Authoriser, InProject, Routes

_TAG = REPOSITORY + "/tags/{tag_name}"


class ChangeOut(BaseModel):
    """One change of a tag: the digests it named `before` ("" for a new one) and `after` ("" for a deleted one).

    `how`: push, copy, tag, delete, undo or rollback.
    """

    id: int
    before: str
    after: str
    how: str
    by: str
    time: str


class RollbackIn(BaseModel):
    """Which manifest the tag is to name; without it, what it named before its last change."""

    digest: str = ""


class RollbackOut(BaseModel):
    """The digests that the tag named `before` ("": it had been deleted) and names now."""

    before: str
    after: str


def routes(db: Database, authoriser: Authoriser, periods: Periods) -> APIRouter:
    """The routes, relative to `/api/fairway`."""
    made = Routes(authoriser, tags=["artifact"])

    # Who changed it is not for everybody who may pull a public image.
    @made.get(_TAG + "/history", permission=TAG_CREATE, raises=WRONG_NAME)
    async def list_tag_changes(
        request: Request, response: Response, project: InProject, repo: InRepository, page: Paged
    ) -> list[ChangeOut]:
        """The changes of a tag that are remembered, the last one first."""
        tag = _tag(request)

        async def read(conn: Conn) -> tuple[list[Change], int]:
            repository = await repository_id(conn, project, repo)
            return await history.page(conn, repository, tag, offset=page.offset, limit=page.size)

        found, total = await db.read(read)
        response.headers.update(page_headers(request, page, total))
        return [_shown(each) for each in found]

    @made.post(
        _TAG + "/rollback",
        permission=REPOSITORY_PUSH,
        raises=(*WRONG_NAME, DigestInvalid, Conflict, PreconditionFailed),
    )
    async def roll_back_tag(
        request: Request,
        asked_by: AskedBy,
        project: InProject,
        repo: InRepository,
        asked: Annotated[RollbackIn, json_body(RollbackIn)],
    ) -> RollbackOut:
        """Let a tag name what it named before."""
        place, tag = place_of(project, asked_by, periods), _tag(request)
        to = Digest(asked.digest) if asked.digest else None
        try:
            rolled = await db.write(lambda conn: roll_back(conn, place, repo, tag, to))
        except (NameUnknown, ManifestUnknown) as error:
            raise not_found(error) from None
        except UniqueViolation as error:
            raise Conflict(error.message) from None
        return RollbackOut(before=rolled.before or "", after=rolled.after)

    return made.router


def _tag(request: Request) -> Tag:
    return Tag(str(request.path_params["tag_name"]))


def _shown(found: Change) -> ChangeOut:
    return ChangeOut(
        id=found.id,
        before=found.before or "",
        after=found.after or "",
        how=found.how,
        by=found.actor,
        time=moment(found.at),
    )
