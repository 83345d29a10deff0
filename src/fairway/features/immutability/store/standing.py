"""Looking for immutable tags in a repository or a project that is to be deleted with all that is in it.

Such a deletion is not one transaction.  Nothing of it begins while a tag is immutable; what is made immutable meanwhile is
found by the transactions that remove tags.  A project that goes with one transaction is looked through before it, and in
it only for the tags that are newer, with the project locked.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, func, select

from fairway.core.oci.errors import Unavailable
from fairway.core.oci.names import Repository
from fairway.features.immutability import rules
from fairway.features.immutability.model import Rule
from fairway.features.immutability.store import rows
from fairway.features.projects.store.belonging import LIVE
from fairway.frame.db import Body, Conn, Database
from fairway.frame.db.tables import projects, repositories, tags

AT_A_TIME: Final = 1_000
"""Tags that are read together."""
_ASIDE: Final = 5_000
"""Looks at a rule that would hold up other requests: beyond that they are made beside the event loop."""
_MOST_NEW: Final = 10_000
"""Tags that are looked at with the project locked."""
_TRIES: Final = 5

_TAGS = (
    select(tags.c.name)
    .where(tags.c.repository_id == bindparam("repository"), tags.c.name > bindparam("after"))
    .order_by(tags.c.name)
    .limit(bindparam("limit"))
)
_REPOSITORIES = (
    select(repositories.c.id, repositories.c.name)
    .where(repositories.c.project_id == bindparam("project"), repositories.c.name > bindparam("after"))
    .order_by(repositories.c.name)
    .limit(bindparam("limit"))
)
_LOCK = select(projects.c.name).where(projects.c.id == bindparam("project"), LIVE).with_for_update()
_NEWEST = select(func.coalesce(func.max(tags.c.id), 0))
_NEWER = (
    select(tags.c.name, repositories.c.name.label("repository"))
    .select_from(tags.join(repositories, repositories.c.id == tags.c.repository_id))
    .where(tags.c.id > bindparam("newest"), repositories.c.project_id == bindparam("project"))
    .order_by(tags.c.id)
    .limit(bindparam("limit"))
)


async def check_repository(db: Database, project: int, repository: int, repo: Repository) -> None:
    """Raise PreconditionFailed when a tag of this repository is immutable."""
    found = rules.in_repository(await rows.enabled(db, project), repo.rest)
    if found:
        await _check(db, found, repository, repo)


async def _check(db: Database, found: Sequence[Rule], repository: int, repo: str) -> None:
    after = ""
    while True:
        read = await db.all(_TAGS, repository=repository, after=after, limit=AT_A_TIME)
        names = [row["name"] for row in read]
        if len(names) * len(found) > _ASIDE:
            frozen = await asyncio.to_thread(rules.frozen, found, names)
        else:
            frozen = rules.frozen(found, names)
        for tag, rule in frozen.items():
            raise rules.refusal(rule, repo, tag)
        if len(names) < AT_A_TIME:
            return
        after = names[-1]


class _LookAgain(Exception):
    """The project has changed since it was looked through."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a project was looked through for: the rules that were in force, and the newest tag there was."""

    rules: tuple[Rule, ...]
    newest: int


async def _look_through(db: Database, project: int, name: str) -> _Seen:
    """Look at all tags of a project, which is called `name`.  Raises PreconditionFailed when one of them is immutable."""

    async def begin(conn: Conn) -> _Seen:
        # Who is just making a tag in the project is waited for: no tag that comes later has a lower id.
        await conn.first(_LOCK, project=project)
        return _Seen(await rows.enabled(conn, project), int(await conn.scalar(_NEWEST)))

    if not await rows.enabled(db, project):
        return _Seen((), 0)
    seen = await db.write(begin)
    after = ""
    while some := await db.all(_REPOSITORIES, project=project, after=after, limit=AT_A_TIME):
        for row in some:
            after = row["name"]
            if found := rules.in_repository(seen.rules, after):
                await _check(db, found, row["id"], f"{name}/{after}")
    return seen


async def unless_immutable(db: Database, project: int, name: str, remove: Body[None]) -> None:
    """Let a transaction take away a project, called `name`, which `remove` locks.

    Raises PreconditionFailed when a tag in it is immutable, and Unavailable when others change it all the time.
    """
    for _ in range(_TRIES):
        seen = await _look_through(db, project, name)

        async def body(conn: Conn, seen: _Seen = seen) -> None:
            await remove(conn)
            await _check_newer(conn, project, name, seen)

        with suppress(_LookAgain):
            return await db.write(body)
    raise Unavailable(f"{name} is changed all the time; try again")


async def _check_newer(conn: Conn, project: int, name: str, seen: _Seen) -> None:
    """Raises PreconditionFailed when a tag that came meanwhile is immutable, and _LookAgain when more than that is new."""
    if await rows.enabled(conn, project) != seen.rules:
        raise _LookAgain
    if not seen.rules:
        return
    new = await conn.all(_NEWER, project=project, newest=seen.newest, limit=_MOST_NEW)
    for row in new:
        found = rules.in_repository(seen.rules, row["repository"])
        if (rule := rules.freezing(found, row["name"])) is not None:
            raise rules.refusal(rule, f"{name}/{row['repository']}", row["name"])
    if len(new) == _MOST_NEW:
        raise _LookAgain
