"""Robots that log in, and robots that come back with a token.

What a robot holds is remembered with the version of its row, which moves with every change and is read each time: a robot
with thousands of grants costs one row per request.
"""

from functools import partial
from typing import Final

from fairway.features.accounts.passwords import Passwords
from fairway.features.accounts.personal import PersonalTokens
from fairway.features.accounts.rules import is_username
from fairway.features.robots import secret, store
from fairway.features.robots.model import RobotAccount, RobotLogin
from fairway.frame.access.principals import Grant, Narrowed, Robot, User, narrowed_to
from fairway.frame.db import Database

MOST_REMEMBERED: Final = 1_000


class Robots:
    """Reads robots as principals."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._held: dict[int, tuple[int, frozenset[Grant], frozenset[Narrowed]]] = {}

    async def find(self, login: str) -> RobotLogin | None:
        """Who logs in with this name, live or not."""
        account = await store.by_login(self._db, login)
        if account is None:
            return None
        return RobotLogin(
            account,
            await self._principal(account),
            secret.chosen_hash(account.secret_hash),
            partial(secret.is_right, account.secret_hash),
        )

    async def current(self, robot: int) -> Robot | None:
        """The robot with this id as it is now; None when it is gone, disabled or expired."""
        account = await store.by_id(self._db, robot)
        return await self._principal(account) if account is not None and account.live else None

    async def _principal(self, account: RobotAccount) -> Robot:
        version, held, narrowed = self._held.pop(account.id, (0, frozenset[Grant](), frozenset[Narrowed]()))
        if version != account.version:
            held, narrowed = await store.grants(self._db, account.id)
        self._held[account.id] = (
            account.version,
            held,
            narrowed,
        )  # at the end: the first one was used longest ago
        if len(self._held) > MOST_REMEMBERED:
            del self._held[next(iter(self._held))]
        return Robot(account.id, account.login, account.project, held, narrowed)


class Logins:
    """What frame/web/who.py asks about Basic credentials, of robots, of people, and of people's tokens.

    A generated secret is looked at first, and if it is right nothing else is asked: it cannot be guessed, so it needs no
    throttle, and one forgotten job with an old secret keeps nobody waiting.  Everything else, a wrong generated secret
    included, goes the way of passwords, where all that is wrong costs and says the same.  So does a name that a person can
    have, which a robot has only under another prefix than ours: people must not pay for robots with each request.
    """

    def __init__(self, robots: Robots, passwords: Passwords, personal: PersonalTokens | None = None) -> None:
        self._robots = robots
        self._personal = personal
        self._passwords = passwords

    async def __call__(self, username: str, password: str, client: str) -> User | Robot:
        """Whose credentials these are.  Raises as `Passwords` does."""
        robot = None if is_username(username) else await self._robots.find(username)
        if robot is not None and robot.enabled and robot.opened_by(password):
            return robot.principal
        if self._personal is not None and is_username(username):
            owner = await self._personal.opened_by(password, client, username)
            if owner is not None:
                return owner
        found = await self._passwords(username, password, client)
        if self._personal is not None and (scope := narrowed_to(found)):
            self._personal.note(scope.token)
        return found
