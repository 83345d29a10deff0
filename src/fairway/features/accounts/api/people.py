"""`/users`: people and their accounts."""

from contextlib import nullcontext
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest, PreconditionFailed, TooManyRequests
from fairway.features.accounts import rules, throttle
from fairway.features.accounts.model import Account
from fairway.features.accounts.passwords import Hasher
from fairway.features.accounts.store import failures, people
from fairway.features.projects.store import projects
from fairway.frame.access.catalogue import (
    IN_PROJECT,
    ON_SERVER,
    USER_CREATE,
    USER_DELETE,
    USER_LIST,
    USER_READ,
    USER_UPDATE,
)
from fairway.frame.access.may import ABSENT, may
from fairway.frame.access.principals import Principal, Robot, User, narrowed_to
from fairway.frame.configuration import Configuration
from fairway.frame.configuration.declared import ROBOT_PREFIX, SELF_REGISTRATION
from fairway.frame.db import Conn, Database, UniqueViolation
from fairway.frame.db.listing import Contains, Filters
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict, Forbidden, NotFound
from fairway.frame.web.moments import moment
from fairway.frame.web.paging import Page, Paged, page_headers
from fairway.frame.web.query import Filtered, Ordered
from fairway.frame.web.routes import (
    AUTHENTICATED,
    AskedBy,
    Authoriser,
    ByPerson,
    Came,
    LoggedIn,
    OrAnybodyWhile,
    OrOwn,
    Routes,
)

Id = Annotated[int, Path(ge=1, le=2**63 - 1)]
_Scope = Annotated[str, Query(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Part = Annotated[str, Query(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]


class UserIn(BaseModel):
    """Harbor's UserCreationReq."""

    username: str = ""
    password: str = ""
    email: str = ""
    realname: str = ""
    comment: str = ""


class ProfileIn(BaseModel):
    """Harbor's UserProfile."""

    email: str = ""
    realname: str = ""
    comment: str = ""


class SysadminIn(BaseModel):
    """Harbor's UserSysAdminFlag."""

    sysadmin_flag: bool


class PasswordIn(BaseModel):
    """Harbor's PasswordReq."""

    old_password: str = ""
    new_password: str = ""


class UserOut(BaseModel):
    """Harbor's UserResp."""

    user_id: int
    username: str
    email: str
    realname: str
    comment: str
    sysadmin_flag: bool
    admin_role_in_auth: bool = False
    creation_time: str
    update_time: str


class FoundOut(BaseModel):
    """Harbor's UserSearchRespItem."""

    user_id: int
    username: str


class PermissionOut(BaseModel):
    """Harbor's Permission."""

    resource: str
    action: str


def routes(db: Database, authoriser: Authoriser, hasher: Hasher, chosen: Configuration) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    made = Routes(authoriser, tags=["user"])
    _lists(made, db)
    _creating(made, db, hasher, chosen)
    _current(made, db)
    _one_user(made, db)
    _passwords(made, db, hasher)
    return made.router


def _lists(made: Routes, db: Database) -> None:
    async def read_page(filters: Filters, order: Ordered, page: Page) -> tuple[list[Account], int]:
        async def read(conn: Conn) -> tuple[list[Account], int]:
            return await people.listed(conn, filters, order, offset=page.offset, limit=page.size)

        return await db.read(read)

    @made.get("/users", permission=USER_LIST, raises=(BadRequest,))
    async def list_users(
        request: Request, response: Response, page: Paged, filters: Filtered, order: Ordered
    ) -> list[UserOut]:
        found, total = await read_page(filters, order, page)
        response.headers.update(page_headers(request, page, total))
        return [_shown(account) for account in found]

    @made.get("/users/search", permission=AUTHENTICATED, raises=(Forbidden,))
    async def search_users(
        request: Request, response: Response, by: LoggedIn, page: Paged, username: _Part
    ) -> list[FoundOut]:
        """For every person, and for a robot that may list them."""
        scope = narrowed_to(by)
        if not (may(by, USER_LIST) if isinstance(by, Robot) else scope is None or scope.reads_all):
            raise Forbidden(f"this needs the permission {USER_LIST}, which you do not have here")
        found, total = await read_page({"username": Contains(username)}, (), page)
        response.headers.update(page_headers(request, page, total))
        return [FoundOut(user_id=account.id, username=account.username) for account in found]


def _creating(made: Routes, db: Database, hasher: Hasher, chosen: Configuration) -> None:
    async def hashed(password: str, by: Principal) -> str:
        with nullcontext() if may(by, USER_CREATE) else hasher.turn():
            return await hasher.hash(password)

    @made.post(
        "/users",
        permission=OrAnybodyWhile(USER_CREATE, partial(chosen.get, SELF_REGISTRATION)),
        status_code=201,
        response_class=Response,
        raises=(BadRequest, Conflict, TooManyRequests),
    )
    async def create_user(
        request: Request, by: AskedBy, asked: Annotated[UserIn, json_body(UserIn)]
    ) -> Response:
        rules.check_username(asked.username)
        if asked.username.startswith(prefix := chosen.get(ROBOT_PREFIX)):
            raise BadRequest(f"names that begin with {prefix} are those of robots here; choose another")
        rules.check_profile(asked.email, asked.realname, asked.comment)
        rules.check_password(asked.password)
        password_hash = await hashed(asked.password, by)

        async def create(conn: Conn) -> int:
            made = await people.create(
                conn,
                asked.username,
                password_hash,
                email=asked.email,
                realname=asked.realname,
                comment=asked.comment,
            )
            await people.record(conn, "created", made, asked.username, by.name)
            return made

        try:
            account = await db.write(create)
        except UniqueViolation:
            raise Conflict(f"there is a user {asked.username} already") from None
        location = f"{request.scope['path'].rstrip('/')}/{account}"
        return Response(status_code=201, headers={"location": location})


def _current(made: Routes, db: Database) -> None:
    @made.get("/users/current", permission=AUTHENTICATED, raises=(NotFound, PreconditionFailed))
    async def get_current_user(by: ByPerson) -> UserOut:
        return _shown(await present(db, by.id))

    @made.get("/users/current/permissions", permission=AUTHENTICATED)
    async def get_current_permissions(
        by: LoggedIn, scope: _Scope = "", relative: bool = False
    ) -> list[PermissionOut]:
        if not scope:
            held = sorted(each for each in ON_SERVER if may(by, each))
            return [PermissionOut(resource=each.resource, action=each.action) for each in held]
        project = rules.project_of_scope(scope)
        if project is None:
            return []
        facts = await projects.facts(db, by, project) or ABSENT
        held = sorted(each for each in IN_PROJECT if may(by, each, facts))
        return [
            PermissionOut(resource=rules.resource_in(scope, each.resource, relative), action=each.action)
            for each in held
        ]


def _one_user(made: Routes, db: Database) -> None:
    @made.get("/users/{user_id}", permission=OrOwn(USER_READ), raises=(NotFound,))
    async def get_user(user_id: Id) -> UserOut:
        return _shown(await present(db, user_id))

    @made.put(
        "/users/{user_id}",
        permission=OrOwn(USER_UPDATE),
        response_class=Response,
        raises=(BadRequest, NotFound),
    )
    async def update_user(
        user_id: Id, by: LoggedIn, asked: Annotated[ProfileIn, json_body(ProfileIn)]
    ) -> Response:
        rules.check_profile(asked.email, asked.realname, asked.comment)

        async def change(conn: Conn) -> None:
            account = await present(conn, user_id)
            not_above(by, account)
            await people.set_profile(
                conn, user_id, email=asked.email, realname=asked.realname, comment=asked.comment
            )
            await people.record(conn, "updated", user_id, account.username, by.name)

        await db.write(change)
        return Response()

    @made.delete("/users/{user_id}", permission=USER_DELETE, response_class=Response, raises=(NotFound,))
    async def delete_user(user_id: Id, by: LoggedIn) -> Response:
        if _is(by, user_id):
            raise Forbidden("you cannot delete yourself; ask another system administrator")

        async def remove(conn: Conn) -> None:
            account = await _removable(conn, user_id, by)
            await people.close(conn, user_id)
            await people.record(conn, "deleted", user_id, account.username, by.name)

        await db.write(remove)
        return Response()

    @made.put(
        "/users/{user_id}/sysadmin", permission=USER_UPDATE, response_class=Response, raises=(NotFound,)
    )
    async def set_sysadmin(
        user_id: Id, by: LoggedIn, asked: Annotated[SysadminIn, json_body(SysadminIn)]
    ) -> Response:
        async def change(conn: Conn) -> None:
            account = await present(conn, user_id)
            if isinstance(by, Robot):
                raise Forbidden("only a system administrator can make or unmake one")
            without_a_token(by, "making a system administrator")
            if not asked.sysadmin_flag and await people.only_admin(conn, user_id):
                raise Forbidden("this is the only system administrator; make another one first")
            await people.set_sysadmin(conn, user_id, sysadmin=asked.sysadmin_flag)
            await people.record(conn, "updated", user_id, account.username, by.name)

        await db.write(change)
        return Response()


async def _removable(conn: Conn, user_id: int, by: User | Robot) -> Account:
    """An account that `by` may delete.  Raises NotFound, Forbidden."""
    account = await present(conn, user_id)
    if account.username == people.ADMIN:
        raise Forbidden(f"the account {people.ADMIN} cannot be deleted")
    not_above(by, account)
    if await people.only_admin(conn, user_id):
        raise Forbidden("this is the only system administrator; make another one first")
    return account


def _passwords(made: Routes, db: Database, hasher: Hasher) -> None:
    @made.put(
        "/users/{user_id}/password",
        permission=OrOwn(USER_UPDATE),
        response_class=Response,
        raises=(BadRequest, NotFound, TooManyRequests),
    )
    async def change_password(
        user_id: Id, by: LoggedIn, came: Came, asked: Annotated[PasswordIn, json_body(PasswordIn)]
    ) -> Response:
        """Who changes their own shows the old one, and waits as for a login after wrong ones: a session may be stolen."""
        without_a_token(by, "changing a password")
        account = await present(db, user_id)
        not_above(by, account)
        key = throttle.key(account.username, came.client)
        with hasher.turn():
            if _is(by, user_id):
                await _not_waiting(db, key)
                if not await hasher.matches(account.password_hash, asked.old_password):
                    await db.write(partial(failures.record, key=key), soft=True)
                    raise Forbidden("the old password is not right")
            rules.check_password(asked.new_password)
            if await hasher.matches(account.password_hash, asked.new_password):
                raise BadRequest("the new password is the old one; choose another")
            password_hash = await hasher.hash(asked.new_password)

        async def change(conn: Conn) -> None:
            not_above(by, await present(conn, user_id))
            await people.set_password(conn, user_id, password_hash)
            await people.record(conn, "updated", user_id, account.username, by.name)

        await db.write(change)
        return Response()


async def _not_waiting(db: Database, key: str) -> None:
    wait = (await failures.waiting(db, key)).wait_seconds
    if wait:
        raise TooManyRequests(f"too many wrong passwords; try again in {wait} seconds", retry_after=wait)


def _is(by: User | Robot, account: int) -> bool:
    return isinstance(by, User) and by.id == account


def without_a_token(by: User | Robot, what: str) -> None:
    """A token must not become more than it is."""
    if narrowed_to(by):
        raise Forbidden(f"{what} needs your password: a token cannot do it")


def sees_all(by: User | Robot, what: str) -> None:
    """What is about the person and about no project is for the tokens that show all."""
    scope = narrowed_to(by)
    if scope is not None and not scope.reads_all:
        raise Forbidden(f"this token is for some of your projects or actions; it does not show {what}")


def not_above(by: User | Robot, account: Account) -> None:
    """A robot that manages accounts would be an administrator itself if it could take over one of theirs."""
    if isinstance(by, Robot) and account.sysadmin:
        raise Forbidden("only a system administrator can change the account of one")


async def present(conn: Conn, account: int) -> Account:
    found = await people.present(conn, account)
    if found is None:
        raise NotFound(f"there is no user {account}")
    return found


def _shown(account: Account) -> UserOut:
    return UserOut(
        user_id=account.id,
        username=account.username,
        email=account.email,
        realname=account.realname,
        comment=account.comment,
        sysadmin_flag=account.sysadmin,
        creation_time=moment(account.created_at),
        update_time=moment(account.updated_at),
    )
