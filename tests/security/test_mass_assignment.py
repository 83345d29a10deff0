"""No field of a body sets what the caller may not set, and nothing that was not asked for is set at all (T04)."""

import json
from typing import Any

from fairway.app import management_api
from security.test_api_matrix import BODIES, HOOK, JSON, RULE, template
from stories.world import World, image

NUMBER, TEXT = 987_654_321, "canary-that-nobody-sets"
FIELDS: dict[str, Any] = {
    **dict.fromkeys(
        [
            "id",
            "user_id",
            "owner_id",
            "project_id",
            "repository_id",
            "artifact_id",
            "creator_id",
            "creator_ref",
            "role_id",
            "registry_id",
            "priority",
            "version",
            "pull_count",
            "used",
            "size",
            "credentials_version",
            "created_at",
            "updated_at",
            "deleted_at",
            "expires_at",
        ],
        NUMBER,
    ),
    **dict.fromkeys(
        [
            "owner_name",
            "username",
            "creator_type",
            "level",
            "scope",
            "salt",
            "secret",
            "password_hash",
            "secret_hash",
            "digest",
            "resource",
            "actor",
            "by",
            "creation_time",
            "update_time",
            "op_time",
            "push_time",
            "pull_time",
            "vendor_type",
        ],
        TEXT,
    ),
    **dict.fromkeys(
        [
            "sysadmin",
            "sysadmin_flag",
            "has_admin_role",
            "admin_role_in_auth",
            "is_system",
            "enabled",
            "listed",
        ],
        True,
    ),
    **dict.fromkeys(["editable", "visible", "deleted", "disabled"], False),
}
"""What rows have, and what Harbor's models have: with values that are nowhere by themselves."""


def known(world: World) -> dict[str, set[str]]:
    """Route → the fields that its body may have."""
    described = management_api(world.parts).openapi()
    found = {}
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            media = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            found[f"{method.upper()}:{path}"] = set(media.get("schema", {}).get("properties", ()))
    return found


async def test_fields_that_are_not_asked_for_are_ignored(world: World) -> None:
    team = await world.project("team")
    assert (await world.admin.push("team/app:v1", image("base"))).status == 201
    for target, body in (
        ("v2.0/labels", {"name": "first", "scope": "p", "project_id": team}),
        ("v2.0/usergroups", {"group_name": "devs", "group_type": 3}),
        ("v2.0/robots", BODIES["POST:/api/v2.0/robots"]),
        ("v2.0/projects/team/immutabletagrules", RULE),
        ("v2.0/projects/team/webhook/policies", HOOK),
        ("v2.0/retentions", BODIES["POST:/api/v2.0/retentions"]),
    ):
        made = await world.admin("POST", f"/api/{target}", json.dumps(body).encode(), headers=JSON)
        assert made.status == 201, target
    fields = known(world)
    bodies = {**BODIES, "POST:/api/v2.0/projects": {"project_name": "made"}}
    bodies["POST:/api/v2.0/users"] = {"username": "made", "password": "Another-1-secret"}
    asked = 0
    for row, body in bodies.items():
        method, _, target = row.partition(":")
        if template(row) not in fields:
            continue  # the same route as another row
        own = fields[template(row)] | body.keys()
        more = {name: value for name, value in FIELDS.items() if name not in own}
        answer = await world.admin(method, target, json.dumps(body | more).encode(), headers=JSON)
        assert answer.status < 500, row
        asked += answer.status < 300
    assert asked > len(bodies) / 2, "most of these change something"
    stored = await world.stored()
    for table, rows in stored.items():
        if table not in ("files", "outbox"):
            assert not [row for row in rows if {NUMBER, TEXT} & set(map(_plain, row.values()))], table
    admins = [row["username"] for row in stored["users"] if row["sysadmin"]]
    assert admins == ["admin"]
    assert TEXT not in json.dumps([row["payload"] for row in stored["outbox"]])
    assert str(NUMBER) not in json.dumps([row["payload"] for row in stored["outbox"]])


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str) else None
