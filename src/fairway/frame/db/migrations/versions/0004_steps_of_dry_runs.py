"""What a dry run goes on from, step by step, is found by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_DRY = sa.text("step >= 0")


def upgrade() -> None:
    op.create_index(
        "ix_gc_items_step",
        "gc_items",
        ["run", "step", "what", "project_id", "repository_id", "digest"],
        unique=False,
        sqlite_where=_DRY,
        postgresql_where=_DRY,
    )


def downgrade() -> None:
    op.drop_index("ix_gc_items_step", table_name="gc_items")
