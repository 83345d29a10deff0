"""`/quotas` of Harbor's API v2.0: how much every project may store, and does.  A quota's id is its project's."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest
from fairway.features.quotas import rules, store
from fairway.features.quotas.model import Quota
from fairway.frame.access.catalogue import QUOTA_LIST, QUOTA_READ, QUOTA_UPDATE
from fairway.frame.db import Conn, Database
from fairway.frame.db.listing import Exact, Filters
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import NotFound
from fairway.frame.web.moments import moment
from fairway.frame.web.paging import Paged, page_headers
from fairway.frame.web.query import Ordered
from fairway.frame.web.routes import AskedBy, Authoriser, Routes

Id = Annotated[int, Path(ge=1, le=2**63 - 1)]
_Text = Annotated[str, Query(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]

_PROJECT = "project"
"""The only kind of thing that has a quota."""


class QuotaIn(BaseModel):
    """Harbor's QuotaUpdateReq."""

    hard: dict[str, int]


class RefOut(BaseModel):
    """The project of a quota."""

    id: int
    name: str
    owner_name: str


class StorageOut(BaseModel):
    """Bytes; as a limit -1 is none."""

    storage: int


class QuotaOut(BaseModel):
    """Harbor's Quota."""

    id: int
    ref: RefOut
    hard: StorageOut
    used: StorageOut
    creation_time: str
    update_time: str


def routes(db: Database, authoriser: Authoriser) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    made = Routes(authoriser, tags=["quota"])
    _listing(made, db)
    _one_quota(made, db)
    return made.router


def _listing(made: Routes, db: Database) -> None:
    @made.get("/quotas", permission=QUOTA_LIST, raises=(BadRequest,))
    async def list_quotas(
        request: Request,
        response: Response,
        page: Paged,
        order: Ordered,
        reference: _Text = _PROJECT,
        reference_id: _Text = "",
    ) -> list[QuotaOut]:
        filters: Filters = {"reference_id": Exact(reference_id)} if reference_id else {}

        async def read(conn: Conn) -> tuple[list[Quota], int]:
            if reference != _PROJECT:
                return [], 0
            return await store.listed(conn, filters, order, offset=page.offset, limit=page.size)

        found, total = await db.read(read)
        response.headers.update(page_headers(request, page, total))
        return [_shown(quota) for quota in found]


def _one_quota(made: Routes, db: Database) -> None:
    @made.get("/quotas/{id}", permission=QUOTA_READ, raises=(NotFound,))
    async def get_quota(id: Id) -> QuotaOut:
        found = await store.by_id(db, id)
        if found is None:
            raise _unknown(id)
        return _shown(found)

    @made.put("/quotas/{id}", permission=QUOTA_UPDATE, response_class=Response, raises=(BadRequest, NotFound))
    async def update_quota(id: Id, by: AskedBy, asked: Annotated[QuotaIn, json_body(QuotaIn)]) -> Response:
        """A limit below what is used is taken: the project can then only delete."""
        hard = rules.limit(asked.hard)
        if not await db.write(lambda conn: store.set_limit(conn, id, hard, by)):
            raise _unknown(id)
        return Response()


def _unknown(quota: int) -> NotFound:
    return NotFound(f"there is no quota {quota}; GET quotas?reference_id= finds a project's")


def _shown(quota: Quota) -> QuotaOut:
    return QuotaOut(
        id=quota.project,
        ref=RefOut(id=quota.project, name=quota.name, owner_name=quota.owner_name),
        hard=StorageOut(storage=quota.hard),
        used=StorageOut(storage=quota.used),
        creation_time=moment(quota.created_at),
        update_time=moment(quota.changed_at),
    )
