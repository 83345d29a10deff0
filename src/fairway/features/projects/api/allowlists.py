"""`/system/CVEAllowlist`, and the list within a project: vulnerabilities that may pass."""

from functools import partial
from typing import Annotated

from fastapi import Response
from pydantic import BaseModel

from fairway.core.oci.errors import BadRequest
from fairway.features.projects import rules
from fairway.features.projects.model import Allowlist
from fairway.features.projects.store import allowlists as store
from fairway.frame.access.catalogue import CONFIGURATION_UPDATE
from fairway.frame.db import Database
from fairway.frame.web.body import json_body
from fairway.frame.web.moments import moment
from fairway.frame.web.routes import AUTHENTICATED, AskedBy, Routes

_PATH = "/system/CVEAllowlist"


class ItemIn(BaseModel):
    """Harbor's CVEAllowlistItem."""

    cve_id: str = ""


class AllowlistIn(BaseModel):
    """What may be said of Harbor's CVEAllowlist."""

    items: list[ItemIn] | None = None
    expires_at: int | None = None


class ItemOut(BaseModel):
    """Harbor's CVEAllowlistItem."""

    cve_id: str


class AllowlistOut(BaseModel):
    """Harbor's CVEAllowlist; `id` is the project's, as there is one for each, and no `expires_at` is for ever."""

    id: int
    project_id: int
    items: list[ItemOut]
    expires_at: int | None = None
    creation_time: str
    update_time: str


def add_routes(made: Routes, db: Database) -> None:
    """Add the routes of the server's own list."""

    @made.get(_PATH, permission=AUTHENTICATED, response_model_exclude_none=True)
    async def get_system_allowlist() -> AllowlistOut:
        return shown(await store.of(db, store.SERVER))

    @made.put(_PATH, permission=CONFIGURATION_UPDATE, response_class=Response, raises=(BadRequest,))
    async def put_system_allowlist(
        by: AskedBy, asked: Annotated[AllowlistIn, json_body(AllowlistIn)]
    ) -> Response:
        await db.write(partial(store.keep_servers, wanted=read(asked), by=by))
        return Response()


def read(asked: AllowlistIn) -> Allowlist:
    """Raises BadRequest."""
    return rules.allowlist([each.cve_id for each in asked.items or ()], asked.expires_at)


def shown(found: Allowlist) -> AllowlistOut:
    """As Harbor shows it."""
    return AllowlistOut(
        id=found.project,
        project_id=found.project,
        items=[ItemOut(cve_id=each) for each in found.items],
        expires_at=found.expires_at,
        creation_time=moment(found.created_at),
        update_time=moment(found.updated_at),
    )
