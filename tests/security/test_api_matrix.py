"""Who may use which route beside /v2: every route of every kind of caller as a table, and nothing beyond it (T01, T02)."""

import json
from typing import get_args

import pytest
from fastapi.routing import iter_route_contexts

from fairway.app import management_api
from fairway.core.wire import paths
from fairway.features.registry import rights
from fairway.features.registry.v2 import registry_routes
from security.test_matrix import callers, cells
from security.test_paths import tricks
from stories.asgi import Answer
from stories.world import Person, World, image

# A number is the status.  400, 404, 409, 412 and 415: allowed, but there is one already, or none, or there are images in it, or no form.  The probes are asked from another machine.
TABLE = """
                                                                       anonymous stranger limited_guest guest developer maintainer project_admin sysadmin
POST:/c/login                                                          415       415      415           415   415       415        415           415
GET:/c/log_out                                                         200       200      200           200   200       200        200           200
POST:/c/log_out                                                        200       200      200           200   200       200        200           200
GET:/api/v2.0/ping                                                     200       200      200           200   200       200        200           200
GET:/api/version                                                       200       200      200           200   200       200        200           200
GET:/api/v2.0/openapi.json                                             200       200      200           200   200       200        200           200
GET:/api/v2.0/systeminfo                                               200       200      200           200   200       200        200           200
GET:/api/v2.0/systeminfo/getcert                                       404       404      404           404   404       404        404           404
GET:/api/v2.0/systeminfo/volumes                                       401       403      403           403   403       403        403           200
GET:/api/v2.0/health                                                   200       200      200           200   200       200        200           200
GET:/api/v2.0/statistics                                               401       200      200           200   200       200        200           200
GET:/api/v2.0/permissions                                              401       200      200           200   200       200        200           200
GET:/api/v2.0/configurations                                           401       403      403           403   403       403        403           200
PUT:/api/v2.0/configurations                                           401       403      403           403   403       403        403           200
GET:/api/v2.0/system/CVEAllowlist                                      401       200      200           200   200       200        200           200
PUT:/api/v2.0/system/CVEAllowlist                                      401       403      403           403   403       403        403           200
GET:/api/v2.0/users                                                    401       403      403           403   403       403        403           200
POST:/api/v2.0/users                                                   401       403      403           403   403       403        403           409
GET:/api/v2.0/users/search?username=a                                  401       200      200           200   200       200        200           200
GET:/api/v2.0/users/current                                            401       200      200           200   200       200        200           200
GET:/api/v2.0/users/current/permissions                                401       200      200           200   200       200        200           200
GET:/api/fairway/users/current/sessions                                401       200      200           200   200       200        200           200
DELETE:/api/fairway/users/current/sessions/4711                        401       404      404           404   404       404        404           404
GET:/api/v2.0/users/1                                                  401       403      403           403   403       403        403           200
PUT:/api/v2.0/users/1                                                  401       403      403           403   403       403        403           200
DELETE:/api/v2.0/users/1                                               401       403      403           403   403       403        403           403
PUT:/api/v2.0/users/1/sysadmin                                         401       403      403           403   403       403        403           200
PUT:/api/v2.0/users/1/password                                         401       403      403           403   403       403        403           403
PUT:/api/v2.0/users/1/cli_secret                                       401       403      403           403   403       403        403           200
POST:/api/fairway/users/current/tokens                                 401       201      201           201   201       201        201           201
GET:/api/fairway/users/current/tokens                                  401       200      200           200   200       200        200           200
GET:/api/fairway/users/current/tokens/4711                             401       404      404           404   404       404        404           404
DELETE:/api/fairway/users/current/tokens/4711                          401       404      404           404   404       404        404           404
GET:/api/fairway/users/1/tokens                                        401       403      403           403   403       403        403           200
DELETE:/api/fairway/users/1/tokens/4711                                401       403      403           403   403       403        403           404
GET:/api/v2.0/usergroups                                               401       403      403           403   403       403        403           200
POST:/api/v2.0/usergroups                                              401       403      403           403   403       403        403           409
GET:/api/v2.0/usergroups/search?groupname=a                            401       200      200           200   200       200        200           200
GET:/api/v2.0/usergroups/1                                             401       403      403           403   403       403        403           200
PUT:/api/v2.0/usergroups/1                                             401       403      403           403   403       403        403           200
GET:/api/fairway/usergroups/1/members                                  401       403      403           403   403       403        403           200
POST:/api/fairway/usergroups/1/members                                 401       403      403           403   403       403        403           409
DELETE:/api/fairway/usergroups/1/members/4711                          401       403      403           403   403       403        403           404
DELETE:/api/v2.0/usergroups/1                                          401       403      403           403   403       403        403           200
GET:/api/fairway/roles                                                 401       200      200           200   200       200        200           200
POST:/api/fairway/roles                                                401       403      403           403   403       403        403           409
GET:/api/fairway/roles/100                                             401       200      200           200   200       200        200           200
PUT:/api/fairway/roles/100                                             401       403      403           403   403       403        403           200
DELETE:/api/fairway/roles/100                                          401       403      403           403   403       403        403           200
GET:/api/v2.0/search?q=a                                               200       200      200           200   200       200        200           200
GET:/api/v2.0/labels?scope=g                                           401       200      200           200   200       200        200           200
GET:/api/v2.0/labels?scope=p&project_id=1                              401       403      403           200   200       200        200           200
POST:/api/v2.0/labels                                                  401       403      403           403   403       409        409           409
GET:/api/v2.0/labels/1                                                 401       404      404           200   200       200        200           200
PUT:/api/v2.0/labels/1                                                 401       404      404           403   403       200        200           200
DELETE:/api/v2.0/labels/1                                              401       404      404           403   403       200        404           404
GET:/api/v2.0/audit-logs                                               401       200      200           200   200       200        200           200
GET:/api/v2.0/auditlog-exts                                            401       200      200           200   200       200        200           200
GET:/api/v2.0/auditlog-exts/events                                     401       403      403           403   403       403        403           200
GET:/api/v2.0/projects/team/logs                                       401       403      403           403   403       403        200           200
GET:/api/v2.0/projects/team/auditlog-exts                              401       403      403           403   403       403        200           200
GET:/api/v2.0/projects                                                 200       200      200           200   200       200        200           200
HEAD:/api/v2.0/projects?project_name=team                              401       403      200           200   200       200        200           200
HEAD:/api/v2.0/projects?project_name=absent                            401       403      403           403   403       403        403           404
POST:/api/v2.0/projects                                                401       201      201           201   201       201        201           201
GET:/api/v2.0/projects/team                                            401       403      200           200   200       200        200           200
GET:/api/v2.0/projects/1                                               401       403      200           200   200       200        200           200
GET:/api/v2.0/projects/absent                                          401       403      403           403   403       403        403           404
DELETE:/api/v2.0/projects/team                                         401       403      403           403   403       403        412           412
DELETE:/api/v2.0/projects/1                                            401       403      403           403   403       403        412           412
DELETE:/api/v2.0/projects/absent                                       401       403      403           403   403       403        403           404
PUT:/api/v2.0/projects/team                                            401       403      403           403   403       403        200           200
PUT:/api/v2.0/projects/1                                               401       403      403           403   403       403        200           200
PUT:/api/v2.0/projects/absent                                          401       403      403           403   403       403        403           404
GET:/api/v2.0/projects/team/summary                                    401       403      200           200   200       200        200           200
GET:/api/v2.0/projects/team/_deletable                                 401       403      403           403   403       403        200           200
PUT:/api/fairway/projects/team/name                                    401       403      403           403   403       403        200           200
GET:/api/fairway/projects/team/aliases                                 401       403      403           403   403       403        200           200
DELETE:/api/fairway/projects/team/aliases/none                         401       403      403           403   403       403        404           404
GET:/api/v2.0/projects/team/metadatas/                                 401       403      403           403   403       403        403           200
GET:/api/v2.0/projects/team/metadatas                                  401       403      403           403   403       403        403           200
POST:/api/v2.0/projects/team/metadatas/                                401       403      403           403   403       403        200           409
POST:/api/v2.0/projects/team/metadatas                                 401       403      403           403   403       403        409           409
GET:/api/v2.0/projects/team/metadatas/public                           401       403      403           403   403       200        200           200
PUT:/api/v2.0/projects/team/metadatas/public                           401       403      403           403   403       403        200           200
DELETE:/api/v2.0/projects/team/metadatas/public                        401       403      403           403   403       403        200           200
GET:/api/v2.0/projects/team/members                                    401       403      403           200   200       200        200           200
POST:/api/v2.0/projects/team/members                                   401       403      403           403   403       403        409           409
GET:/api/v2.0/projects/team/members/1                                  401       403      403           200   200       200        200           200
PUT:/api/v2.0/projects/team/members/1                                  401       403      403           403   403       403        200           200
DELETE:/api/v2.0/projects/team/members/1                               401       403      403           403   403       403        200           404
GET:/api/fairway/projects/team/repositories/app/tags/v1/history        401       403      403           403   200       200        200           200
POST:/api/fairway/projects/team/repositories/app/tags/v1/rollback      401       403      403           403   404       404        404           404
GET:/api/v2.0/projects/team/immutabletagrules                          401       403      403           403   403       200        200           200
POST:/api/v2.0/projects/team/immutabletagrules                         401       403      403           403   403       409        409           409
PUT:/api/v2.0/projects/team/immutabletagrules/1                        401       403      403           403   403       200        200           200
DELETE:/api/v2.0/projects/team/immutabletagrules/1                     401       403      403           403   403       200        404           404
GET:/api/v2.0/projects/team/webhook/events                             401       403      403           403   403       200        200           200
GET:/api/v2.0/projects/team/webhook/lasttrigger                        401       403      403           403   403       200        200           200
GET:/api/v2.0/projects/team/webhook/jobs?policy_id=1                   401       403      403           403   403       200        200           200
GET:/api/v2.0/projects/team/webhook/policies                           401       403      403           403   403       200        200           200
POST:/api/v2.0/projects/team/webhook/policies                          401       403      403           403   403       403        409           409
GET:/api/v2.0/projects/team/webhook/policies/1                         401       403      403           403   403       200        200           200
PUT:/api/v2.0/projects/team/webhook/policies/1                         401       403      403           403   403       403        200           200
POST:/api/v2.0/projects/team/webhook/policies/1/ping                   401       403      403           403   403       403        202           202
GET:/api/v2.0/projects/team/webhook/policies/1/executions              401       403      403           403   403       200        200           200
GET:/api/v2.0/projects/team/webhook/policies/1/executions/7            401       403      403           403   403       404        404           404
POST:/api/v2.0/projects/team/webhook/policies/1/executions/7/redeliver 401       403      403           403   403       403        404           404
GET:/api/v2.0/projects/team/webhook/policies/1/executions/7/tasks      401       403      403           403   403       404        404           404
GET:/api/v2.0/projects/team/webhook/policies/1/executions/7/tasks/7/log 401       403      403           403   403       404        404           404
DELETE:/api/v2.0/projects/team/webhook/policies/1                      401       403      403           403   403       403        200           404
GET:/api/v2.0/projects/team/robots                                     401       403      403           200   200       200        200           200
POST:/api/v2.0/projects/team/robots                                    401       403      403           403   403       403        201           409
GET:/api/v2.0/projects/team/robots/2                                   401       403      403           200   200       200        200           200
PUT:/api/v2.0/projects/team/robots/2                                   401       403      403           403   403       403        200           200
DELETE:/api/v2.0/projects/team/robots/2                                401       403      403           403   403       403        200           404
GET:/api/v2.0/robots                                                   401       403      403           403   403       403        403           200
GET:/api/v2.0/robots?q=Level%3Dproject,ProjectID%3D1                   401       403      403           200   200       200        200           200
POST:/api/v2.0/robots                                                  401       403      403           403   403       403        409           409
GET:/api/v2.0/robots/1                                                 401       403      403           200   200       200        200           200
PUT:/api/v2.0/robots/1                                                 401       403      403           403   403       403        200           200
PATCH:/api/v2.0/robots/1                                               401       403      403           403   403       403        200           200
DELETE:/api/v2.0/robots/1                                              401       403      403           403   403       403        200           404
GET:/api/v2.0/quotas                                                   401       403      403           403   403       403        403           200
GET:/api/v2.0/quotas/1                                                 401       403      403           403   403       403        403           200
PUT:/api/v2.0/quotas/1                                                 401       403      403           403   403       403        403           200
POST:/api/v2.0/system/gc/schedule                                      401       403      403           403   403       403        403           201
GET:/api/v2.0/system/gc                                                401       403      403           403   403       403        403           200
GET:/api/v2.0/system/gc/1                                              401       403      403           403   403       403        403           200
PUT:/api/v2.0/system/gc/1                                              401       403      403           403   403       403        403           200
GET:/api/v2.0/system/gc/1/log                                          401       403      403           403   403       403        403           200
GET:/api/v2.0/system/gc/schedule                                       401       403      403           403   403       403        403           200
PUT:/api/v2.0/system/gc/schedule                                       401       403      403           403   403       403        403           200
POST:/api/v2.0/system/purgeaudit/schedule                              401       403      403           403   403       403        403           201
GET:/api/v2.0/system/purgeaudit                                        401       403      403           403   403       403        403           200
GET:/api/v2.0/system/purgeaudit/2                                      401       403      403           403   403       403        403           200
PUT:/api/v2.0/system/purgeaudit/2                                      401       403      403           403   403       403        403           200
GET:/api/v2.0/system/purgeaudit/2/log                                  401       403      403           403   403       403        403           200
GET:/api/v2.0/system/purgeaudit/schedule                               401       403      403           403   403       403        403           200
PUT:/api/v2.0/system/purgeaudit/schedule                               401       403      403           403   403       403        403           200
GET:/api/fairway/gc/projects/team/deleted                              401       403      403           403   403       200        200           200
POST:/api/fairway/gc/projects/team/undo                                401       403      403           403   403       404        404           404
GET:/api/v2.0/repositories                                             200       200      200           200   200       200        200           200
GET:/api/v2.0/projects/team/repositories                               401       403      200           200   200       200        200           200
GET:/api/v2.0/projects/team/artifacts                                  401       403      200           200   200       200        200           200
GET:/api/v2.0/projects/team/repositories/none                          401       403      404           404   404       404        404           404
PUT:/api/v2.0/projects/team/repositories/none                          401       403      403           403   404       404        404           404
DELETE:/api/v2.0/projects/team/repositories/none                       401       403      403           403   403       404        404           404
GET:/api/v2.0/projects/team/repositories/app/artifacts                 401       403      200           200   200       200        200           200
GET:/api/v2.0/projects/team/repositories/app/artifacts/none            401       403      404           404   404       404        404           404
DELETE:/api/v2.0/projects/team/repositories/app/artifacts/none         401       403      403           403   403       404        404           404
GET:/api/v2.0/projects/team/repositories/app/artifacts/v1/additions/none 401     403      400           400   400       400        400           400
GET:/api/v2.0/icons/none                                               400       400      400           400   400       400        400           400
GET:/api/v2.0/projects/team/repositories/app/artifacts/v1/accessories  401       403      200           200   200       200        200           200
GET:/api/v2.0/projects/team/repositories/app/artifacts/v1/tags         401       403      200           200   200       200        200           200
POST:/api/v2.0/projects/team/repositories/app/artifacts/v1/tags        401       403      403           403   409       409        409           409
POST:/api/v2.0/projects/team/repositories/app/artifacts?from=team/app:none 401       403      403           403   404       404        404           404
POST:/api/v2.0/projects/team/repositories/app/artifacts/v1/labels      401       403      403           403   404       404        404           404
DELETE:/api/v2.0/projects/team/repositories/app/artifacts/v1/labels/7  401       403      403           403   404       404        404           404
DELETE:/api/v2.0/projects/team/repositories/app/artifacts/v1/tags/none 401       403      403           403   403       404        404           404
POST:/api/fairway/gc/orphans/schedule                                  401       403      403           403   403       403        403           201
GET:/api/fairway/gc/orphans                                            401       403      403           403   403       403        403           200
GET:/api/fairway/gc/orphans/3                                          401       403      403           403   403       403        403           200
PUT:/api/fairway/gc/orphans/3                                          401       403      403           403   403       403        403           200
GET:/api/fairway/gc/orphans/3/log                                      401       403      403           403   403       403        403           200
GET:/api/fairway/gc/orphans/schedule                                   401       403      403           403   403       403        403           200
PUT:/api/fairway/gc/orphans/schedule                                   401       403      403           403   403       403        403           200
GET:/api/v2.0/jobservice/pools                                         401       403      403           403   403       403        403           200
GET:/api/v2.0/jobservice/pools/all/workers                             401       403      403           403   403       403        403           200
PUT:/api/v2.0/jobservice/jobs/1                                        401       403      403           403   403       403        403           200
GET:/api/v2.0/jobservice/jobs/1/log                                    401       403      403           403   403       403        403           200
GET:/api/v2.0/jobservice/queues                                        401       403      403           403   403       403        403           200
PUT:/api/v2.0/jobservice/queues/all                                    401       403      403           403   403       403        403           200
GET:/api/v2.0/schedules                                                401       403      403           403   403       403        403           200
GET:/api/v2.0/schedules/all/paused                                     401       200      200           200   200       200        200           200
GET:/service/token                                                     401       200      200           200   200       200        200           200
POST:/service/token                                                    400       200      200           200   200       200        200           200
GET:/api/v2.0/retentions/metadatas                                     401       200      200           200   200       200        200           200
POST:/api/v2.0/retentions                                              401       403      403           403   400       400        400           400
GET:/api/v2.0/retentions/1                                             401       403      403           403   200       200        200           200
PUT:/api/v2.0/retentions/1                                             401       403      403           403   200       200        200           200
GET:/api/v2.0/retentions/1/executions                                  401       403      403           403   200       200        200           200
POST:/api/v2.0/retentions/1/executions                                 401       403      403           403   201       409        409           409
PATCH:/api/v2.0/retentions/1/executions/4711                           401       403      403           403   404       404        404           404
GET:/api/v2.0/retentions/1/executions/4711/tasks                       401       403      403           403   404       404        404           404
GET:/api/v2.0/retentions/1/executions/4711/tasks/9                     401       403      403           403   404       404        404           404
GET:/api/fairway/retention/policies/1/executions/4711                  401       403      403           403   404       404        404           404
GET:/api/fairway/retention/policies/1/executions/4711/tasks/9/decisions 401      403      403           403   404       404        404           404
DELETE:/api/v2.0/retentions/1                                          401       403      403           403   200       403        403           404
GET:/api/fairway/retention/projects/team                               401       403      403           403   200       200        200           200
PUT:/api/fairway/retention/projects/team                               401       403      403           403   200       200        200           200
POST:/api/fairway/retention/projects/team/simulate                     401       403      403           403   200       200        200           200
PUT:/api/fairway/retention/default                                     401       403      403           403   403       403        403           200
GET:/api/fairway/retention/default                                     401       403      403           403   403       403        403           200
DELETE:/api/fairway/retention/default                                  401       403      403           403   403       403        403           200
GET:/devcenter-api-2.0                                                 200       200      200           200   200       200        200           200
GET:/devcenter-api-2.0/page.js                                         200       200      200           200   200       200        200           200
GET:/devcenter-api-2.0/page.css                                        200       200      200           200   200       200        200           200
GET:/readyz                                                            200       200      200           200   200       200        200           200
GET:/metrics                                                           404       404      404           404   404       404        404           404
"""
ROUTES = {row.partition("?")[0] for row in cells(TABLE)}
PATHS = sorted({row.partition(":")[2] for row in ROUTES if "absent" not in row})
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"}
JSON = {"content-type": "application/json"}
HOURS = {"audit_retention_hour": 24, "include_event_types": "other"}
ROBOT = {
    "name": "ci",
    "level": "project",
    "duration": 30,
    "permissions": [
        {
            "kind": "project",
            "namespace": "team",
            "access": [{"resource": "repository", "action": "pull"}],
        }
    ],
}
RULE = {
    "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "release-*"}],
    "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
}
HOOK = {
    "name": "ci",
    "event_types": ["PUSH_ARTIFACT"],
    "targets": [{"type": "http", "address": "https://hook.example.com"}],
}
POLICY = {
    "rules": [{"template": "always", "tag_selectors": [{"pattern": "**"}]}],
    "scope": {"level": "project", "ref": 1},
}
AUDITOR = {"name": "auditor", "permissions": [{"resource": "log", "action": "list"}]}
BODIES = {
    "POST:/api/v2.0/retentions": POLICY,
    "PUT:/api/v2.0/retentions/1": POLICY,
    "POST:/api/v2.0/retentions/1/executions": {"dry_run": True},
    "PATCH:/api/v2.0/retentions/1/executions/4711": {"action": "stop"},
    "PUT:/api/fairway/retention/projects/team": {"use_default": True},
    "POST:/api/fairway/retention/projects/team/simulate": POLICY,
    "PUT:/api/fairway/retention/default": POLICY,
    "PUT:/api/v2.0/configurations": {"banner_message": "hello", "nonsense": 1},
    "PUT:/api/v2.0/system/CVEAllowlist": {"items": [{"cve_id": "CVE-2026-1234"}]},
    "POST:/api/v2.0/users": {"username": "admin", "password": "Another-1-secret"},
    "PUT:/api/v2.0/users/1": {"realname": ""},
    "PUT:/api/v2.0/users/1/sysadmin": {"sysadmin_flag": True},
    "PUT:/api/v2.0/users/1/password": {"old_password": "wrong", "new_password": "Another-1-secret"},
    "PUT:/api/v2.0/users/1/cli_secret": {"secret": "Chosen-1-secret"},
    "POST:/api/fairway/users/current/tokens": {"name": "laptop", "access": ["pull"]},
    "POST:/api/v2.0/usergroups": {"group_name": "devs", "group_type": 3},
    "PUT:/api/v2.0/usergroups/1": {"group_name": "devs"},
    "POST:/api/fairway/usergroups/1/members": {"user_id": 1},
    "POST:/api/fairway/roles": AUDITOR,
    "PUT:/api/fairway/roles/100": AUDITOR,
    "POST:/api/v2.0/labels": {"name": "first", "scope": "p", "project_id": 1},
    "PUT:/api/v2.0/labels/1": {"name": "first"},
    "POST:/api/v2.0/projects/team/repositories/app/artifacts/v1/labels": {"id": 4711},
    "POST:/api/v2.0/system/gc/schedule": {"schedule": {"type": "Manual"}},
    "PUT:/api/v2.0/system/gc/schedule": {"schedule": {"type": "Daily"}},
    "POST:/api/v2.0/system/purgeaudit/schedule": {"schedule": {"type": "Manual"}, "parameters": HOURS},
    "PUT:/api/v2.0/system/purgeaudit/schedule": {"schedule": {"type": "Hourly"}, "parameters": HOURS},
    "POST:/api/fairway/gc/projects/team/undo": {"repository": "app", "digest": f"sha256:{'0' * 64}"},
    "POST:/api/fairway/gc/orphans/schedule": {"schedule": {"type": "Manual"}},
    "PUT:/api/fairway/gc/orphans/schedule": {"schedule": {"type": "Weekly"}},
    "PUT:/api/v2.0/jobservice/queues/all": {"action": "resume"},
    "PUT:/api/fairway/projects/team/name": {"name": "team"},
    "PUT:/api/v2.0/projects/team": {"metadata": {"public": "false"}},
    "PUT:/api/v2.0/projects/1": {},
    "PUT:/api/v2.0/projects/absent": {},
    "POST:/api/v2.0/projects/team/metadatas/": {"severity": "low"},
    "POST:/api/v2.0/projects/team/metadatas": {"severity": "low"},
    "PUT:/api/v2.0/projects/team/metadatas/public": {"public": "false"},
    "POST:/api/v2.0/projects/team/members": {"role_id": 1, "member_user": {"user_id": 1}},
    "PUT:/api/v2.0/projects/team/members/1": {"role_id": 1},
    "POST:/api/fairway/projects/team/repositories/app/tags/v1/rollback": {},
    "POST:/api/v2.0/projects/team/immutabletagrules": RULE,
    "PUT:/api/v2.0/projects/team/immutabletagrules/1": RULE,
    "POST:/api/v2.0/projects/team/webhook/policies": HOOK,
    "PUT:/api/v2.0/projects/team/webhook/policies/1": HOOK,
    "POST:/api/v2.0/projects/team/webhook/policies/1/ping": {"event_type": "PUSH_ARTIFACT"},
    "POST:/api/v2.0/projects/team/robots": {
        "name": "cd",
        "expires_at": -1,
        "access": [{"resource": "/project/1/repository", "action": "pull"}],
    },
    "PUT:/api/v2.0/projects/team/robots/2": {"disable": True},
    "POST:/api/v2.0/robots": ROBOT,
    "PUT:/api/v2.0/robots/1": ROBOT,
    "PATCH:/api/v2.0/robots/1": {"secret": "Chosen-secret-1"},
    "PUT:/api/v2.0/quotas/1": {"hard": {"storage": -1}},
    "PUT:/api/v2.0/projects/team/repositories/none": {"description": "x"},
    "POST:/api/v2.0/projects/team/repositories/app/artifacts/v1/tags": {"name": "v1"},
}
TEMPLATES = {
    "retentions/1": "retentions/{id}",
    "retention/policies/1": "retention/policies/{id}",
    "executions/4711": "executions/{eid}",
    "tasks/9": "tasks/{tid}",
    "users/1": "users/{user_id}",
    "usergroups/1": "usergroups/{group_id}",
    "roles/100": "roles/{role_id}",
    "members/4711": "members/{user_id}",
    "sessions/4711": "sessions/{session_id}",
    "tokens/4711": "tokens/{token_id}",
    "v2.0/labels/1": "v2.0/labels/{label_id}",
    "labels/7": "labels/{label_id}",
    "team/logs": "{project_name}/logs",
    "team/auditlog-exts": "{project_name}/auditlog-exts",
    "team/repositories": "{project_name}/repositories",
    "repositories/app": "repositories/{repository_name}",
    "repositories/none": "repositories/{repository_name}",
    "artifacts/v1": "artifacts/{reference}",
    "artifacts/none": "artifacts/{reference}",
    "tags/none": "tags/{tag_name}",
    "tags/v1": "tags/{tag_name}",
    "additions/none": "additions/{addition}",
    "icons/none": "icons/{digest}",
    "team": "{project_name_or_id}",
    "aliases/none": "aliases/{former_name}",
    "metadatas/public": "metadatas/{meta_name}",
    "members/1": "members/{mid}",
    "robots/1": "robots/{robot_id}",
    "robots/2": "robots/{robot_id}",
    "immutabletagrules/1": "immutabletagrules/{immutable_rule_id}",
    "policies/1": "policies/{webhook_policy_id}",
    "executions/7": "executions/{execution_id}",
    "tasks/7": "tasks/{task_id}",
    "quotas/1": "quotas/{id}",
    "system/gc/1": "system/gc/{execution_id}",
    "system/purgeaudit/2": "system/purgeaudit/{execution_id}",
    "gc/orphans/3": "gc/orphans/{execution_id}",
    "pools/all": "pools/{pool_id}",
    "jobs/1": "jobs/{job_id}",
    "queues/all": "queues/{job_type}",
    "schedules/all": "schedules/{job_type}",
}
"""How the paths in the table are declared."""


async def make(person: Person, row: str, n: int) -> Answer:
    method, _, target = row.partition(":")
    if row == "POST:/api/v2.0/projects":
        return await person(method, target, json.dumps({"project_name": f"new{n}"}).encode(), headers=JSON)
    if row in BODIES:
        return await person(method, target, json.dumps(BODIES[row]).encode(), headers=JSON)
    return await person(method, target)


def template(row: str) -> str:
    for what, declared in TEMPLATES.items():
        row = row.replace(what, declared)
    return row


async def test_who_may_do_what(world: World) -> None:
    team = await world.project("team")
    people = await callers(world, team)
    assert (await world.admin.push("team/app:v1", image("base"))).status == 201
    for target, body in (
        ("v2.0/labels", {"name": "first", "scope": "p", "project_id": team}),
        ("v2.0/usergroups", {"group_name": "devs", "group_type": 3}),
        ("fairway/usergroups/1/members", {"user_id": 1}),
        ("fairway/roles", AUDITOR),
        ("v2.0/projects/team/immutabletagrules", RULE),
        ("v2.0/projects/team/webhook/policies", HOOK),
        ("v2.0/retentions", POLICY),
    ):
        made = await world.admin("POST", f"/api/{target}", json.dumps(body).encode(), headers=JSON)
        assert made.status == 201
    assert (await make(world.admin, "POST:/api/v2.0/robots", 0)).status == 201
    expected = cells(TABLE)
    before = await world.stored()
    (root,) = (row for row in before["users"] if row["id"] == 1)
    found = {
        row: {kind: str((await make(people[kind], row, n)).status) for n, kind in enumerate(cells_of)}
        for row, cells_of in expected.items()
    }
    assert found == expected
    after = await world.stored()
    assert len(after.pop("projects")) == len(before.pop("projects")) + 7, "each of the seven made one"
    # The administrator may change their own account, and says what it says already.
    root["updated_at"] = next(row["updated_at"] for row in after["users"] if row["id"] == 1)
    for table in ("artifacts", "tags", "repositories", "project_blobs", "users", "files"):
        assert after[table] == before[table]


async def test_no_route_is_missing_from_the_table(world: World) -> None:
    served = {
        f"{method}:{context.path}"
        for context in iter_route_contexts(management_api(world.parts).routes)
        for method in context.methods or ()
    }
    served.discard("HEAD:/api/v2.0/openapi.json")  # Starlette's own, without a body
    served |= {f"GET:{path}" for path in world.app._exact} | {"POST:/service/token"}
    listed = {template(row) for row in ROUTES if not row.endswith(("projects/1", "absent"))}
    assert listed == served


@pytest.mark.parametrize("path", [path for path in PATHS if path not in ("/readyz", "/metrics")])
async def test_a_method_that_a_path_does_not_know_is_refused(world: World, path: str) -> None:
    await world.project("team")
    declared = {row.partition(":")[0] for row in ROUTES if row.partition(":")[2] == path}
    if path.endswith("openapi.json") or "devcenter" in path:
        declared.add("HEAD")
    before = await world.stored()
    for method in sorted(METHODS - declared):
        for who in (world.anybody, world.admin):
            answer = await who(method, path)
            assert answer.status == 405, method
            assert "allow" in answer
    assert await world.stored() == before


async def test_no_spelling_opens_what_is_closed(world: World) -> None:
    """T01 for the management API; `test_paths.py` has it for the registry."""
    await world.project("team")
    bob = await world.person("bob")
    before = await world.stored()
    for method, path in (
        ("GET", "/api/v2.0/projects/team"),
        ("DELETE", "/api/v2.0/projects/team"),
        ("GET", "/metrics"),
    ):
        for spelt in sorted(tricks(path)):
            for who in (world.anybody, bob):
                answer = await who(method, spelt)
                listing = spelt.split("?")[0].rstrip("/#") == "/api/v2.0/projects"
                assert listing or answer.status in (400, 401, 403, 404, 405), (who.name, method, spelt)
                assert b'"team"' not in answer.body
        for header in ("x-original-url", "x-rewrite-url", "x-forwarded-prefix", "x-http-method-override"):
            answer = await bob(method, path, headers={header: "/api/v2.0/ping"})
            assert answer.status in (403, 404)
    assert await world.stored() == before


def test_a_call_that_declares_nothing_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a route of the management API does: `tests/frame/web/test_routes.py`."""
    for forgotten in get_args(paths.Call):
        left = {kind: actions for kind, actions in rights.ACTIONS.items() if kind is not forgotten}
        monkeypatch.setattr(rights, "ACTIONS", left)
        with pytest.raises(RuntimeError, match=forgotten.__name__):
            registry_routes(None, None, max_manifest_bytes=1)  # type: ignore[arg-type]
        monkeypatch.undo()
