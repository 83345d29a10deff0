"""Retention policies, and what their runs decided."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    _policies()
    _results()


def _policies() -> None:
    op.create_table(
        "retention_policies",
        sa.Column("id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=True),
        sa.Column("level", NAME, nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_retention_policies_project_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_retention_policies"),
        sa.UniqueConstraint("project_id", name="uq_retention_policies_project_id"),
        sqlite_autoincrement=True,
    )
    of_server = sa.text("project_id IS NULL")
    op.create_index(
        "ix_retention_policies_system",
        "retention_policies",
        ["level"],
        unique=True,
        sqlite_where=of_server,
        postgresql_where=of_server,
    )
    op.create_table(
        "retention_exemptions",
        sa.Column("project_id", ID, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_retention_exemptions_project_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", name="pk_retention_exemptions"),
    )


def _results() -> None:
    op.create_table(
        "retention_results",
        sa.Column("id", ID, nullable=False),
        sa.Column("execution_id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("repository_id", ID, nullable=False),
        sa.Column("repository", NAME, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("decided", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retained", sa.Integer(), server_default="0", nullable=False),
        sa.Column("gone", sa.Integer(), server_default="0", nullable=False),
        sa.Column("kept_lines", sa.Integer(), server_default="0", nullable=False),
        sa.Column("other_lines", sa.Integer(), server_default="0", nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name="fk_retention_results_execution_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_retention_results"),
        sa.UniqueConstraint(
            "execution_id", "repository_id", name="uq_retention_results_execution_id_repository_id"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_retention_results_execution_id_id", "retention_results", ["execution_id", "id"])
    op.create_table(
        "retention_lines",
        sa.Column("result_id", ID, nullable=False),
        sa.Column("kept", sa.SmallInteger(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("lines", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["result_id"], ["retention_results.id"], name="fk_retention_lines_result_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("result_id", "kept", "first", name="pk_retention_lines"),
    )
    op.create_table(
        "retention_doomed",
        sa.Column("id", ID, nullable=False),
        sa.Column("result_id", ID, nullable=False),
        sa.Column("digest", NAME, nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["result_id"], ["retention_results.id"], name="fk_retention_doomed_result_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_retention_doomed"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_retention_doomed_result_id_id", "retention_doomed", ["result_id", "id"])


def downgrade() -> None:
    for table in (
        "retention_doomed",
        "retention_lines",
        "retention_results",
        "retention_exemptions",
        "retention_policies",
    ):
        op.drop_table(table)
