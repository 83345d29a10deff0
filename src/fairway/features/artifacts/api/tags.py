"""Tags of an artifact: the list, adding one, deleting one."""

from typing import Annotated, Final

from fastapi import APIRouter, Response
from pydantic import BaseModel
from starlette.requests import Request

from fairway.core.oci.errors import ManifestUnknown, NameUnknown, PreconditionFailed
from fairway.core.oci.names import Tag
from fairway.features.artifacts import changing
from fairway.features.artifacts.api import shown, standing
from fairway.features.artifacts.api.places import (
    ARTIFACT,
    WRONG_NAME,
    InRepository,
    Referred,
    not_found,
    place_of,
    repository_id,
)
from fairway.features.artifacts.api.shown import TagOut, Wanted
from fairway.features.artifacts.api.standing import Standing
from fairway.features.artifacts.model import Periods
from fairway.features.artifacts.store import details, listed
from fairway.frame.access.catalogue import TAG_CREATE, TAG_DELETE, TAG_LIST
from fairway.frame.db import Conn, Database, UniqueViolation
from fairway.frame.db.listing import walks
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict, NotFound
from fairway.frame.web.paging import Paged, page_headers
from fairway.frame.web.query import Filtered, Ordered
from fairway.frame.web.routes import AskedBy, Authoriser, InProject, Routes

_FOUND: Final = frozenset({"id", "name"})
"""The fields of which it is quick to find one value."""


class NewTag(BaseModel):
    """The tag to add; other fields of Harbor's Tag are ignored."""

    name: str = ""


def routes(db: Database, authoriser: Authoriser, periods: Periods) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    made = Routes(authoriser, tags=["artifact"])
    _listing(made, db)
    _changing(made, db, periods)
    return made.router


def _listing(made: Routes, db: Database) -> None:
    @made.get(ARTIFACT + "/tags", permission=TAG_LIST, raises=WRONG_NAME)
    async def list_tags(
        request: Request,
        response: Response,
        project: InProject,
        repo: InRepository,
        ref: Referred,
        filters: Filtered,
        order: Ordered,
        page: Paged,
        *,
        with_immutable_status: bool = False,
    ) -> list[TagOut]:
        wanted = Wanted(immutable=with_immutable_status)

        async def read(conn: Conn) -> tuple[list[TagOut], Standing, int]:
            row = await listed.one(conn, await repository_id(conn, project, repo), ref)
            if row is None:
                raise NotFound(f"artifact {ref} not found in {repo}")
            rows, total = await details.tag_page(
                conn, row["id"], filters, order, offset=page.offset, limit=page.size
            )
            return [shown.tag(each) for each in rows], await standing.read(conn, project, wanted), total

        found, rules, total = await (db.walk if walks(filters, order, found=_FOUND) else db.read)(read)
        response.headers.update(page_headers(request, page, total))
        await standing.mark_tags(repo, found, rules)
        return found


def _changing(made: Routes, db: Database, periods: Periods) -> None:
    @made.post(
        ARTIFACT + "/tags",
        permission=TAG_CREATE,
        status_code=201,
        response_class=Response,
        raises=(*WRONG_NAME, Conflict, PreconditionFailed),
    )
    async def create_tag(
        asked_by: AskedBy,
        project: InProject,
        repo: InRepository,
        ref: Referred,
        asked: Annotated[NewTag, json_body(NewTag)],
    ) -> Response:
        place, tag = place_of(project, asked_by, periods), Tag(asked.name)
        try:
            await db.write(lambda conn: changing.add_tag(conn, place, repo, ref, tag))
        except (NameUnknown, ManifestUnknown) as error:
            raise not_found(error) from None
        except UniqueViolation:
            raise Conflict(f"{repo} has the tag {tag} already; delete it, or choose another name") from None
        return Response(status_code=201)

    @made.delete(
        ARTIFACT + "/tags/{tag_name}",
        permission=TAG_DELETE,
        response_class=Response,
        raises=(*WRONG_NAME, PreconditionFailed),
    )
    async def delete_tag(
        request: Request, asked_by: AskedBy, project: InProject, repo: InRepository, ref: Referred
    ) -> Response:
        place, tag = place_of(project, asked_by, periods), Tag(str(request.path_params["tag_name"]))
        try:
            await db.write(lambda conn: changing.delete_tag(conn, place, repo, tag, on=ref))
        except (NameUnknown, ManifestUnknown) as error:
            raise not_found(error) from None
        return Response()
