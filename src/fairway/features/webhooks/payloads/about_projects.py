"""The `event_data` of what happens to a project as a whole: its quota, its settings, its members.

```text
quota.warning, quota.exceeded   repository (full name), actor, used, hard, requested, tag, digest, details
project.updated                 name, public, by
project.name-changed            name, former, by
project.deleted                 name, by
member.created, member.updated, member.deleted   project (name), member_id, name, role, user_id or group_id, by
```
"""

from collections.abc import Mapping
from typing import Any

from fairway.features.webhooks.payloads.about_artifacts import repository_of
from fairway.features.webhooks.payloads.notice import Surroundings

Facts = Mapping[str, Any]


def quota(facts: Facts, where: Surroundings) -> dict[str, Any]:
    """Harbor's: what was pushed, as far as it is known, and the details in words."""
    resource = {name: str(facts[name]) for name in ("digest", "tag") if facts.get(name)}
    return {
        **({"resources": [resource]} if resource else {}),
        "repository": repository_of(facts, where),
        "custom_attributes": {"Details": str(facts.get("details") or "")},
    }


def project(facts: Facts, where: Surroundings) -> dict[str, Any]:
    """A project as it is after a change, with the name it had before if that is what changed."""
    shown: dict[str, Any] = {
        "id": where.project,
        "name": str(facts.get("name") or where.name),
        "type": "public" if facts.get("public", where.public) else "private",
    }
    if former := facts.get("former"):
        shown["former_name"] = str(former)
    return {"project": shown}


def gone(facts: Facts, where: Surroundings) -> dict[str, Any]:
    """A project that is there no more, so that nothing else can be said of it."""
    return {"project": {"id": where.project, "name": str(facts.get("name") or where.name)}}


def member(facts: Facts, where: Surroundings) -> dict[str, Any]:
    """A person or a group with the role they have, or had when they left."""
    return {
        "project": {"id": where.project, "name": str(facts.get("project") or where.name)},
        "member": {
            "id": facts.get("member_id") or 0,
            "name": str(facts.get("name") or ""),
            "type": "group" if facts.get("group_id") else "user",
            "role": str(facts.get("role") or ""),
        },
    }
