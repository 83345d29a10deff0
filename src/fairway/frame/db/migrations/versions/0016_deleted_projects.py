"""Projects that are deleted while what was in them is removed."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_GOING = sa.text("deleted_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("projects", sa.Column("deleted_at", sa.BigInteger()))
    op.create_index("ix_projects_deleted", "projects", ["id"], sqlite_where=_GOING, postgresql_where=_GOING)


def downgrade() -> None:
    op.drop_index("ix_projects_deleted", "projects")
    op.drop_column("projects", "deleted_at")
