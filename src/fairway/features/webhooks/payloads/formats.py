"""What is sent for a notice: its bytes and their media type, for each type of target and format.

What a person named goes through a JSON serialiser, whatever is in it; no text is ever put together to become JSON (T37).
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fairway.features.webhooks.model import CLOUDEVENTS, FIELDS, SLACK, TEAMS
from fairway.features.webhooks.payloads import fields, slack, teams
from fairway.features.webhooks.payloads.notice import CLOUD_TYPES, Notice

JSON: Final = "application/json"
CLOUDEVENTS_JSON: Final = "application/cloudevents+json"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def render(
    notice: Notice, kind: str, payload_format: str, *, project: int, policy: int, template: Any = None
) -> tuple[str, str]:
    """The media type and the body for a target of this kind.  `template`: of the format Fields, as it was checked."""
    if kind == SLACK:
        return JSON, _text(slack.message(notice))
    if kind == TEAMS:
        return JSON, _text(teams.message(notice))
    if payload_format == CLOUDEVENTS:
        return CLOUDEVENTS_JSON, _text(cloud_event(notice, project, policy))
    if payload_format == FIELDS:
        facts = {"id": notice.id, "project_id": project, "policy_id": policy, "time": time(notice)}
        return JSON, _text(fields.fill(template, {**default(notice), **facts}))
    return JSON, _text(default(notice))


def default(notice: Notice) -> dict[str, Any]:
    """Harbor's default payload."""
    return {
        "type": notice.type,
        "occur_at": notice.at // 1_000_000,
        "operator": notice.operator,
        "event_data": dict(notice.data),
    }


def cloud_event(notice: Notice, project: int, policy: int) -> dict[str, Any]:
    """The event in the structured mode of CloudEvents 1.0 (JSON event format, section 3)."""
    said = {
        "specversion": "1.0",
        "requestid": notice.id,
        "id": notice.id,
        "source": f"/projects/{project}/webhook/policies/{policy}",
        "type": CLOUD_TYPES[notice.type],
        "datacontenttype": JSON,
        "time": time(notice),
        "data": dict(notice.data),
    }
    return {**said, "operator": notice.operator} if notice.operator else said  # no attribute may be empty


def time(notice: Notice) -> str:
    """When it happened, in RFC 3339 to the second."""
    return (_EPOCH + timedelta(seconds=notice.at // 1_000_000)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
