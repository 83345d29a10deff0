"""The whole data model, a page per area.  Features read their rows through their own store.py; nothing else defines a table."""

from fairway.frame.db.tables.accounts import (
    login_failures,
    personal_tokens,
    refresh_tokens,
    sessions,
    user_group_members,
    user_groups,
    users,
)
from fairway.frame.db.tables.audit import audit_forwards, audit_log, audit_totals, notifications
from fairway.frame.db.tables.base import metadata
from fairway.frame.db.tables.collection import deleted_artifacts, deleted_links, gc_items
from fairway.frame.db.tables.configuration import configuration, cve_allowlists
from fairway.frame.db.tables.content import (
    artifact_links,
    artifacts,
    blob_bringers,
    blobs,
    project_blobs,
    repositories,
    tag_changes,
    tags,
    uploads,
)
from fairway.frame.db.tables.labels import artifact_labels, labels
from fairway.frame.db.tables.plumbing import gc_reviews, generations, installation, leases, outbox, trash
from fairway.frame.db.tables.projects import (
    members,
    project_aliases,
    project_metadata,
    projects,
    quota_deltas,
    quotas,
)
from fairway.frame.db.tables.retention import (
    retention_doomed,
    retention_exemptions,
    retention_lines,
    retention_policies,
    retention_results,
)
from fairway.frame.db.tables.robots import robot_permissions, robots
from fairway.frame.db.tables.roles import role_permissions, roles
from fairway.frame.db.tables.rules import immutable_rules
from fairway.frame.db.tables.webhooks import (
    webhook_deliveries,
    webhook_policies,
    webhook_targets,
    webhook_triggers,
)
from fairway.frame.db.tables.work import executions, queues, schedules, task_logs, task_steps, tasks, workers

__all__ = [
    "artifact_labels",
    "artifact_links",
    "artifacts",
    "audit_forwards",
    "audit_log",
    "audit_totals",
    "blob_bringers",
    "blobs",
    "configuration",
    "cve_allowlists",
    "deleted_artifacts",
    "deleted_links",
    "executions",
    "gc_items",
    "gc_reviews",
    "generations",
    "immutable_rules",
    "installation",
    "labels",
    "leases",
    "login_failures",
    "members",
    "metadata",
    "notifications",
    "outbox",
    "personal_tokens",
    "project_aliases",
    "project_blobs",
    "project_metadata",
    "projects",
    "queues",
    "quota_deltas",
    "quotas",
    "refresh_tokens",
    "repositories",
    "retention_doomed",
    "retention_exemptions",
    "retention_lines",
    "retention_policies",
    "retention_results",
    "robot_permissions",
    "robots",
    "role_permissions",
    "roles",
    "schedules",
    "sessions",
    "tag_changes",
    "tags",
    "task_logs",
    "task_steps",
    "tasks",
    "trash",
    "uploads",
    "user_group_members",
    "user_groups",
    "users",
    "webhook_deliveries",
    "webhook_policies",
    "webhook_targets",
    "webhook_triggers",
    "workers",
]
