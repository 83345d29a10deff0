"""What is stored: blobs, who may see them, manifests, what they name, tags, and uploads in progress.

```text
project ── repository ── artifact (a manifest, bytes included) ── artifact_links ──▶ digests it names
   │            └─────── tag ──▶ artifact
   └── project_blobs ──▶ digests charged to the project; blob_id says which of them can be read as blobs
                             └──▶ blob ──▶ one object in storage, under its own unique key
```

`artifact_links` carries digests, not ids: a subject may be pushed later, a foreign layer never is.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
    true,
)

from fairway.frame.db.tables.base import metadata
from fairway.frame.db.types import Id, Micros, Name

repositories = Table(
    "repositories",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project_id", Id, ForeignKey("projects.id"), nullable=False),
    Column("name", Name, nullable=False),  # without the project
    Column("description", Text, nullable=False, server_default=""),
    Column("pull_count", BigInteger, nullable=False, server_default="0"),
    Column("pulled_at", Micros),
    Column("created_at", Micros, nullable=False),
    Column("updated_at", Micros, nullable=False),
    UniqueConstraint("project_id", "name"),
    sqlite_autoincrement=True,
)

LIVE, CORRUPT = 0, 1

blobs = Table(
    "blobs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("digest", Name, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("state", SmallInteger, nullable=False, server_default="0"),
    Column("checked_at", Micros, nullable=False, server_default="0"),  # when the scrub last read the bytes
    Column("created_at", Micros, nullable=False),
    UniqueConstraint("digest"),
    Index(None, "checked_at"),
    sqlite_autoincrement=True,
)

project_blobs = Table(
    "project_blobs",
    metadata,
    Column("project_id", Id, ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", Name, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("blob_id", Id, ForeignKey("blobs.id")),  # null for a manifest, whose bytes are in artifacts
    Column("created_at", Micros, nullable=False),
    Index(None, "blob_id"),
)


def shown_in_lists() -> list[Column[Any]]:
    """What lists show of a manifest beside its own fields, so that nobody reads payloads for it."""
    return [
        Column("type", Text, nullable=False, server_default=""),  # IMAGE, CHART, …
        Column("config_media_type", Text, nullable=False, server_default=""),
        Column(
            "total_size", BigInteger, nullable=False, server_default="0"
        ),  # with what it names, when pushed
        Column("accessory", Text, nullable=False, server_default=""),  # signature.cosign, …
        Column("accessory_of", Name),  # the digest it belongs to, which may be absent
    ]


_IN_LISTS = "accessory_of IS NULL AND listed"
_IN_LISTS_SQLITE = "accessory_of IS NULL AND listed = 1"  # in the words of statements, or it is not used

artifacts = Table(
    "artifacts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project_id", Id, ForeignKey("projects.id"), nullable=False),
    Column("repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), nullable=False),
    Column("digest", Name, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("kind", Text, nullable=False),  # image | index
    Column("artifact_type", Text, nullable=False),
    Column("subject", Name),
    Column("annotations", Text, nullable=False),  # JSON object
    Column("size", BigInteger, nullable=False),  # of the manifest
    Column("pull_count", BigInteger, nullable=False, server_default="0"),
    Column("pulled_at", Micros),
    Column("pushed_at", Micros, nullable=False),
    Column("created_at", Micros, nullable=False),
    *shown_in_lists(),
    # Lists show it, unless it is an accessory: it has a tag, or no index names it.
    Column("listed", Boolean, nullable=False, server_default=true()),
    Column("payload", LargeBinary, nullable=False),  # last: scans that do not ask for it never read its pages
    UniqueConstraint("repository_id", "digest"),
    Index(None, "project_id", "digest"),
    Index(
        "ix_artifacts_subject",
        "repository_id",
        "subject",
        "digest",
        sqlite_where=text("subject IS NOT NULL"),
        postgresql_where=text("subject IS NOT NULL"),
    ),
    Index(
        "ix_artifacts_accessory_of",
        "repository_id",
        "accessory_of",
        "id",
        sqlite_where=text("accessory_of IS NOT NULL"),
        postgresql_where=text("accessory_of IS NOT NULL"),
    ),
    # The order of lists, newest first.
    Index(
        "ix_artifacts_in_repository",
        "repository_id",
        "pushed_at",
        "id",
        sqlite_where=text(_IN_LISTS_SQLITE),
        postgresql_where=text(_IN_LISTS),
    ),
    Index(
        "ix_artifacts_in_project",
        "project_id",
        "pushed_at",
        "id",
        sqlite_where=text(_IN_LISTS_SQLITE),
        postgresql_where=text(_IN_LISTS),
    ),
    sqlite_autoincrement=True,
)

artifact_links = Table(
    "artifact_links",
    metadata,
    Column("artifact_id", Id, ForeignKey("artifacts.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", Name, primary_key=True),
    Column("kind", Text, primary_key=True),  # config | layer | child | subject | foreign
    Column("project_id", Id, nullable=False),
    Column(
        "about", Text
    ),  # of a child: a JSON object with what its index says about it, such as the platform
    Index(None, "project_id", "digest"),
)

tags = Table(
    "tags",
    metadata,
    Column("id", Id, primary_key=True),
    Column("repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), nullable=False),
    Column("name", Name, nullable=False),
    Column("artifact_id", Id, ForeignKey("artifacts.id", ondelete="CASCADE"), nullable=False),
    Column("pulled_at", Micros),
    Column("pushed_at", Micros, nullable=False),
    Column("created_at", Micros, nullable=False),
    UniqueConstraint("repository_id", "name"),
    Index(None, "artifact_id", "pushed_at", "id"),
    sqlite_autoincrement=True,
)

# What a tag named before and after each change of it.  Kept when the tag is gone; when the repository is, nothing finds it.
tag_changes = Table(
    "tag_changes",
    metadata,
    Column("id", Id, primary_key=True),
    Column("repository_id", Id, nullable=False),
    Column("tag", Name, nullable=False),
    Column("before", Name),  # a digest; null: there was no such tag
    Column("after", Name),  # null: it was deleted
    Column("how", Text, nullable=False),  # push | copy | tag | delete | undo | rollback
    Column("actor", Text, nullable=False),
    Column("at", Micros, nullable=False),
    Index(None, "repository_id", "tag", "id"),
    sqlite_autoincrement=True,
)

blob_bringers = (
    Table(  # who proved the bytes of a blob by sending them; kept of those who do not see all of a project
        "blob_bringers",
        metadata,
        Column("project_id", Id, primary_key=True),
        Column("digest", Name, primary_key=True),
        Column("principal", Name, primary_key=True),  # as in uploads
        ForeignKeyConstraint(
            ["project_id", "digest"], ["project_blobs.project_id", "project_blobs.digest"], ondelete="CASCADE"
        ),
    )
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", Name, primary_key=True),
    Column("project_id", Id, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("repository", Name, nullable=False),
    Column("principal", Name, nullable=False),
    Column("received", BigInteger, nullable=False),  # bytes
    Column("state", Text, nullable=False),
    Column("created_at", Micros, nullable=False),
    Column("updated_at", Micros, nullable=False),
    Index(None, "updated_at"),
    Index(None, "principal"),
    Index(None, "project_id"),
)
