"""Labels, and what they hang on."""

from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, func, insert, literal, select, update

from fairway.features.labels.model import Label, Wanted
from fairway.features.projects.store.belonging import keep as keep_project
from fairway.frame import events
from fairway.frame.access.principals import Principal
from fairway.frame.db import Conn, Row, now_us
from fairway.frame.db.listing import Field, Filters, Listing, Order
from fairway.frame.db.tables import artifact_labels, labels, projects
from fairway.frame.db.types import Id

AT_A_TIME = 500
"""Artifacts that a label is taken off in one transaction."""

_BY_ID = select(labels).where(labels.c.id == bindparam("label"))
_LOCK = _BY_ID.with_for_update()
# Whoever deletes the label waits.
_KEEP = _BY_ID.with_for_update(read=True, key_share=True)
_CREATE = (
    insert(labels)
    .values(
        project_id=bindparam("project", type_=Id),
        name=bindparam("name"),
        description=bindparam("description"),
        color=bindparam("color"),
        created_at=now_us(),
        updated_at=now_us(),
    )
    .returning(labels.c.id)
)
_CHANGE = (
    update(labels)
    .where(labels.c.id == bindparam("label"))
    .values(
        name=bindparam("new_name"),
        description=bindparam("new_description"),
        color=bindparam("new_color"),
        updated_at=now_us(),
    )
)
_REMOVE = delete(labels).where(labels.c.id == bindparam("label"))
_PROJECT_NAME = select(projects.c.name).where(projects.c.id == bindparam("project"))
_LISTING = Listing(
    {
        "id": Field(labels.c.id),
        "name": Field(labels.c.name),
        "description": Field(labels.c.description),
        "color": Field(labels.c.color),
        "project_id": Field(func.coalesce(labels.c.project_id, literal(0))),
        "creation_time": Field(labels.c.created_at, moment=True),
        "update_time": Field(labels.c.updated_at, moment=True),
    },
    default=[("name", False)],
    tie=labels.c.id,
)


def label_of(row: Row) -> Label:
    """A row of `labels`."""
    return Label(
        id=row["id"],
        project=row["project_id"],
        name=row["name"],
        description=row["description"],
        color=row["color"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


async def by_id(conn: Conn, label: int) -> Label | None:
    """The label with this id."""
    row = await conn.first(_BY_ID, label=label)
    return None if row is None else label_of(row)


async def listed(
    conn: Conn, project: int | None, filters: Filters, order: Order = (), *, offset: int, limit: int
) -> tuple[list[Label], int]:
    """One page of the labels of a project, or (None) of the whole server, by name, and how many there are.

    Raises BadRequest for a value that its field cannot have.
    """
    here: ColumnElement[bool] = (
        labels.c.project_id.is_(None) if project is None else labels.c.project_id == project
    )
    conditions = [here, *_LISTING.where(filters)]
    total = int(await conn.scalar(select(func.count()).select_from(labels).where(*conditions)))
    page: Any = select(labels).where(*conditions).order_by(*_LISTING.order(order)).offset(offset).limit(limit)
    rows = await conn.all(page) if offset < total else []
    return [label_of(row) for row in rows], total


async def create(conn: Conn, project: int | None, wanted: Wanted, by: Principal) -> int:
    """Make a label; its id.

    Needs a transaction.  Raises UniqueViolation when there is one of this name, ReferenceViolation when the project is
    gone.
    """
    await keep_project(conn, project)
    made = int(
        await conn.scalar(
            _CREATE,
            project=project,
            name=wanted.name,
            description=wanted.description,
            color=wanted.color,
        )
    )
    await _record(conn, "created", made, project, wanted.name, by)
    return made


async def change(conn: Conn, label: int, wanted: Wanted, by: Principal) -> bool:
    """Let a label say something else; False when there is no such label.

    Needs a transaction.  Raises UniqueViolation when there is another one of this name.
    """
    row = await conn.first(_LOCK, label=label)
    if row is None:
        return False
    await conn.run(
        _CHANGE,
        label=label,
        new_name=wanted.name,
        new_description=wanted.description,
        new_color=wanted.color,
    )
    await _record(conn, "updated", label, row["project_id"], wanted.name, by)
    return True


async def remove(conn: Conn, label: int, by: Principal) -> bool:
    """Delete a label, also from what it still hangs on; False when there is no such label.  Needs a transaction."""
    row = await conn.first(_LOCK, label=label)
    if row is None:
        return False
    await conn.run(_REMOVE, label=label)
    await _record(conn, "deleted", label, row["project_id"], row["name"], by)
    return True


async def _record(conn: Conn, what: str, label: int, project: int | None, name: str, by: Principal) -> None:
    of = None if project is None else await conn.scalar(_PROJECT_NAME, project=project)
    payload = {
        "project_id": project or 0,
        "project": of,
        "label_id": label,
        "name": name,
        "where": "" if of is None else f" of project {of}",
        "by": by.name,
    }
    await events.record(conn, f"project:{project or 0}", f"label.{what}", payload)


# -- on artifacts

_some = (
    select(artifact_labels.c.artifact_id)
    .where(artifact_labels.c.label_id == bindparam("label"))
    .order_by(artifact_labels.c.artifact_id)
    .limit(bindparam("limit"))
)
_TAKE_SOME_OFF = delete(artifact_labels).where(
    artifact_labels.c.label_id == bindparam("label"),
    artifact_labels.c.artifact_id.in_(_some.scalar_subquery()),
)
_ATTACH = insert(artifact_labels).values(
    artifact_id=bindparam("artifact"), label_id=bindparam("label"), created_at=now_us()
)
_DETACH = delete(artifact_labels).where(
    artifact_labels.c.artifact_id == bindparam("artifact"), artifact_labels.c.label_id == bindparam("label")
)


async def take_off_some(conn: Conn, label: int) -> bool:
    """Take a label that is to be deleted off some artifacts; whether there may be more.

    To be called, each time in a transaction of its own, until it says no: a label may hang on a hundred thousand.
    """
    return await conn.run(_TAKE_SOME_OFF, label=label, limit=AT_A_TIME) == AT_A_TIME


async def keep(conn: Conn, label: int, project: int) -> Label | None:
    """A label that artifacts of this project can have: of the project or of the whole server.

    Nobody deletes it until the transaction ends.
    """
    row = await conn.first(_KEEP, label=label)
    return None if row is None or row["project_id"] not in (None, project) else label_of(row)


async def attach(conn: Conn, label: int, artifact: int) -> None:
    """Hang a label on an artifact.  Raises UniqueViolation when it hangs there already."""
    await conn.run(_ATTACH, artifact=artifact, label=label)


async def detach(conn: Conn, label: int, artifact: int) -> bool:
    """Take it off; False when it does not hang there."""
    return bool(await conn.run(_DETACH, artifact=artifact, label=label))
