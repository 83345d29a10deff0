"""What is sent about retention, and how what comes back is read."""

import json
from typing import Any

from fairway.client import retention
from fairway.client.call import Reply
from fairway.client.retention import Policy, Rule, Scope, Selector, Trigger, Wanted

RULE = Rule(
    "latestPushedK",
    {"latestPushedK": 3},
    (Selector("doublestar", "matches", "v*", '{"untagged":false}'),),
    {"repository": (Selector("doublestar", "repoMatches", "**"),)},
)
TOLD: dict[str, Any] = {
    "id": 7,
    "algorithm": "or",
    "mode": "tag",
    "rules": [
        {
            "id": 1,
            "template": "latestPushedK",
            "params": {"latestPushedK": 3},
            "tag_selectors": [
                {
                    "kind": "doublestar",
                    "decoration": "matches",
                    "pattern": "v*",
                    "extras": '{"untagged":false}',
                }
            ],
            "scope_selectors": {
                "repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]
            },
        }
    ],
    "trigger": {"kind": "Schedule", "settings": {"cron": ""}, "references": {}},
    "scope": {"level": "project", "ref": 4},
}


def test_a_policy_is_read_and_sent_again_as_it_was() -> None:
    body = json.dumps({"source": "project", "use_default": True, "policy": TOLD}).encode()
    found = retention.in_force("12").read(Reply(200, {}, body)).policy
    assert found is not None
    assert found == Policy(7, (RULE,), Trigger(settings={"cron": ""}), Scope("project", 4), "tag")
    sent = retention.change(found, Wanted(found.rules, found.mode)).request
    assert (sent.method, sent.path) == ("PUT", "/api/v2.0/retentions/7")
    told = json.loads(sent.body or b"")
    assert told["scope"] == TOLD["scope"]
    assert told["mode"] == "tag"
    assert told["trigger"] == {"kind": "Schedule", "settings": {"cron": ""}}
    [place] = told["rules"][0]["scope_selectors"]["repository"]
    assert (place["decoration"], place["pattern"]) == ("repoMatches", "**")
    for name in ("template", "params", "tag_selectors"):
        assert told["rules"][0][name] == TOLD["rules"][0][name]
    assert told["rules"][0]["action"] == "retain"


def test_what_is_sent() -> None:
    made = retention.create(4, Wanted([RULE], cron="daily")).request
    assert made.path == "/api/v2.0/retentions"
    assert json.loads(made.body or b"")["scope"] == {"level": "project", "ref": 4}
    assert retention.start(7, dry_run=True).request.body == b'{"dry_run": true}'
    stopped = retention.stop(7, 9).request
    assert (stopped.method, stopped.path, stopped.body) == (
        "PATCH",
        "/api/v2.0/retentions/7/executions/9",
        b'{"action": "stop"}',
    )
    asked = retention.simulate("12", Wanted([RULE]), repository="a/b", page=2).request
    assert asked.path == "/api/fairway/retention/projects/12/simulate?page=2&page_size=100"
    assert asked.headers["x-is-resource-name"] == "true"
    assert json.loads(asked.body or b"")["repository"] == "a/b"
    assert retention.decisions(7, 9, 3).first(5).request.path == (
        "/api/fairway/retention/policies/7/executions/9/tasks/3/decisions?page=1&page_size=5"
    )
