"""Who is told of what happens in a project, and what waits to be told.

```text
webhook_policies ──< webhook_targets (each a queue) ──< webhook_deliveries (one event for one target)
```

A delivery is open until it ends: taken, refused for good, or too old.  `webhook_targets.due_at` is when somebody should look
at a queue next or, while somebody works through it, when their lease on it ends; null when nothing waits in it.
Of each topic only the first open delivery, its head, can have its turn.  A head that failed is put off: `next_at` is a moment.
Whatever is then found behind it is parked (`next_at` is PARKED) until it is the head itself, so that nobody passes it again on
the way to what is next.  Everything else that is open has 0.
No row here is tied to a project's: that a project was deleted is told after it is gone.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, UniqueConstraint, text

from fairway.frame.db.tables.base import metadata
from fairway.frame.db.types import Id, Micros, Name

PARKED = 2**62
"""`next_at` of a delivery behind one of its topic that is put off."""

webhook_policies = Table(
    "webhook_policies",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project_id", Id, nullable=False),
    Column("name", Name, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("event_types", Text, nullable=False),  # JSON array of names such as PUSH_ARTIFACT
    Column(
        "tag_selectors", Text, nullable=False, server_default="[]"
    ),  # JSON array, as rules of retention have it
    Column("repository_selectors", Text, nullable=False, server_default="[]"),
    Column("enabled", Boolean, nullable=False),
    Column("creator", Text, nullable=False),
    Column("created_at", Micros, nullable=False),
    Column("updated_at", Micros, nullable=False),
    UniqueConstraint("project_id", "name"),
    sqlite_autoincrement=True,
)

webhook_targets = Table(
    "webhook_targets",
    metadata,
    Column("id", Id, primary_key=True),
    Column("policy_id", Id, nullable=False),
    Column("number", Id, nullable=False),  # its place among the targets of its policy
    Column("type", Text, nullable=False),  # http | slack | teams
    Column("address", Text, nullable=False),
    Column(
        "payload_format", Text, nullable=False
    ),  # Default | CloudEvents | Fields; "" where the type has but one
    Column("fields", Text, nullable=False, server_default=""),  # JSON: what is sent, with places for facts
    Column("auth_header", Text, nullable=False, server_default=""),  # sealed
    Column("secret", Text, nullable=False, server_default=""),  # sealed; what requests are signed with
    Column("skip_cert_verify", Boolean, nullable=False),
    Column("due_at", Micros),
    Column("worker", Name),
    Column(
        "attempt", Integer, nullable=False, server_default="0"
    ),  # one more each time somebody takes the queue
    Column("failures", Integer, nullable=False, server_default="0"),  # in a row
    Column("paused_until", Micros, nullable=False, server_default="0"),  # whatever is added meanwhile
    Column("waiting", BigInteger, nullable=False, server_default="0"),  # so many open deliveries, or fewer
    Column("last_error", Text, nullable=False, server_default=""),
    Column("dropped", BigInteger, nullable=False, server_default="0"),  # the oldest, since too many waited
    UniqueConstraint("policy_id", "number"),
    Index(
        "ix_webhook_targets_due",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

_OPEN = text("ended_at IS NULL")
_ENDED = text("ended_at IS NOT NULL")

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("policy_id", Id, nullable=False),
    Column("target_id", Id, nullable=False),
    Column("event_id", Name, nullable=False),  # what receivers de-duplicate by
    Column("event_type", Name, nullable=False),
    Column("topic", Name, nullable=False),  # of one topic in order: a repository, or "" for the project
    Column("media_type", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("status", Text, nullable=False),  # Pending | Running | Stopped | Error | Success
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("refusals", Integer, nullable=False, server_default="0"),  # tries that were answered so
    Column("next_at", Micros, nullable=False, server_default="0"),  # 0, a moment, or PARKED
    Column("created_at", Micros, nullable=False),
    Column("started_at", Micros),  # of the last try
    Column("ended_at", Micros),
    Column("answered", Integer),  # the HTTP status of the last answer
    Column("reply", Text, nullable=False, server_default=""),  # its beginning
    Column("message", Text, nullable=False, server_default=""),
    Index("ix_webhook_deliveries_open", "target_id", "id", sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index(
        "ix_webhook_deliveries_turn",
        "target_id",
        "next_at",
        "id",
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    ),
    Index(
        "ix_webhook_deliveries_topic",
        "target_id",
        "topic",
        "id",
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    ),
    Index(
        "ix_webhook_deliveries_ended", "policy_id", "ended_at", sqlite_where=_ENDED, postgresql_where=_ENDED
    ),
    Index(None, "policy_id", "id"),
    sqlite_autoincrement=True,
)

# When an event of each type was last put on its way for a policy.
webhook_triggers = Table(
    "webhook_triggers",
    metadata,
    Column("policy_id", Id, primary_key=True),
    Column("event_type", Name, primary_key=True),
    Column("at", Micros, nullable=False),
)
