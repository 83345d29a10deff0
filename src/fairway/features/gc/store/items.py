"""What a run decided, row by row: its history, and the memory of a dry run."""

import asyncio
import json
from collections.abc import Sequence
from functools import partial
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
    literal_column,
    select,
    tuple_,
    union,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.frame.db import Conn, Database, Row
from fairway.frame.db.tables import artifact_links, artifacts, gc_items
from fairway.frame.db.types import some, within_ids

PART = 5000
"""Items added up at a time."""
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


_BY_INDEX = select(
    func.set_config("enable_seqscan", "off", True), func.set_config("enable_bitmapscan", "off", True)
)


async def by_index(db: Database, conn: Conn) -> None:
    """Let whatever this transaction asks be answered by indexes.

    A dry run fills this table while it asks it.  PostgreSQL plans for the size that it knew before, which may be none, and
    would read the table from its beginning to its end for each answer, or sort all that is left for each page of it.
    """
    if db.dialect == "postgresql":
        await conn.run(_BY_INDEX)


_LISTED = (
    select(gc_items)
    .where(
        gc_items.c.run == bindparam("run"),
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
# What is known of a step besides its number lets the index that has no rows of real runs answer.
_STEP = (gc_items.c.step == bindparam("step"), gc_items.c.step >= literal_column("0"))
_OF_STEP = _LISTED.where(*_STEP, gc_items.c.what <= literal(LINK))

Key = tuple[str, int, int, str]
"""what, project, repository, digest."""
FIRST: Key = ("", -1, -1, "")
_FIRST_DECISION: Key = (ASKED, 2**62, 0, "")
"""After all that is only asked: nothing else comes before it."""
_FIRST_LINK: Key = (HIDDEN, -1, -1, "")
"""`hidden` and `link` follow each other, after `blob` and before `manifest`."""
NO_STEP = -1
"""Of what real runs write down: only dry runs go from step to step."""


def _key(after: Key) -> dict[str, Any]:
    return {"what": after[0], "project": after[1], "repository": after[2], "digest": after[3]}


def key(row: Row) -> Key:
    """Where the page after this row begins."""
    return row["what"], row["project_id"], row["repository_id"], row["digest"]


async def listed(conn: Conn, run: int, after: Key, limit: int) -> list[Row]:
    """What a run decided: what, project_id, repository_id, digest and size (bytes), those that follow `after`."""
    return await conn.all(_LISTED, run=run, limit=limit, **_key(max(after, _FIRST_DECISION)))


async def links_of_step(conn: Conn, run: int, step: int, after: Key, limit: int) -> list[Row]:
    """The same for the links, hidden ones too, of one step of a dry run."""
    return await conn.all(_OF_STEP, run=run, step=step, limit=limit, **_key(max(after, _FIRST_LINK)))


# Not a join: PostgreSQL might sort all that is left of a step for each page of it.
_ARTIFACT = (
    select(artifacts.c.id)
    .where(artifacts.c.repository_id == gc_items.c.repository_id, artifacts.c.digest == gc_items.c.digest)
    .scalar_subquery()
)
_MANIFESTS = (
    select(
        _ARTIFACT.label("id"),
        gc_items.c.what,
        gc_items.c.project_id,
        gc_items.c.repository_id,
        gc_items.c.digest,
    )
    .where(
        gc_items.c.run == bindparam("run"),
        gc_items.c.what == literal(MANIFEST),
        *_STEP,
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
    """The artifacts that one step of a dry run noted, with their ids; None: deleted meanwhile."""
    given = _key(after)
    del given["what"]
    return await conn.all(_MANIFESTS, run=run, step=step, limit=limit, **given)


_part = _LISTED.subquery("part")
_TOTALS = select(_part.c.what, func.count().label("count"), func.sum(_part.c.size).label("size")).group_by(
    _part.c.what
)
_TOTALS_END = _LISTED.limit(literal_column("1")).offset(bindparam("limit") - literal_column("1"))


async def totals(db: Database, run: int) -> dict[str, tuple[int, int]]:
    """How many items of each kind a run has, and their bytes.

    Added up by parts: a million rows take longer than PostgreSQL may for a statement, and SQLite's answers are waited for
    by everything else that this process does.
    """
    found: dict[str, tuple[int, int]] = {}
    after: Key | None = _FIRST_DECISION
    while after is not None:
        rows, after = await db.read(partial(_totals_of_part, db, run, after))
        for row in rows:
            count, size = found.get(row["what"], (0, 0))
            found[row["what"]] = count + int(row["count"]), size + int(row["size"])
        await asyncio.sleep(0)
    return found


async def _totals_of_part(db: Database, run: int, after: Key, conn: Conn) -> tuple[list[Row], Key | None]:
    """The totals of the next items, and where those after them begin."""
    await by_index(db, conn)
    given = {"run": run, "limit": PART, **_key(after)}
    rows, end = await conn.all(_TOTALS, **given), await conn.first(_TOTALS_END, **given)
    return rows, None if end is None else key(end)


_all = tuple_(
    gc_items.c.run, gc_items.c.what, gc_items.c.project_id, gc_items.c.repository_id, gc_items.c.digest
)
_BEFORE = gc_items.c.run < bindparam("before", type_=BigInteger)
_FROM = gc_items.c.run >= bindparam("first", type_=BigInteger)
_END = (
    select(
        gc_items.c.run, gc_items.c.what, gc_items.c.project_id, gc_items.c.repository_id, gc_items.c.digest
    )
    .where(_FROM, _BEFORE)
    .order_by(
        gc_items.c.run, gc_items.c.what, gc_items.c.project_id, gc_items.c.repository_id, gc_items.c.digest
    )
    .limit(literal_column("1"))
    .offset(bindparam("limit"))
)
_DROP = gc_items.delete().where(_FROM, _BEFORE)
_DROP_TO_END = gc_items.delete().where(
    _FROM,
    _all
    < tuple_(
        bindparam("run", type_=BigInteger),
        bindparam("what", type_=Text),
        bindparam("project", type_=BigInteger),
        bindparam("repository", type_=BigInteger),
        bindparam("digest", type_=Text),
    ),
)


async def forget(db: Database, conn: Conn, run: int, limit: int) -> int:
    """Drop items of a run, at most so many; how many."""
    return await _drop(db, conn, run, run + 1, limit)


async def forget_older(db: Database, conn: Conn, first: int, limit: int) -> int:
    """Drop items of runs before `first`, at most so many; how many."""
    return await _drop(db, conn, 0, first, limit)


async def _drop(db: Database, conn: Conn, first: int, before: int, limit: int) -> int:
    """The next of the runs from `first` to `before`.

    Up to a row, and not a set of rows: SQLite would compare each row of a run with each of the set.
    """
    await by_index(db, conn)
    end = await conn.first(_END, first=first, before=before, limit=limit)
    if end is None:
        return await conn.run(_DROP, first=first, before=before)
    return await conn.run(_DROP_TO_END, first=first, run=end["run"], **_key(key(end)))


_ASKED = (gc_items.c.run == bindparam("run", type_=BigInteger), gc_items.c.what == literal(ASKED))
_place = (gc_items.c.project_id, gc_items.c.repository_id, gc_items.c.digest)
_ASKED_END = (
    select(*_place).where(*_ASKED).order_by(*_place).limit(literal_column("1")).offset(bindparam("limit"))
)
_DROP_ASKED = gc_items.delete().where(*_ASKED)
_DROP_ASKED_TO_END = _DROP_ASKED.where(
    tuple_(*_place)
    < tuple_(
        bindparam("project", type_=BigInteger),
        bindparam("repository", type_=BigInteger),
        bindparam("digest", type_=Text),
    )
)


async def forget_asked(db: Database, conn: Conn, run: int, limit: int) -> int:
    """Drop what the steps of a dry run had to look at, at most so many; how many."""
    await by_index(db, conn)
    end = await conn.first(_ASKED_END, run=run, limit=limit)
    if end is None:
        return await conn.run(_DROP_ASKED, run=run)
    return await conn.run(
        _DROP_ASKED_TO_END,
        run=run,
        project=end["project_id"],
        repository=end["repository_id"],
        digest=end["digest"],
    )


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
