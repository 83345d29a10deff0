"""Garbage collection: what each run decided, and the manifests that people deleted and may still have back.

```text
deleted_artifacts (a manifest with its tags, until `until_at`) ── deleted_links ──▶ digests that must stay for it
```

What waits to be decided is in `gc_reviews`, and the bytes that wait to be removed are in `trash`: see plumbing.py.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, text

from fairway.frame.db.tables.base import metadata
from fairway.frame.db.tables.content import shown_in_lists
from fairway.frame.db.types import Id, Micros, Name

_DRY = text("step >= 0")

# No foreign keys: it speaks of what is gone.
gc_items = Table(
    "gc_items",
    metadata,
    Column("run", Id, primary_key=True),
    Column("what", Name, primary_key=True),  # manifest | link | hidden | blob
    Column("project_id", Id, primary_key=True),  # 0 for a blob
    Column("repository_id", Id, primary_key=True),  # of a manifest, else 0
    Column("digest", Name, primary_key=True),
    Column("size", BigInteger, nullable=False),
    # Of a dry run: what follows from the items of one step is the next.  -1: of a real run.
    Column("step", Integer, nullable=False),
    Index(
        "ix_gc_items_step",
        "run",
        "step",
        "what",
        "project_id",
        "repository_id",
        "digest",
        sqlite_where=_DRY,
        postgresql_where=_DRY,
    ),
)

deleted_artifacts = Table(
    "deleted_artifacts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project_id", Id, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("repository", Name, nullable=False),  # its name without the project: the row may be gone
    Column("digest", Name, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("artifact_type", Text, nullable=False),
    Column("subject", Name),
    Column("annotations", Text, nullable=False),  # JSON object
    Column("size", BigInteger, nullable=False),
    Column("pull_count", BigInteger, nullable=False),
    Column("pulled_at", Micros),
    Column("pushed_at", Micros, nullable=False),
    Column("created_at", Micros, nullable=False),
    Column("tags", Text, nullable=False),  # JSON array of names
    Column("deleted_at", Micros, nullable=False),
    Column("deleted_by", Text, nullable=False),
    Column("until_at", Micros, nullable=False),
    *shown_in_lists(),
    Column("payload", LargeBinary, nullable=False),
    Index(None, "project_id", "digest"),
    Index(None, "until_at"),
    sqlite_autoincrement=True,
)

deleted_links = Table(
    "deleted_links",
    metadata,
    Column("deleted_id", Id, ForeignKey("deleted_artifacts.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", Name, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("project_id", Id, nullable=False),
    Column("about", Text),
    Column("until_at", Micros, nullable=False),  # that of the artifact: the collector asks here only
    Index(None, "project_id", "digest"),
)
