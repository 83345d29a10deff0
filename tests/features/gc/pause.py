"""A collector that stops at a named point until it is told to go on, inside a transaction too."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import pytest

from fairway.features.gc import batches, collect
from fairway.frame.db import Body, Conn, Database, Row

PATIENCE = 0.15
"""Seconds for what happens meanwhile to end, or to be waiting for a lock that the collector holds."""


class Pause:
    """Stops at the n-th pass of a point.

    On PostgreSQL the transaction stays open and others go on.  On SQLite the writer's thread stops, and whoever wants to
    write stands behind it.
    """

    def __init__(self, db: Database, point: str, passes: int, patch: pytest.MonkeyPatch) -> None:
        self._db = db
        self._point = point
        self._left = passes
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._stopped = False
        self._begun: list[asyncio.Future[Any]] = []
        self.reached = asyncio.Event()
        self._resumed = asyncio.Event()
        self._writer_resumed = threading.Event()
        for module in (batches, collect):
            patch.setattr(module, "crashpoint", self._pass)

    def _pass(self, name: str) -> None:
        if name != self._point:
            return
        self._left -= 1
        if self._left:
            return
        self._stopped = True
        self._loop.call_soon_threadsafe(self.reached.set)
        if threading.get_ident() != self._thread:
            assert self._writer_resumed.wait(20)

    async def here(self) -> None:
        if self._stopped:
            await self._resumed.wait()

    def resume(self) -> None:
        self._writer_resumed.set()
        self._resumed.set()

    async def write(self, body: Body[Any], *, soft: bool = False) -> Any:
        """For the collector."""
        await self.here()
        if self._db.dialect != "sqlite":
            whole = body

            async def body(conn: Conn) -> Any:
                return await whole(_Conn(conn, self))

        writing = asyncio.ensure_future(self._db.write(body, soft=soft))
        self._begun.append(writing)
        return await asyncio.shield(writing)

    async def ended(self) -> None:
        """Whoever was cancelled while writing has left a transaction that goes on to its end: wait for it."""
        await asyncio.gather(*self._begun)

    async def meanwhile(self, collecting: asyncio.Task[Any], action: Any) -> Any:
        """Let the collector come to the point, act, and let it go on; what came of the action."""
        waiting = asyncio.create_task(self.reached.wait())
        await asyncio.wait([waiting, collecting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        acting = asyncio.create_task(action)
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(acting), PATIENCE)
        self.resume()
        result = await acting
        await collecting
        return result


class _Conn:
    def __init__(self, conn: Conn, pause: Pause) -> None:
        self._conn = conn
        self._pause = pause

    async def all(self, statement: Any, /, **params: Any) -> list[Row]:
        await self._pause.here()
        return await self._conn.all(statement, **params)

    async def first(self, statement: Any, /, **params: Any) -> Row | None:
        await self._pause.here()
        return await self._conn.first(statement, **params)

    async def scalar(self, statement: Any, /, **params: Any) -> Any:
        await self._pause.here()
        return await self._conn.scalar(statement, **params)

    async def run(self, statement: Any, /, **params: Any) -> int:
        await self._pause.here()
        return await self._conn.run(statement, **params)

    async def many(self, statement: Any, rows: Sequence[Mapping[str, Any]], /) -> None:
        await self._pause.here()
        await self._conn.many(statement, rows)
