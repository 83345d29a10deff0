"""`/labels` of Harbor's API v2.0.

Which permission is needed depends on the label: of the whole server or of a project.  Those of the whole server are for
everybody who is logged in to read.  A label that somebody may not read looks like one that is not there.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest, Unauthorized
from fairway.features.labels import rules, store
from fairway.features.labels.model import Label, LabelOut, shown
from fairway.features.projects.store import projects
from fairway.frame.access.catalogue import (
    LABEL_CREATE,
    LABEL_DELETE,
    LABEL_LIST,
    LABEL_READ,
    LABEL_UPDATE,
    Permission,
)
from fairway.frame.access.may import ABSENT, ProjectFacts, may
from fairway.frame.access.principals import Anonymous, Principal, User
from fairway.frame.db import Conn, Database, ReferenceViolation, UniqueViolation
from fairway.frame.db.listing import Contains
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict, Forbidden, NotFound
from fairway.frame.web.paging import Paged, page_headers
from fairway.frame.web.query import Filtered, Ordered
from fairway.frame.web.routes import AUTHENTICATED, PUBLIC, AskedBy, Authoriser, Routes

Id = Annotated[int, Path(ge=1, le=2**63 - 1)]
_Text = Annotated[str, Query(max_length=rules.MAX_NAME, pattern=r"^[^\x00-\x1f\x7f]*$")]


class LabelIn(BaseModel):
    """What a client may say of Harbor's Label; other fields are ignored."""

    name: str = ""
    description: str = ""
    color: str = ""
    scope: str = ""
    project_id: int | None = None


def routes(db: Database, authoriser: Authoriser) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    made = Routes(authoriser, tags=["label"])
    _listing(made, db)
    _creating(made, db)
    _one_label(made, db)
    return made.router


async def _place(
    scope: Annotated[str, Query(max_length=16)] = "", project_id: int | None = None
) -> int | None:
    return rules.place(scope, project_id)


def _listing(made: Routes, db: Database) -> None:
    @made.get("/labels", permission=PUBLIC, raises=(BadRequest, Forbidden, NotFound))
    async def list_labels(
        request: Request,
        response: Response,
        by: AskedBy,
        page: Paged,
        filters: Filtered,
        order: Ordered,
        project: Annotated[int | None, Depends(_place)],
        name: _Text = "",
    ) -> list[LabelOut]:
        asked = {**filters, "name": Contains(name)} if name else filters

        async def read(conn: Conn) -> tuple[list[Label], int]:
            await _admit(conn, by, LABEL_LIST, project)
            return await store.listed(conn, project, asked, order, offset=page.offset, limit=page.size)

        found, total = await db.read(read)
        response.headers.update(page_headers(request, page, total))
        return [shown(label) for label in found]


def _creating(made: Routes, db: Database) -> None:
    @made.post(
        "/labels",
        permission=AUTHENTICATED,
        status_code=201,
        response_class=Response,
        raises=(BadRequest, Forbidden, NotFound, Conflict),
    )
    async def create_label(
        request: Request, by: AskedBy, asked: Annotated[LabelIn, json_body(LabelIn)]
    ) -> Response:
        project = rules.place(asked.scope, asked.project_id)
        await _admit(db, by, LABEL_CREATE, project)
        wanted = rules.wanted(asked.name, asked.description, asked.color)
        try:
            label = await db.write(lambda conn: store.create(conn, project, wanted, by))
        except UniqueViolation:
            raise _taken(wanted.name) from None
        except ReferenceViolation:
            raise NotFound("the project was deleted just now") from None
        location = f"{request.scope['path'].rstrip('/')}/{label}"
        return Response(status_code=201, headers={"location": location})


def _one_label(made: Routes, db: Database) -> None:
    @made.get("/labels/{label_id}", permission=PUBLIC, raises=(NotFound,))
    async def get_label(label_id: Id, by: AskedBy) -> LabelOut:
        return shown(await _readable(db, by, label_id))

    @made.put(
        "/labels/{label_id}",
        permission=AUTHENTICATED,
        response_class=Response,
        raises=(BadRequest, Forbidden, NotFound, Conflict),
    )
    async def update_label(
        label_id: Id, by: AskedBy, asked: Annotated[LabelIn, json_body(LabelIn)]
    ) -> Response:
        """A scope and a project in the body are ignored: a label stays where it was made."""
        label = await _readable(db, by, label_id)
        await _admit(db, by, LABEL_UPDATE, label.project)
        wanted = rules.wanted(asked.name, asked.description, asked.color)
        try:
            changed = await db.write(lambda conn: store.change(conn, label_id, wanted, by))
        except UniqueViolation:
            raise _taken(wanted.name) from None
        if not changed:
            raise _unknown(label_id)
        return Response()

    @made.delete(
        "/labels/{label_id}",
        permission=AUTHENTICATED,
        response_class=Response,
        raises=(Forbidden, NotFound),
    )
    async def delete_label(label_id: Id, by: AskedBy) -> Response:
        label = await _readable(db, by, label_id)
        await _admit(db, by, LABEL_DELETE, label.project)
        while await db.write(lambda conn: store.take_off_some(conn, label_id)):
            continue
        if not await db.write(lambda conn: store.remove(conn, label_id, by)):
            raise _unknown(label_id)
        return Response()


async def _readable(conn: Conn, by: Principal, label: int) -> Label:
    """A label that `by` may read.  Raises NotFound, or Unauthorized for who is not logged in."""
    found = await store.by_id(conn, label)
    if found is not None:
        facts = None if found.project is None else await projects.facts(conn, by, found.project)
        going = found.project is not None and facts is None  # it is still emptied
        if not going and _allows(by, LABEL_READ, found.project, facts):
            return found
    if isinstance(by, Anonymous):
        raise Unauthorized("log in first")
    raise _unknown(label)


async def _admit(conn: Conn, by: Principal, permission: Permission, project: int | None) -> None:
    """Raises Unauthorized, Forbidden, or for who could see every project NotFound."""
    facts = None if project is None else await projects.facts(conn, by, project)
    if not _allows(by, permission, project, facts):
        if isinstance(by, Anonymous):
            raise Unauthorized("log in first")
        raise Forbidden(f"this needs the permission {permission}, which you do not have here")
    if project is not None and facts is None:
        raise NotFound(f"project {project} not found")


def _allows(by: Principal, permission: Permission, project: int | None, facts: ProjectFacts | None) -> bool:
    reads_global = project is None and permission in (LABEL_READ, LABEL_LIST) and isinstance(by, User)
    return reads_global or may(by, permission, facts if project is None else facts or ABSENT)


def _unknown(label: int) -> NotFound:
    return NotFound(f"there is no label {label}")


def _taken(name: str) -> Conflict:
    return Conflict(f"there is a label {name} already; choose another name")
