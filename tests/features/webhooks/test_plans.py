"""Whatever is asked of queues is answered by an index, whatever waits in them."""

import json
from typing import Any

import pytest
from sqlalchemy import Update, literal, select

from fairway.features.webhooks.store import bounds
from fairway.features.webhooks.store import deliveries as store
from fairway.frame.db import Database
from frame.db.plans import plan

ASKED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "anything due": (store._ANY_DUE, {}, "ix_webhook_targets_due"),
    "next sound": (store._NEXT_SOUND, {"broken": 3, "most": 9}, "ix_webhook_targets_due"),
    "next broken": (store._NEXT_BROKEN, {"broken": 3, "most": 9}, "ix_webhook_targets_due"),
    "ready": (store._READY, {"of": 7, "most": 9}, "ix_webhook_deliveries_turn"),
    "their heads": (store._READY, {"of": 7, "most": 9}, "ix_webhook_deliveries_topic"),
    "due again": (store._DUE_AGAIN, {"of": 7, "most": 9}, "ix_webhook_deliveries_turn"),
    "soonest": (store._SOONEST, {"of": 7}, "ix_webhook_deliveries_turn"),
    "first parked": (store._FIRST_PARKED, {"of": 7}, "ix_webhook_deliveries_turn"),
    "next of a topic": (store.UNPARK, {"of": 7, "about": "a"}, "ix_webhook_deliveries_topic"),
    "to park": (store._PARK, {"of": 7, "ids": json.dumps([1, 2])}, "ix_webhook_deliveries_topic"),
    "newest that go": (bounds._NEWEST_OVER, {"of": 7, "kept": 9}, "ix_webhook_deliveries_open"),
    "oldest to drop": (bounds._UNTIL, {"of": 7, "last": 9, "most": 9}, "ix_webhook_deliveries_open"),
    "too old": (bounds._OLD, {"of": 7, "micros": 9, "most": 9}, "ix_webhook_deliveries_open"),
    "history kept": (bounds._LAST_KEPT, {"of": 7, "skipped": 199}, "ix_webhook_deliveries_ended"),
    "history beyond": (bounds._BEFORE, {"of": 7, "moment": 9, "most": 9}, "ix_webhook_deliveries_ended"),
    "next policy": (bounds._NEXT_POLICY, {"after": 7}, "ix_webhook_deliveries_policy_id_id"),
    "next target": (bounds._NEXT_TARGET, {"after": 7}, "ix_webhook_deliveries_"),
    "of a target": (bounds._OF_TARGET, {"of": 7, "most": 9}, "ix_webhook_deliveries_"),
    "oldest that wait": (bounds._STANDING, {"broken": 3}, "ix_webhook_deliveries_open"),
}
SORTS = ("USE TEMP B-TREE FOR ORDER BY", "Sort  (")


@pytest.mark.parametrize("what", ASKED)
async def test_an_index_answers(db: Database, what: str) -> None:
    statement, given, index = ASKED[what]
    if isinstance(statement, Update):  # an index finds for it what it would for a look
        assert statement.whereclause is not None
        statement = select(literal(1)).select_from(statement.table).where(statement.whereclause)
    found = await plan(db, statement, **given)
    assert index in found
    for table in ("webhook_deliveries", "webhook_targets"):
        assert f"SCAN {table}'" not in found, found
        assert f"Seq Scan on {table}" not in found, found
    if "next sound" not in what and "next broken" not in what:
        assert not any(sort in found for sort in SORTS), found
