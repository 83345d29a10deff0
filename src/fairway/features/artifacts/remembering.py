"""How long is remembered what tags named: a step of the background process."""

from functools import partial
from typing import Final

from fairway.features.artifacts.store import history
from fairway.frame.db import Database

_AT_A_TIME: Final = 200
"""Rows looked at, or dropped, in one transaction."""
_TURNS: Final = 50
"""At most, each time."""
_BEHIND: Final = 100_000
"""So many of the last changes are looked at again when a process begins."""


class Remembering:
    """Where one process is in what is new; several do no harm to each other."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._after: int | None = None

    async def forget(self) -> int:
        """Forget what is beyond the bounds; how many changes."""
        if self._after is None:
            self._after = max(0, await history.newest(self._db) - _BEHIND)
        gone = 0
        for _ in range(_TURNS):
            rows = await history.some_new(self._db, self._after, _AT_A_TIME)
            for place in sorted({(row["repository_id"], row["tag"], row["there"] is None) for row in rows}):
                gone += await self._drop(*place)
            if rows:
                self._after = rows[-1]["id"]
            if len(rows) < _AT_A_TIME:
                break
        while some := await self._db.write(partial(history.drop_old, limit=_AT_A_TIME), soft=True):
            gone += some
        return gone

    async def _drop(self, repository: int, tag: str, orphaned: bool) -> int:
        gone = 0
        drop = partial(
            history.drop_beyond,
            repository=repository,
            tag=tag,
            kept=0 if orphaned else history.KEPT_CHANGES,
            limit=_AT_A_TIME,
        )
        while some := await self._db.write(drop, soft=True):
            gone += some
        return gone
