"""Telling others: each endpoint has a queue of its own, worked through in order by one task at a time.

An endpoint that is down keeps its own queue waiting and nothing else.  Every notification carries the event's id: one that
was taken, but whose answer was lost, is told again with the same id.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from fairway.core.oci.errors import FairwayError
from fairway.features.webhooks.registry import rules
from fairway.features.webhooks.registry.model import MEDIA_TYPE, Endpoint
from fairway.features.webhooks.store import notifications as store
from fairway.frame.db import Body, Conn, Database
from fairway.frame.events import Event, Reaction
from fairway.frame.jobs import queue
from fairway.frame.jobs.job import EVENT, Facts, GiveUp, Job, Task
from fairway.frame.log import get_logger

if TYPE_CHECKING:
    from fairway.frame.egress import Egress

_log = get_logger(__name__)

KIND = "REGISTRY_NOTIFICATION"
MOST_WAITING = 100_000
"""Notifications kept for an endpoint that does not take them; the oldest go first."""
_BATCH = 50
STRANGE_SECONDS = 86_400
"""How long is kept what waits for endpoints that this process does not know: another one may, while settings change."""
_AT_ONCE = 1000
_DROPPED_AT_MOST = 100
"""Batches dropped in one go."""


@dataclass(frozen=True)
class Arguments:
    """Whose queue is to be worked through."""

    endpoint: str = ""


class NotTaken(FairwayError):
    """An endpoint did not take a notification; it is tried again."""


class Notifications:
    """The endpoints an operator has set up, and how they are told: by a process that has a way out."""

    def __init__(
        self,
        endpoints: list[Endpoint],
        db: Database,
        egress: "Egress | None",
        *,
        base: str,
        node: Callable[[], str],
    ) -> None:
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        self._db = db
        self._egress = egress
        self._base = base
        self._node = node
        slowest = max((endpoint.backoff for endpoint in endpoints), default=1.0)
        self.job = Job(
            KIND,
            Arguments,
            self._deliver,
            at_once=max(10, len(endpoints)),
            tries=2**31 - 1,
            pause=slowest,
            longest_pause=60.0,
            kept=10,
        )

    @property
    def reaction(self) -> Reaction:
        """What follows from an event: a notification for each endpoint that wants to hear of it."""
        return self._react

    async def _react(self, conn: Conn, event: Event) -> None:
        made = rules.notifications(
            event.kind, event.facts, id=event.id, at=event.at, base=self._base, node=self._node()
        )
        for endpoint in self._endpoints.values():
            wanted = [each for each in made if rules.wanted(endpoint, each)]
            for each in wanted:
                await store.add(conn, endpoint.name, event.id, each)
            if wanted:
                await self._ask(conn, endpoint.name)

    async def _ask(self, conn: Conn, endpoint: str) -> None:
        await queue.enqueue(conn, self.job, Arguments(endpoint), trigger=EVENT, single=f"{KIND}:{endpoint}")

    async def _deliver(self, task: Task, asked: Arguments) -> Facts:
        endpoint = self._endpoints.get(asked.endpoint)
        if endpoint is None:
            raise GiveUp("nobody has set up this endpoint any more")
        told = 0
        while rows := await store.front(self._db, endpoint.name, _BATCH):
            for row in rows:
                await self._tell(endpoint, row["body"])
                await task.write(partial(store.delivered, ids=[row["id"]]), soft=True)
                told += 1
        return {"told": told}

    async def _tell(self, endpoint: Endpoint, body: str) -> None:
        assert self._egress is not None, "jobs run where there is a way out"
        # The answer's body is not read: an endpoint that took it has taken it, whatever it says besides.
        async with (
            self._egress.stream(
                "POST",
                endpoint.url,
                body=f'{{"events":[{body}]}}'.encode(),
                headers={"Content-Type": MEDIA_TYPE},
                secret_headers=endpoint.headers,
                limit=2**62,
                follow=False,  # a redirected POST mostly becomes a GET, whose answer says nothing about what was sent
                seconds=endpoint.timeout,
                verify=endpoint.verify,
            ) as reply
        ):
            if 300 <= reply.status < 400:
                raise NotTaken(
                    f"{endpoint.name} is elsewhere (it answered {reply.status}): set its url to where it leads"
                )
            if not 200 <= reply.status < 300:
                raise NotTaken(f"{endpoint.name} answered {reply.status}")

    async def tidy(self) -> int:
        """See to it that nothing is forgotten, or piles up: for a step now and then; how much there was to do."""
        done = 0
        strangers = partial(
            store.drop_strangers, known=list(self._endpoints), seconds=STRANGE_SECONDS, most=_AT_ONCE
        )
        if dropped := await self._drop(strangers):
            _log.warning("notifications for endpoints that nobody has set up were dropped", count=dropped)
            done += dropped
        for name, waiting in (await store.waiting(self._db)).items():
            if name in self._endpoints:
                # one may have come just when the task before it ended
                await self._db.write(partial(self._ask, endpoint=name), soft=True)
            if waiting > MOST_WAITING:
                oldest = partial(store.drop_oldest, endpoint=name, kept=MOST_WAITING, most=_AT_ONCE)
                dropped = await self._drop(oldest)
                _log.warning(
                    "an endpoint takes no notifications, its oldest were dropped",
                    endpoint=name,
                    count=dropped,
                )
                done += dropped
        return done

    async def _drop(self, some: Body[int]) -> int:
        dropped = 0
        for _ in range(_DROPPED_AT_MOST):
            count = await self._db.write(some, soft=True)
            dropped += count
            if count < _AT_ONCE:
                break
        return dropped
