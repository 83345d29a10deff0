"""`/usergroups`: groups of people, made by a system administrator; and who is in them, which Harbor leaves to a directory."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest
from fairway.features.accounts import rules
from fairway.features.accounts.model import Group
from fairway.features.accounts.store import groups as store
from fairway.frame.access.catalogue import (
    USER_GROUP_CREATE,
    USER_GROUP_DELETE,
    USER_GROUP_LIST,
    USER_GROUP_READ,
    USER_GROUP_UPDATE,
)
from fairway.frame.db import Conn, Database, UniqueViolation
from fairway.frame.db.listing import Contains, Exact, Filters, Term
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict, NotFound
from fairway.frame.web.paging import Page, Paged, page_headers
from fairway.frame.web.query import Filtered, Ordered
from fairway.frame.web.routes import AUTHENTICATED, AskedBy, Authoriser, Routes

Id = Annotated[int, Path(ge=1, le=2**63 - 1)]
_Text = Annotated[str, Query(max_length=rules.MAX_DN, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Part = Annotated[str, Query(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]


class GroupIn(BaseModel):
    """What a client may say of Harbor's UserGroup; other fields are ignored."""

    group_name: str = ""
    group_type: int = 0
    ldap_group_dn: str = ""


class GroupOut(BaseModel):
    """Harbor's UserGroup."""

    id: int
    group_name: str
    group_type: int
    ldap_group_dn: str


class FoundOut(BaseModel):
    """Harbor's UserGroupSearchItem."""

    id: int
    group_name: str
    group_type: int


class PersonIn(BaseModel):
    """A person, by id or by name."""

    user_id: int = 0
    username: str = ""


class PersonOut(BaseModel):
    """Who is in a group."""

    user_id: int
    username: str


def routes(db: Database, authoriser: Authoriser) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    made = Routes(authoriser, tags=["usergroup"])
    _lists(made, db)
    _creating(made, db)
    _one_group(made, db)
    return made.router


def _lists(made: Routes, db: Database) -> None:
    async def read_page(filters: Filters, page: Page) -> tuple[list[Group], int]:
        async def read(conn: Conn) -> tuple[list[Group], int]:
            return await store.listed(conn, filters, offset=page.offset, limit=page.size)

        return await db.read(read)

    @made.get("/usergroups", permission=USER_GROUP_LIST)
    async def list_groups(
        request: Request,
        response: Response,
        page: Paged,
        group_name: _Text = "",
        ldap_group_dn: _Text = "",
    ) -> list[GroupOut]:
        asked: dict[str, Term] = {"group_name": Contains(group_name)} if group_name else {}
        if ldap_group_dn:
            asked["ldap_group_dn"] = Exact(rules.dn_of(ldap_group_dn))
        found, total = await read_page(asked, page)
        response.headers.update(page_headers(request, page, total))
        return [_shown(group) for group in found]

    @made.get("/usergroups/search", permission=AUTHENTICATED)
    async def search_groups(
        request: Request, response: Response, page: Paged, groupname: _Part
    ) -> list[FoundOut]:
        found, total = await read_page({"group_name": Contains(groupname)}, page)
        response.headers.update(page_headers(request, page, total))
        return [FoundOut(id=group.id, group_name=group.name, group_type=group.type) for group in found]


def _creating(made: Routes, db: Database) -> None:
    @made.post(
        "/usergroups",
        permission=USER_GROUP_CREATE,
        status_code=201,
        response_class=Response,
        raises=(BadRequest, Conflict),
    )
    async def create_group(
        request: Request, by: AskedBy, asked: Annotated[GroupIn, json_body(GroupIn)]
    ) -> Response:
        dn = rules.dn_of(asked.ldap_group_dn)
        name = (
            asked.group_name or dn[: rules.MAX_TEXT]
        )  # as Harbor names a group of which only the DN is said
        rules.check_group(name, asked.group_type, dn)
        try:
            group = await db.write(lambda conn: store.create(conn, name, asked.group_type, dn, by.name))
        except UniqueViolation:
            raise Conflict(f"there is a group {dn or name} already") from None
        location = f"{request.scope['path'].rstrip('/')}/{group}"
        return Response(status_code=201, headers={"location": location})


def _one_group(made: Routes, db: Database) -> None:
    @made.get("/usergroups/{group_id}", permission=USER_GROUP_READ, raises=(NotFound,))
    async def get_group(group_id: Id) -> GroupOut:
        found = await store.by_id(db, group_id)
        if found is None:
            raise _unknown(group_id)
        return _shown(found)

    @made.put(
        "/usergroups/{group_id}",
        permission=USER_GROUP_UPDATE,
        response_class=Response,
        raises=(BadRequest, NotFound, Conflict),
    )
    async def update_group(
        group_id: Id, by: AskedBy, asked: Annotated[GroupIn, json_body(GroupIn)]
    ) -> Response:
        """The name alone: what a group is cannot be changed."""
        rules.check_group_name(asked.group_name)
        try:
            renamed = await db.write(lambda conn: store.rename(conn, group_id, asked.group_name, by.name))
        except UniqueViolation:
            raise Conflict(f"there is a group {asked.group_name} already; choose another name") from None
        if not renamed:
            raise _unknown(group_id)
        return Response()

    @made.delete(
        "/usergroups/{group_id}", permission=USER_GROUP_DELETE, response_class=Response, raises=(NotFound,)
    )
    async def delete_group(group_id: Id, by: AskedBy) -> Response:
        if not await db.write(lambda conn: store.remove(conn, group_id, by.name)):
            raise _unknown(group_id)
        return Response()


def own_routes(db: Database, authoriser: Authoriser) -> APIRouter:
    """The routes that Harbor does not have, relative to `/api/fairway`: who is in a group."""
    made = Routes(authoriser, tags=["usergroup"])
    _listing_members(made, db)
    _adding_members(made, db)
    _removing_members(made, db)
    return made.router


def _listing_members(made: Routes, db: Database) -> None:
    @made.get("/usergroups/{group_id}/members", permission=USER_GROUP_READ, raises=(BadRequest, NotFound))
    async def list_group_members(
        request: Request, response: Response, group_id: Id, page: Paged, filters: Filtered, order: Ordered
    ) -> list[PersonOut]:
        async def read(conn: Conn) -> tuple[list[tuple[int, str]], int]:
            if await store.by_id(conn, group_id) is None:
                raise _unknown(group_id)
            return await store.members(conn, group_id, filters, order, offset=page.offset, limit=page.size)

        found, total = await db.read(read)
        response.headers.update(page_headers(request, page, total))
        return [PersonOut(user_id=id, username=name) for id, name in found]


def _adding_members(made: Routes, db: Database) -> None:
    @made.post(
        "/usergroups/{group_id}/members",
        permission=USER_GROUP_UPDATE,
        status_code=201,
        response_class=Response,
        raises=(BadRequest, NotFound, Conflict),
    )
    async def add_group_member(
        request: Request, group_id: Id, by: AskedBy, asked: Annotated[PersonIn, json_body(PersonIn)]
    ) -> Response:
        person = rules.person(asked.user_id, asked.username)

        async def add(conn: Conn) -> int:
            group = await store.keep(conn, group_id)
            if group is None:
                raise _unknown(group_id)
            added = await store.add_member(conn, group, person, by.name)
            if added is None:
                raise NotFound(f"there is no user {person}")
            return added

        try:
            user = await db.write(add)
        except UniqueViolation:
            raise Conflict(f"{person} is in this group already") from None
        location = f"{request.scope['path'].rstrip('/')}/{user}"
        return Response(status_code=201, headers={"location": location})


def _removing_members(made: Routes, db: Database) -> None:
    @made.delete(
        "/usergroups/{group_id}/members/{user_id}",
        permission=USER_GROUP_UPDATE,
        response_class=Response,
        raises=(NotFound,),
    )
    async def remove_group_member(group_id: Id, user_id: Id, by: AskedBy) -> Response:
        async def remove(conn: Conn) -> None:
            group = await store.keep(conn, group_id)
            if group is None:
                raise _unknown(group_id)
            if not await store.remove_member(conn, group, user_id, by.name):
                raise NotFound(f"the user {user_id} is not in this group")

        await db.write(remove)
        return Response()


def _unknown(group: int) -> NotFound:
    return NotFound(f"there is no group {group}")


def _shown(group: Group) -> GroupOut:
    return GroupOut(id=group.id, group_name=group.name, group_type=group.type, ldap_group_dn=group.dn)
