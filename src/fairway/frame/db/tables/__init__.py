"""The whole data model, a page per area.  Features read their rows through their own store.py; nothing else defines a table."""

from fairway.frame.db.tables.accounts import login_failures, refresh_tokens, users
from fairway.frame.db.tables.audit import audit_log, notifications
from fairway.frame.db.tables.base import metadata
from fairway.frame.db.tables.collection import deleted_artifacts, deleted_links, gc_items
from fairway.frame.db.tables.content import (
    artifact_links,
    artifacts,
    blobs,
    project_blobs,
    repositories,
    tags,
    uploads,
)
from fairway.frame.db.tables.plumbing import gc_reviews, generations, installation, leases, outbox, trash
from fairway.frame.db.tables.projects import members, project_metadata, projects, quota_deltas, quotas
from fairway.frame.db.tables.robots import robot_permissions, robots
from fairway.frame.db.tables.work import executions, queues, schedules, task_logs, task_steps, tasks, workers

__all__ = [
    "artifact_links",
    "artifacts",
    "audit_log",
    "blobs",
    "deleted_artifacts",
    "deleted_links",
    "executions",
    "gc_items",
    "gc_reviews",
    "generations",
    "installation",
    "leases",
    "login_failures",
    "members",
    "metadata",
    "notifications",
    "outbox",
    "project_blobs",
    "project_metadata",
    "projects",
    "queues",
    "quota_deltas",
    "quotas",
    "refresh_tokens",
    "repositories",
    "robot_permissions",
    "robots",
    "schedules",
    "tags",
    "task_logs",
    "task_steps",
    "tasks",
    "trash",
    "uploads",
    "users",
    "workers",
]
