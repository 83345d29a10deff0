"""What tags named before."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "tag_changes",
        sa.Column("id", ID, nullable=False),
        sa.Column("repository_id", ID, nullable=False),
        sa.Column("tag", NAME, nullable=False),
        sa.Column("before", NAME, nullable=True),
        sa.Column("after", NAME, nullable=True),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tag_changes"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tag_changes_repository_id_tag_id", "tag_changes", ["repository_id", "tag", "id"])


def downgrade() -> None:
    op.drop_table("tag_changes")
