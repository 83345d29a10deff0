"""Lists of artifacts, and one of them as lists show it.

A list shows no accessories, and of what an index names only what has a tag; `base=*` in `q` shows everything.
Each page is one statement.  What belongs to its artifacts is in details.py, a statement per kind of detail.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, Select, bindparam, func, literal, select

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import BadRequest
from fairway.core.oci.names import Tag
from fairway.features.artifacts.store.shown import on_its_own, tagged
from fairway.frame.db import Conn, Row
from fairway.frame.db.listing import (
    COUNTED,
    AllOf,
    AnyOf,
    Contains,
    Exact,
    Field,
    Filters,
    Listing,
    Order,
    Term,
)
from fairway.frame.db.tables import (
    artifact_labels,
    artifacts,
    projects,
    repositories,
    tags,
)
from fairway.frame.db.types import holds, within_ids

FOUND_IN_PROJECT: Final = frozenset({"id", "digest"})
FOUND_IN_REPOSITORY: Final = FOUND_IN_PROJECT | {"tags"}
"""The fields of which an index finds one value."""
MOST_LABELS: Final = 10
"""How many labels can be asked for at once."""

_FIELDS = {
    "id": Field(artifacts.c.id),
    "type": Field(artifacts.c.type),
    "media_type": Field(artifacts.c.config_media_type),
    "manifest_media_type": Field(artifacts.c.media_type),
    "artifact_type": Field(artifacts.c.artifact_type),
    "digest": Field(artifacts.c.digest),
    "size": Field(artifacts.c.total_size),
    "repository_id": Field(artifacts.c.repository_id),
    "push_time": Field(artifacts.c.pushed_at, moment=True),
    "pull_time": Field(artifacts.c.pulled_at, moment=True),
}
_LISTING = Listing(_FIELDS, default=[("push_time", True)], tie=artifacts.c.id)

_shown = [
    *(column for column in artifacts.c if column.name != "payload"),
    repositories.c.name.label("repository"),
    projects.c.name.label("project"),
]
_FROM = artifacts.join(repositories, repositories.c.id == artifacts.c.repository_id).join(
    projects, projects.c.id == artifacts.c.project_id
)


@dataclass(frozen=True, slots=True)
class Within:
    """Where to look: a project, or one repository of it.  `latest`: only the newest artifact of each repository."""

    project: int
    repository: int | None = None
    latest: bool = False

    @property
    def condition(self) -> ColumnElement[bool]:
        """Artifacts that are there."""
        if self.repository is not None:
            return artifacts.c.repository_id == self.repository
        return artifacts.c.project_id == self.project


async def page(
    conn: Conn, within: Within, filters: Filters, order: Order, *, offset: int, limit: int
) -> tuple[list[Row], int]:
    """One page, newest first unless `order` says otherwise, and how many there are, counted so far as COUNTED says.

    Raises BadRequest for a filter that its field does not know.
    """
    source, conditions = _asked(within, filters)
    most = max(COUNTED, offset + limit + 1)
    rows: Select[Any] = select(*_shown).select_from(_FROM).order_by(*_LISTING.order(order))
    exact: int | None = None
    if _finds_few(filters) and most == COUNTED:  # what is found is put down: not as much as somebody asks for
        every = select(artifacts.c.id).select_from(source).where(*conditions)
        ids, total = await _LISTING.found(conn, every, order, most=most, offset=offset, limit=limit)
        if total < most:
            these = rows.where(within_ids(artifacts.c.id, bindparam("ids")))
            return (await conn.all(these, ids=json.dumps(ids)) if ids else []), total
    else:
        total = await _count(conn, source, conditions, most if filters else None)
        exact = None if filters and total == most else total
    if offset >= total:
        return [], total
    part = chosen(within, filters, order, offset=offset, limit=limit, total=exact).scalar_subquery()
    return await conn.all(rows.where(artifacts.c.id.in_(part))), total


def _finds_few(filters: Filters) -> bool:
    """Whether to look for a page in the list's order would often be to look at most of the list."""
    return any(isinstance(term, Contains) or term == Exact("nil") for term in filters.values())


def chosen(
    within: Within, filters: Filters, order: Order, *, offset: int, limit: int, total: int | None = None
) -> Select[Any]:
    """The ids of a page.  Apart from what is shown, so that what comes before the page is passed over in the index."""
    source, conditions = _asked(within, filters)
    every = select(artifacts.c.id).select_from(source).where(*conditions)
    return _LISTING.part(every, order, total=total, offset=offset, limit=limit)


def _asked(within: Within, filters: Filters) -> tuple[FromClause, list[ColumnElement[bool]]]:
    wanted = _wanted(within, filters)
    if within.latest:
        return _LATEST, [repositories.c.project_id == within.project, artifacts.c.id == _newest(wanted)]
    return artifacts, [within.condition, *wanted]


_LATEST = repositories.join(artifacts, artifacts.c.repository_id == repositories.c.id).join(
    projects, projects.c.id == repositories.c.project_id
)


def _newest(wanted: list[ColumnElement[bool]]) -> Any:
    """The id of the newest artifact of a repository among those that are asked for: one look into the index."""
    return (
        select(artifacts.c.id)
        .where(artifacts.c.repository_id == repositories.c.id, *wanted)
        .order_by(artifacts.c.pushed_at.desc(), artifacts.c.id.desc())
        .limit(1)
        .correlate(repositories)
        .scalar_subquery()
    )


async def _count(
    conn: Conn, source: FromClause, conditions: list[ColumnElement[bool]], most: int | None
) -> int:
    found: Select[Any] = select(literal(1).label("one")).select_from(source).where(*conditions)
    return int(await conn.scalar(select(func.count()).select_from(found.limit(most).subquery())))


def _wanted(within: Within, filters: Filters) -> list[ColumnElement[bool]]:
    """Which of the artifacts that are there."""
    conditions = _LISTING.where(filters)
    if filters.get("base") != Exact("*"):
        conditions += on_its_own
    if "tags" in filters:
        conditions.append(_by_tags(within, filters["tags"]))
    if "labels" in filters:
        conditions += _by_labels(filters["labels"])
    return conditions


_LABELLED = Listing({"labels": Field(artifact_labels.c.label_id)}, default=(), tie=artifact_labels.c.label_id)


def _by_labels(term: Term) -> list[ColumnElement[bool]]:
    """Has each of these labels, named by their ids; with `{1 2}` one of them."""
    match term:
        case AllOf(values):
            terms: list[Term] = [Exact(str(value)) for value in dict.fromkeys(values)]
            if len(terms) > MOST_LABELS:  # each makes a set of what it hangs on
                raise BadRequest(f"q: labels has at most {MOST_LABELS} of them")
        case Exact() | AnyOf():
            terms = [term]
        case _:
            raise BadRequest("q: labels is a label's id, (one two) for all of them, or {one two} for any")
    return [
        artifacts.c.id.in_(
            select(artifact_labels.c.artifact_id).where(*_LABELLED.where({"labels": each})).scalar_subquery()
        )
        for each in terms
    ]


def _by_tags(within: Within, term: Term) -> ColumnElement[bool]:
    """`*` any tag, `nil` none, else a tag's name or part of it."""
    match term:
        case Exact("*"):
            return tagged
        case Exact("nil"):
            return ~tagged
        case Exact(name):
            named: ColumnElement[bool] = tags.c.name == name
        case Contains(text):
            named = holds(tags.c.name, text)
        case AnyOf(values):
            named = tags.c.name.in_([str(value) for value in values])
        case _:
            raise BadRequest("q: tags is *, nil, a tag, ~part of one, or {one two}")
    if within.repository is not None:
        here: ColumnElement[bool] = tags.c.repository_id == within.repository
    else:
        here = tags.c.repository_id.in_(
            select(repositories.c.id).where(repositories.c.project_id == within.project).scalar_subquery()
        )
    return artifacts.c.id.in_(select(tags.c.artifact_id).where(here, named).scalar_subquery())


_ONE = select(*_shown).select_from(_FROM)
_BY_DIGEST = _ONE.where(
    artifacts.c.repository_id == bindparam("repository"), artifacts.c.digest == bindparam("ref")
)
_BY_TAG = _ONE.where(
    artifacts.c.id
    == select(tags.c.artifact_id)
    .where(tags.c.repository_id == bindparam("repository"), tags.c.name == bindparam("ref"))
    .scalar_subquery()
)


async def one(conn: Conn, repository: int, ref: Tag | Digest) -> Row | None:
    """What a tag or digest names, as `page` has it, also what lists do not show."""
    return await conn.first(
        _BY_DIGEST if isinstance(ref, Digest) else _BY_TAG, repository=repository, ref=ref
    )
