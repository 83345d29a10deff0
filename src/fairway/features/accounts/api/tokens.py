"""`/users/…/tokens`: people's own access tokens; and Harbor's CLI secret, which is one of them.

A token is made and revoked by who logs in with the password, or in a browser: one that makes others would never end.
"""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest, PreconditionFailed, TooManyRequests
from fairway.features.accounts import rules, secret
from fairway.features.accounts.api.people import Id, not_above, present, sees_all, without_a_token
from fairway.features.accounts.model import PersonalToken, TokenWanted
from fairway.features.accounts.passwords import Hasher
from fairway.features.accounts.store import tokens as store
from fairway.features.projects.store import projects
from fairway.frame.access.catalogue import PROJECT_READ, USER_READ, USER_UPDATE
from fairway.frame.access.may import may
from fairway.frame.access.principals import User
from fairway.frame.access.scopes import Word
from fairway.frame.configuration import Configuration
from fairway.frame.configuration.declared import PERSONAL_TOKEN_DAYS
from fairway.frame.db import Conn, Database, UniqueViolation
from fairway.frame.db.listing import Filters, Order
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict, Forbidden, NotFound
from fairway.frame.web.moments import moment
from fairway.frame.web.paging import Page, Paged, page_headers
from fairway.frame.web.query import Filtered, Ordered
from fairway.frame.web.routes import AUTHENTICATED, Authoriser, ByPerson, LoggedIn, OrOwn, Routes

_Word = Annotated[str, Field(max_length=16)]
_Project = Annotated[int, Field(ge=1, le=2**63 - 1)] | Annotated[str, Field(max_length=255)]


class TokenIn(BaseModel):
    """A token to be made.  `access`: all, read, or some of pull, push and delete; `projects` by id or name, all when left
    out; `duration` in days or `expires_at`."""

    name: str = ""
    description: str = ""
    access: list[_Word] = []
    projects: list[_Project] | None = None
    sysadmin: bool = False
    duration: int | None = None
    expires_at: str = Field(default="", max_length=64)


class PlaceOut(BaseModel):
    """A project that a token is about."""

    project_id: int
    name: str


class TokenOut(BaseModel):
    """A token without its secret; null for every project, for never."""

    id: int
    name: str
    description: str
    access: list[str]
    projects: list[PlaceOut] | None
    sysadmin: bool
    creation_time: str
    expires_at: str | None
    expired: bool
    last_used: str | None


class MadeOut(TokenOut):
    """A token with its secret, which is shown here and never again."""

    token: str


class CliSecretIn(BaseModel):
    """Harbor's OIDCCliSecretReq."""

    secret: str = ""


def routes(db: Database, authoriser: Authoriser, hasher: Hasher, chosen: Configuration) -> APIRouter:
    """Harbor's route, relative to `/api/v2.0`."""
    made = Routes(authoriser, tags=["user"])
    _cli_secret(made, db, hasher, chosen)
    return made.router


def own_routes(db: Database, authoriser: Authoriser, chosen: Configuration) -> APIRouter:
    """The routes that Harbor does not have, relative to `/api/fairway`."""
    made = Routes(authoriser, tags=["user"])
    _own_tokens(made, db)
    _creating(made, db, chosen)
    _revoking_own(made, db)
    _of_others(made, db)
    return made.router


async def _page(
    db: Database, user: int, filters: Filters, order: Order, page: Page
) -> tuple[list[TokenOut], int]:
    async def read(conn: Conn) -> tuple[list[TokenOut], int]:
        await present(conn, user)
        found, total = await store.listed(conn, user, filters, order, offset=page.offset, limit=page.size)
        names = await store.project_names(conn, found)
        return [_shown(each, names) for each in found], total

    return await db.read(read)


def _own_tokens(made: Routes, db: Database) -> None:
    @made.get("/users/current/tokens", permission=AUTHENTICATED, raises=(BadRequest, *_OF_A_PERSON))
    async def list_own_tokens(
        request: Request, response: Response, by: ByPerson, page: Paged, filters: Filtered, order: Ordered
    ) -> list[TokenOut]:
        sees_all(by, "your other tokens")
        found, total = await _page(db, by.id, filters, order, page)
        response.headers.update(page_headers(request, page, total))
        return found

    @made.get("/users/current/tokens/{token_id}", permission=AUTHENTICATED, raises=_OF_A_PERSON)
    async def get_own_token(token_id: Id, by: ByPerson) -> TokenOut:
        sees_all(by, "your other tokens")

        async def read(conn: Conn) -> TokenOut:
            found = await _there(conn, by.id, token_id)
            return _shown(found, await store.project_names(conn, [found]))

        return await db.read(read)


def _creating(made: Routes, db: Database, chosen: Configuration) -> None:
    @made.post(
        "/users/current/tokens",
        permission=AUTHENTICATED,
        status_code=201,
        raises=(BadRequest, Conflict, *_OF_A_PERSON),
    )
    async def create_own_token(
        request: Request, response: Response, by: ByPerson, asked: Annotated[TokenIn, json_body(TokenIn)]
    ) -> MadeOut:
        without_a_token(by, "making a token")
        text = secret.generate()

        async def make(conn: Conn) -> MadeOut:
            wanted = await _wanted(conn, by, asked, chosen.get(PERSONAL_TOKEN_DAYS))
            await _make_sure_of_room(conn, by.id)
            token = await store.create(conn, by, wanted, secret.kept(text), by.name)
            shown = _shown(token, await store.project_names(conn, [token]))
            return MadeOut(token=text, **shown.model_dump())

        try:
            created = await db.write(make)
        except UniqueViolation:
            raise Conflict(
                f"you have a token {asked.name} already; choose another name or revoke it"
            ) from None
        response.headers["location"] = f"{request.scope['path'].rstrip('/')}/{created.id}"
        response.headers["cache-control"] = "no-store"
        return created


def _revoking_own(made: Routes, db: Database) -> None:
    @made.delete(
        "/users/current/tokens/{token_id}",
        permission=AUTHENTICATED,
        response_class=Response,
        raises=_OF_A_PERSON,
    )
    async def revoke_own_token(token_id: Id, by: ByPerson) -> Response:
        without_a_token(by, "revoking a token")

        async def revoke(conn: Conn) -> None:
            if not await store.revoke(conn, by, await _there(conn, by.id, token_id), by.name):
                raise _unknown(token_id)

        await db.write(revoke)
        return Response()


def _of_others(made: Routes, db: Database) -> None:
    @made.get("/users/{user_id}/tokens", permission=USER_READ, raises=(BadRequest, NotFound))
    async def list_tokens_of_user(
        request: Request, response: Response, user_id: Id, page: Paged, filters: Filtered, order: Ordered
    ) -> list[TokenOut]:
        found, total = await _page(db, user_id, filters, order, page)
        response.headers.update(page_headers(request, page, total))
        return found

    @made.delete(
        "/users/{user_id}/tokens/{token_id}",
        permission=USER_UPDATE,
        response_class=Response,
        raises=(NotFound,),
    )
    async def revoke_token_of_user(user_id: Id, token_id: Id, by: LoggedIn) -> Response:
        async def revoke(conn: Conn) -> None:
            account = await present(conn, user_id)
            not_above(by, account)
            found = await _there(conn, user_id, token_id)
            if not await store.revoke(conn, account.user, found, by.name):
                raise _unknown(token_id)

        await db.write(revoke)
        return Response()


def _cli_secret(made: Routes, db: Database, hasher: Hasher, chosen: Configuration) -> None:
    @made.put(
        "/users/{user_id}/cli_secret",
        permission=OrOwn(USER_UPDATE),
        response_class=Response,
        raises=(BadRequest, NotFound, Conflict, TooManyRequests),
    )
    async def set_cli_secret(
        user_id: Id, by: LoggedIn, asked: Annotated[CliSecretIn, json_body(CliSecretIn)]
    ) -> Response:
        """A secret of one's own choice for clients; another one takes its place."""
        without_a_token(by, "setting a CLI secret")
        not_above(by, await present(db, user_id))
        rules.check_cli_secret(asked.secret)
        with hasher.turn():
            kept = await hasher.hash(asked.secret)

        async def change(conn: Conn) -> None:
            days = chosen.get(PERSONAL_TOKEN_DAYS)
            life = None if days == rules.FOR_EVER else days * rules.DAY
            wanted = TokenWanted(
                store.CLI_SECRET, "", frozenset({Word.ALL}), None, sysadmin=False, lifetime=life
            )
            if not await store.lock_owner(conn, user_id):
                raise NotFound(f"there is no user {user_id}")
            account = await present(conn, user_id)
            not_above(by, account)
            await store.make_room(conn, account.user, wanted.name)
            await _make_sure_of_room(conn, user_id)
            await store.create(conn, account.user, wanted, kept, by.name)

        await db.write(change)
        return Response()


_OF_A_PERSON = (Forbidden, NotFound, PreconditionFailed)


async def _wanted(conn: Conn, by: User, asked: TokenIn, most: int) -> TokenWanted:
    rules.check_token(asked.name, asked.description, len(asked.projects or ()))
    if asked.name == store.CLI_SECRET:
        raise BadRequest(f"{store.CLI_SECRET} is the name of the CLI secret; choose another")
    if asked.sysadmin and not by.sysadmin:
        raise BadRequest("only a system administrator's token can include administering; leave sysadmin out")
    if asked.projects is not None and not asked.projects:
        raise BadRequest("name the projects that the token is about, or leave them out for all")
    now = await store.now(conn)
    return TokenWanted(
        asked.name,
        asked.description,
        rules.words(asked.access),
        None
        if asked.projects is None
        else frozenset([await _visible(conn, by, each) for each in asked.projects]),
        asked.sysadmin,
        rules.lifetime(asked.duration, asked.expires_at, now, most),
    )


async def _visible(conn: Conn, by: User, ref: int | str) -> int:
    facts = await projects.facts(conn, by, ref)
    if facts is None or not may(by, PROJECT_READ, facts):
        raise NotFound(f"project {ref} not found")
    return facts.id


async def _make_sure_of_room(conn: Conn, user: int) -> None:
    if not await store.lock_owner(conn, user):
        raise NotFound(f"there is no user {user}")
    if await store.full(conn, user):
        raise Conflict(f"a person has up to {store.MOST} tokens; revoke one that is not needed any more")


async def _there(conn: Conn, user: int, token: int) -> PersonalToken:
    found = await store.of_user(conn, user, token)
    if found is None:
        raise _unknown(token)
    return found


def _unknown(token: int) -> NotFound:
    return NotFound(f"there is no token {token}")


def _shown(token: PersonalToken, names: dict[int, str]) -> TokenOut:
    places = None
    if token.projects is not None:
        places = [PlaceOut(project_id=id, name=names[id]) for id in sorted(token.projects) if id in names]
    return TokenOut(
        id=token.id,
        name=token.name,
        description=token.description,
        access=sorted(token.words),
        projects=places,
        sysadmin=token.sysadmin,
        creation_time=moment(token.created_at),
        expires_at=None if token.expires_at is None else moment(token.expires_at),
        expired=not token.live,
        last_used=None if token.used_at is None else moment(token.used_at),
    )
