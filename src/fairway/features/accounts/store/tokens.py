"""Personal access tokens: who they stand for, and how they are made, listed and revoked."""

import json
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Text,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from fairway.features.accounts import secret
from fairway.features.accounts.model import ChosenSecret, Holder, PersonalToken, TokenWanted
from fairway.frame import events
from fairway.frame.access.principals import User
from fairway.frame.access.scopes import Scope, words_of
from fairway.frame.db import SECOND, Conn, Row, now_us
from fairway.frame.db.listing import Field, Filters, Listing, Order
from fairway.frame.db.tables import personal_tokens, projects, users
from fairway.frame.db.types import within_ids

MOST: Final = 50
"""Of one person."""

CLI_SECRET: Final = "cli-secret"  # noqa: S105 - a name
"""The name of the token whose secret its owner chose: Harbor's CLI secret."""

NOTE_SECONDS: Final = 300
"""How old the time of the last use may be."""

_live = or_(personal_tokens.c.expires_at.is_(None), personal_tokens.c.expires_at > now_us())
_unnoted = or_(
    personal_tokens.c.used_at.is_(None),
    personal_tokens.c.used_at < now_us() - literal_column(str(NOTE_SECONDS * SECOND)),
)
_HOLDER = (
    select(
        *(column for column in personal_tokens.c if column.name != "sysadmin"),
        users.c.username,
        and_(users.c.sysadmin, personal_tokens.c.sysadmin).label("sysadmin"),
        _unnoted.label("unnoted"),
    )
    .select_from(personal_tokens.join(users, users.c.id == personal_tokens.c.user_id))
    .where(_live, users.c.enabled, users.c.deleted_at.is_(None))
)
_BY_SECRET = _HOLDER.where(personal_tokens.c.secret_hash == bindparam("secret_hash"))
_BY_ID = _HOLDER.where(personal_tokens.c.id == bindparam("token"))
_BY_NAME = _HOLDER.where(
    personal_tokens.c.user_id == bindparam("user"), personal_tokens.c.name == bindparam("name")
)
# By the index on it: what was chosen begins with a dollar, all else with letters.
_ANY_CHOSEN = (
    select(personal_tokens.c.id)
    .where(
        personal_tokens.c.secret_hash > bindparam("low", type_=Text),
        personal_tokens.c.secret_hash < bindparam("high", type_=Text),
    )
    .limit(1)
)


def _scope(row: Row) -> Scope:
    return Scope(row["id"], words_of(json.loads(row["words"])), _ids(row["projects"]), row["expires_at"])


def _ids(kept: str | None) -> frozenset[int] | None:
    return None if kept is None else frozenset(json.loads(kept))


def _user(row: Row) -> User:
    return User(row["user_id"], row["username"], bool(row["sysadmin"]), scope=_scope(row))


async def by_secret(conn: Conn, text: str) -> Holder | None:
    """Who comes with this secret, which was generated; None when it is unknown, expired or its owner's account closed."""
    row = await conn.first(_BY_SECRET, secret_hash=secret.kept(text))
    return None if row is None else Holder(_user(row), row["id"], bool(row["unnoted"]))


async def current(conn: Conn, token: int) -> User | None:
    """Whom a token stands for as they are now; None when it is gone or expired, or the account closed."""
    row = await conn.first(_BY_ID, token=token)
    return None if row is None else _user(row)


async def any_chosen(conn: Conn) -> bool:
    """Whether anybody at all has a secret that they chose."""
    return await conn.first(_ANY_CHOSEN, low="$", high="%") is not None


async def chosen(conn: Conn, account: int) -> ChosenSecret | None:
    """The CLI secret of an account while it is good."""
    row = await conn.first(_BY_NAME, user=account, name=CLI_SECRET)
    kept = None if row is None else secret.chosen_hash(row["secret_hash"])
    if row is None or kept is None:
        return None
    return ChosenSecret(row["id"], kept, _user(row))


# -- lists

_LISTING = Listing(
    {
        "id": Field(personal_tokens.c.id),
        "name": Field(personal_tokens.c.name),
        "description": Field(personal_tokens.c.description),
        "sysadmin": Field(personal_tokens.c.sysadmin),
        "creation_time": Field(personal_tokens.c.created_at, moment=True),
        "expires_at": Field(personal_tokens.c.expires_at, moment=True),
        "last_used": Field(personal_tokens.c.used_at, moment=True),
    },
    default=[("name", False)],
    tie=personal_tokens.c.id,
)
_TOKEN = select(
    *(column for column in personal_tokens.c if column.name != "secret_hash"), _live.label("live")
)
_OF = personal_tokens.c.user_id == bindparam("user")
_ONE = _TOKEN.where(_OF, personal_tokens.c.id == bindparam("token"))
_NAMES = select(projects.c.id, projects.c.name).where(
    within_ids(projects.c.id, bindparam("projects")), projects.c.deleted_at.is_(None)
)


def _token(row: Row) -> PersonalToken:
    return PersonalToken(
        id=row["id"],
        user_id=row["user_id"],
        name=row["name"],
        description=row["description"],
        words=words_of(json.loads(row["words"])),
        projects=_ids(row["projects"]),
        sysadmin=bool(row["sysadmin"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        used_at=row["used_at"],
        live=bool(row["live"]),
    )


async def listed(
    conn: Conn, user: int, filters: Filters, order: Order = (), *, offset: int, limit: int
) -> tuple[list[PersonalToken], int]:
    """One page of a person's tokens, by name, and how many they have.  Raises BadRequest."""
    conditions = [_OF, *_LISTING.where(filters)]
    counted: Any = select(func.count()).select_from(personal_tokens).where(*conditions)
    total = int(await conn.scalar(counted, user=user))
    page: Any = _TOKEN.where(*conditions).order_by(*_LISTING.order(order)).offset(offset).limit(limit)
    rows = await conn.all(page, user=user) if offset < total else []
    return [_token(row) for row in rows], total


async def of_user(conn: Conn, user: int, token: int) -> PersonalToken | None:
    """One of a person's tokens, expired or not."""
    row = await conn.first(_ONE, user=user, token=token)
    return None if row is None else _token(row)


async def project_names(conn: Conn, tokens: list[PersonalToken]) -> dict[int, str]:
    """The names of all projects that these tokens are about; those that are gone are not there."""
    ids = sorted({id for each in tokens for id in each.projects or ()})
    rows = await conn.all(_NAMES, projects=json.dumps(ids)) if ids else []
    return {row["id"]: row["name"] for row in rows}


# -- making and revoking them

# One after the other: or two requests could make the last one that is allowed.
_LOCK_OWNER = (
    select(users.c.id)
    .where(users.c.id == bindparam("user"), users.c.enabled, users.c.deleted_at.is_(None))
    .with_for_update()
)
_NOW = select(now_us())
_COUNT = select(func.count()).select_from(personal_tokens).where(_OF)
_DROP_EXPIRED = delete(personal_tokens).where(
    personal_tokens.c.user_id == bindparam("owner"), personal_tokens.c.expires_at <= now_us()
)
_CREATE = (
    insert(personal_tokens)
    .from_select(
        [
            "user_id",
            "name",
            "description",
            "secret_hash",
            "words",
            "projects",
            "sysadmin",
            "created_at",
            "expires_at",
        ],
        select(
            bindparam("owner", type_=BigInteger),
            bindparam("new_name", type_=Text),
            bindparam("new_description", type_=Text),
            bindparam("new_hash", type_=Text),
            bindparam("new_words", type_=Text),
            bindparam("new_projects", type_=Text),
            bindparam("new_sysadmin", type_=Boolean),
            now_us(),
            now_us() + bindparam("lifetime", type_=BigInteger),
        ),
    )
    .returning(personal_tokens.c.id)
)
_REVOKE = delete(personal_tokens).where(
    personal_tokens.c.user_id == bindparam("owner"), personal_tokens.c.id == bindparam("token")
)
_REVOKE_NAMED = delete(personal_tokens).where(
    personal_tokens.c.user_id == bindparam("owner"), personal_tokens.c.name == bindparam("old_name")
)
_USED = (
    update(personal_tokens)
    .where(personal_tokens.c.id == bindparam("token"), _unnoted)
    .values(used_at=now_us())
)


async def now(conn: Conn) -> int:
    """The database's time."""
    return int(await conn.scalar(_NOW))


async def lock_owner(conn: Conn, user: int) -> bool:
    """Let nobody else make tokens of theirs until the transaction ends; False when there is no such account."""
    return await conn.first(_LOCK_OWNER, user=user) is not None


async def full(conn: Conn, user: int) -> bool:
    """Whether a person, who is locked, has as many as one may; expired ones make room.  Needs a transaction."""
    if await conn.scalar(_COUNT, user=user) < MOST:
        return False
    await conn.run(_DROP_EXPIRED, owner=user)
    return int(await conn.scalar(_COUNT, user=user)) >= MOST


async def create(conn: Conn, owner: User, wanted: TokenWanted, secret_hash: str, by: str) -> PersonalToken:
    """Make a token.  Needs a transaction.  Raises UniqueViolation when the person has one of this name."""
    made = await conn.scalar(
        _CREATE,
        owner=owner.id,
        new_name=wanted.name,
        new_description=wanted.description,
        new_hash=secret_hash,
        new_words=json.dumps(sorted(wanted.words)),
        new_projects=None if wanted.projects is None else json.dumps(sorted(wanted.projects)),
        new_sysadmin=wanted.sysadmin,
        lifetime=wanted.lifetime,
    )
    await _record(conn, "created", owner, wanted.name, by)
    token = await of_user(conn, owner.id, int(made))
    assert token is not None
    return token


async def revoke(conn: Conn, owner: User, token: PersonalToken, by: str) -> bool:
    """End a token; False when it is gone already.  Needs a transaction."""
    if await conn.run(_REVOKE, owner=owner.id, token=token.id) == 0:
        return False
    await _record(conn, "deleted", owner, token.name, by)
    return True


async def make_room(conn: Conn, owner: User, name: str) -> None:
    """End the token of this name: what takes its place is another one, so that whatever came of this ends.  Needs a
    transaction."""
    await conn.run(_REVOKE_NAMED, owner=owner.id, old_name=name)


async def _record(conn: Conn, what: str, owner: User, name: str, by: str) -> None:
    facts = {"user_id": owner.id, "name": name, "user": owner.name, "by": by}
    await events.record(conn, f"user:{owner.id}", f"token.{what}", facts)


async def used(conn: Conn, tokens: list[int]) -> None:
    """They were used just now; what was written in the last minutes stays."""
    await conn.many(_USED, [{"token": token} for token in tokens])
