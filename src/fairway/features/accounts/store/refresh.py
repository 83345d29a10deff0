"""Refresh tokens: long-lived secrets that stand for a password at the token endpoint."""

import hashlib

from sqlalchemy import BigInteger, Integer, Text, bindparam, delete, insert, select

from fairway.features.accounts.model import RefreshToken
from fairway.features.accounts.store.people import account_of
from fairway.frame.access.principals import User
from fairway.frame.db import SECOND, Conn, now_us
from fairway.frame.db.tables import refresh_tokens, users

MOST_REFRESH_TOKENS = 100
"""Of one account; a further one ends the oldest."""

# Only while the password that was shown still is the password, though hashing it took a while.
_CREATE = (
    insert(refresh_tokens)
    .from_select(
        [
            "secret_hash",
            "user_id",
            "service",
            "client_id",
            "credentials_version",
            "created_at",
            "expires_at",
        ],
        select(
            bindparam("secret_hash", type_=Text),
            users.c.id,
            bindparam("service", type_=Text),
            bindparam("client", type_=Text),
            users.c.credentials_version,
            now_us(),
            now_us() + bindparam("lifetime", type_=BigInteger),
        ).where(
            users.c.id == bindparam("user"),
            users.c.credentials_version == bindparam("version", type_=Integer),
            users.c.enabled,
        ),
    )
    .returning(refresh_tokens.c.id)
)
_newest_kept = (
    select(refresh_tokens.c.id)
    .where(refresh_tokens.c.user_id == bindparam("user"))
    .order_by(refresh_tokens.c.id.desc())
    .offset(MOST_REFRESH_TOKENS)
    .limit(1)
    .scalar_subquery()
)
_DROP_OLDEST = delete(refresh_tokens).where(
    refresh_tokens.c.user_id == bindparam("user"), refresh_tokens.c.id <= _newest_kept
)
_FIND = (
    select(
        refresh_tokens.c.id.label("token_id"),
        refresh_tokens.c.service,
        refresh_tokens.c.client_id,
        refresh_tokens.c.expires_at,
        *users.c,
    )
    .join(users, users.c.id == refresh_tokens.c.user_id)
    .where(
        refresh_tokens.c.secret_hash == bindparam("secret_hash"),
        refresh_tokens.c.expires_at > now_us(),
        refresh_tokens.c.credentials_version == users.c.credentials_version,
        users.c.enabled,
    )
)
_EXPIRED = (
    select(refresh_tokens.c.id)
    .where(refresh_tokens.c.expires_at <= now_us())
    .order_by(refresh_tokens.c.expires_at)
    .limit(bindparam("limit"))
)
_DROP = delete(refresh_tokens).where(refresh_tokens.c.id == bindparam("token"))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


async def create(
    conn: Conn,
    user: User,
    secret: str,
    *,
    service: str,
    client_id: str,
    seconds: int,
) -> bool:
    """Keep a generated secret (≥ 128 bit) for whoever has shown a password, as its SHA-256.  Needs a transaction.

    False when the password is another one by now, or the account is closed.
    """
    made = await conn.scalar(
        _CREATE,
        secret_hash=_hash(secret),
        user=user.id,
        service=service,
        client=client_id,
        version=user.credentials_version,
        lifetime=seconds * SECOND,
    )
    await conn.run(_DROP_OLDEST, user=user.id)
    return made is not None


async def find(conn: Conn, secret: str) -> RefreshToken | None:
    """The token with this secret, while it is good: not expired, the account enabled and its password unchanged."""
    row = await conn.first(_FIND, secret_hash=_hash(secret))
    if row is None:
        return None
    return RefreshToken(row["token_id"], row["service"], row["client_id"], row["expires_at"], account_of(row))


async def expire(conn: Conn, limit: int) -> int:
    """Drop at most `limit` tokens whose time is over; how many."""
    expired = await conn.all(_EXPIRED, limit=limit)
    await conn.many(_DROP, [{"token": row["id"]} for row in expired])
    return len(expired)
