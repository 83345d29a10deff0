"""What a run decided, row by row: its history, and the memory of a dry run."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Executable,
    Integer,
    Select,
    Text,
    bindparam,
    func,
    literal,
    select,
    tuple_,
    union,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.frame.db import Conn, Database, Row
from fairway.frame.db.tables import artifact_links, artifacts, gc_items
from fairway.frame.db.types import some, within_ids

MANIFEST, LINK, HIDDEN, BLOB = "manifest", "link", "hidden", "blob"
ASKED = "asked"
"""No decision: a digest that the next step of a dry run has to look at.  Its `repository_id` is the number of the step."""


def noted(
    what: str,
    project: ColumnElement[int] | int,
    digest: ColumnElement[str],
    repository: ColumnElement[int] | int = 0,
) -> ColumnElement[bool]:
    """This run has decided that it goes.  Makes an alias of its own, to be nested in anything."""
    items = gc_items.alias()
    return some(
        items.c.run == bindparam("run"),
        items.c.what == literal(what),
        items.c.project_id == project,
        items.c.repository_id == repository,
        items.c.digest == digest,
    )


def note(what: str, chosen: Select[Any]) -> Executable:
    """A statement that notes each row of a `select` of project_id, repository_id, digest, size.

    The same again changes nothing.  Parameters: `run`, `step`, and those of the `select`.
    """
    found = chosen.subquery("found")
    return (
        upsert(gc_items)
        .from_select(
            ["run", "what", "project_id", "repository_id", "digest", "size", "step"],
            select(
                bindparam("run", type_=BigInteger),
                literal(what, type_=Text),
                found.c.project_id,
                found.c.repository_id,
                found.c.digest,
                found.c.size,
                bindparam("step", type_=Integer),
            ).where(literal(1) == literal(1)),
        )
        .on_conflict_do_nothing(index_elements=["run", "what", "project_id", "repository_id", "digest"])
    )


_BY_INDEX = select(func.set_config("enable_seqscan", "off", True))


async def by_index(db: Database, conn: Conn) -> None:
    """Let whatever this transaction asks be answered by indexes.

    A dry run fills this table while it asks it.  PostgreSQL plans for the size that it knew before, which may be none, and
    would read the table from its beginning to its end for each answer.
    """
    if db.dialect == "postgresql":
        await conn.run(_BY_INDEX)


_LISTED = (
    select(gc_items)
    .where(
        gc_items.c.run == bindparam("run"),
        gc_items.c.what != literal(ASKED),
        tuple_(gc_items.c.what, gc_items.c.project_id, gc_items.c.repository_id, gc_items.c.digest)
        > tuple_(
            bindparam("what", type_=Text),
            bindparam("project", type_=BigInteger),
            bindparam("repository", type_=BigInteger),
            bindparam("digest", type_=Text),
        ),
    )
    .order_by(gc_items.c.what, gc_items.c.project_id, gc_items.c.repository_id, gc_items.c.digest)
    .limit(bindparam("limit"))
)
_OF_STEP = _LISTED.where(
    gc_items.c.step == bindparam("step"), gc_items.c.what.in_([literal(HIDDEN), literal(LINK)])
)

Key = tuple[str, int, int, str]
"""what, project, repository, digest."""
FIRST: Key = ("", -1, -1, "")


def _key(after: Key) -> dict[str, Any]:
    return {"what": after[0], "project": after[1], "repository": after[2], "digest": after[3]}


def key(row: Row) -> Key:
    """Where the page after this row begins."""
    return row["what"], row["project_id"], row["repository_id"], row["digest"]


async def listed(conn: Conn, run: int, after: Key, limit: int) -> list[Row]:
    """What a run decided: what, project_id, repository_id, digest and size (bytes), those that follow `after`."""
    return await conn.all(_LISTED, run=run, limit=limit, **_key(after))


async def links_of_step(conn: Conn, run: int, step: int, after: Key, limit: int) -> list[Row]:
    """The same for the links, hidden ones too, of one step of a dry run."""
    return await conn.all(_OF_STEP, run=run, step=step, limit=limit, **_key(after))


_MANIFESTS = (
    select(
        artifacts.c.id, gc_items.c.what, gc_items.c.project_id, gc_items.c.repository_id, gc_items.c.digest
    )
    .join(
        artifacts,
        (artifacts.c.repository_id == gc_items.c.repository_id) & (artifacts.c.digest == gc_items.c.digest),
    )
    .where(
        gc_items.c.run == bindparam("run"),
        gc_items.c.what == literal(MANIFEST),
        gc_items.c.step == bindparam("step"),
        tuple_(gc_items.c.project_id, gc_items.c.repository_id, gc_items.c.digest)
        > tuple_(
            bindparam("project", type_=BigInteger),
            bindparam("repository", type_=BigInteger),
            bindparam("digest", type_=Text),
        ),
    )
    .order_by(gc_items.c.project_id, gc_items.c.repository_id, gc_items.c.digest)
    .limit(bindparam("limit"))
)


async def manifests_of_step(conn: Conn, run: int, step: int, after: Key, limit: int) -> list[Row]:
    """The artifacts that one step of a dry run noted, with their ids."""
    given = _key(after)
    del given["what"]
    return await conn.all(_MANIFESTS, run=run, step=step, limit=limit, **given)


_TOTALS = (
    select(gc_items.c.what, func.count().label("count"), func.sum(gc_items.c.size).label("size"))
    .where(gc_items.c.run == bindparam("run"))
    .group_by(gc_items.c.what)
)


async def totals(conn: Conn, run: int) -> dict[str, tuple[int, int]]:
    """How many items of each kind a run has, and their bytes."""
    return {row["what"]: (int(row["count"]), int(row["size"])) for row in await conn.all(_TOTALS, run=run)}


_ITEM = (gc_items.c.run, gc_items.c.what, gc_items.c.project_id, gc_items.c.repository_id, gc_items.c.digest)
_OF_RUN = select(*_ITEM).where(gc_items.c.run == bindparam("run", type_=BigInteger))
_ASKED_OF_RUN = _OF_RUN.where(gc_items.c.what == literal(ASKED))


def _forget_some(chosen: Select[Any]) -> Executable:
    return gc_items.delete().where(tuple_(*_ITEM).in_(chosen.limit(bindparam("limit"))))


_FORGET = _forget_some(_OF_RUN)
_FORGET_ASKED = _forget_some(_ASKED_OF_RUN)


async def forget(conn: Conn, run: int, limit: int) -> int:
    """Drop the items of a run, at most so many; how many."""
    return await conn.run(_FORGET, run=run, limit=limit)


async def forget_asked(conn: Conn, run: int, limit: int) -> int:
    """Drop what the steps of a dry run had to look at, at most so many; how many."""
    return await conn.run(_FORGET_ASKED, run=run, limit=limit)


_FORGET_OLDER = _forget_some(select(*_ITEM).where(gc_items.c.run < bindparam("first", type_=BigInteger)))


async def forget_older(conn: Conn, first: int, limit: int) -> int:
    """Drop items of runs before `first`, at most so many; how many."""
    return await conn.run(_FORGET_OLDER, first=first, limit=limit)


_gone = artifacts.alias("gone")
_referrer = artifacts.alias("referrer")


def follows(ids: ColumnElement[str]) -> Select[Any]:
    """What must be looked at when these artifacts (a JSON array of ids) go: what they name, who is about them, they."""
    found = union(
        select(artifact_links.c.digest).where(within_ids(artifact_links.c.artifact_id, ids)),
        select(_referrer.c.digest)
        .select_from(
            _gone.join(
                _referrer,
                (_referrer.c.repository_id == _gone.c.repository_id)
                & (_referrer.c.subject == _gone.c.digest),
            )
        )
        .where(within_ids(_gone.c.id, ids)),
        select(_gone.c.digest).where(within_ids(_gone.c.id, ids)),
    ).subquery("follows")
    return select(found.c.digest)


_followed = follows(bindparam("ids")).subquery("followed")
_NOTE_FOLLOWED = note(
    ASKED,
    select(
        bindparam("project", type_=BigInteger).label("project_id"),
        bindparam("step", type_=BigInteger).label("repository_id"),
        _followed.c.digest,
        literal(0, type_=BigInteger).label("size"),
    ),
)
_FOLLOWED = (
    select(gc_items.c.project_id, gc_items.c.digest)
    .where(
        gc_items.c.run == bindparam("run"),
        gc_items.c.what == literal(ASKED),
        gc_items.c.repository_id == bindparam("step", type_=BigInteger),
        tuple_(gc_items.c.project_id, gc_items.c.digest)
        > tuple_(bindparam("project", type_=BigInteger), bindparam("digest", type_=Text)),
    )
    .order_by(gc_items.c.project_id, gc_items.c.digest)
    .limit(bindparam("limit"))
)


async def ask_followed(conn: Conn, run: int, step: int, project: int, ids: Sequence[int]) -> None:
    """Let `step` look at what follows from these artifacts of a project; at each digest once, however many name it."""
    await conn.run(_NOTE_FOLLOWED, run=run, step=step, project=project, ids=json.dumps(list(ids)))


async def followed(
    conn: Conn, run: int, step: int, after: tuple[int, str], limit: int
) -> list[tuple[int, str]]:
    """The project and digest of what `step` has to look at, those that follow `after`."""
    rows = await conn.all(_FOLLOWED, run=run, step=step, project=after[0], digest=after[1], limit=limit)
    return [(row["project_id"], row["digest"]) for row in rows]
