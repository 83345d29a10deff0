"""Removing what was in a deleted project, as a job.

It remembers nothing of its own: what is gone is gone, and another attempt goes on with what is left.
"""

from dataclasses import replace
from functools import partial
from typing import Final

from fairway.core.crash import crashpoint
from fairway.core.oci.errors import PreconditionFailed
from fairway.core.oci.names import Repository
from fairway.features.artifacts import changing
from fairway.features.artifacts.changing import Place
from fairway.features.artifacts.model import Periods
from fairway.features.projects.deletions import PROJECT_DELETION, Arguments
from fairway.features.projects.store import going
from fairway.features.projects.store import projects as store
from fairway.frame.db import Database
from fairway.frame.jobs.job import Facts, Job, Task

_AT_A_TIME: Final = 100


def deletion(db: Database, periods: Periods) -> Job[Arguments]:
    """The job.  Nothing of it can be had back, for there is no place for it any more."""
    for_good = replace(periods, undo=0)

    async def run(task: Task, asked: Arguments) -> Facts:
        place = Place(asked.project, asked.by, for_good, bound=False)
        manifests = await going.manifests_left(db, asked.project)
        total = await store.repositories_of(db, asked.project)
        gone = 0
        await task.log(
            f"{asked.name} was deleted by {asked.by}: {total:,} repositories with {manifests:,} manifests are to go"
        )
        while await going.is_going(db, asked.project):
            gone = await _remove_repositories(db, task, place, asked.name, gone, total)
            try:
                await _finish(task, asked.project, periods.grace)
            except PreconditionFailed:
                continue  # a push that had begun before made a repository
        await task.log("done")
        return {"manifests": manifests, "repositories": gone}

    return Job(PROJECT_DELETION, Arguments, run, at_once=2, tries=10, kept=50)


async def _remove_repositories(
    db: Database, task: Task, place: Place, name: str, gone: int, total: int
) -> int:
    """How many are gone, with those that were before."""
    after = ""
    while some := await going.some_repositories(db, place.project, after, _AT_A_TIME):
        for repository, rest in some:
            repo = Repository(f"{name}/{rest}")
            await changing.empty_repository(db, place, repo, repository, task.write)
            crashpoint("project.repository_removed")
            after, gone = rest, gone + 1
            await task.report(gone, max(total, gone), "repositories")
    return gone


async def _finish(task: Task, project: int, grace: int) -> None:
    while await task.write(partial(store.empty, project=project, grace_seconds=grace, going=True)):
        pass
    crashpoint("project.before_finish")
    await task.write(partial(going.finish, project=project, grace_seconds=grace))
