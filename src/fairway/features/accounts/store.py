"""The SQL of accounts: people, failed logins, refresh tokens."""

import hashlib

from sqlalchemy import BigInteger, Integer, Text, bindparam, case, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.features.accounts import throttle
from fairway.features.accounts.model import Account, Failures, RefreshToken
from fairway.frame.access.principals import User
from fairway.frame.db import SECOND, Conn, Row, now_us
from fairway.frame.db.tables import login_failures, refresh_tokens, users

ADMIN = "admin"
"""The name of the account that the first start makes."""


# ------------------------------------------------------------------------------------------- people

_BY_NAME = select(users).where(users.c.username == bindparam("username"))
_BY_ID = select(users).where(users.c.id == bindparam("id"))
_ENABLED = select(users.c.id, users.c.username, users.c.sysadmin).where(
    users.c.id == bindparam("id"), users.c.enabled
)
_COUNT = select(func.count()).select_from(users)
_CREATE = (
    insert(users)
    .values(
        username=bindparam("username"),
        email=bindparam("email"),
        realname=bindparam("realname"),
        comment=bindparam("comment"),
        password_hash=bindparam("password_hash"),
        sysadmin=bindparam("sysadmin"),
        created_at=now_us(),
        updated_at=now_us(),
    )
    .returning(users.c.id)
)
_SET_PASSWORD = (
    update(users)
    .where(users.c.id == bindparam("account"))
    .values(
        password_hash=bindparam("new_hash"),
        credentials_version=users.c.credentials_version + 1,
        updated_at=now_us(),
    )
)


def _account(row: Row) -> Account:
    return Account(
        id=row["id"],
        username=row["username"],
        email=row["email"],
        realname=row["realname"],
        comment=row["comment"],
        password_hash=row["password_hash"],
        sysadmin=bool(row["sysadmin"]),
        enabled=bool(row["enabled"]),
        credentials_version=row["credentials_version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


async def by_name(conn: Conn, username: str) -> Account | None:
    """The account with exactly this name."""
    row = await conn.first(_BY_NAME, username=username)
    return None if row is None else _account(row)


async def by_id(conn: Conn, account: int) -> Account | None:
    """The account with this id."""
    row = await conn.first(_BY_ID, id=account)
    return None if row is None else _account(row)


async def enabled_user(conn: Conn, account: int) -> User | None:
    """The principal that the account is today; None when it is gone or disabled.  Asked by every push."""
    row = await conn.first(_ENABLED, id=account)
    return None if row is None else User(row["id"], row["username"], bool(row["sysadmin"]))


async def count(conn: Conn) -> int:
    """How many accounts there are."""
    return int(await conn.scalar(_COUNT))


async def create(
    conn: Conn,
    username: str,
    password_hash: str,
    *,
    sysadmin: bool = False,
    email: str = "",
    realname: str = "",
    comment: str = "",
) -> int:
    """Add an account; its id.  Raises UniqueViolation when the name is taken."""
    made = await conn.scalar(
        _CREATE,
        username=username,
        password_hash=password_hash,
        sysadmin=sysadmin,
        email=email,
        realname=realname,
        comment=comment,
    )
    return int(made)


async def set_password(conn: Conn, account: int, password_hash: str) -> bool:
    """Replace the password, which voids every refresh token and remembered login; False when there is no such account."""
    return await conn.run(_SET_PASSWORD, account=account, new_hash=password_hash) == 1


async def ensure_admin(conn: Conn, password_hash: str) -> bool:
    """Make the first system administrator unless it is there; whether it was made.

    Raises UniqueViolation when another process was quicker: somebody else's password then counts, not this one.
    """
    if await by_name(conn, ADMIN) is not None:
        return False
    await create(conn, ADMIN, password_hash, sysadmin=True, realname="system administrator")
    return True


# ------------------------------------------------------------------------------------ failed logins

_FAILURES = select(
    login_failures.c.key,
    login_failures.c.failures,
    (login_failures.c.blocked_until - now_us()).label("wait"),
).where(login_failures.c.key.in_([bindparam("key"), bindparam("address")]))

_forget = bindparam("forget", type_=BigInteger)
_FAILED = (
    upsert(login_failures)
    .values(key=bindparam("key"), failures=1, last_at=now_us(), blocked_until=0)
    .on_conflict_do_update(
        index_elements=["key"],
        set_={
            "failures": case(
                (login_failures.c.last_at < now_us() - _forget, 1), else_=login_failures.c.failures + 1
            ),
            "last_at": now_us(),
        },
    )
    .returning(login_failures.c.failures)
)
_BLOCK = (
    update(login_failures)
    .where(login_failures.c.key == bindparam("failed_key"))
    .values(blocked_until=now_us() + bindparam("wait", type_=BigInteger))
)
_SUCCEEDED = delete(login_failures).where(login_failures.c.key == bindparam("key"))
_FORGET = delete(login_failures).where(login_failures.c.last_at < now_us() - _forget)


async def failures(conn: Conn, key: str, address: str = "") -> Failures:
    """The failures behind a throttle key, and the whole seconds still to wait for it and for that of its `address`."""
    rows = {row["key"]: row for row in await conn.all(_FAILURES, key=key, address=address)}
    count = rows[key]["failures"] if key in rows else 0
    waits = [max(0, -(-int(rows[each]["wait"]) // SECOND)) if each in rows else 0 for each in (key, address)]
    return Failures(count, *waits)


async def record_failure(conn: Conn, key: str, address: str = "") -> None:
    """Count one more failure and set the wait that follows from it.  Needs a transaction.

    It counts for its `address`, too, as long as it is one of those that are free for the key.
    """
    failed = await _count_failure(conn, key)
    await conn.run(_BLOCK, failed_key=key, wait=throttle.wait_seconds(failed) * SECOND)
    if address and failed <= throttle.FREE_FAILURES:
        wait = throttle.wait_seconds(await _count_failure(conn, address), of_address=True)
        await conn.run(_BLOCK, failed_key=address, wait=wait * SECOND)


async def _count_failure(conn: Conn, key: str) -> int:
    return int(await conn.scalar(_FAILED, key=key, forget=throttle.FORGET_SECONDS * SECOND))


async def clear_failures(conn: Conn, key: str) -> None:
    """Start over after a correct password."""
    await conn.run(_SUCCEEDED, key=key)


async def forget_failures(conn: Conn) -> int:
    """Drop the counters that start over anyway; how many."""
    return await conn.run(_FORGET, forget=throttle.FORGET_SECONDS * SECOND)


# ----------------------------------------------------------------------------------- refresh tokens

MOST_REFRESH_TOKENS = 100
"""Of one account; a further one ends the oldest."""

# Only while the password that was shown still is the password, though hashing it took a while.
_CREATE_REFRESH = (
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
_DROP_OLDEST_REFRESH = delete(refresh_tokens).where(
    refresh_tokens.c.user_id == bindparam("user"), refresh_tokens.c.id <= _newest_kept
)
_FIND_REFRESH = (
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
_EXPIRED_REFRESH = (
    select(refresh_tokens.c.id)
    .where(refresh_tokens.c.expires_at <= now_us())
    .order_by(refresh_tokens.c.expires_at)
    .limit(bindparam("limit"))
)
_DROP_REFRESH = delete(refresh_tokens).where(refresh_tokens.c.id == bindparam("token"))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


async def create_refresh_token(
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
        _CREATE_REFRESH,
        secret_hash=_hash(secret),
        user=user.id,
        service=service,
        client=client_id,
        version=user.credentials_version,
        lifetime=seconds * SECOND,
    )
    await conn.run(_DROP_OLDEST_REFRESH, user=user.id)
    return made is not None


async def find_refresh_token(conn: Conn, secret: str) -> RefreshToken | None:
    """The token with this secret, while it is good: not expired, the account enabled and its password unchanged."""
    row = await conn.first(_FIND_REFRESH, secret_hash=_hash(secret))
    if row is None:
        return None
    return RefreshToken(row["token_id"], row["service"], row["client_id"], row["expires_at"], _account(row))


async def expire_refresh_tokens(conn: Conn, limit: int) -> int:
    """Drop at most `limit` tokens whose time is over; how many."""
    expired = await conn.all(_EXPIRED_REFRESH, limit=limit)
    await conn.many(_DROP_REFRESH, [{"token": row["id"]} for row in expired])
    return len(expired)
