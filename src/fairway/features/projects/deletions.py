"""Asking for the removal of what was in a deleted project; the job itself is in `jobs`."""

from dataclasses import dataclass
from functools import partial
from typing import Final

from fairway.features.projects.store import going
from fairway.frame.db import Conn, Database
from fairway.frame.jobs import queue
from fairway.frame.jobs.job import EVENT, MANUAL, Job

PROJECT_DELETION: Final = "PROJECT_DELETION"


@dataclass(frozen=True, slots=True)
class Arguments:
    """Which project, the name it had, and who deleted it, as events tell it."""

    project: int = 0
    name: str = ""
    by: str = ""


async def ask(conn: Conn, job: Job[Arguments], asked: Arguments, *, again: bool = False) -> int | None:
    """Let the content of a deleted project be removed; the execution, or None when that is under way.

    `again`: nobody asked just now.
    """
    return await queue.enqueue(
        conn,
        job,
        asked,
        trigger=EVENT if again else MANUAL,
        asked_by=asked.by,
        parameters={"project_id": asked.project, "name": asked.name},
        single=f"{PROJECT_DELETION}:{asked.project}",
    )


async def go_on(db: Database, job: Job[Arguments]) -> int:
    """See to it that nothing of deleted projects stays for ever, though a task failed or was stopped; how many began."""
    begun = 0
    for project, name in await going.all_going(db):
        again = partial(ask, job=job, asked=Arguments(project, name, "system"), again=True)
        begun += await db.write(again) is not None
    return begun
