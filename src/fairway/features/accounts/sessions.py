"""Sessions of people in browsers, as the web part asks about them.

Each look-up is one statement, by index.  That a session was used is written down about once a minute, softly: losing it in
a power cut ends a session a minute early.
"""

import secrets
from functools import partial
from typing import Final

from fairway.core.oci.errors import Unauthorized, Unavailable
from fairway.features.accounts import rules
from fairway.features.accounts.model import OpenSession
from fairway.features.accounts.store import people
from fairway.features.accounts.store import sessions as store
from fairway.frame.access.principals import Session, User
from fairway.frame.configuration import Configuration
from fairway.frame.configuration.declared import SESSION
from fairway.frame.db import Conn, Database
from fairway.frame.db.listing import Filters, Order
from fairway.frame.log import get_logger

_log = get_logger(__name__)

WRITTEN_SECONDS: Final = 60.0
MOST_BROWSER: Final = 255
_BATCH: Final = 200


class Sessions:
    """Begins, finds and ends sessions.  `seconds`: after so long one ends however much it is used."""

    def __init__(self, db: Database, configuration: Configuration, seconds: int) -> None:
        self._db = db
        self._configuration = configuration
        self._seconds = seconds

    @property
    def idle_seconds(self) -> int:
        """Unused for so long, one ends."""
        return self._configuration.get(SESSION) * 60

    @staticmethod
    def key(secret: str) -> str:
        """What names the session with this secret, and opens nothing."""
        return store.hashed(secret)

    async def find(self, secret: str) -> Session | None:
        """The session with this secret, while it is good.  Raises Unavailable."""
        return await store.find(self._db, secret, idle_seconds=self.idle_seconds)

    async def used(self, session: Session) -> None:
        """Write it down, unless that was done just now.  A database that takes no writes keeps nobody from reading."""
        if session.unseen_seconds < min(WRITTEN_SECONDS, self.idle_seconds / 10):
            return
        try:
            await self._db.write(partial(store.used, session=session.id), soft=True)
        except Unavailable as error:
            _log.warning("the use of a session could not be written down", error=error.message)

    async def begin(self, user: User, *, instead_of: str, client: str, browser: str) -> str:
        """The secret of a new session for who has just shown a password; the one that their cookie had is over.

        Raises Unauthorized when the password was changed just now, or the account closed.
        """
        secret = secrets.token_urlsafe(32)
        told = "".join(each for each in browser[:MOST_BROWSER] if each.isprintable())

        async def begin(conn: Conn) -> bool:
            if instead_of:
                await store.drop(conn, instead_of)
            return await store.begin(conn, user, secret, client=client, browser=told, seconds=self._seconds)

        if not await self._db.write(begin):
            raise Unauthorized("the password was changed just now, or the account closed; log in again")
        return secret

    async def end(self, user: User, session: int, client: str) -> bool:
        """Log it out; False when they have no such session."""
        return await self._db.write(partial(store.end, user=user, session=session, client=client))

    async def listed(
        self, user: User, filters: Filters, order: Order, *, offset: int, limit: int
    ) -> tuple[list[OpenSession], int]:
        """One page of somebody's sessions, the newest first, and how many there are.  Raises BadRequest."""

        async def read(conn: Conn) -> tuple[list[OpenSession], int]:
            idle = self.idle_seconds
            return await store.listed(
                conn, user.id, filters, order, idle_seconds=idle, offset=offset, limit=limit
            )

        return await self._db.read(read)

    async def refused(self, username: str, client: str) -> None:
        """Record that somebody failed to log in.  Accounts and names that nobody has cost the same."""
        account = await people.by_name(self._db, username) if rules.is_username(username) else None
        user = account.user if account is not None else None
        await self._db.write(partial(store.refused, user=user, client=client), soft=True)

    async def tidy(self) -> int:
        """Drop those that are over; how many."""
        dropped = 0
        drop = partial(store.expire, limit=_BATCH, idle_seconds=self.idle_seconds)
        while some := await self._db.write(drop, soft=True):
            dropped += some
        return dropped
