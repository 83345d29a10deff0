"""What a million events that are held up cost: how long others take to be handed over, and to be recorded, beside them.

    python bench/outbox.py [--postgres] [--held 1000000] [--events 2000] [--rounds 5] [--work DIR]

All held up are of one project, whose first event failed.  The same is measured on two databases, one without them, in
turns; ratios of medians are printed.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from sqlalchemy import insert, literal, select, update

from fairway.frame import events
from fairway.frame.db import Conn, Database, now_us, open_database
from fairway.frame.db.migrate import migrate
from fairway.frame.db.tables import outbox
from fairway.frame.events import Event
from postgres import Postgres

_HELD_UP = "project:5"
_TOPICS = [f"project:{number}" for number in (1, 2, 3, 4, 6, 7, 8, 9, 10, 11)]
_FACTS = {
    "project_id": 5,
    "repository": "team/app",
    "actor": "alice",
    "digest": f"sha256:{'0' * 64}",
    "size": 1,
}


async def fill(db: Database, held: int) -> None:
    """So many events of one topic, the first of which waits."""
    some = [outbox.c[name] for name in ("event_id", "topic", "kind", "payload", "created_at")]
    await db.write(lambda conn: events.record(conn, _HELD_UP, "blob.pushed", _FACTS))
    await db.run(update(outbox).values(claimed_until=2**62))
    count = 1
    while count < held:
        more = (
            select(*some[:4], now_us() + literal(0))
            .order_by(outbox.c.id)
            .limit(min(count, held - count, 50_000))
        )
        count += await db.run(insert(outbox).from_select(some, more))


async def record(db: Database, count: int) -> float:
    """Seconds for events one by one, each in a transaction of its own."""
    started = time.perf_counter()
    for number in range(count):
        topic = _TOPICS[number % len(_TOPICS)]
        await db.write(lambda conn, topic=topic: events.record(conn, topic, "blob.pushed", _FACTS), soft=True)
    return time.perf_counter() - started


async def hand_over(db: Database, count: int) -> float:
    """Seconds to hand over what was recorded."""
    heard = 0

    async def hear(_conn: Conn, _event: Event) -> None:
        nonlocal heard
        heard += 1

    started = time.perf_counter()
    await events.hand_over(db, {"blob.pushed": [hear]})
    if heard != count:
        raise SystemExit(f"{heard} of {count} events were handed over")
    return time.perf_counter() - started


async def compare(free: str, burdened: str, arguments: argparse.Namespace) -> None:
    """Print what each step takes beside those that are held up, compared with what it takes alone."""
    dbs = [await open_database(url, pool=4) for url in (free, burdened)]
    await fill(dbs[1], arguments.held)
    took: dict[str, tuple[list[float], list[float]]] = {"record": ([], []), "hand over": ([], [])}
    for turn in range(-1, arguments.rounds):
        for which, db in enumerate(dbs):
            for what, step in (("record", record), ("hand over", hand_over)):
                seconds = await step(db, arguments.events)
                if turn >= 0:
                    took[what][which].append(seconds)
    for what, (alone, beside) in took.items():
        print(
            f"{what:<9} {arguments.events} events: alone {median(alone) * 1000:.0f} ms, beside {arguments.held:,} "
            f"{median(beside) * 1000:.0f} ms, ratio {median(beside) / median(alone):.2f}"
        )
    for db in dbs:
        await db.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--held", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--work", type=Path, default=Path("/var/tmp"))
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fairway-outbox-", dir=arguments.work))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        if arguments.postgres:
            server = Postgres()
            stack.callback(server.close)
            urls = [server.create(name) for name in ("free", "burdened")]
        else:
            urls = [f"sqlite:///{folder / name}.db" for name in ("free", "burdened")]
        for url in urls:
            migrate(url)
        asyncio.run(compare(*urls, arguments))


if __name__ == "__main__":
    main()
