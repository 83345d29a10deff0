"""Builds every long-lived object of a process, in the order they depend on each other, and lets go of them in reverse.

`make` puts them together and opens nothing: no file, thread or connection.  What it made may be passed on by a process
that forks; each of those that use it has it `opened` for itself.  `build` is both.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from fairway.core.stores.disk import DiskStore
from fairway.core.stores.protocols import WrongStore
from fairway.core.tokens import SigningKeys
from fairway.features.accounts.passwords import Hasher, Passwords
from fairway.features.accounts.personal import PersonalTokens
from fairway.features.accounts.sessions import Sessions
from fairway.features.accounts.store import people
from fairway.features.artifacts.model import Periods
from fairway.features.audit import jobs as audit
from fairway.features.audit.forward import Send
from fairway.features.gc import jobs as gc
from fairway.features.gc.model import Switches
from fairway.features.projects import jobs as project_jobs
from fairway.features.registry.hub import ISSUER, SERVICE, Hub
from fairway.features.registry.origin import Origin
from fairway.features.registry.pulls import Pulls
from fairway.features.retention import jobs as retention
from fairway.features.robots.logins import Logins, Robots
from fairway.features.webhooks.jobs import Notifications
from fairway.features.webhooks.registry.model import endpoints
from fairway.features.webhooks.telling import Telling
from fairway.frame.access.changes import Changes
from fairway.frame.clock import utc_now
from fairway.frame.configuration import Configuration
from fairway.frame.configuration.declared import NOTIFICATIONS, READ_ONLY
from fairway.frame.configuration.kinds import Place
from fairway.frame.db import Database, database_at, installation, sqlite_path
from fairway.frame.jobs.job import Jobs
from fairway.frame.keys import load_or_create_secret_keys, load_or_create_signing_keys
from fairway.frame.sealing import Sealer
from fairway.frame.settings import Settings
from fairway.frame.web.browsers import Browsers
from fairway.frame.web.who import Authenticators

if TYPE_CHECKING:
    from fairway.features.webhooks.deliverer import Deliverer
    from fairway.frame.egress import Egress


@dataclass(frozen=True, slots=True)
class Parts:
    """What a process is made of."""

    settings: Settings
    db: Database
    store: DiskStore
    hub: Hub
    who: Authenticators
    sessions: Sessions
    browsers: Browsers
    hasher: Hasher
    personal: PersonalTokens
    origin: Origin
    jobs: Jobs
    notifications: Notifications
    webhooks: Telling
    sealer: Sealer
    configuration: Configuration
    send_lines: Send
    deliverer: "Deliverer | None"
    """Tells targets of webhooks; None where there is no way out."""


@asynccontextmanager
async def build(settings: Settings, *, works: bool = False) -> AsyncIterator[Parts]:
    """The parts of a process that serves, or that `works` on jobs, open; the schema must be there.

    Raises what `make` and `opened` do.
    """
    async with AsyncExitStack() as closing:
        egress = await closing.enter_async_context(_way_out(settings)) if works else None
        parts = make(settings, egress)
        await closing.enter_async_context(opened(parts))
        yield parts


def make(settings: Settings, egress: "Egress | None" = None) -> Parts:
    """The parts, not open yet.  With a way out they work on jobs.  Raises SettingsInvalid and KeyUnusable."""
    db, token_db = _databases(settings, works=egress is not None)
    store = store_of(settings)
    keys = load_or_create_signing_keys(settings.keys_dir)
    secrets = load_or_create_secret_keys(settings)
    # By the pool that pushes cannot starve: they are what it may have to stop.
    sealer = Sealer(secrets)
    chosen = Configuration(token_db, sealer, settings)
    hasher = Hasher()

    personal = PersonalTokens(db, token_db)
    who = _authenticators(keys, db, token_db, hasher, personal)
    periods = Periods(
        settings.lease_seconds, settings.gc_grace_seconds, settings.trash_seconds, settings.undo_seconds
    )
    changes = Changes(settings.read_only, settings.delete_enabled, partial(chosen.get, READ_ONLY))
    hub = Hub(
        db=db,
        token_db=token_db,
        store=store,
        keys=keys,
        who=who,
        pulls=Pulls(db),
        clock=utc_now,
        periods=periods,
        uploads_per_user=settings.uploads_per_user,
        token_seconds=settings.token_seconds,
        refresh_token_seconds=settings.refresh_token_seconds,
        create_project_on_push=settings.create_project_on_push,
        configuration=chosen,
        changes=changes,
    )
    origin = Origin(settings.external_url, settings.listen, settings.trusted_proxies)
    sessions = Sessions(token_db, chosen, settings.session_seconds)
    browsers = Browsers(secrets, origin.of, sessions)
    notifications = _notifications(settings, db, egress, origin, store)
    webhooks = Telling(origin.of({}, "").partition("://")[2], partial(chosen.get, NOTIFICATIONS))
    jobs = _jobs(settings, db, store, periods, chosen, notifications)
    send = partial(_send_lines, settings)
    return Parts(
        settings,
        db,
        store,
        hub,
        who,
        sessions,
        browsers,
        hasher,
        personal,
        origin,
        jobs,
        notifications,
        webhooks,
        sealer,
        chosen,
        send,
        None if egress is None else _deliverer(db, egress, sealer, changes),
    )


@asynccontextmanager
async def opened(parts: Parts) -> AsyncIterator[None]:
    """Open what `make` made, once, for as long as the block lasts.

    Raises Unavailable, and WrongStore when the storage folder is not the database's own.
    """
    async with AsyncExitStack() as closing:
        for db in dict.fromkeys((parts.db, parts.hub.token_db)):
            await db.open()
            closing.push_async_callback(db.close)
        await open_store(parts.store, parts.db)
        closing.push_async_callback(asyncio.to_thread, parts.store.close)
        await closing.enter_async_context(parts.configuration.watched())
        closing.callback(parts.hasher.close)
        yield


def _databases(settings: Settings, *, works: bool) -> tuple[Database, Database]:
    """Two pools; SQLite has none to keep apart: its reads never wait."""
    db = _database(settings, settings.database_pool, works=works)
    if sqlite_path(settings.database_url) is not None:
        return db, db
    return db, _database(settings, settings.token_database_pool, works=works)


def _authenticators(
    keys: SigningKeys, db: Database, token_db: Database, hasher: Hasher, personal: PersonalTokens
) -> Authenticators:
    robots = Robots(token_db)
    return Authenticators(
        keys=keys,
        issuer=ISSUER,
        audience=SERVICE,
        passwords=Logins(robots, Passwords(token_db, hasher, utc_now, robots.find), personal),
        users=partial(people.enabled_user, db),
        clock=utc_now,
        robots=Robots(db).current,
        personal=personal,
    )


@asynccontextmanager
async def _way_out(settings: Settings) -> "AsyncIterator[Egress]":
    # A client for HTTP is eight megabytes that web workers do not need.
    from fairway.frame.egress import Egress

    async with Egress.open(settings) as egress:
        yield egress


def _notifications(
    settings: Settings, db: Database, egress: "Egress | None", origin: Origin, store: DiskStore
) -> Notifications:
    told = endpoints(settings.notification_endpoints)
    return Notifications(told, db, egress, base=origin.of({}, ""), node=lambda: store.identity)


def _deliverer(db: Database, egress: "Egress", sealer: Sealer, changes: Changes) -> "Deliverer":
    from fairway.features.webhooks.deliverer import Deliverer  # only who works has the client for HTTP

    return Deliverer(db, egress, sealer, paused=lambda: changes.read_only)


def _jobs(
    settings: Settings,
    db: Database,
    store: DiskStore,
    periods: Periods,
    chosen: Configuration,
    notifications: Notifications,
) -> Jobs:
    switches = Switches(settings.gc_enabled, settings.read_only, partial(chosen.get, READ_ONLY))
    return Jobs(
        [
            gc.collection(db, store, periods, switches),
            gc.orphan_search(db, store, settings.trash_seconds, switches),
            audit.PURGING,
            project_jobs.deletion(db, periods),
            retention.retention(db, periods),
            notifications.job,
        ]
    )


async def _send_lines(settings: Settings, place: Place, lines: Sequence[bytes]) -> None:
    from fairway.frame.egress.lines import send_lines  # web workers nearly never need it

    await send_lines(place.transport, place.host, place.port, lines, settings.egress_allow_networks)


def store_of(settings: Settings) -> DiskStore:
    """The blob store, not open yet."""
    return DiskStore(settings.storage_path, reserve=settings.storage_reserve_bytes)


async def open_store(store: DiskStore, db: Database) -> None:
    """Open the blob store this database belongs to, which is settled by the first who opens one for it.

    An empty folder in place of a volume that is not mounted would look like a store that lost every blob.  So a folder
    with another identity, or with none while the database knows one, is refused as it is: WrongStore.
    """
    known = await installation.fact(db, installation.STORE)
    await asyncio.to_thread(store.open, known)
    if known is None:
        settle = partial(installation.settle, name=installation.STORE, value=store.identity)
        known = await db.write(settle)
    if known != store.identity:
        await asyncio.to_thread(store.close)
        raise WrongStore(
            f"another process has just started with this database and another storage folder than {store.root}; "
            "all must use the same one"
        )


def _database(settings: Settings, pool: int, *, works: bool) -> Database:
    return database_at(
        settings.database_url, pool=pool, statement_timeout_ms=settings.statement_timeout_ms, gives_way=works
    )
