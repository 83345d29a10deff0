"""Background work: executions, tasks and their logs, schedules, queues, workers; what follows from events."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")
_OPEN = sa.text("status IN ('Pending', 'Running')")


def upgrade() -> None:
    op.create_table(
        "executions",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("owner_id", ID, nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_executions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_executions_kind_owner_id_id", "executions", ["kind", "owner_id", "id"], unique=False)
    op.create_table(
        "queues",
        sa.Column("kind", NAME, nullable=False),
        sa.Column("paused", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name="pk_queues"),
    )
    op.create_table(
        "schedules",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("owner_id", ID, nullable=False),
        sa.Column("style", sa.Text(), nullable=False),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_schedules"),
        sa.UniqueConstraint("kind", "owner_id", name="uq_schedules_kind_owner_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_schedules_next_at", "schedules", ["next_at"], unique=False)
    op.create_table(
        "workers",
        sa.Column("id", NAME, nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )
    op.create_table(
        "tasks",
        sa.Column("id", ID, nullable=False),
        sa.Column("execution_id", ID, nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("single", NAME, nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("stopping", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("worker", NAME, nullable=True),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("progress", sa.Text(), server_default="{}", nullable=False),
        sa.Column("result", sa.Text(), server_default="{}", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name="fk_tasks_execution_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_tasks_due", "tasks", ["kind", "due_at"], unique=False, sqlite_where=_OPEN, postgresql_where=_OPEN
    )
    op.create_index("ix_tasks_execution_id_status", "tasks", ["execution_id", "status"], unique=False)
    op.create_index(
        "ix_tasks_single", "tasks", ["single"], unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN
    )
    op.create_index("ix_tasks_worker", "tasks", ["worker"], unique=False)
    op.create_table(
        "task_logs",
        sa.Column("task_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_task_logs_task_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id", "number", name="pk_task_logs"),
    )
    op.create_table(
        "task_steps",
        sa.Column("task_id", ID, nullable=False),
        sa.Column("step", NAME, nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_task_steps_task_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id", "step", name="pk_task_steps"),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", ID, nullable=False),
        sa.Column("event_id", NAME, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("username", NAME, nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("resource_type", NAME, nullable=False),
        sa.Column("operation", NAME, nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("succeeded", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
        sa.UniqueConstraint("event_id", name="uq_audit_log_event_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_log_at", "audit_log", ["at"], unique=False)
    op.create_index("ix_audit_log_project_id_at", "audit_log", ["project_id", "at"], unique=False)
    op.create_table(
        "notifications",
        sa.Column("id", ID, nullable=False),
        sa.Column("endpoint", NAME, nullable=False),
        sa.Column("event_id", NAME, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_notifications_endpoint_id", "notifications", ["endpoint", "id"], unique=False)
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["claimed_until"],
        unique=False,
        sqlite_where=sa.text("claimed_until > 0"),
        postgresql_where=sa.text("claimed_until > 0"),
    )


def downgrade() -> None:
    op.drop_index("ix_outbox_waiting", table_name="outbox")
    op.drop_index("ix_notifications_endpoint_id", table_name="notifications")
    op.drop_table("notifications")
    op.drop_index("ix_audit_log_project_id_at", table_name="audit_log")
    op.drop_index("ix_audit_log_at", table_name="audit_log")
    op.drop_table("audit_log")
    op.drop_table("task_steps")
    op.drop_table("task_logs")
    op.drop_index("ix_tasks_worker", table_name="tasks")
    op.drop_index("ix_tasks_single", table_name="tasks")
    op.drop_index("ix_tasks_execution_id_status", table_name="tasks")
    op.drop_index("ix_tasks_due", table_name="tasks")
    op.drop_table("tasks")
    op.drop_table("workers")
    op.drop_index("ix_schedules_next_at", table_name="schedules")
    op.drop_table("schedules")
    op.drop_table("queues")
    op.drop_index("ix_executions_kind_owner_id_id", table_name="executions")
    op.drop_table("executions")
