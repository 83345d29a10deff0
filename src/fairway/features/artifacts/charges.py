"""Charging a project for what comes into it, and telling when its room becomes scarce or is not enough.

That it becomes scarce is recorded in the transaction that made it so.  A transaction that is refused leaves nothing, so that
the refusal is recorded after it by another one, which nobody waits for: once in a while for each project, however many
clients try again and again.
"""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

from fairway.core.oci.digest import Digest
from fairway.core.oci.names import Repository
from fairway.features.artifacts.changing import Place
from fairway.features.artifacts.store import refusals
from fairway.frame import events
from fairway.frame.db import Conn, Database, ledger
from fairway.frame.log import get_logger

_log = get_logger(__name__)

SELDOM_SECONDS: Final = 600
"""For which a project that was told that it has no room is not told again."""

WARNING: Final = "quota.warning"
EXCEEDED: Final = "quota.exceeded"


class Refused(ledger.NoRoom):
    """A project has no room for something; what is to be told about it."""

    def __init__(self, error: ledger.NoRoom, project: int, about: Mapping[str, Any]) -> None:
        super().__init__(error.standing, error.requested)
        self.project = project
        self.facts = facts(project, error.standing, requested=error.requested, **about)


def facts(
    project: int,
    standing: ledger.Standing,
    *,
    requested: int,
    name: str,
    actor: str = "",
    repository: str = "",
    digest: str = "",
    tag: str = "",
) -> dict[str, Any]:
    """What is told about the room of the project called `name`; bytes, and "" for what had nothing to do with it."""
    used, hard = standing.used, standing.hard
    details = f"the project {name} uses {used} of the {hard} bytes that it may store"
    if used + requested > hard and requested:
        details += f", which leaves no room for {requested} bytes more"
    return {
        "project_id": project,
        "project": name,
        "repository": repository,
        "actor": actor,
        "digest": digest,
        "tag": tag,
        "used": used,
        "hard": hard,
        "requested": requested,
        "details": details,
    }


async def charge(
    conn: Conn, place: Place, repo: Repository, delta: int, digest: Digest, tags: Collection[str] = ()
) -> None:
    """Charge a project for `delta` bytes more, the last statements before COMMIT.  Raises Refused."""
    about = {
        "name": repo.project,
        "repository": repo,
        "actor": place.actor,
        "digest": digest,
        "tag": min(tags, default=""),
    }
    try:
        scarce = await ledger.charge(conn, place.project, delta)
    except ledger.NoRoom as error:
        raise Refused(error, place.project, about) from None
    if scarce is not None:
        await warn(conn, place.project, scarce, requested=delta, **about)


async def warn(
    conn: Conn, project: int, scarce: ledger.Standing, *, requested: int = 0, **about: str
) -> None:
    """Record that a project's room has become scarce; `about` as in `facts`."""
    told = facts(project, scarce, requested=requested, **about)
    await events.record(conn, f"project:{project}", WARNING, told)


_telling: Final[WeakKeyDictionary[Database, dict[int, asyncio.Task[None]]]] = WeakKeyDictionary()


def tell(db: Database, refused: Refused) -> None:
    """See to it that a refusal is recorded, unless this process is at it already.  Nobody is to wait for it."""
    tasks = _telling.setdefault(db, {})
    if refused.project not in tasks:
        task = asyncio.get_running_loop().create_task(_tell(db, refused))
        tasks[refused.project] = task
        task.add_done_callback(lambda _: tasks.pop(refused.project, None))


async def all_told(db: Database) -> None:
    """Wait for what this process has to record about refusals: before it ends."""
    await asyncio.gather(*_telling.get(db, {}).values())


async def _tell(db: Database, refused: Refused) -> None:
    async def body(conn: Conn) -> None:
        if await refusals.tell_now(conn, refused.project, SELDOM_SECONDS):
            await events.record(conn, f"project:{refused.project}", EXCEEDED, refused.facts)

    try:
        if not await refusals.told_lately(db, refused.project, SELDOM_SECONDS):
            await db.write(body, soft=True)
    except Exception as error:  # noqa: BLE001 - the client has its answer
        _log.warning("that a quota was exceeded was not recorded", project=refused.project, error=str(error))


async def forget_refusals(conn: Conn, limit: int) -> int:
    """Drop some notes about refusals that were told long ago; how many.  Needs a transaction."""
    return await refusals.forget(conn, limit, SELDOM_SECONDS)
