"""Rules that keep tags where they are."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0018"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "immutable_rules",
        sa.Column("id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("fingerprint", NAME, nullable=False),
        sa.Column("tag_kind", sa.Text(), nullable=False),
        sa.Column("tag_pattern", sa.Text(), nullable=False),
        sa.Column("tag_excludes", sa.Boolean(), nullable=False),
        sa.Column("repository_kind", sa.Text(), nullable=False),
        sa.Column("repository_pattern", sa.Text(), nullable=False),
        sa.Column("repository_excludes", sa.Boolean(), nullable=False),
        sa.Column("disabled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_immutable_rules_project_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_immutable_rules"),
        sa.UniqueConstraint("project_id", "fingerprint", name="uq_immutable_rules_project_id_fingerprint"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("immutable_rules")
