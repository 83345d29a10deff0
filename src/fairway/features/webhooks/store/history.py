"""What was told by a policy, as people look at it: each delivery, and when each type of event was last told."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, bindparam, case, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.features.webhooks.model import HTTP, SLACK, TEAMS, Delivery
from fairway.features.webhooks.store.deliveries import delivery
from fairway.frame.db import Conn, Row, now_us
from fairway.frame.db.listing import COUNTED, Field, Filters, Listing, Order
from fairway.frame.db.tables import webhook_deliveries, webhook_targets, webhook_triggers
from fairway.frame.db.types import within_ids
from fairway.frame.jobs.job import PENDING, RUNNING

SHOWN: Final = 65_536
"""Characters of a body in a list; one delivery by itself is shown whole."""

VENDORS: Final = {HTTP: "WEBHOOK", SLACK: "SLACK", TEAMS: "TEAMS"}
"""By the type of a target, as Harbor calls its jobs."""

_d, _t = webhook_deliveries, webhook_targets
_of = _d.outerjoin(_t, _t.c.id == _d.c.target_id)
_type = func.coalesce(_t.c.type, HTTP).label("type")
_all = [column for column in _d.c if column.name != "body"]
_WHOLE = select(*_d.c, _type, _t.c.id.label("there")).select_from(_of)
_IN_LIST = select(
    *_all, func.substr(_d.c.body, 1, SHOWN).label("body"), _type, _t.c.id.label("there")
).select_from(_of)
_NOW = select(now_us())
_BY_ID = _WHOLE.where(_d.c.policy_id == bindparam("policy"), _d.c.id == bindparam("number"))
_BY_EVENT = (
    _WHOLE.where(_d.c.policy_id == bindparam("policy"), _d.c.event_id == bindparam("event"))
    .order_by(_d.c.id.desc())
    .limit(bindparam("most"))
)
# An execution that is not over is running, as Harbor has it, though its task may be pending.
_execution_status = case((_d.c.status == PENDING, RUNNING), else_=_d.c.status)
_vendor = case(
    (_t.c.type == SLACK, VENDORS[SLACK]), (_t.c.type == TEAMS, VENDORS[TEAMS]), else_=VENDORS[HTTP]
)
_LISTING = Listing(
    {
        "id": Field(_d.c.id),
        "status": Field(_execution_status),
        "event_type": Field(_d.c.event_type),
        "vendor_type": Field(_vendor),
        "start_time": Field(_d.c.created_at, moment=True),
        "creation_time": Field(_d.c.created_at, moment=True),
        "end_time": Field(_d.c.ended_at, moment=True),
    },
    default=[("id", True)],
    tie=_d.c.id,
)


@dataclass(frozen=True, slots=True)
class Told:
    """A delivery and what its target is."""

    delivery: Delivery
    type: str
    """Of its target, http when that is gone."""
    there: bool
    """Whether the target is still there."""


def _told(row: Row) -> Told:
    return Told(delivery(row), row["type"], row["there"] is not None)


async def listed(
    conn: Conn, policy: int, filters: Filters, order: Order = (), *, offset: int, limit: int
) -> tuple[list[Told], int]:
    """One page of what was told by a policy, the last first, and how much there is, counted to COUNTED when filtered.

    Raises BadRequest for a value that its field cannot have.
    """
    conditions = [_d.c.policy_id == policy, *_LISTING.where(filters)]
    counted: Select[Any] = select(_d.c.id).select_from(_of).where(*conditions)
    if filters:
        counted = counted.limit(max(COUNTED, offset + limit + 1))  # one more: there is a next page
    total = int(await conn.scalar(select(func.count()).select_from(counted.subquery())))
    page: Any = _IN_LIST.where(*conditions).order_by(*_LISTING.order(order)).offset(offset).limit(limit)
    rows = await conn.all(page) if offset < total else []
    return [_told(row) for row in rows], total


async def by_id(conn: Conn, policy: int, number: int) -> Told | None:
    """A delivery of a policy, whole."""
    row = await conn.first(_BY_ID, policy=policy, number=number)
    return None if row is None else _told(row)


async def by_event(conn: Conn, policy: int, event: str, most: int) -> list[Told]:
    """The last deliveries of one event, which was told just now; `most` of them."""
    return [_told(row) for row in await conn.all(_BY_EVENT, policy=policy, event=event, most=most)]


async def now(conn: Conn) -> int:
    """The database's time, microseconds since the epoch."""
    return int(await conn.scalar(_NOW))


# -- when each type was last told

_insert = upsert(webhook_triggers).values(
    policy_id=bindparam("policy"), event_type=bindparam("type"), at=now_us()
)
_TRIGGER = _insert.on_conflict_do_update(
    index_elements=["policy_id", "event_type"], set_={"at": _insert.excluded["at"]}
)
_TRIGGERS = select(webhook_triggers).where(within_ids(webhook_triggers.c.policy_id, bindparam("policies")))


async def triggered(conn: Conn, policies: Collection[int], event_type: str) -> None:
    """By these policies an event of this type was put on its way just now.  Needs a transaction."""
    await conn.many(_TRIGGER, [{"policy": each, "type": event_type} for each in sorted(policies)])


async def last_triggered(conn: Conn, policies: Collection[int]) -> dict[tuple[int, str], int]:
    """When, by policy and type of event, those that ever were."""
    rows = await conn.all(_TRIGGERS, policies=json.dumps(sorted(policies)))
    return {(row["policy_id"], row["event_type"]): row["at"] for row in rows}
