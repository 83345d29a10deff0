"""`/projects/{project}/members`: who belongs to a project, and in which role."""

from functools import partial
from typing import Annotated

from fastapi import Path, Query, Response
from pydantic import BaseModel, Field
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest, Denied
from fairway.features.projects import rules
from fairway.features.projects.model import GroupRef, Member
from fairway.features.projects.store import members as store
from fairway.features.roles import rules as roles
from fairway.features.roles import store as role_store
from fairway.frame.access import narrowing
from fairway.frame.access.catalogue import (
    MEMBER_CREATE,
    MEMBER_DELETE,
    MEMBER_LIST,
    MEMBER_READ,
    MEMBER_UPDATE,
)
from fairway.frame.access.may import ProjectFacts
from fairway.frame.access.principals import Principal
from fairway.frame.db import Body, Conn, Database, ReferenceViolation, UniqueViolation
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict, NotFound
from fairway.frame.web.paging import Paged, page_headers
from fairway.frame.web.routes import AskedBy, InProject, Routes

_ALL = "/projects/{project_name_or_id}/members"
_ONE = "/projects/{project_name_or_id}/members/{mid}"

Id = Annotated[int, Path(ge=1, le=2**63 - 1)]
Patterns = Annotated[list[Annotated[str, Field(max_length=255)]], Field(max_length=narrowing.MOST)]
_Part = Annotated[str, Query(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]


class UserIn(BaseModel):
    """Harbor's UserEntity: a person by name or by id."""

    user_id: int | None = None
    username: str | None = None


class GroupIn(BaseModel):
    """Harbor's UserGroup: a group of people by id, by its name in a directory, or by name and type."""

    id: int | None = None
    group_name: str | None = None
    group_type: int | None = None
    ldap_group_dn: str | None = None


class MemberIn(BaseModel):
    """Harbor's ProjectMember: one of the two.  `repositories`: patterns of those of the project it is for; none for all."""

    role_id: int = 0
    repositories: Patterns | None = None
    member_user: UserIn | None = None
    member_group: GroupIn | None = None


class RoleIn(BaseModel):
    """Harbor's RoleRequest.  `repositories` as for a new member; without them, they stay as they are."""

    role_id: int = 0
    repositories: Patterns | None = None


class MemberOut(BaseModel):
    """Harbor's ProjectMemberEntity; `entity_type` is `u`, a user, or `g`, a group.  `repositories` is only there for who has
    not all of them."""

    id: int
    project_id: int
    entity_id: int
    entity_name: str
    entity_type: str
    role_id: int
    role_name: str
    repositories: list[str] | None = None


def add_routes(made: Routes, db: Database) -> None:
    """Add the routes of this page."""
    _listing(made, db)
    _adding(made, db)
    _one_member(made, db)


def _listing(made: Routes, db: Database) -> None:
    @made.get(_ALL, permission=MEMBER_LIST, response_model_exclude_none=True)
    async def list_members(
        request: Request, response: Response, project: InProject, page: Paged, entityname: _Part = ""
    ) -> list[MemberOut]:
        async def read(conn: Conn) -> tuple[list[Member], int]:
            return await store.listed(conn, project.id, entityname, offset=page.offset, limit=page.size)

        found, total = await db.read(read)
        response.headers.update(page_headers(request, page, total))
        return [_shown(member) for member in found]


def _adding(made: Routes, db: Database) -> None:
    @made.post(
        _ALL,
        permission=MEMBER_CREATE,
        status_code=201,
        response_class=Response,
        raises=(BadRequest, Conflict, Denied),
    )
    async def create_member(
        request: Request, project: InProject, by: AskedBy, asked: Annotated[MemberIn, json_body(MemberIn)]
    ) -> Response:
        roles.check_id(asked.role_id)
        add, who = _adder(project.id, asked, by)

        async def give_and_add(conn: Conn) -> int | None:
            await _give(conn, project, asked.role_id, by, narrowed=bool(asked.repositories))
            return await add(conn)

        try:
            member = await db.write(give_and_add)
        except UniqueViolation:
            raise Conflict(f"{who} is a member already; change the role with PUT") from None
        except ReferenceViolation:
            raise NotFound("the project was deleted just now") from None
        if member is None:
            raise NotFound(f"there is no {who}")
        location = f"{request.scope['path'].rstrip('/')}/{member}"
        return Response(status_code=201, headers={"location": location})


def _adder(project: int, asked: MemberIn, by: Principal) -> tuple[Body[int | None], str]:
    """What adds the one who is asked for, and their name for messages.  Raises BadRequest."""
    only = rules.only(asked.repositories or ())
    if asked.member_user is None and asked.member_group is not None:
        group = rules.group(_group_ref(asked.member_group))
        who = f"group {group.id or group.dn or group.name}"
        add_group = partial(store.add_group, project=project, group=group)
        return partial(add_group, role=asked.role_id, by=by, only=only), who
    user = asked.member_user or UserIn()
    person = rules.person(user.user_id or 0, user.username or "")
    add = partial(store.add, project=project, person=person)
    return partial(add, role=asked.role_id, by=by, only=only), f"user {person}"


def _group_ref(asked: GroupIn) -> GroupRef:
    return GroupRef(asked.id or 0, asked.ldap_group_dn or "", asked.group_name or "", asked.group_type or 0)


def _one_member(made: Routes, db: Database) -> None:
    @made.get(_ONE, permission=MEMBER_READ, response_model_exclude_none=True)
    async def get_member(project: InProject, mid: Id) -> MemberOut:
        found = await store.by_id(db, project.id, mid)
        if found is None:
            raise _unknown(mid)
        return _shown(found)

    @made.put(_ONE, permission=MEMBER_UPDATE, response_class=Response, raises=(BadRequest, Denied))
    async def update_member(
        project: InProject, mid: Id, by: AskedBy, asked: Annotated[RoleIn, json_body(RoleIn)]
    ) -> Response:
        roles.check_id(asked.role_id)
        only = None if asked.repositories is None else rules.only(asked.repositories)

        async def change(conn: Conn) -> None:
            before = await _may_touch(conn, project, mid, by)
            narrowed = bool(before.only if only is None else only)
            await _give(conn, project, asked.role_id, by, narrowed=narrowed)
            await store.set_role(conn, project.id, mid, asked.role_id, by, only)

        await db.write(change)
        return Response()

    @made.delete(_ONE, permission=MEMBER_DELETE, response_class=Response, raises=(Denied,))
    async def delete_member(project: InProject, mid: Id, by: AskedBy) -> Response:
        async def remove(conn: Conn) -> None:
            await _may_touch(conn, project, mid, by)
            await store.remove(conn, project.id, mid, by)

        await db.write(remove)
        return Response()


async def _give(conn: Conn, project: ProjectFacts, number: int, by: Principal, *, narrowed: bool) -> None:
    """Let a role be given by `by`, or `narrowed` for some repositories only what it holds about these.

    Raises BadRequest when there is none, Denied for one that is more than theirs.
    """
    role = await role_store.keep(conn, number)
    if role is None:
        raise roles.unknown()
    if narrowed:
        rules.check_narrowable(role.permissions, role.name)
    roles.check_gives(by, project, role.permissions, role.name)


async def _may_touch(conn: Conn, project: ProjectFacts, member: int, by: Principal) -> Member:
    """The member.  Raises NotFound when there is no such one, Denied when they hold more than `by`."""
    found = await store.by_id(conn, project.id, member, lock=True)
    if found is None:
        raise _unknown(member)
    role = await role_store.keep(conn, found.role)
    if role is not None:
        roles.check_gives(by, project, role.permissions, role.name)
    return found


def _unknown(member: int) -> NotFound:
    return NotFound(f"the project has no member {member}; GET members lists their ids")


def _shown(member: Member) -> MemberOut:
    return MemberOut(
        id=member.id,
        project_id=member.project,
        entity_id=member.entity,
        entity_name=member.name,
        entity_type=member.kind,
        role_id=member.role,
        role_name=member.role_name,
        repositories=list(member.only) or None,
    )
