"""How many lines of the audit log each project has, and an index of who did what."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_totals",
        sa.Column(
            "project_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", name="pk_audit_totals"),
    )
    op.execute(
        "INSERT INTO audit_totals (project_id, lines) SELECT project_id, count(*) FROM audit_log GROUP BY project_id"
    )
    op.create_index("ix_audit_log_username_at", "audit_log", ["username", "at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_audit_log_username_at", table_name="audit_log")
    op.drop_table("audit_totals")
