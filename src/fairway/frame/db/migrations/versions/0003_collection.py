"""Garbage collection: reviews that wait, what each run decided, deleted manifests that may be had back."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")
_DUE = sa.text("waits_for IS NULL")
_PARKED = sa.text("waits_for IS NOT NULL")


def upgrade() -> None:
    op.add_column("gc_reviews", sa.Column("waits_for", sa.Text(), nullable=True))
    op.drop_index("ix_gc_reviews_review_at", table_name="gc_reviews")
    op.create_index(
        "ix_gc_reviews_due",
        "gc_reviews",
        ["review_at", "project_id", "digest"],
        unique=False,
        sqlite_where=_DUE,
        postgresql_where=_DUE,
    )
    op.create_index(
        "ix_gc_reviews_parked",
        "gc_reviews",
        ["project_id", "digest"],
        unique=False,
        sqlite_where=_PARKED,
        postgresql_where=_PARKED,
    )
    op.create_table(
        "gc_items",
        sa.Column("run", ID, nullable=False),
        sa.Column("what", NAME, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("repository_id", ID, nullable=False),
        sa.Column("digest", NAME, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("run", "what", "project_id", "repository_id", "digest", name="pk_gc_items"),
    )
    op.create_table(
        "deleted_artifacts",
        sa.Column("id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("repository", NAME, nullable=False),
        sa.Column("digest", NAME, nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("artifact_type", sa.Text(), nullable=False),
        sa.Column("subject", NAME, nullable=True),
        sa.Column("annotations", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("pull_count", sa.BigInteger(), nullable=False),
        sa.Column("pulled_at", sa.BigInteger(), nullable=True),
        sa.Column("pushed_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_by", sa.Text(), nullable=False),
        sa.Column("until_at", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_deleted_artifacts_project_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_deleted_artifacts"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_deleted_artifacts_project_id_digest", "deleted_artifacts", ["project_id", "digest"], unique=False
    )
    op.create_index("ix_deleted_artifacts_until_at", "deleted_artifacts", ["until_at"], unique=False)
    op.create_table(
        "deleted_links",
        sa.Column("deleted_id", ID, nullable=False),
        sa.Column("digest", NAME, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("until_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["deleted_id"], ["deleted_artifacts.id"], name="fk_deleted_links_deleted_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("deleted_id", "digest", "kind", name="pk_deleted_links"),
    )
    op.create_index(
        "ix_deleted_links_project_id_digest", "deleted_links", ["project_id", "digest"], unique=False
    )


def downgrade() -> None:
    op.drop_table("deleted_links")
    op.drop_table("deleted_artifacts")
    op.drop_table("gc_items")
    op.drop_index("ix_gc_reviews_parked", table_name="gc_reviews")
    op.drop_index("ix_gc_reviews_due", table_name="gc_reviews")
    op.create_index("ix_gc_reviews_review_at", "gc_reviews", ["review_at"], unique=False)
    op.drop_column("gc_reviews", "waits_for")
