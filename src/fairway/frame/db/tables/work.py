"""Background work: what somebody asked for (an execution), the tasks it is made of, their logs, and what recurs.

```text
schedule ──▶ execution (a run of the collector, of a policy, …) ── tasks (claimed, run, retried one by one) ── task_logs
```

Who may work on a task is told by `attempt`: each claim adds one, so that a worker that was given up for dead changes
nothing any more.  `tasks.due_at` is when somebody should take the task next: when it may begin, or, while it is running,
when the lease of whoever runs it ends.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from fairway.frame.db.tables.base import metadata
from fairway.frame.db.types import Id, Micros, Name

executions = Table(
    "executions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", Name, nullable=False),  # Harbor's vendor type, such as GARBAGE_COLLECTION
    Column("owner_id", Id, nullable=False),  # of the policy it belongs to; 0 without one
    Column("trigger", Text, nullable=False),  # MANUAL | SCHEDULE | EVENT
    Column("status", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("parameters", Text, nullable=False),  # JSON object
    Column("created_at", Micros, nullable=False),
    Column("ended_at", Micros),
    Index(None, "kind", "owner_id", "id"),
    sqlite_autoincrement=True,
)

_OPEN = text("status IN ('Pending', 'Running')")

tasks = Table(
    "tasks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("execution_id", Id, ForeignKey("executions.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Name, nullable=False),
    Column("arguments", Text, nullable=False),  # JSON object
    Column("single", Name),  # of open tasks with the same text there is only one
    Column("status", Text, nullable=False),  # Pending | Running | Stopped | Error | Success
    Column("stopping", Boolean, nullable=False, server_default=false()),
    Column("due_at", Micros, nullable=False),
    Column("worker", Name),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("message", Text, nullable=False, server_default=""),
    Column("progress", Text, nullable=False, server_default="{}"),  # JSON object
    Column("result", Text, nullable=False, server_default="{}"),  # JSON object
    Column("created_at", Micros, nullable=False),
    Column("started_at", Micros),
    Column("ended_at", Micros),
    Index("ix_tasks_due", "kind", "due_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index("ix_tasks_single", "single", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index(None, "execution_id", "status"),
    Index(None, "worker"),
    sqlite_autoincrement=True,
)

task_logs = Table(
    "task_logs",
    metadata,
    Column("task_id", Id, ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", Micros, nullable=False),
    Column("line", Text, nullable=False),
)

# What a task has done once and for all, whatever becomes of the attempt that did it.
task_steps = Table(
    "task_steps",
    metadata,
    Column("task_id", Id, ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("step", Name, primary_key=True),
    Column("answer", Text, nullable=False),  # JSON object
)

schedules = Table(
    "schedules",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", Name, nullable=False),
    Column("owner_id", Id, nullable=False),
    Column("style", Text, nullable=False),  # Hourly | Daily | Weekly | Custom
    Column("cron", Text, nullable=False),  # six fields, seconds first
    Column("parameters", Text, nullable=False),  # JSON object
    Column("asked_by", Text, nullable=False),
    Column("next_at", Micros, nullable=False),
    Column("created_at", Micros, nullable=False),
    Column("updated_at", Micros, nullable=False),
    UniqueConstraint("kind", "owner_id"),
    Index(None, "next_at"),
    sqlite_autoincrement=True,
)

# One row per kind of work, and one named "SCHEDULER" for all schedules: locked by who hands out, paused by an operator.
queues = Table(
    "queues",
    metadata,
    Column("kind", Name, primary_key=True),
    Column("paused", Boolean, nullable=False, server_default=false()),
)

workers = Table(
    "workers",
    metadata,
    Column("id", Name, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("started_at", Micros, nullable=False),
    Column("seen_at", Micros, nullable=False),
)
