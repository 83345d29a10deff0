"""People: who has an account.

Who is deleted keeps their row, closed and under a name that nobody can have: what they made still says by whom, and their id
is never anybody else's.
"""

from sqlalchemy import bindparam, delete, func, insert, literal, select, update

from fairway.features.accounts.model import Account
from fairway.frame import events
from fairway.frame.access.principals import User
from fairway.frame.db import Conn, Row, now_us
from fairway.frame.db.listing import Field, Filters, Listing, Order
from fairway.frame.db.tables import (
    members,
    personal_tokens,
    refresh_tokens,
    sessions,
    user_group_members,
    users,
)

ADMIN = "admin"
"""The name of the account that the first start makes."""

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


def account_of(row: Row) -> Account:
    """A row of `users`."""
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
    return None if row is None else account_of(row)


async def by_id(conn: Conn, account: int) -> Account | None:
    """The account with this id."""
    row = await conn.first(_BY_ID, id=account)
    return None if row is None else account_of(row)


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
    """Replace the password, which voids every session, refresh token and remembered login; False for no such account."""
    return await conn.run(_SET_PASSWORD, account=account, new_hash=password_hash) == 1


async def ensure_admin(conn: Conn, password_hash: str) -> bool:
    """Make the first system administrator unless it is there; whether it was made.

    Raises UniqueViolation when another process was quicker: somebody else's password then counts, not this one.
    """
    if await by_name(conn, ADMIN) is not None:
        return False
    await create(conn, ADMIN, password_hash, sysadmin=True, realname="system administrator")
    return True


# ------------------------------------------------------------------------------------------ managing

_LISTING = Listing(
    {
        "user_id": Field(users.c.id),
        "username": Field(users.c.username),
        "email": Field(users.c.email),
        "realname": Field(users.c.realname),
        "sysadmin_flag": Field(users.c.sysadmin),
        "creation_time": Field(users.c.created_at, moment=True),
        "update_time": Field(users.c.updated_at, moment=True),
    },
    default=[("username", False)],
    tie=users.c.id,
)
_PRESENT = select(users).where(users.c.id == bindparam("id"), users.c.deleted_at.is_(None))
_SET_PROFILE = (
    update(users)
    .where(users.c.id == bindparam("account"), users.c.deleted_at.is_(None))
    .values(
        email=bindparam("new_email"),
        realname=bindparam("new_realname"),
        comment=bindparam("new_comment"),
        updated_at=now_us(),
    )
)
_LOCK_ADMINS = (
    select(users.c.id).where(users.c.sysadmin, users.c.enabled).order_by(users.c.id).with_for_update()
)
_SET_SYSADMIN = (
    update(users)
    .where(users.c.id == bindparam("account"), users.c.deleted_at.is_(None))
    .values(sysadmin=bindparam("flag"), updated_at=now_us())
)
_CLOSE = (
    update(users)
    .where(users.c.id == bindparam("account"), users.c.deleted_at.is_(None))
    .values(
        username=users.c.username.concat(literal("#")).concat(bindparam("suffix")),
        email="",
        password_hash="",
        sysadmin=False,
        enabled=False,
        credentials_version=users.c.credentials_version + 1,
        deleted_at=now_us(),
        updated_at=now_us(),
    )
)
_LEAVE_PROJECTS = delete(members).where(members.c.user_id == bindparam("account"))
_LEAVE_GROUPS = delete(user_group_members).where(user_group_members.c.user_id == bindparam("account"))
_DROP_TOKENS = [
    delete(table).where(table.c.user_id == bindparam("account"))
    for table in (refresh_tokens, personal_tokens, sessions)
]


async def present(conn: Conn, account: int) -> Account | None:
    """The account with this id, unless it was deleted."""
    row = await conn.first(_PRESENT, id=account)
    return None if row is None else account_of(row)


async def listed(
    conn: Conn, filters: Filters, order: Order = (), *, offset: int, limit: int
) -> tuple[list[Account], int]:
    """One page of the accounts that are not deleted, by name, and how many there are.  Raises BadRequest."""
    conditions = [users.c.deleted_at.is_(None), *_LISTING.where(filters)]
    total = int(await conn.scalar(select(func.count()).select_from(users).where(*conditions)))
    page = select(users).where(*conditions).order_by(*_LISTING.order(order)).offset(offset).limit(limit)
    rows = await conn.all(page) if offset < total else []
    return [account_of(row) for row in rows], total


async def set_profile(conn: Conn, account: int, *, email: str, realname: str, comment: str) -> bool:
    """Replace what an account says about its person; False when there is no such account."""
    return (
        await conn.run(
            _SET_PROFILE, account=account, new_email=email, new_realname=realname, new_comment=comment
        )
        == 1
    )


async def only_admin(conn: Conn, account: int) -> bool:
    """Whether this is the last system administrator.  Needs a transaction, and stays true until its end."""
    return [row["id"] for row in await conn.all(_LOCK_ADMINS)] == [account]


async def set_sysadmin(conn: Conn, account: int, *, sysadmin: bool) -> bool:
    """Make or unmake a system administrator; False when there is no such account."""
    return await conn.run(_SET_SYSADMIN, account=account, flag=sysadmin) == 1


async def close(conn: Conn, account: int) -> bool:
    """Delete an account: it leaves all projects and groups, and its name is free again; False when there is no such account.

    Needs a transaction.
    """
    if await conn.run(_CLOSE, account=account, suffix=str(account)) == 0:
        return False
    await conn.run(_LEAVE_PROJECTS, account=account)
    await conn.run(_LEAVE_GROUPS, account=account)
    for drop in _DROP_TOKENS:
        await conn.run(drop, account=account)
    return True


async def record(conn: Conn, what: str, account: int, name: str, by: str) -> None:
    """Record that an account was `created`, `updated` or `deleted`.  Needs a transaction."""
    await events.record(conn, f"user:{account}", f"user.{what}", {"user_id": account, "name": name, "by": by})
