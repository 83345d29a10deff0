"""Events on both databases: handed over in order, once, and one that fails holds up its own topic only."""

import asyncio
import time
from functools import partial

from sqlalchemy import func, select, update

from fairway.frame import events
from fairway.frame.db import Conn, Database
from fairway.frame.db.tables import outbox
from fairway.frame.events import Event, hand_over, record


async def happen(db: Database, *what: tuple[str, int]) -> None:
    for topic, number in what:
        await db.write(partial(record, topic=topic, kind="made", payload={"number": number}))


async def waiting(db: Database) -> int:
    return int(await db.scalar(select(func.count()).select_from(outbox)))


class Heard:
    """A reaction that remembers; `broken` are numbers it cannot take."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.broken: set[int] = set()

    async def __call__(self, _conn: Conn, event: Event) -> None:
        if event.facts["number"] in self.broken:
            raise RuntimeError("cannot")
        self.events.append(event)

    @property
    def numbers(self) -> list[int]:
        return [event.facts["number"] for event in self.events]


async def test_each_is_handed_over_once_and_in_order(db: Database) -> None:
    heard = Heard()
    assert await hand_over(db, {"made": [heard]}) == 0
    await happen(db, *(("a" if number % 2 else "b", number) for number in range(20)))
    assert await hand_over(db, {"made": [heard]}) == 20
    assert heard.numbers == list(range(20))
    assert len({event.id for event in heard.events}) == 20
    assert await hand_over(db, {"made": [heard]}) == 0
    assert await waiting(db) == 0


async def test_what_nothing_follows_from_goes_as_well(db: Database) -> None:
    await happen(db, ("a", 1))
    assert await hand_over(db, {}) == 1
    assert await waiting(db) == 0


async def test_one_that_fails_holds_up_its_own_topic_only_and_comes_again(db: Database) -> None:
    heard = Heard()
    heard.broken = {2}
    await happen(db, ("a", 1), ("a", 2), ("b", 3), ("a", 4), ("b", 5))
    await hand_over(db, {"made": [heard]})
    done = list(dict.fromkeys(heard.numbers))
    assert done == [1, 3, 5]
    assert await waiting(db) == 2
    heard.broken.clear()
    await db.run(update(outbox).where(outbox.c.claimed_until > 0).values(claimed_until=1))
    await hand_over(db, {"made": [heard]})
    assert heard.numbers[-2:] == [2, 4]
    assert await waiting(db) == 0


async def test_many_processes_hand_over_each_once(db: Database) -> None:
    happened: list[int] = []

    async def count(_conn: Conn, event: Event) -> None:
        happened.append(event.facts["number"])

    await happen(db, *(("a", number) for number in range(30)))
    while await waiting(db):
        await asyncio.gather(*(hand_over(db, {"made": [count]}) for _ in range(4)))
    assert sorted(happened) == list(range(30))


async def test_more_than_a_batch_is_taken_batch_by_batch(db: Database) -> None:
    heard = Heard()
    await happen(db, *(("a", number) for number in range(events.BATCH + 5)))
    assert await hand_over(db, {"made": [heard]}) == events.BATCH + 5
    assert heard.numbers == list(range(events.BATCH + 5))


async def test_what_takes_long_is_taken_in_short_transactions(db: Database) -> None:
    heard = Heard()

    async def slow(conn: Conn, event: Event) -> None:
        time.sleep(events.BATCH_SECONDS * 0.6)  # noqa: ASYNC251 - computing, which lets nobody else run
        await heard(conn, event)

    await happen(db, *(("a", number) for number in range(5)))
    some = partial(events._hand_over_some, reactions={"made": [slow]}, most=events.BATCH, reached=[])
    assert 1 <= await db.write(some) <= 2
    assert 3 <= await waiting(db) <= 4
    await hand_over(db, {"made": [slow]})
    assert heard.numbers == list(range(5))
