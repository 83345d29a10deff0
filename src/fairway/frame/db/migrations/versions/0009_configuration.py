"""Live configuration, lists of vulnerabilities that may pass, and lines of the audit log on their way elsewhere."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "configuration",
        sa.Column("key", NAME, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_configuration"),
    )
    op.create_table(
        "cve_allowlists",
        sa.Column("project_id", ID, autoincrement=False, nullable=False),
        sa.Column("items", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", name="pk_cve_allowlists"),
    )
    op.create_table(
        "audit_forwards",
        sa.Column("id", ID, nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("claimed_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_forwards"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("audit_forwards")
    op.drop_table("cve_allowlists")
    op.drop_table("configuration")
