"""Personal access tokens that come with a request: whose are they?

A secret we made cannot be guessed, so that a right one is never throttled, and nobody pays a slow hash for it.  A wrong
one is counted by the address it came from and by nothing else: a forgotten job with an old token keeps nobody from their
password.

When a token was used last is noted in memory and written every few seconds, for each at most once in five minutes.
"""

from functools import partial
from typing import Final

from fairway.core.oci.errors import FairwayError, TooManyRequests, Unauthorized
from fairway.features.accounts import secret, throttle
from fairway.features.accounts.store import failures, tokens
from fairway.frame.access.principals import User
from fairway.frame.db import Database

MOST_NOTED: Final = 20_000
_BATCH: Final = 200
_SWEEP_EVERY: Final = 500
_COUNTED_AS: Final = ":token"
"""No user name has a colon in it."""


class PersonalTokens:
    """Reads tokens as principals; `login_db` is the pool for those who log in."""

    def __init__(self, db: Database, login_db: Database) -> None:
        self._db = db
        self._login_db = login_db
        self._used: set[int] = set()
        self._failed = 0

    async def opened_by(self, text: str, client: str, username: str | None = None) -> User | None:
        """Who comes with this secret from the address `client`; None for text that is no token of ours at all.

        `username` is the name they say they have.  Raises Unauthorized, and TooManyRequests after many wrong ones.
        """
        if not secret.looks_like_one(text):
            return None
        found = await tokens.by_secret(self._login_db, text) if secret.is_whole(text) else None
        if found is not None and username in (None, found.user.name):
            if found.unnoted:
                self.note(found.token)
            return found.user
        raise await self._refused(client)

    async def _refused(self, client: str) -> FairwayError:
        key = throttle.key(_COUNTED_AS, client)
        if wait := (await failures.waiting(self._login_db, key)).wait_seconds:
            return TooManyRequests(
                f"too many tokens that are not valid; try again in {wait} seconds", retry_after=wait
            )
        await self._login_db.write(lambda conn: failures.record(conn, key), soft=True)
        self._failed += 1
        if self._failed % _SWEEP_EVERY == 0:
            await self._login_db.write(failures.forget, soft=True)
        return Unauthorized(
            "this token is not valid: mistyped, expired, revoked or somebody else's; make a new one"
        )

    async def current(self, token: int) -> User | None:
        """Whom a token stands for now; None when it was revoked or has expired."""
        return await tokens.current(self._db, token)

    def note(self, token: int) -> None:
        """It was used."""
        if len(self._used) < MOST_NOTED:
            self._used.add(token)

    async def flush(self) -> None:
        """Write what was noted.  After an error it stays noted, and the error goes on."""
        noted, self._used = sorted(self._used), set()
        while noted:
            some, rest = noted[:_BATCH], noted[_BATCH:]
            try:
                await self._db.write(partial(tokens.used, tokens=some), soft=True)
            except Exception:
                self._used.update(noted)
                raise
            noted = rest
