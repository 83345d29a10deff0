"""Webhooks of projects."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    _policies()
    _deliveries()


def _policies() -> None:
    op.create_table(
        "webhook_policies",
        sa.Column("id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("event_types", sa.Text(), nullable=False),
        sa.Column("tag_selectors", sa.Text(), server_default="[]", nullable=False),
        sa.Column("repository_selectors", sa.Text(), server_default="[]", nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("creator", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_policies"),
        sa.UniqueConstraint("project_id", "name", name="uq_webhook_policies_project_id_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "webhook_targets",
        sa.Column("id", ID, nullable=False),
        sa.Column("policy_id", ID, nullable=False),
        sa.Column("number", ID, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("payload_format", sa.Text(), nullable=False),
        sa.Column("fields", sa.Text(), server_default="", nullable=False),
        sa.Column("auth_header", sa.Text(), server_default="", nullable=False),
        sa.Column("secret", sa.Text(), server_default="", nullable=False),
        sa.Column("skip_cert_verify", sa.Boolean(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("worker", NAME, nullable=True),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("paused_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("waiting", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("dropped", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_targets"),
        sa.UniqueConstraint("policy_id", "number", name="uq_webhook_targets_policy_id_number"),
        sqlite_autoincrement=True,
    )
    due = sa.text("due_at IS NOT NULL")
    op.create_index(
        "ix_webhook_targets_due", "webhook_targets", ["due_at"], sqlite_where=due, postgresql_where=due
    )
    op.create_table(
        "webhook_triggers",
        sa.Column("policy_id", ID, nullable=False),
        sa.Column("event_type", NAME, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("policy_id", "event_type", name="pk_webhook_triggers"),
    )


def _deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", ID, nullable=False),
        sa.Column("policy_id", ID, nullable=False),
        sa.Column("target_id", ID, nullable=False),
        sa.Column("event_id", NAME, nullable=False),
        sa.Column("event_type", NAME, nullable=False),
        sa.Column("topic", NAME, nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("refusals", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("answered", sa.Integer(), nullable=True),
        sa.Column("reply", sa.Text(), server_default="", nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_deliveries"),
        sqlite_autoincrement=True,
    )
    opened, ended = sa.text("ended_at IS NULL"), sa.text("ended_at IS NOT NULL")
    for name, columns, which in (
        ("open", ["target_id", "id"], opened),
        ("turn", ["target_id", "next_at", "id"], opened),
        ("topic", ["target_id", "topic", "id"], opened),
        ("ended", ["policy_id", "ended_at"], ended),
    ):
        op.create_index(
            f"ix_webhook_deliveries_{name}",
            "webhook_deliveries",
            columns,
            sqlite_where=which,
            postgresql_where=which,
        )
    op.create_index("ix_webhook_deliveries_policy_id_id", "webhook_deliveries", ["policy_id", "id"])


def downgrade() -> None:
    for table in ("webhook_deliveries", "webhook_triggers", "webhook_targets", "webhook_policies"):
        op.drop_table(table)
