"""Every permission there is, as (resource, action) with Harbor's names.

A permission is about one project ("push to a repository of it"), or about the whole server ("list every repository"),
or about either, whichever is asked for ("read a quota").  Which role holds which project permission is the table in
roles.py; permissions about the whole server are the system administrator's, and what robots can be granted is in
grantable.py.
"""

from typing import NamedTuple


class Permission(NamedTuple):
    """A pair such as ("repository", "push")."""

    resource: str
    action: str

    def __str__(self) -> str:
        return f"{self.resource}:{self.action}"


PROJECT_READ = Permission("project", "read")
PROJECT_UPDATE = Permission("project", "update")
PROJECT_DELETE = Permission("project", "delete")
LOG_LIST = Permission("log", "list")
MEMBER_CREATE = Permission("member", "create")
MEMBER_READ = Permission("member", "read")
MEMBER_UPDATE = Permission("member", "update")
MEMBER_LIST = Permission("member", "list")
MEMBER_DELETE = Permission("member", "delete")
METADATA_CREATE = Permission("metadata", "create")
METADATA_READ = Permission("metadata", "read")
METADATA_UPDATE = Permission("metadata", "update")
METADATA_LIST = Permission("metadata", "list")
METADATA_DELETE = Permission("metadata", "delete")
QUOTA_READ = Permission("quota", "read")
REPOSITORY_LIST = Permission("repository", "list")
REPOSITORY_READ = Permission("repository", "read")
REPOSITORY_CREATE = Permission("repository", "create")
REPOSITORY_UPDATE = Permission("repository", "update")
REPOSITORY_DELETE = Permission("repository", "delete")
REPOSITORY_PULL = Permission("repository", "pull")
REPOSITORY_PUSH = Permission("repository", "push")
ARTIFACT_CREATE = Permission("artifact", "create")
ARTIFACT_READ = Permission("artifact", "read")
ARTIFACT_LIST = Permission("artifact", "list")
ARTIFACT_DELETE = Permission("artifact", "delete")
ARTIFACT_ADDITION_READ = Permission("artifact-addition", "read")
ACCESSORY_LIST = Permission("accessory", "list")
TAG_CREATE = Permission("tag", "create")
TAG_LIST = Permission("tag", "list")
TAG_DELETE = Permission("tag", "delete")
LABEL_CREATE = Permission("label", "create")
LABEL_READ = Permission("label", "read")
LABEL_UPDATE = Permission("label", "update")
LABEL_LIST = Permission("label", "list")
LABEL_DELETE = Permission("label", "delete")
ARTIFACT_LABEL_CREATE = Permission("artifact-label", "create")
ARTIFACT_LABEL_DELETE = Permission("artifact-label", "delete")
NOTIFICATION_POLICY_CREATE = Permission("notification-policy", "create")
NOTIFICATION_POLICY_READ = Permission("notification-policy", "read")
NOTIFICATION_POLICY_UPDATE = Permission("notification-policy", "update")
NOTIFICATION_POLICY_LIST = Permission("notification-policy", "list")
NOTIFICATION_POLICY_DELETE = Permission("notification-policy", "delete")
IMMUTABLE_TAG_CREATE = Permission("immutable-tag", "create")
IMMUTABLE_TAG_UPDATE = Permission("immutable-tag", "update")
IMMUTABLE_TAG_LIST = Permission("immutable-tag", "list")
IMMUTABLE_TAG_DELETE = Permission("immutable-tag", "delete")
ROBOT_CREATE = Permission("robot", "create")
ROBOT_READ = Permission("robot", "read")
ROBOT_UPDATE = Permission("robot", "update")
ROBOT_LIST = Permission("robot", "list")
ROBOT_DELETE = Permission("robot", "delete")
TAG_RETENTION_CREATE = Permission("tag-retention", "create")
TAG_RETENTION_READ = Permission("tag-retention", "read")
TAG_RETENTION_UPDATE = Permission("tag-retention", "update")
TAG_RETENTION_LIST = Permission("tag-retention", "list")
TAG_RETENTION_DELETE = Permission("tag-retention", "delete")
TAG_RETENTION_OPERATE = Permission("tag-retention", "operate")

CONFIGURATION_READ = Permission("configuration", "read")
CONFIGURATION_UPDATE = Permission("configuration", "update")
AUDIT_LOG_LIST = Permission("audit-log", "list")
PROJECT_CREATE = Permission("project", "create")
PROJECT_LIST = Permission("project", "list")
SYSTEM_VOLUMES_READ = Permission("system-volumes", "read")
CATALOG_READ = Permission("catalog", "read")
USER_CREATE = Permission("user", "create")
USER_READ = Permission("user", "read")
USER_UPDATE = Permission("user", "update")
USER_LIST = Permission("user", "list")
USER_DELETE = Permission("user", "delete")
USER_GROUP_CREATE = Permission("user-group", "create")
USER_GROUP_READ = Permission("user-group", "read")
USER_GROUP_UPDATE = Permission("user-group", "update")
USER_GROUP_LIST = Permission("user-group", "list")
USER_GROUP_DELETE = Permission("user-group", "delete")
QUOTA_UPDATE = Permission("quota", "update")
QUOTA_LIST = Permission("quota", "list")
GC_CREATE = Permission("garbage-collection", "create")
GC_READ = Permission("garbage-collection", "read")
GC_UPDATE = Permission("garbage-collection", "update")
GC_LIST = Permission("garbage-collection", "list")
GC_STOP = Permission("garbage-collection", "stop")
PURGE_AUDIT_CREATE = Permission("purge-audit", "create")
PURGE_AUDIT_READ = Permission("purge-audit", "read")
PURGE_AUDIT_UPDATE = Permission("purge-audit", "update")
PURGE_AUDIT_LIST = Permission("purge-audit", "list")
PURGE_AUDIT_STOP = Permission("purge-audit", "stop")
ROLE_CREATE = Permission("role", "create")
ROLE_UPDATE = Permission("role", "update")
ROLE_DELETE = Permission("role", "delete")
JOBSERVICE_LIST = Permission("jobservice-monitor", "list")
JOBSERVICE_STOP = Permission("jobservice-monitor", "stop")

IN_PROJECT = frozenset(
    {
        PROJECT_READ,
        PROJECT_UPDATE,
        PROJECT_DELETE,
        LOG_LIST,
        MEMBER_CREATE,
        MEMBER_READ,
        MEMBER_UPDATE,
        MEMBER_LIST,
        MEMBER_DELETE,
        METADATA_CREATE,
        METADATA_READ,
        METADATA_UPDATE,
        METADATA_LIST,
        METADATA_DELETE,
        QUOTA_READ,
        REPOSITORY_LIST,
        REPOSITORY_READ,
        REPOSITORY_CREATE,
        REPOSITORY_UPDATE,
        REPOSITORY_DELETE,
        REPOSITORY_PULL,
        REPOSITORY_PUSH,
        ARTIFACT_CREATE,
        ARTIFACT_READ,
        ARTIFACT_LIST,
        ARTIFACT_DELETE,
        ARTIFACT_ADDITION_READ,
        ACCESSORY_LIST,
        TAG_CREATE,
        TAG_LIST,
        TAG_DELETE,
        LABEL_CREATE,
        LABEL_READ,
        LABEL_UPDATE,
        LABEL_LIST,
        LABEL_DELETE,
        ARTIFACT_LABEL_CREATE,
        ARTIFACT_LABEL_DELETE,
        NOTIFICATION_POLICY_CREATE,
        NOTIFICATION_POLICY_READ,
        NOTIFICATION_POLICY_UPDATE,
        NOTIFICATION_POLICY_LIST,
        NOTIFICATION_POLICY_DELETE,
        IMMUTABLE_TAG_CREATE,
        IMMUTABLE_TAG_UPDATE,
        IMMUTABLE_TAG_LIST,
        IMMUTABLE_TAG_DELETE,
        ROBOT_CREATE,
        ROBOT_READ,
        ROBOT_UPDATE,
        ROBOT_LIST,
        ROBOT_DELETE,
        TAG_RETENTION_CREATE,
        TAG_RETENTION_READ,
        TAG_RETENTION_UPDATE,
        TAG_RETENTION_LIST,
        TAG_RETENTION_DELETE,
        TAG_RETENTION_OPERATE,
    }
)
"""Permissions that are about one project."""

ON_SERVER = frozenset(
    {
        CONFIGURATION_READ,
        CONFIGURATION_UPDATE,
        AUDIT_LOG_LIST,
        PROJECT_CREATE,
        PROJECT_LIST,
        SYSTEM_VOLUMES_READ,
        CATALOG_READ,
        USER_CREATE,
        USER_READ,
        USER_UPDATE,
        USER_LIST,
        USER_DELETE,
        USER_GROUP_CREATE,
        USER_GROUP_READ,
        USER_GROUP_UPDATE,
        USER_GROUP_LIST,
        USER_GROUP_DELETE,
        LABEL_CREATE,
        LABEL_READ,
        LABEL_UPDATE,
        LABEL_DELETE,
        QUOTA_READ,
        QUOTA_UPDATE,
        QUOTA_LIST,
        GC_CREATE,
        GC_READ,
        GC_UPDATE,
        GC_LIST,
        GC_STOP,
        PURGE_AUDIT_CREATE,
        PURGE_AUDIT_READ,
        PURGE_AUDIT_UPDATE,
        PURGE_AUDIT_LIST,
        PURGE_AUDIT_STOP,
        JOBSERVICE_LIST,
        JOBSERVICE_STOP,
        ROLE_CREATE,
        ROLE_UPDATE,
        ROLE_DELETE,
        ROBOT_CREATE,
        ROBOT_READ,
        ROBOT_UPDATE,
        ROBOT_LIST,
        ROBOT_DELETE,
    }
)
"""Permissions that are about the whole server."""
