"""What is asked every second, or for every event, is answered by the index of what is open, however long the history is."""

from typing import Any

import pytest

from fairway.frame import events
from fairway.frame.db import Database
from fairway.frame.jobs import queue, records, schedules
from frame.db.plans import plan

ASKED: list[tuple[str, Any, dict[str, Any], str]] = [
    ("anything due", queue._DUE_KINDS, {"kinds": '["A"]'}, "ix_tasks_due"),
    ("next", queue._NEXT, {"kind": "A", "limit": 10}, "ix_tasks_due"),
    ("at work", queue._AT_WORK, {"kind": "A"}, "ix_tasks_due"),
    ("single", queue._SINGLE, {"single": "A:0"}, "ix_tasks_single"),
    ("waiting executions", queue._PENDING_OF, {"kind": "A", "limit": 10}, "ix_tasks_due"),
    ("queues", records._QUEUES, {}, "ix_tasks_"),
    ("all at work", records._RUNNING, {}, "ix_tasks_"),
    ("schedules due", schedules._ANY_DUE, {"kinds": '["A"]'}, "ix_schedules_next_at"),
    ("held up", events._WAITING, {}, "ix_outbox_waiting"),
]


@pytest.mark.parametrize(
    ("statement", "params", "index"), [row[1:] for row in ASKED], ids=[row[0] for row in ASKED]
)
async def test_an_index_answers(db: Database, statement: Any, params: dict[str, Any], index: str) -> None:
    if db.dialect == "postgresql" and "schedules" in index:
        pytest.skip(
            "a time that moves on is no bound of an index for PostgreSQL; schedules are some thousands at most"
        )
    found = await plan(db, statement, **params)
    assert index in found
    assert "ix_tasks_execution_id" not in found
    assert "SCAN tasks'" not in found
    assert "Seq Scan on tasks" not in found
