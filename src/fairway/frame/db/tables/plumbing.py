"""What keeps the store honest: leases, the collector's review queue, the trash, the outbox, generations, and which store it is."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, text

from fairway.frame.db.tables.base import metadata
from fairway.frame.db.types import Id, Micros, Name

leases = Table(
    "leases",
    metadata,
    Column("project_id", Id, primary_key=True),
    Column("digest", Name, primary_key=True),
    Column("until_at", Micros, nullable=False),
    Index(None, "until_at"),
)

_DUE = text("waits_for IS NULL")
_PARKED = text("waits_for IS NOT NULL")

# Project 0 means the blob as a whole: does any project still link it?
gc_reviews = Table(
    "gc_reviews",
    metadata,
    Column("project_id", Id, primary_key=True),
    Column("digest", Name, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("review_at", Micros, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("waits_for", Text),  # "untagged": decided only by a run that deletes untagged manifests
    Index(
        "ix_gc_reviews_due",
        "review_at",
        "project_id",
        "digest",
        sqlite_where=_DUE,
        postgresql_where=_DUE,
    ),
    Index("ix_gc_reviews_parked", "project_id", "digest", sqlite_where=_PARKED, postgresql_where=_PARKED),
)

trash = Table(
    "trash",
    metadata,
    Column("key", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("not_before", Micros, nullable=False),
    Index(None, "not_before"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Id, primary_key=True),
    Column("event_id", Name, nullable=False),  # what receivers de-duplicate by
    Column("topic", Name, nullable=False),  # events of one topic are delivered in order
    Column("kind", Text, nullable=False),
    Column("payload", Text, nullable=False),  # JSON object
    Column("created_at", Micros, nullable=False),
    Column("claimed_until", Micros, nullable=False, server_default="0"),
    Column("tries", Integer, nullable=False, server_default="0"),
    Index(None, "topic", "id"),
    # Only what failed and waits to be tried again: nearly always nothing.
    Index(
        "ix_outbox_waiting",
        "claimed_until",
        sqlite_where=text("claimed_until > 0"),
        postgresql_where=text("claimed_until > 0"),
    ),
    sqlite_autoincrement=True,
)

# Facts about this installation that never change, such as the identity of its blob store.
installation = Table(
    "installation",
    metadata,
    Column("name", Name, primary_key=True),
    Column("value", Text, nullable=False),
)

generations = Table(
    "generations",
    metadata,
    Column("name", Name, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
