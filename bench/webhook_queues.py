"""What a webhook's queue costs when much waits in it: adding, claiming, sending, and bytes per row.

    python bench/webhook_queues.py --open 1000000 [--postgres] [--rounds 5] [--work DIR]

Two targets in one database: one with hardly anything in its queue, one with so many open deliveries of 10,000 repositories.
Measurements go A B A B …; nothing is sent for real, for that would measure the receiver.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

from sqlalchemy import insert, text

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fairway.features.webhooks.model import Answer, Delivery, NewDelivery
from fairway.features.webhooks.slices import Slice
from fairway.features.webhooks.store import deliveries as store
from fairway.frame.db import Database, open_database
from fairway.frame.db.migrate import migrate
from fairway.frame.db.tables import webhook_policies, webhook_targets
from postgres import Postgres

EMPTY, FULL = 1, 2
TOPICS = 10_000
BATCH = 5000
TIMES = 500
BODY = '{"type":"PUSH_ARTIFACT","occur_at":1700000000,"operator":"ada","event_data":{"resources":[]}}'.ljust(
    700
)


def new(target: int, number: int) -> NewDelivery:
    topic = f"orchard/apple-{number % TOPICS}"
    return NewDelivery(
        target, target, f"event-{number:032}", "PUSH_ARTIFACT", topic, "application/json", BODY
    )


async def fill(db: Database, count: int) -> None:
    for target in (EMPTY, FULL):
        policy = {"id": target, "project_id": 1, "name": f"p{target}", "event_types": "[]", "enabled": True}
        await db.run(insert(webhook_policies).values(**policy, creator="a", created_at=1, updated_at=1))
        row = {"id": target, "policy_id": target, "number": 1, "type": "http", "address": "http://a"}
        await db.run(
            insert(webhook_targets).values(**row, payload_format="Default", skip_cert_verify=False, due_at=0)
        )
    for first in range(0, count, BATCH):
        some = [new(FULL, number) for number in range(first, min(first + BATCH, count))]
        await db.write(partial(store.add, new=some))


_SIZE = {
    "sqlite": text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"),
    "postgresql": text("SELECT pg_total_relation_size('webhook_deliveries')"),
}


async def took(_: Delivery) -> Answer:
    return Answer(204, "")


async def measure(db: Database, target: int, numbers: list[int]) -> tuple[float, float, float]:
    """Adds, claims with giving back, and deliveries a second."""
    start = time.perf_counter()
    for number in numbers:
        await db.write(partial(store.add, new=[new(target, number)]))
    adds = time.perf_counter() - start
    await db.run(webhook_targets.update().values(due_at=None))
    await db.run(webhook_targets.update().where(webhook_targets.c.id == target).values(due_at=0))
    claim = partial(store.claim, worker="w", broken_after=3, sound=1, broken=0, lease_seconds=60)
    claims = 0.0
    for _ in numbers:
        start = time.perf_counter()
        (mine,) = await db.write(claim)
        await db.write(partial(store.give_back, claimed=mine, ended=0))
        claims += time.perf_counter() - start
    (mine,) = await db.write(claim)
    working = Slice(db, mine, took, most=len(numbers), seconds=600, stopped=lambda: False)
    start = time.perf_counter()
    await working.run()
    sent = time.perf_counter() - start
    assert working.ended == len(numbers)
    await db.write(partial(store.give_back, claimed=mine, ended=working.ended))
    return len(numbers) / adds, len(numbers) / claims, len(numbers) / sent


async def run(url: str, count: int, rounds: int, analyze: Callable[[], object]) -> None:
    db = await open_database(url, pool=4, statement_timeout_ms=60_000)
    size = _SIZE[url.partition(":")[0]]
    before = await db.scalar(size)
    start = time.perf_counter()
    await fill(db, count)
    print(f"{count / (time.perf_counter() - start):,.0f} added a second, {BATCH} in a transaction")
    analyze()
    grown = await db.scalar(size) - before
    print(f"{grown / count:.0f} bytes a row, {len(BODY)} of them its body")
    found: dict[int, list[tuple[float, float, float]]] = {EMPTY: [], FULL: []}
    number = count
    for turn in range(-1, rounds):
        for target, measured in found.items():
            speeds = await measure(db, target, list(range(number, number + TIMES)))
            number += TIMES
            if turn >= 0:
                measured.append(speeds)
    for nth, what in enumerate(("add", "claim and give back", "send")):
        empty, full = (median(each[nth] for each in found[target]) for target in (EMPTY, FULL))
        print(f"{what:<20} {empty:7.0f}/s nothing waits, {full:7.0f}/s {count:,} wait: {full / empty:.2f}")
    await db.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--open", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--work", type=Path, default=Path("/var/tmp"))
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fairway-queues-", dir=arguments.work))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        server = Postgres(durable=True) if arguments.postgres else None
        if server:
            stack.callback(server.close)
        url = server.create("queues") if server else f"sqlite:///{folder / 'fairway.db'}"
        migrate(url)
        # As autovacuum does within a minute.
        analyze = partial(server.sql, "ANALYZE", "queues") if server else lambda: None
        asyncio.run(run(url, arguments.open, arguments.rounds, analyze))


if __name__ == "__main__":
    main()
