"""Former names of projects."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "project_aliases",
        sa.Column("name", NAME, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_project_aliases_project_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("name", name="pk_project_aliases"),
    )
    op.create_index("ix_project_aliases_project_id", "project_aliases", ["project_id"], unique=False)


def downgrade() -> None:
    op.drop_table("project_aliases")
