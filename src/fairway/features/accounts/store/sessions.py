"""Sessions: who is logged in with a browser.

A session is good while its time is not over, it was used not long ago, the account is enabled and its password is the one
that was shown.  All of it is asked for with each request, so that nothing has to be told to other processes.
"""

import hashlib

from sqlalchemy import BigInteger, ColumnElement, Integer, Text, bindparam, delete, func, insert, or_, select
from sqlalchemy import update as updating

from fairway.features.accounts.model import OpenSession
from fairway.frame import events
from fairway.frame.access.principals import Session, User
from fairway.frame.db import SECOND, Conn, now_us
from fairway.frame.db.listing import Field, Filters, Listing, Order
from fairway.frame.db.tables import sessions, users

MOST_SESSIONS = 100
"""Of one account; a further one ends the oldest."""

_idle = bindparam("idle", type_=BigInteger)
_LIVE: tuple[ColumnElement[bool], ...] = (
    sessions.c.expires_at > now_us(),
    sessions.c.seen_at > now_us() - _idle,
    sessions.c.credentials_version == users.c.credentials_version,
    users.c.enabled,
)
_FIND = (
    select(
        sessions.c.id.label("session"),
        sessions.c.secret_hash,
        (now_us() - sessions.c.seen_at).label("unseen"),
        users.c.id,
        users.c.username,
        users.c.sysadmin,
    )
    .join(users, users.c.id == sessions.c.user_id)
    .where(sessions.c.secret_hash == bindparam("secret_hash"), *_LIVE)
)
# Only while the password that was shown still is the password, though hashing it took a while.
_BEGIN = (
    insert(sessions)
    .from_select(
        [
            "secret_hash",
            "user_id",
            "credentials_version",
            "client",
            "browser",
            "created_at",
            "seen_at",
            "expires_at",
        ],
        select(
            bindparam("secret_hash", type_=Text),
            users.c.id,
            users.c.credentials_version,
            bindparam("client", type_=Text),
            bindparam("browser", type_=Text),
            now_us(),
            now_us(),
            now_us() + bindparam("lifetime", type_=BigInteger),
        ).where(
            users.c.id == bindparam("user"),
            users.c.credentials_version == bindparam("version", type_=Integer),
            users.c.enabled,
        ),
    )
    .returning(sessions.c.id)
)
_newest_kept = (
    select(sessions.c.id)
    .where(sessions.c.user_id == bindparam("user"))
    .order_by(sessions.c.id.desc())
    .offset(MOST_SESSIONS)
    .limit(1)
    .scalar_subquery()
)
_DROP_OLDEST = delete(sessions).where(sessions.c.user_id == bindparam("user"), sessions.c.id <= _newest_kept)
_USED = (
    updating(sessions)
    .where(sessions.c.id == bindparam("session"), sessions.c.seen_at < now_us())
    .values(seen_at=now_us())
)
_DROP = delete(sessions).where(sessions.c.secret_hash == bindparam("secret_hash"))
_END = delete(sessions).where(sessions.c.id == bindparam("session"), sessions.c.user_id == bindparam("user"))
_over = or_(sessions.c.expires_at <= now_us(), sessions.c.seen_at <= now_us() - _idle)
_OVER = select(sessions.c.id).where(_over).limit(bindparam("limit"))
_DROP_OVER = delete(sessions).where(sessions.c.id == bindparam("session"), _over)


def hashed(secret: str) -> str:
    """A cookie's secret (256 bit, so that no slow hash is needed) as it is kept."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def begin(conn: Conn, user: User, secret: str, *, client: str, browser: str, seconds: int) -> bool:
    """Log somebody in who has just shown a password.  Needs a transaction.

    False when the password is another one by now, or the account is closed.
    """
    made = await conn.scalar(
        _BEGIN,
        secret_hash=hashed(secret),
        user=user.id,
        client=client,
        browser=browser,
        version=user.credentials_version,
        lifetime=seconds * SECOND,
    )
    if made is None:
        return False
    await conn.run(_DROP_OLDEST, user=user.id)
    await _record(conn, "logged_in", user.id, user.name, user.name, client)
    return True


async def find(conn: Conn, secret: str, *, idle_seconds: int) -> Session | None:
    """The session with this secret, while it is good.  Asked by every request that brings a cookie."""
    row = await conn.first(_FIND, secret_hash=hashed(secret), idle=idle_seconds * SECOND)
    if row is None:
        return None
    user = User(row["id"], row["username"], bool(row["sysadmin"]))
    return Session(row["session"], row["secret_hash"], user, row["unseen"] / SECOND)


async def used(conn: Conn, session: int) -> None:
    """It was used just now."""
    await conn.run(_USED, session=session)


async def drop(conn: Conn, secret: str) -> None:
    """Forget a session whatever became of it: its browser gets another one."""
    await conn.run(_DROP, secret_hash=hashed(secret))


async def end(conn: Conn, user: User, session: int, client: str) -> bool:
    """Log a user's session out; False when they have no such session.  Needs a transaction."""
    if await conn.run(_END, session=session, user=user.id) == 0:
        return False
    await _record(conn, "logged_out", user.id, user.name, user.name, client)
    return True


async def expire(conn: Conn, limit: int, *, idle_seconds: int) -> int:
    """Drop at most `limit` sessions whose time is over, or that nobody used for so long; how many were found."""
    over = sorted(row["id"] for row in await conn.all(_OVER, limit=limit, idle=idle_seconds * SECOND))
    await conn.many(_DROP_OVER, [{"session": each, "idle": idle_seconds * SECOND} for each in over])
    return len(over)


async def refused(conn: Conn, user: User | None, client: str) -> None:
    """Record that somebody failed to log in.  Needs a transaction.

    Only the names of accounts are written down: people type their password into the wrong field.
    """
    if user is None:
        await _record(conn, "login_refused", 0, "-", "anonymous", client)
    else:
        await _record(conn, "login_refused", user.id, user.name, user.name, client)


async def _record(conn: Conn, what: str, user: int, name: str, by: str, client: str) -> None:
    facts = {"user_id": user, "name": name, "by": by, "client": client}
    await events.record(conn, f"user:{user}", f"user.{what}", facts)


# ------------------------------------------------------------------------------------------ listing

_LISTING = Listing(
    {
        "id": Field(sessions.c.id),
        "client_address": Field(sessions.c.client),
        "creation_time": Field(sessions.c.created_at, moment=True),
        "last_seen_time": Field(sessions.c.seen_at, moment=True),
        "expiration_time": Field(sessions.c.expires_at, moment=True),
    },
    default=[("id", True)],
    tie=sessions.c.id,
)


async def listed(
    conn: Conn, user: int, filters: Filters, order: Order = (), *, idle_seconds: int, offset: int, limit: int
) -> tuple[list[OpenSession], int]:
    """One page of somebody's sessions that are good, the newest first, and how many there are.  Raises BadRequest."""
    conditions = [sessions.c.user_id == user, *_LIVE, *_LISTING.where(filters)]
    both = sessions.join(users, users.c.id == sessions.c.user_id)
    count = select(func.count()).select_from(both).where(*conditions)
    total = int(await conn.scalar(count, idle=idle_seconds * SECOND))
    page = (
        select(sessions)
        .select_from(both)
        .where(*conditions)
        .order_by(*_LISTING.order(order))
        .offset(offset)
        .limit(limit)
    )
    rows = await conn.all(page, idle=idle_seconds * SECOND) if offset < total else []
    return [
        OpenSession(
            row["id"], row["client"], row["browser"], row["created_at"], row["seen_at"], row["expires_at"]
        )
        for row in rows
    ], total
