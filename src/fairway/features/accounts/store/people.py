"""People: who has an account."""

from sqlalchemy import bindparam, func, insert, select, update

from fairway.features.accounts.model import Account
from fairway.frame.access.principals import User
from fairway.frame.db import Conn, Row, now_us
from fairway.frame.db.tables import users

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
