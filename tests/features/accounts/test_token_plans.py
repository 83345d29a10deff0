"""What is asked for every request with a token is answered by indexes, however many tokens there are."""

from typing import Any

import pytest

from fairway.features.accounts.store import tokens as store
from fairway.frame.db import Database
from frame.db.plans import plan

ASKED: dict[str, tuple[Any, dict[str, Any]]] = {
    "by secret": (store._BY_SECRET, {"secret_hash": "sha256:x"}),
    "by id": (store._BY_ID, {"token": 7}),
    "a person's CLI secret": (store._BY_NAME, {"user": 7, "name": store.CLI_SECRET}),
    "whether there is any CLI secret": (store._ANY_CHOSEN, {"low": "$", "high": "%"}),
    "how many a person has": (store._COUNT, {"user": 7}),
    "a page of them": (
        store._TOKEN.where(store._OF).order_by(*store._LISTING.order()).limit(10),
        {"user": 7},
    ),
    "revoked": (store._REVOKE, {"owner": 7, "token": 7}),
}


@pytest.mark.parametrize("what", ASKED)
async def test_no_table_is_walked_through(db: Database, what: str) -> None:
    statement, given = ASKED[what]
    found = await plan(db, statement, **given)
    for table in ("personal_tokens", "users"):
        walks = (f"SCAN {table}'", f"SCAN {table})", f"Seq Scan on {table} ")
        assert not any(walk in found for walk in walks), found
    assert "SEARCH" in found or "Index" in found, found
