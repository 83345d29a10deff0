"""`/api/fairway/roles`: which roles there are; system administrators make and change those beyond Harbor's five."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest, Denied, PreconditionFailed
from fairway.features.roles import rules, store
from fairway.features.roles.model import KnownRole, Wanted
from fairway.frame.access.catalogue import ROLE_CREATE, ROLE_DELETE, ROLE_UPDATE
from fairway.frame.access.roles import FIRST_CUSTOM
from fairway.frame.db import Conn, Database, UniqueViolation
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict, NotFound
from fairway.frame.web.moments import moment
from fairway.frame.web.paging import Paged, page_headers
from fairway.frame.web.routes import AUTHENTICATED, AskedBy, Authoriser, Routes

_Id = Annotated[int, Path(ge=1, le=2**63 - 1)]
_Part = Annotated[str, Query(max_length=rules.MAX_NAME, pattern=r"^[^\x00-\x1f\x7f]*$")]


class PermissionPair(BaseModel):
    """One permission, in Harbor's words."""

    resource: str = ""
    action: str = ""


class RoleIn(BaseModel):
    """What a role should be like; what is left out of a change becomes empty."""

    name: str = ""
    description: str = ""
    permissions: list[PermissionPair] = []


class RoleOut(BaseModel):
    """A role.  `built_in` ones have no moments and are not counted; `members` is how many memberships have it."""

    id: int
    name: str
    description: str
    built_in: bool
    permissions: list[PermissionPair]
    members: int | None = None
    creation_time: str | None = None
    update_time: str | None = None


def own_routes(db: Database, authoriser: Authoriser) -> APIRouter:
    """The routes, relative to `/api/fairway`."""
    made = Routes(authoriser, tags=["role"])
    _reading(made, db)
    _creating(made, db)
    _changing(made, db)
    return made.router


def _reading(made: Routes, db: Database) -> None:
    @made.get("/roles", permission=AUTHENTICATED, response_model_exclude_none=True)
    async def list_roles(
        request: Request, response: Response, page: Paged, name: _Part = ""
    ) -> list[RoleOut]:
        async def read(conn: Conn) -> tuple[list[KnownRole], int]:
            return await store.listed(conn, name, offset=page.offset, limit=page.size)

        found, total = await db.read(read)
        response.headers.update(page_headers(request, page, total))
        return [_shown(role) for role in found]

    @made.get(
        "/roles/{role_id}", permission=AUTHENTICATED, raises=(NotFound,), response_model_exclude_none=True
    )
    async def get_role(role_id: _Id) -> RoleOut:
        found = await db.read(lambda conn: store.by_id(conn, role_id))
        if found is None:
            raise _unknown(role_id)
        return _shown(found)


def _creating(made: Routes, db: Database) -> None:
    @made.post(
        "/roles",
        permission=ROLE_CREATE,
        status_code=201,
        response_class=Response,
        raises=(BadRequest, Conflict, PreconditionFailed),
    )
    async def create_role(
        request: Request, by: AskedBy, asked: Annotated[RoleIn, json_body(RoleIn)]
    ) -> Response:
        wanted = _wanted(asked)
        try:
            role = await db.write(lambda conn: store.create(conn, wanted, by.name))
        except UniqueViolation:
            raise _taken(wanted) from None
        location = f"{request.scope['path'].rstrip('/')}/{role}"
        return Response(status_code=201, headers={"location": location})


def _changing(made: Routes, db: Database) -> None:
    @made.put(
        "/roles/{role_id}",
        permission=ROLE_UPDATE,
        response_class=Response,
        raises=(BadRequest, Denied, NotFound, Conflict),
    )
    async def update_role(role_id: _Id, by: AskedBy, asked: Annotated[RoleIn, json_body(RoleIn)]) -> Response:
        """It counts from the next request on of everybody who has the role."""
        _check_made_here(role_id)
        wanted = _wanted(asked)
        try:
            found = await db.write(lambda conn: store.change(conn, role_id, wanted, by.name))
        except UniqueViolation:
            raise _taken(wanted) from None
        if not found:
            raise _unknown(role_id)
        return Response()

    @made.delete(
        "/roles/{role_id}",
        permission=ROLE_DELETE,
        response_class=Response,
        raises=(Denied, NotFound, PreconditionFailed),
    )
    async def delete_role(role_id: _Id, by: AskedBy) -> Response:
        _check_made_here(role_id)
        if not await db.write(lambda conn: store.remove(conn, role_id, by.name)):
            raise _unknown(role_id)
        return Response()


def _check_made_here(role: int) -> None:
    if role < FIRST_CUSTOM and rules.as_role(role) is not None:
        raise Denied("the roles that every server has cannot be changed or deleted; make another one")


def _wanted(asked: RoleIn) -> Wanted:
    return rules.wanted(
        asked.name, asked.description, [(each.resource, each.action) for each in asked.permissions]
    )


def _taken(wanted: Wanted) -> Conflict:
    return Conflict(f"there is a role {wanted.name} already; choose another name")


def _unknown(role: int) -> NotFound:
    return NotFound(f"there is no role {role}; GET /api/fairway/roles lists them")


def _shown(role: KnownRole) -> RoleOut:
    return RoleOut(
        id=role.id,
        name=role.name,
        description=role.description,
        built_in=role.built_in,
        permissions=[
            PermissionPair(resource=resource, action=action) for resource, action in sorted(role.permissions)
        ],
        members=role.members,
        creation_time=moment(role.created_at) if role.created_at else None,
        update_time=moment(role.updated_at) if role.updated_at else None,
    )
