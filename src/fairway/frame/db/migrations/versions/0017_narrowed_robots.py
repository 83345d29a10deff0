"""Robots whose rights are narrowed to some repositories, and which blobs they brought themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("robot_permissions", sa.Column("repositories", sa.Text(), nullable=True))
    op.create_table(
        "blob_bringers",
        sa.Column("project_id", ID, nullable=False),
        sa.Column("digest", NAME, nullable=False),
        sa.Column("principal", NAME, nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "digest"],
            ["project_blobs.project_id", "project_blobs.digest"],
            name="fk_blob_bringers_project_id_digest",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("project_id", "digest", "principal", name="pk_blob_bringers"),
    )


def downgrade() -> None:
    op.drop_table("blob_bringers")
    op.drop_column("robot_permissions", "repositories")
