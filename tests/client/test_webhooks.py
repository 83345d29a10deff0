"""What is sent about webhooks, and how replies are read."""

import json
from dataclasses import replace

from fairway.client import webhooks
from fairway.client.call import Reply
from fairway.client.webhooks import Policy, Selector, Target

AT = "/api/v2.0/projects/team/webhook/policies"


def test_what_is_sent() -> None:
    target = Target("http", "https://hook.example.com", "Bearer x")
    made = webhooks.create("team", "ci", event_types=["PUSH_ARTIFACT"], targets=[target]).request
    assert (made.method, made.path, made.headers["x-is-resource-name"]) == ("POST", AT, "true")
    assert json.loads(made.body or b"") == {
        "name": "ci",
        "description": "",
        "targets": [
            {
                "type": "http",
                "address": "https://hook.example.com",
                "auth_header": "Bearer x",
                "skip_cert_verify": False,
                "payload_format": "",
                "secret": "",
            }
        ],
        "event_types": ["PUSH_ARTIFACT"],
        "enabled": True,
        "tag_selectors": [],
        "scope_selectors": {"repository": []},
    }
    assert webhooks.get("team", 3).request.path == f"{AT}/3"
    assert webhooks.ping("team", 3).request.body == b"{}"
    assert webhooks.ping("team", 3, "TAG_MOVED").request.body == b'{"event_type": "TAG_MOVED"}'
    assert webhooks.redeliver("team", 3, 7).request.path == f"{AT}/3/executions/7/redeliver"
    listing = webhooks.deliveries("team", 3, status="Error").first(5).request
    assert listing.path == f"{AT}/3/executions?q=status%253DError&page=1&page_size=5"


def test_a_policy_is_sent_as_it_was_read() -> None:
    selector = {"kind": "doublestar", "decoration": "matches", "pattern": "v*"}
    told = {
        "id": 3,
        "name": "ci",
        "targets": [
            {
                "type": "http",
                "address": "https://a.example.com",
                "auth_header": "********",
                "skip_cert_verify": True,
                "payload_format": "Fields",
                "fields": {"a": "${id}"},
            }
        ],
        "event_types": ["PUSH_ARTIFACT"],
        "enabled": True,
        "tag_selectors": [selector],
        "scope_selectors": {"repository": []},
        "health": [{"address": "https://a.example.com", "waiting": 2}],
        "unheard_of": 1,
    }
    found = webhooks.get("team", 3).read(Reply(200, {}, json.dumps(told).encode()))
    assert isinstance(found, Policy)
    assert found.tag_selectors == (Selector(**selector),)
    assert found.health[0].waiting == 2
    assert "********" not in repr(found)
    body = json.loads(webhooks.change("team", replace(found, enabled=False)).request.body or b"")
    assert body["enabled"] is False
    assert body["targets"] == [{**told["targets"][0], "secret": ""}]  # type: ignore[index]
    assert body["tag_selectors"] == [selector]
    assert {"id", "health", "creator"} & body.keys() == set()


def test_a_harbor_that_knows_less_is_read() -> None:
    told = [{"id": 1, "vendor_type": "WEBHOOK", "status": "Success", "end_time": "0001-01-01T00:00:00Z"}]
    page = webhooks.deliveries("team", 3).first(1).read(Reply(200, {}, json.dumps(told).encode()))
    (found,) = page.items
    assert (found.id, found.ended, found.extra_attrs.payload, found.request) == (1, False, "", None)
