"""Members for some repositories of a project only."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("members", sa.Column("repositories", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("members", "repositories")
