"""What a job is: a kind, typed arguments, an async function, and how it may be run."""

import dataclasses
import json
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from fairway.core.oci.errors import FairwayError
from fairway.frame.db import Body

A = TypeVar("A")
T = TypeVar("T")
Facts = Mapping[str, Any]
"""A JSON object."""

PENDING, RUNNING, STOPPED, ERROR, SUCCESS = "Pending", "Running", "Stopped", "Error", "Success"
OPEN: Final = (PENDING, RUNNING)
MANUAL, SCHEDULE, EVENT = "MANUAL", "SCHEDULE", "EVENT"
"""Who or what asked for an execution."""


class JobUnknown(FairwayError):
    """A row names a kind of job that this version does not have."""


class Superseded(FairwayError):
    """Another worker has taken the task over, or somebody stopped it: nothing of this attempt counts any more."""


class GiveUp(FairwayError):
    """A job says that trying again would not help; its message is what people read."""


class Task(Protocol):
    """One attempt at a task, as the job sees it.  Whatever it changes goes through `write` or `once`."""

    id: int
    execution: int

    async def write(self, body: Body[T], *, soft: bool = False) -> T:
        """A transaction that only happens while this attempt is the valid one.  Raises Superseded, or as `Database.write`."""

    async def once(self, step: str, body: Body[Facts]) -> Facts:
        """The same, at most once for all attempts at the task: what `body` answered the first time is remembered."""

    async def report(self, done: int, total: int, what: str = "") -> None:
        """How far it is; told to people, written every second at most."""

    async def log(self, line: str) -> None:
        """Add to the task's log, which people read."""


@dataclass(frozen=True)
class Job(Generic[A]):
    """One kind of work.

    `run` may be called again for the same task, after an error or the death of its process: what it does to the database
    goes through `Task.once`, what it does outside carries an id by which repeats are seen.  It is cancelled when somebody
    stops it.  It answers facts for people, kept with the task.
    """

    kind: str
    """Harbor's vendor type, such as GARBAGE_COLLECTION."""
    arguments: type[A]
    """A frozen dataclass of JSON values."""
    run: Callable[[Task, A], Awaitable[Facts | None]]
    at_once: int = 10
    """How many tasks of this kind run at a time, on all workers together."""
    tries: int = 1
    """How often a task is tried that fails or whose process dies."""
    pause: float = 10.0
    """Seconds before the second try, doubled for each further one."""
    longest_pause: float = 3600.0
    kept: int = 50
    """How many executions of one owner stay in the history."""

    def read(self, arguments: str) -> A:
        """Arguments as they are stored; fields of another version are left out, missing ones have their defaults."""
        known = {field.name for field in dataclasses.fields(self.arguments)}  # type: ignore[arg-type]
        return self.arguments(
            **{name: value for name, value in json.loads(arguments).items() if name in known}
        )

    def written(self, arguments: A) -> str:
        """Arguments as they are stored."""
        return json.dumps(dataclasses.asdict(arguments), separators=(",", ":"), ensure_ascii=False)  # type: ignore[call-overload]

    def pause_after(self, tries: int) -> float:
        """Seconds until the next try, after so many; with jitter, so that what failed together comes back apart."""
        most = min(self.pause * 2 ** min(tries - 1, 16), self.longest_pause)
        return random.uniform(most / 2, most)  # noqa: S311


class Jobs:
    """All kinds of work there are."""

    def __init__(self, jobs: Iterable[Job[Any]]) -> None:
        self._jobs = {job.kind: job for job in jobs}

    @property
    def kinds(self) -> list[str]:
        """In alphabetical order."""
        return sorted(self._jobs)

    def __getitem__(self, kind: str) -> Job[Any]:
        if kind not in self._jobs:
            raise JobUnknown(f"this version has no job {kind!r}")
        return self._jobs[kind]

    def __contains__(self, kind: str) -> bool:
        return kind in self._jobs

    def __iter__(self) -> Iterator[Job[Any]]:
        return iter(self._jobs.values())
