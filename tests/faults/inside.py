"""A hub's database and storage folder, read (and damaged) from outside, past all of its code."""

import asyncio
import sqlite3
import time
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg

from fairway.frame.settings import Settings
from faults.images import digest_of
from hub import Hub

Row = tuple[Any, ...]


class Inside:
    """What lies beneath a hub, whether it runs or not."""

    def __init__(self, hub: Hub) -> None:
        self._url = hub.settings.get("FAIRWAY_DATABASE_URL", "")
        self._file = hub.data / "fairway.db"
        self.upload_expiry = int(
            hub.extra.get("FAIRWAY_UPLOAD_EXPIRY_SECONDS", Settings.upload_expiry_seconds)
        )
        self.storage = Path(
            hub.extra.get("FAIRWAY_STORAGE_URL", str(hub.data / "storage")).removeprefix("file://")
        )

    def rows(self, sql: str) -> list[Row]:
        """Run one statement, also one that changes rows; both engines must understand it."""
        if self._url:
            return asyncio.run(self._postgres(sql))
        with closing(sqlite3.connect(self._file, timeout=20)) as connection:
            found: list[Row] = connection.execute(sql).fetchall()
            connection.commit()
        return found

    def keep_events(self) -> None:
        """From now on every event is kept in `kept_events` as well, in the transaction that records it: the hub hands on
        what is in its outbox, and forgets it.
        """
        self.rows(
            "CREATE TABLE IF NOT EXISTS kept_events (id BIGINT, event_id TEXT, kind TEXT, payload TEXT)"
        )
        keep = "INSERT INTO kept_events VALUES (new.id, new.event_id, new.kind, new.payload);"
        if not self._url:
            self.rows(f"CREATE TRIGGER IF NOT EXISTS keep_events AFTER INSERT ON outbox BEGIN {keep} END")
            return
        body = f"$$ BEGIN {keep} RETURN new; END $$"
        self.rows(f"CREATE OR REPLACE FUNCTION keep_event() RETURNS trigger LANGUAGE plpgsql AS {body}")
        self.rows(
            "CREATE OR REPLACE TRIGGER keep_events AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION keep_event()"
        )

    async def _postgres(self, sql: str) -> list[Row]:
        connection = await asyncpg.connect(self._url)
        try:
            return [tuple(row.values()) for row in await connection.fetch(sql)]
        finally:
            await connection.close()

    def objects(self) -> dict[str, Path]:
        """Every finished object, by key."""
        return {
            str(file.relative_to(self.storage)): file
            for algorithm in ("sha256", "sha512")
            for file in (self.storage / algorithm).glob("*/*")
        }

    def throw_away(self, data: bytes, *, in_seconds: float) -> Path:
        """Bytes that nothing names, in the trash; their file."""
        digest = digest_of(data)
        key = f"sha256/{digest[7:9]}/{digest[7:]}-{uuid.uuid4().hex}"
        file = self.storage / key
        file.write_bytes(data)
        not_before = int((time.time() + in_seconds) * 1e6)
        self.rows(f"INSERT INTO trash (key, size, not_before) VALUES ('{key}', {len(data)}, {not_before})")
        return file

    def uploads(self) -> list[Path]:
        """The files of uploads in progress."""
        return list((self.storage / "uploads").iterdir())

    def object_of(self, digest: str) -> Path:
        """The file that the row of a blob names."""
        [(key,)] = self.rows(f"SELECT key FROM blobs WHERE digest = '{digest}'")
        return self.storage / str(key)
