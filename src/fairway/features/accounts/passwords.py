"""Is this the password of that account?

argon2id is slow on purpose (about 20 ms and 19 MiB), so it runs in a small pool of its own and a correct answer is
remembered for a minute: Basic authentication on every `/v2` call stays cheap.  What is remembered is an HMAC under a
key that only this process has, and it counts only while the account's `credentials_version` is the one it was proven
with, so a changed password is over at once, in every process.

A person may have a CLI secret besides, which opens as much as a token.  It is tried after the password.

Nothing tells an unknown account from a wrong password: both cost as much (one hash, or two once anybody has a CLI
secret), both count as a failure, both get the same answer.  The throttle is asked before anything else, the memory
included, or guesses could be tried on that.
Only who has to wait for what others did at the same address may try the memory, a few times: a whole cluster can
share an address, and its nodes must not stop pulling because one of them has an old password.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import argon2

from fairway.core.oci.errors import TooManyRequests, Unauthorized, Unavailable
from fairway.features.accounts import rules, throttle
from fairway.features.accounts.model import Account, ChosenSecret, Failures, Login
from fairway.features.accounts.store import failures, people, tokens
from fairway.frame.access.principals import Robot, User
from fairway.frame.clock import Clock
from fairway.frame.db import Database

AT_ONCE: Final = 2
"""Hashes computed at the same time in one process."""
MOST_ASIDE: Final = 10
"""Passwords that are being set at the same time in one process."""
MOST_WAITING: Final = 1000
"""Different credentials that wait to be checked."""
MOST_WAITING_OF_ADDRESS: Final = 20
"""And those from one address, so that nobody fills the queue for all."""
REMEMBER_SECONDS: Final = 60
MOST_REMEMBERED: Final = 10_000
_SWEEP_EVERY: Final = 500
_PASSES, _MEMORY, _LANES = 2, 19 * 1024, 1


class Hasher:
    """argon2id (19 MiB, two passes, one lane) in a pool of `AT_ONCE` threads."""

    def __init__(self) -> None:
        self._argon2 = argon2.PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY, parallelism=_LANES)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")
        self._nobody = _hash_of_nothing()
        self._aside = 0

    async def hash(self, password: str) -> str:
        """The password as it is stored."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._argon2.hash, password)

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether `stored` was made from `password`; None costs as much and is never right."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._verify, stored, password)

    def _verify(self, stored: str | None, password: str) -> bool:
        try:
            self._argon2.verify(stored or self._nobody, password)
        except argon2.exceptions.VerifyMismatchError:
            return False
        return stored is not None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Around what hashes otherwise than to log in: of that only MOST_ASIDE at a time, for logins wait for the same
        threads.  Raises TooManyRequests."""
        if self._aside >= MOST_ASIDE:
            raise TooManyRequests("too many passwords are being set at the moment; try again", retry_after=2)
        self._aside += 1
        try:
            yield
        finally:
            self._aside -= 1

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False)


def _hash_of_nothing() -> str:
    """What costs as much to compare with as any hash, and is right for no password that anybody could find.

    Drawn, not computed: a process would keep the 19 MiB of that, and every one that is forked from it.
    """
    salt, digest = (base64.b64encode(secrets.token_bytes(n)).rstrip(b"=").decode() for n in (16, 32))
    return f"$argon2id$v=19$m={_MEMORY},t={_PASSES},p={_LANES}${salt}${digest}"


Others = Callable[[str], Awaitable[Login | None]]
"""Who else logs in with this name, when no person has it."""


@dataclass(frozen=True, slots=True)
class _Proven:
    kind: type[Login]
    account: int
    credentials_version: int
    until: float


class Passwords:
    """Checks passwords; an instance is what `frame/web/who.py` asks about Basic credentials."""

    def __init__(self, db: Database, hasher: Hasher, clock: Clock, others: Others | None = None) -> None:
        self._db = db
        self._others = others
        self._hasher = hasher
        self._clock = clock
        self._proven: dict[bytes, _Proven] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._waiting: dict[tuple[str, bytes], asyncio.Event] = {}
        self._waiting_of: Counter[str] = Counter()
        self._failed = 0
        self._missed: dict[str, tuple[int, float]] = {}

    @cached_property
    def _key(self) -> bytes:
        # Drawn at the first login: the rest may be made before a fork, and no two processes shall have the same.
        return secrets.token_bytes(32)

    async def __call__(self, username: str, password: str, client: str) -> User | Robot:
        """Who these credentials belong to.

        Raises Unauthorized when they are wrong, TooManyRequests while `username` is throttled for the address `client`,
        or anybody is whose password is not remembered, or when too many logins from there wait already, and
        Unavailable when too many wait at all.
        """
        key, address = throttle.key(username, client), throttle.key("", client)
        proof = self._proof(username, password)
        while True:
            _, account, proven = await self._look(username, password, key, address, proof)
            if account is not None and proven:
                return account.principal
            same = self._waiting.get((key, proof))
            if same is None:
                break
            await same.wait()  # a fleet that logs in as one: the first finds out for all
        with self._place(key, proof, address):
            async with self._slots:
                return await self._check(username, password, key, address, proof)

    @contextmanager
    def _place(self, key: str, proof: bytes, address: str) -> Iterator[None]:
        if len(self._waiting) >= MOST_WAITING:
            raise Unavailable("too many logins at the moment; try again", retry_after=2)
        if self._waiting_of[address] >= MOST_WAITING_OF_ADDRESS:
            raise TooManyRequests("too many logins from this address at the moment; try again", retry_after=2)
        over = self._waiting[key, proof] = asyncio.Event()
        self._waiting_of[address] += 1
        try:
            yield
        finally:
            del self._waiting[key, proof]
            self._waiting_of[address] -= 1
            if not self._waiting_of[address]:
                del self._waiting_of[address]
            over.set()

    async def _check(
        self, username: str, password: str, key: str, address: str, proof: bytes
    ) -> User | Robot:
        # While this one waited for its slot, others may have failed, succeeded or changed the password.
        earlier, account, proven = await self._look(username, password, key, address, proof)
        if account is not None and proven:
            return account.principal
        stored = account.password_hash if account is not None and account.enabled else None
        fits = len(password) <= rules.MAX_PASSWORD
        right = await self._hasher.matches(stored, password if fits else "")
        if not right and await tokens.any_chosen(self._db):
            second = await self._second(account)
            right = await self._hasher.matches(
                second.password_hash if second else None, password if fits else ""
            )
            account = second or account
        if account is None or not (right and fits):
            await self._count_failure(key, address)
            raise Unauthorized(
                "these credentials are not valid; check the user name and password, or log in again"
            )
        self._remember(proof, account)
        self._missed.pop(key, None)
        if earlier.count:
            await self._db.write(lambda conn: failures.clear(conn, key), soft=True)
        return account.principal

    async def _look(
        self, username: str, password: str, key: str, address: str, proof: bytes
    ) -> tuple[Failures, Login | None, bool]:
        """What is known without a slow hash: earlier failures, the account, and whether its password is right for sure.

        Raises TooManyRequests.
        """
        earlier = await failures.waiting(self._db, key, address)
        if earlier.wait_seconds:
            raise _must_wait(earlier.wait_seconds)
        account = await self._find(username)
        if self._by_second(proof):
            second = await self._second(account)
            account = second if second is not None and self._is_proven(proof, second) else account
        if account is not None and account.enabled and account.opened_by(password):
            return earlier, account, True
        # From here on without a pause: many guesses sent together must not get around the count of misses.
        if not earlier.address_wait_seconds:
            return earlier, account, account is not None and self._is_proven(proof, account)
        if not self._has_missed_too_often(key):
            if account is not None and self._is_proven(proof, account):
                self._remember(proof, account)  # it could not be proven anew now
                return earlier, account, True
            self._count_miss(key)
        raise _must_wait(earlier.address_wait_seconds)

    def _has_missed_too_often(self, key: str) -> bool:
        missed, until = self._missed.get(key, (0, 0.0))
        return missed >= throttle.FREE_FAILURES and self._clock() < until

    def _count_miss(self, key: str) -> None:
        """The memory had no such password.  Counted for unknown accounts, too: the answers must not tell them apart."""
        missed, until = self._missed.pop(key, (0, 0.0))
        now = self._clock()
        self._missed[key] = (missed + 1 if now < until else 1), now + throttle.FORGET_SECONDS
        if len(self._missed) > MOST_REMEMBERED:
            del self._missed[next(iter(self._missed))]

    async def _find(self, username: str) -> Login | None:
        account = await people.by_name(self._db, username) if rules.is_username(username) else None
        return account if account is not None or self._others is None else await self._others(username)

    async def _second(self, account: Login | None) -> ChosenSecret | None:
        """What a person may say instead of the password."""
        if not isinstance(account, Account) or not account.enabled:
            return None
        return await tokens.chosen(self._db, account.id)

    def _by_second(self, proof: bytes) -> bool:
        known = self._proven.get(proof)
        return known is not None and known.kind is ChosenSecret

    async def _count_failure(self, key: str, address: str) -> None:
        self._failed += 1
        await self._db.write(lambda conn: failures.record(conn, key, address), soft=True)
        if self._failed % _SWEEP_EVERY == 0:
            await self._db.write(failures.forget, soft=True)

    def _proof(self, username: str, password: str) -> bytes:
        # Neither may be moved across the boundary: a user name cannot contain the zero byte.
        return hmac.digest(self._key, f"{username}\0{password}".encode(), hashlib.sha256)

    def _is_proven(self, proof: bytes, account: Login) -> bool:
        known = self._proven.get(proof)
        return (
            known is not None
            and account.enabled
            and (known.kind, known.account) == (type(account), account.id)
            and known.credentials_version == account.credentials_version
            and self._clock() < known.until
        )

    def _remember(self, proof: bytes, account: Login) -> None:
        self._proven.pop(proof, None)
        until = self._clock() + REMEMBER_SECONDS
        self._proven[proof] = _Proven(type(account), account.id, account.credentials_version, until)
        if len(self._proven) > MOST_REMEMBERED:
            del self._proven[next(iter(self._proven))]


def _must_wait(seconds: int) -> TooManyRequests:
    return TooManyRequests(f"too many failed logins; try again in {seconds} seconds", retry_after=seconds)
