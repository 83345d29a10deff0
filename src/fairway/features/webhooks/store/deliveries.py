"""What waits to be sent to targets."""

from collections.abc import Sequence

from sqlalchemy import bindparam, func, insert, update

from fairway.features.webhooks.model import NewDelivery
from fairway.frame.db import Conn, now_us
from fairway.frame.db.tables import webhook_deliveries, webhook_targets

_ADD = insert(webhook_deliveries).values(
    policy_id=bindparam("policy"),
    target_id=bindparam("target"),
    event_id=bindparam("event"),
    event_type=bindparam("type"),
    topic=bindparam("topic"),
    media_type=bindparam("media_type"),
    body=bindparam("body"),
    status="Pending",
    created_at=now_us(),
)
_DUE = (
    update(webhook_targets)
    .where(webhook_targets.c.id == bindparam("target"))
    .values(
        due_at=func.coalesce(webhook_targets.c.due_at, now_us()),
        waiting=webhook_targets.c.waiting + bindparam("count"),
    )
)


async def add(conn: Conn, new: Sequence[NewDelivery]) -> None:
    """Put these on their way, in this order, and see to it that somebody looks at their targets' queues."""
    counts: dict[int, int] = {}
    for each in new:
        counts[each.target] = counts.get(each.target, 0) + 1
    await conn.many(
        _ADD,
        [
            {
                "policy": each.policy,
                "target": each.target,
                "event": each.event_id,
                "type": each.event_type,
                "topic": each.topic,
                "media_type": each.media_type,
                "body": each.body,
            }
            for each in new
        ],
    )
    await conn.many(_DUE, [{"target": target, "count": count} for target, count in sorted(counts.items())])
