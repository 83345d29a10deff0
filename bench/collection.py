"""How fast the collector is: blobs per second for rows and for files, and the memory it takes.

    python bench/collection.py --blobs 100000 --garbage 20000 [--postgres] [--workers 2] [--work DIR]

One project with so many blobs, twenty of them in each image; the garbage is linked by the project and named by nothing.
Only the garbage has objects in the store, for nobody looks at the others.  It waits to be looked at, as after its images
were deleted; with `--fresh` everything does, as if all had been pushed since the last run.
"""

import argparse
import asyncio
import hashlib
import resource
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, insert, select, update

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fairway.core.stores.disk import DiskStore
from fairway.features.artifacts.model import Periods
from fairway.features.gc.collect import collect
from fairway.features.gc.model import Options, Progress, Switches
from fairway.features.registry.housekeeping import empty_trash
from fairway.frame.db import Conn, Database, open_database
from fairway.frame.db.migrate import migrate
from fairway.frame.db.tables import (
    artifact_links,
    artifacts,
    blobs,
    gc_reviews,
    project_blobs,
    projects,
    quotas,
    repositories,
    trash,
    users,
)
from postgres import Postgres

SIZE = 1024
IN_IMAGE = 20
ROWS = 5000
PERIODS = Periods(3600, 7200, 3600, 86_400)


def digest(number: int) -> str:
    return "sha256:" + hashlib.sha256(str(number).encode()).hexdigest()


def key(number: int) -> str:
    hex_ = digest(number)[7:]
    return f"sha256/{hex_[:2]}/{hex_}-{uuid.uuid5(uuid.NAMESPACE_URL, hex_).hex}"


async def add(db: Database, table: Any, rows: Iterator[dict[str, Any]]) -> None:
    """Insert rows of the same columns, many at a time."""
    statement = None
    while batch := list(islice(rows, ROWS)):
        if statement is None:
            statement = insert(table).values({name: bindparam(name) for name in batch[0]})
        await db.write(partial(_many, statement=statement, rows=batch), soft=True)


async def _many(conn: Conn, statement: Any, rows: list[dict[str, Any]]) -> None:
    await conn.many(statement, rows)


async def fill(db: Database, count: int, garbage: int, *, due: int, first: int = 1) -> None:
    """Make the rows; the first `garbage` blobs are garbage, and the first `due` wait to be looked at.

    Ids begin with `first`: above those that a hub has given, or will, where one runs.
    """
    now = {"created_at": 1, "updated_at": 1}
    await db.run(insert(users).values(id=first, username="owner", password_hash="", sysadmin=False, **now))
    await db.run(insert(projects).values(id=first, name="team", public=False, owner_id=first, **now))
    await db.run(insert(quotas).values(project_id=first, hard=-1, used=0))
    await db.run(insert(repositories).values(id=first, project_id=first, name="app", **now))
    everything = range(count)
    await add(
        db,
        blobs,
        (
            {"id": first + n, "digest": digest(n), "size": SIZE, "key": key(n), "created_at": 1}
            for n in everything
        ),
    )
    await add(
        db,
        project_blobs,
        (
            {
                "project_id": first,
                "digest": digest(n),
                "size": SIZE,
                "blob_id": first + n,
                "created_at": 1,
            }
            for n in everything
        ),
    )
    images = range((count - garbage) // IN_IMAGE)
    about = {"media_type": "x", "kind": "image", "artifact_type": "", "annotations": "{}", "size": 1}
    await add(
        db,
        artifacts,
        (
            {
                "id": first + n,
                "project_id": first,
                "repository_id": first,
                "digest": digest(-n - 1),
                "pushed_at": 1,
                "created_at": 1,
                "payload": b"{}",
                **about,
            }
            for n in images
        ),
    )
    await add(
        db,
        artifact_links,
        (
            {
                "artifact_id": first + n,
                "digest": digest(garbage + n * IN_IMAGE + m),
                "kind": "layer",
                "project_id": first,
            }
            for n in images
            for m in range(IN_IMAGE)
        ),
    )
    await add(
        db,
        gc_reviews,
        (
            {"project_id": project, "digest": digest(n), "reason": "pushed", "review_at": 1}
            for n in range(due)
            for project in (first, 0)
        ),
    )


def write_files(storage: Path, garbage: int) -> None:
    """The bytes of the garbage."""
    for number in range(garbage):
        (storage / key(number)).write_bytes(b"x" * SIZE)


@contextmanager
def timed(what: str, count: int) -> Iterator[None]:
    before = time.perf_counter(), time.process_time()
    yield
    took, used = time.perf_counter() - before[0], time.process_time() - before[1]
    memory = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20
    print(
        f"{what:<34} {took:7.2f} s  {count / took:9.0f}/s  {used:6.2f} s of our processor, {memory} MiB after it"
    )


async def silent(progress: Progress) -> None:
    """Nobody listens."""


async def measure(url: str, folder: Path, arguments: argparse.Namespace) -> None:
    db = await open_database(url, pool=8, statement_timeout_ms=60_000)
    store = DiskStore(folder / "storage").open()
    count, garbage = arguments.blobs, arguments.garbage
    with timed("rows made", count):
        due = count if arguments.fresh else garbage
        await fill(db, count, garbage, due=due)
    with timed("files made", garbage):
        write_files(folder / "storage", garbage)
    if arguments.server:
        # As autovacuum does within a minute; without statistics the planner would have to guess.
        arguments.server.sql("ANALYZE", "bench")
    on = Switches(enabled=True, read_only=False)
    for dry in (True, False):
        options = Options(1 + dry, dry_run=dry, workers=arguments.workers)
        with timed("dry run" if dry else "real run: reviews decided", 2 * due):
            start = time.perf_counter()
            done = await collect(db, store, PERIODS, options, silent, switches=on)
            took = time.perf_counter() - start
        assert (done.blobs, done.links) == (garbage, garbage), done
        print(f"    {done.blobs / took:.0f} blobs freed per second, {done}")
    await db.run(update(trash).values(not_before=1))
    with timed("trash emptied: files removed", garbage):
        removed = await empty_trash(db, store)
    assert removed == garbage
    left = await db.all(select(blobs.c.id))
    assert len(left) == count - garbage
    store.close()
    await db.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--blobs", type=int, default=100_000)
    parser.add_argument("--garbage", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--work", type=Path, default=Path("/var/tmp"))
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fairway-collection-", dir=arguments.work))
    server = Postgres() if arguments.postgres else None
    url = server.create("bench") if server else f"sqlite:///{folder / 'fairway.db'}"
    try:
        migrate(url)
        arguments.server = server
        asyncio.run(measure(url, folder, arguments))
    finally:
        if server:
            server.close()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
