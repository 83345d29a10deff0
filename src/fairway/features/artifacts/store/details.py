"""What belongs to the artifacts of a page: tags, labels, what indexes name, accessories.  One statement each for a whole page."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, literal_column, select

from fairway.core.oci.digest import Digest
from fairway.frame.db import Conn, Row
from fairway.frame.db.listing import Field, Filters, Listing, Order
from fairway.frame.db.tables import artifact_labels, artifact_links, artifacts, labels, tags
from fairway.frame.db.types import one_of, within_ids

MOST = 1_000
"""Tags, accessories and so on that are shown with one artifact; lists of their own have them all, by pages."""

_MOST_TOGETHER = 5_000
"""Of each kind for a whole page: beyond that, each artifact shows its share of them."""

Grouped = Mapping[int, list[Row]]
"""Rows by the id of the artifact they belong to."""

_these: ColumnElement[str] = bindparam("ids")


def _first(chosen: Select[Any], owner: ColumnElement[int], *order: ColumnElement[Any]) -> Select[Any]:
    """Of `chosen`, the first MOST of each owner."""
    place = func.row_number().over(partition_by=owner, order_by=order).label("place")
    numbered = chosen.add_columns(owner.label("owner"), place).subquery()
    shown = [column for column in numbered.c if column.name not in {"owner", "place"}]
    return (
        select(*shown)
        .where(numbered.c.place <= bindparam("most"))
        .order_by(numbered.c.owner, numbered.c.place)
    )


_newest_first = (tags.c.artifact_id.desc(), tags.c.pushed_at.desc(), tags.c.id.desc())

# In the order of an index, backwards: nothing is sorted, and what is too much is not read.
_TAGS = (
    select(*tags.c)
    .where(within_ids(tags.c.artifact_id, _these))
    .order_by(*_newest_first)
    .limit(bindparam("most"))
)
_counted = (
    select(literal_column("1").label("one"))
    .where(within_ids(tags.c.artifact_id, _these))
    .limit(_MOST_TOGETHER + 1)
    .subquery()
)
_TAGS_IF_FEW = _TAGS.where(select(func.count()).select_from(_counted).scalar_subquery() <= _MOST_TOGETHER)
_own = tags.alias("own")
_TAGS_OF_EACH = (
    select(*tags.c)
    .select_from(
        artifacts.join(
            tags,
            one_of(
                tags.c.id,
                select(_own.c.id)
                .where(_own.c.artifact_id == artifacts.c.id)
                .order_by(_own.c.pushed_at.desc(), _own.c.id.desc())
                .limit(bindparam("most"))
                .correlate(artifacts)
                .scalar_subquery(),
            ),
        )
    )
    .where(within_ids(artifacts.c.id, _these))
    .order_by(*_newest_first)
)


async def tags_of(conn: Conn, ids: Sequence[int]) -> Grouped:
    """The tags of each artifact, the newest first, MOST at most.

    One statement, and a second one when there are very many tags among them: nobody reads all of those.
    """
    asked = json.dumps(list(ids))
    if len(ids) == 1:
        rows = await conn.all(_TAGS, ids=asked, most=MOST)
    else:
        rows = await conn.all(_TAGS_IF_FEW, ids=asked, most=_MOST_TOGETHER)
        rows = rows or await conn.all(_TAGS_OF_EACH, ids=asked, most=_share(len(ids)))
    found = _grouped(rows, "artifact_id")
    return {artifact: some[:MOST] for artifact, some in found.items()}


def _share(artifacts: int) -> int:
    """How many of a kind one artifact may show on a page of so many."""
    return min(MOST, max(_MOST_TOGETHER // max(artifacts, 1), 1))


_LABELS = _first(
    select(*labels.c, artifact_labels.c.artifact_id)
    .select_from(artifact_labels.join(labels, labels.c.id == artifact_labels.c.label_id))
    .where(within_ids(artifact_labels.c.artifact_id, _these)),
    artifact_labels.c.artifact_id,
    labels.c.name.asc(),
    labels.c.id.asc(),
)


async def labels_of(conn: Conn, ids: Sequence[int]) -> Grouped:
    """The labels of each artifact, by name, MOST at most."""
    return _grouped(await conn.all(_LABELS, ids=json.dumps(list(ids)), most=_share(len(ids))), "artifact_id")


_child, _owner = artifacts.alias("child"), artifacts.alias("owner")
_REFERENCES = _first(
    select(
        _owner.c.id.label("parent_id"),
        _child.c.id.label("child_id"),
        artifact_links.c.digest,
        artifact_links.c.about,
    )
    .select_from(
        _owner.join(
            artifact_links,
            and_(artifact_links.c.artifact_id == _owner.c.id, artifact_links.c.kind == "child"),
        ).join(
            _child,
            and_(
                _child.c.repository_id == _owner.c.repository_id, _child.c.digest == artifact_links.c.digest
            ),
        )
    )
    .where(within_ids(_owner.c.id, _these)),
    _owner.c.id,
    _child.c.id.asc(),
)


async def references_of(conn: Conn, ids: Sequence[int]) -> Grouped:
    """parent_id, child_id, digest and `about` (see `rules.about_children`) of what each index names, MOST at most."""
    return _grouped(
        await conn.all(_REFERENCES, ids=json.dumps(list(ids)), most=_share(len(ids))), "parent_id"
    )


_accessory, _subject = artifacts.alias("accessory"), artifacts.alias("subject")
_ACCESSORIES = select(
    _accessory.c.id,
    _accessory.c.digest,
    _accessory.c.accessory,
    _accessory.c.total_size,
    _accessory.c.created_at,
    _subject.c.id.label("subject_id"),
    _subject.c.digest.label("subject_digest"),
).select_from(
    _subject.join(
        _accessory,
        and_(
            _accessory.c.repository_id == _subject.c.repository_id,
            _accessory.c.accessory_of == _subject.c.digest,
        ),
    )
)
_ACCESSORIES_OF = _first(
    _ACCESSORIES.where(within_ids(_subject.c.id, _these)), _subject.c.id, _accessory.c.id.asc()
)


async def accessories_of(conn: Conn, ids: Sequence[int]) -> Grouped:
    """The accessories of each artifact: id, digest, kind, total size, creation, and the subject's id and digest; MOST
    at most."""
    return _grouped(
        await conn.all(_ACCESSORIES_OF, ids=json.dumps(list(ids)), most=_share(len(ids))), "subject_id"
    )


_NEWEST = _first(
    _ACCESSORIES.where(within_ids(_subject.c.id, _these), _accessory.c.accessory == bindparam("kind")),
    _subject.c.id,
    _accessory.c.id.desc(),
)


async def newest_of(conn: Conn, ids: Sequence[int], kind: str) -> Mapping[int, Digest]:
    """The digest of each artifact's newest accessory of a kind, by the artifact's id."""
    rows = await conn.all(_NEWEST, ids=json.dumps(list(ids)), kind=kind, most=1)
    return {row["subject_id"]: Digest(row["digest"]) for row in rows}


def _grouped(rows: Iterable[Row], key: str) -> Grouped:
    found: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[key]].append(row)
    return found


_TAG_LIST = Listing(
    {
        "id": Field(tags.c.id),
        "name": Field(tags.c.name),
        "artifact_id": Field(tags.c.artifact_id),
        "repository_id": Field(tags.c.repository_id),
        "push_time": Field(tags.c.pushed_at, moment=True),
        "pull_time": Field(tags.c.pulled_at, moment=True),
    },
    default=[("push_time", True)],
    tie=tags.c.id,
)


async def tag_page(
    conn: Conn, artifact: int, filters: Filters, order: Order, *, offset: int, limit: int
) -> tuple[list[Row], int]:
    """One page of an artifact's tags, the newest first, and how many there are.  Raises BadRequest."""
    conditions = [tags.c.artifact_id == artifact, *_TAG_LIST.where(filters)]
    total = int(await conn.scalar(select(func.count()).select_from(tags).where(*conditions)))
    chosen = select(*tags.c).where(*conditions).order_by(*_TAG_LIST.order(order)).offset(offset).limit(limit)
    return (await conn.all(chosen) if offset < total else []), total


_ACCESSORY_LIST = Listing(
    {
        "id": Field(_accessory.c.id),
        "artifact_id": Field(_accessory.c.id),
        "subject_artifact_id": Field(_subject.c.id),
        "digest": Field(_accessory.c.digest),
        "type": Field(_accessory.c.accessory),
        "size": Field(_accessory.c.total_size),
        "creation_time": Field(_accessory.c.created_at, moment=True),
    },
    default=[("id", False)],
    tie=_accessory.c.id,
)


async def accessory_page(
    conn: Conn, artifact: int, filters: Filters, order: Order, *, offset: int, limit: int
) -> tuple[list[Row], int]:
    """One page of an artifact's accessories, as `accessories_of` has them, and how many there are.  Raises BadRequest."""
    chosen = _ACCESSORIES.where(_subject.c.id == artifact, *_ACCESSORY_LIST.where(filters))
    total = int(await conn.scalar(select(func.count()).select_from(chosen.subquery())))
    ordered = chosen.order_by(*_ACCESSORY_LIST.order(order)).offset(offset).limit(limit)
    return (await conn.all(ordered) if offset < total else []), total
