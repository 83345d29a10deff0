"""Garbage collection over HTTP: Harbor's `/system/gc` for its runs; and our own routes, for what Harbor has no word for.

```text
GET  /api/fairway/gc/projects/{project}/deleted   what was deleted in a project and can be had back
POST /api/fairway/gc/projects/{project}/undo      have one of them back
…    /api/fairway/gc/orphans…                     searches for orphans, as /system/gc is for runs of the collector
```
"""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel
from starlette.requests import Request

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import DigestInvalid, NameInvalid, QuotaExceeded
from fairway.core.oci.names import Repository
from fairway.features.artifacts.model import Periods
from fairway.features.gc import rules
from fairway.features.gc.jobs import GcArguments, OrphanArguments
from fairway.features.gc.model import Deleted, NothingToUndo, UndoRefused
from fairway.features.gc.undo import undo, undoable
from fairway.features.projects.store import projects
from fairway.frame.access.catalogue import (
    ARTIFACT_DELETE,
    GC_CREATE,
    GC_LIST,
    GC_READ,
    GC_STOP,
    GC_UPDATE,
)
from fairway.frame.db import Conn, Database
from fairway.frame.jobs.job import Job
from fairway.frame.jobs.runs import Permissions, Runs, add_routes
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import NotFound
from fairway.frame.web.moments import moment
from fairway.frame.web.paging import Paged, page_headers
from fairway.frame.web.routes import Authoriser, InProject, LoggedIn, Routes

_NEEDS = Permissions(list=GC_LIST, read=GC_READ, create=GC_CREATE, update=GC_UPDATE, stop=GC_STOP)


class DeletedOut(BaseModel):
    """A manifest that can be had back.  `repository` is its name within the project, `size` the manifest's own bytes."""

    repository: str
    digest: str
    media_type: str
    size: int
    tags: list[str]
    deletion_time: str
    deleted_by: str
    undo_until: str


class UndoIn(BaseModel):
    """Which manifest to have back, as the list has it."""

    repository: str
    digest: str


class UndoOut(BaseModel):
    """A manifest that is back: the `tags` it has again, and those that are `taken` by another one now."""

    repository: str
    digest: str
    tags: list[str]
    taken: list[str]


def routes(db: Database, authoriser: Authoriser, job: Job[GcArguments]) -> APIRouter:
    """Harbor's routes, relative to `/api/v2.0`."""
    made = Routes(authoriser, tags=["gc"])
    add_routes(made, Runs("/system/gc", job, rules.parameters, _NEEDS), db)
    return made.router


def own_routes(
    db: Database, authoriser: Authoriser, periods: Periods, orphans: Job[OrphanArguments]
) -> APIRouter:
    """Ours, relative to `/api/fairway`."""
    made = Routes(authoriser, tags=["gc"])
    _undoing(made, db, periods)
    add_routes(made, Runs("/gc/orphans", orphans, rules.orphan_parameters, _NEEDS), db)
    return made.router


# Whoever may delete may take a deletion back.  To push is not enough: it would bring back, for whoever cannot delete it
# again, what somebody else had a reason to delete.
def _undoing(made: Routes, db: Database, periods: Periods) -> None:
    @made.get("/gc/projects/{project_name_or_id}/deleted", permission=ARTIFACT_DELETE)
    async def list_deleted(
        request: Request, response: Response, project: InProject, page: Paged
    ) -> list[DeletedOut]:
        async def read(conn: Conn) -> tuple[list[Deleted], int]:
            return await undoable(conn, project.id, offset=page.offset, limit=page.size)

        found, total = await db.read(read)
        response.headers.update(page_headers(request, page, total))
        return [_shown(each) for each in found]

    @made.post(
        "/gc/projects/{project_name_or_id}/undo",
        permission=ARTIFACT_DELETE,
        raises=(NameInvalid, DigestInvalid, NothingToUndo, UndoRefused, QuotaExceeded),
    )
    async def undo_deletion(
        by: LoggedIn, project: InProject, asked: Annotated[UndoIn, json_body(UndoIn)]
    ) -> UndoOut:
        found = await projects.by_id(db, project.id, by)
        if found is None:
            raise NotFound("the project was deleted just now")
        repo, digest = Repository(f"{found.name}/{asked.repository}"), Digest(asked.digest)
        back = await undo(db, project.id, repo, digest, periods, by=by.name)
        return UndoOut(repository=repo.rest, digest=digest, tags=sorted(back.tags), taken=sorted(back.taken))


def _shown(found: Deleted) -> DeletedOut:
    return DeletedOut(
        repository=found.repository,
        digest=found.digest,
        media_type=found.media_type,
        size=found.size,
        tags=sorted(found.tags),
        deletion_time=moment(found.deleted_at),
        deleted_by=found.deleted_by,
        undo_until=moment(found.until_at),
    )
