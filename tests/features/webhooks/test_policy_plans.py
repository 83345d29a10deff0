"""Looking up who wants to hear of something, and what was told, is answered by an index."""

from typing import Any

import pytest

from fairway.features.webhooks.store import history, policies, targets
from fairway.frame.db import Database
from frame.db.plans import plan

ASKED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "who wants it": (policies._ENABLED, {"project": 7}, "webhook_policies_project_id_name"),
    "of a project": (policies._OF_PROJECT, {"project": 7}, "webhook_policies_project_id_name"),
    "targets of policies": (targets._OF, {"policies": "[1, 2]"}, "webhook_targets_policy_id_number"),
    "one delivery": (history._BY_ID, {"policy": 7, "number": 9}, "webhook_deliveries"),
    "those of an event": (
        history._BY_EVENT,
        {"policy": 7, "event": "e", "most": 1},
        "ix_webhook_deliveries_policy_id_id",
    ),
    "when it was told": (history._TRIGGERS, {"policies": "[1, 2]"}, "webhook_triggers"),
}


@pytest.mark.parametrize("what", ASKED)
async def test_an_index_answers(db: Database, what: str) -> None:
    statement, given, index = ASKED[what]
    found = await plan(db, statement, **given)
    if db.dialect == "sqlite":  # its own unique indexes have names of its own
        index = index if index.startswith("ix_") else "SEARCH webhook_"
    assert index in found, found
    for table in ("webhook_deliveries", "webhook_targets", "webhook_policies", "webhook_triggers"):
        assert f"SCAN {table}'" not in found, found
        assert f"Seq Scan on {table}" not in found, found
