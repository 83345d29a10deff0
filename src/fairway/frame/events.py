"""Facts, recorded in the transaction that made them true (the outbox).

Recording is all that happens here: who reacts to what is said in one table elsewhere, and a reaction may run twice,
so every event carries an id that receivers can drop repeats by.
"""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, insert

from fairway.frame.db import Conn, now_us
from fairway.frame.db.tables import outbox

_RECORD = insert(outbox).values(
    event_id=bindparam("event_id"),
    topic=bindparam("topic"),
    kind=bindparam("kind"),
    payload=bindparam("payload"),
    created_at=now_us(),
)


async def record(conn: Conn, topic: str, kind: str, payload: Mapping[str, Any]) -> None:
    """Add one event.  Events of one `topic` (a project, a repository) are delivered in the order recorded."""
    await conn.run(
        _RECORD,
        event_id=uuid.uuid4().hex,
        topic=topic,
        kind=kind,
        payload=json.dumps(payload, separators=(",", ":"), ensure_ascii=False),
    )
