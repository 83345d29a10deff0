"""Retention as a job: decide about everything, wait until pulls of just before are known, delete what was doomed.

All that an attempt has decided and not yet deleted is in the database: another one goes on where the last died, with the
policy and the time the first began with.  Changing or deleting the policy ends a run that is under way.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from fairway.core.crash import crashpoint
from fairway.core.oci.errors import FairwayError, PreconditionFailed, Unavailable
from fairway.features.artifacts.changing import AT_A_TIME, Place
from fairway.features.artifacts.model import Periods
from fairway.features.registry.pulls import FLUSH_SECONDS
from fairway.features.retention import asking
from fairway.features.retention.carrying import IMMUTABLE, NotInForce, TooFewLeft, carry_out, spare
from fairway.features.retention.deciding import decide
from fairway.features.retention.model import RETENTION, Doomed, Mark, Part, Policy, Result
from fairway.features.retention.rules import Judge
from fairway.features.retention.store import candidates, noting, policies, results
from fairway.frame import events
from fairway.frame.db import SECOND, Conn, Database
from fairway.frame.jobs import records
from fairway.frame.jobs.job import Facts, GiveUp, Job, Superseded, Task

SETTLE_SECONDS: float = FLUSH_SECONDS + 5
"""Between the last look and the first deletion: pulls are counted in memory, and written so late at most."""
MOST_TOLD: Final = 1_000
"""Deleted images that an event names."""
_PARTS: Final = 400
"""Repositories whose results are written in one transaction."""
_HELD: Final = 2_000
"""And images, at most a page more."""
_PROJECTS: Final = 100
_RESULTS: Final = 100
_FORGOTTEN: Final = 20
_NOT_IN_FORCE: Final = "the policy is not for this project any more"
_TOO_FEW_LEFT: Final = "images that were to stay were deleted meanwhile, so that the rest stays; run it again"


@dataclass(frozen=True, slots=True)
class RetentionArguments:
    """Which policy, and whether nothing is to be deleted."""

    policy: int = 0
    dry_run: bool = False


def retention(db: Database, periods: Periods) -> Job[RetentionArguments]:
    """The job."""

    async def run(task: Task, asked: RetentionArguments) -> Facts:
        policy, now, by = await _begin(task, asked)
        this = _Run(db, task, periods, policy, by, dry_run=asked.dry_run)
        await task.log(f"{'dry run' if asked.dry_run else 'run'} of retention policy {policy.id}")
        await this.decide(Judge(policy.wanted, now))
        if not asked.dry_run:
            await this.delete()
        return await this.told()

    return Job(RETENTION, RetentionArguments, run, at_once=4, tries=5, kept=50)


async def forget_orphans(db: Database) -> int:
    """Drop what deleted policies left; how many of their runs."""
    forgotten = 0
    while some := await db.write(partial(policies.forget_orphans, limit=_FORGOTTEN), soft=True):
        forgotten += some
    return forgotten


async def _begin(task: Task, asked: RetentionArguments) -> tuple[Policy, int, str]:
    """The policy as it was when the run began, when that was, and who asked for it.  Raises GiveUp."""

    async def begin(conn: Conn) -> Facts:
        policy = await policies.by_id(conn, asked.policy)
        execution = await records.execution(conn, task.execution)
        if policy is None or execution is None:
            return {}
        return {
            "now": await candidates.now(conn),
            "project": policy.project,
            "version": policy.version,
            "wanted": asking.kept(policy.wanted),
            "by": execution.asked_by,
        }

    begun = await task.once("begin", begin)
    if not begun:
        raise GiveUp("the policy was deleted")
    wanted = asking.read(begun["wanted"])
    return Policy(asked.policy, begun["project"], wanted, 0, 0, begun["version"]), begun["now"], begun["by"]


class _Run:
    """One attempt at a run."""

    def __init__(
        self, db: Database, task: Task, periods: Periods, policy: Policy, by: str, *, dry_run: bool
    ) -> None:
        self._db = db
        self._task = task
        self._periods = periods
        self._policy = policy
        self._by = by
        self._dry_run = dry_run
        self._repositories = 0

    # -- deciding

    async def decide(self, judge: Judge) -> None:
        """Write down what becomes of all repositories, beginning where the last attempt died."""
        begin = partial(results.drop_half_decided, execution=self._task.execution)
        last = await self._task.write(begin)
        after = 0 if last is None else last.project - 1
        while some := await policies.projects_under(self._db, self._policy, after, _PROJECTS):
            for project, name in some:
                done = last.repository.partition("/")[2] if last and last.project == project else ""
                await self._decide_project(judge, project, name, done)
            after = some[-1][0]
        crashpoint("retention.decided")

    async def _decide_project(self, judge: Judge, project: int, name: str, after: str) -> None:
        parts: list[Part] = []
        held = 0
        async for part in decide(self._db, project, name, judge, after=after):
            parts.append(part)
            held += len(part.judged)
            if held >= _HELD or len(parts) >= _PARTS:
                await self._note(parts)
                parts, held = [], 0
        await self._note(parts)

    async def _note(self, parts: Sequence[Part]) -> None:
        if not parts:
            return
        note = partial(noting.note, execution=self._task.execution, parts=parts, dry_run=self._dry_run)
        await self._task.write(note)
        crashpoint("retention.noted")
        for part in parts:
            if part.error:
                await self._task.log(f"{part.name}: {part.error}")
        self._repositories += sum(part.last for part in parts)
        await self._task.report(self._repositories, 0, "repositories decided")

    # -- deleting

    async def delete(self) -> None:
        """Delete what is doomed and as it was seen."""
        total = await results.left(self._db, self._task.execution)
        if total:
            await self._settle(total)
        after = 0
        while some := await results.still_open(self._db, self._task.execution, after, _RESULTS):
            for result in some:
                await self._delete_in(result, total)
                after = result.id

    async def _settle(self, total: int) -> None:
        """Wait until what was pulled before the decision has been written."""

        async def look(conn: Conn) -> Facts:
            return {"now": await candidates.now(conn)}

        decided = (await self._task.once("decided", look))["now"]
        await self._task.log(
            f"{total:,} to be deleted; it begins {SETTLE_SECONDS:.0f} seconds after the decision, when all pulls before it are known"
        )
        left = decided / SECOND + SETTLE_SECONDS - await candidates.now(self._db) / SECOND
        await asyncio.sleep(min(max(left, 0), SETTLE_SECONDS))

    async def _delete_in(self, result: Result, total: int) -> None:
        place = Place(result.project, f"retention policy {self._policy.id}", self._periods)
        message = ""
        try:
            while some := await results.doomed(self._db, result.id, AT_A_TIME):
                await self._carry_out(place, result, some)
                crashpoint("retention.batch_deleted")
                left = await results.left(self._db, self._task.execution)
                await self._task.report(total - left, total, "images")
        except NotInForce:
            current = await policies.by_id(self._db, self._policy.id)
            if current is None or current.version != self._policy.version:
                raise GiveUp("the policy was changed while this ran; run it again") from None
            message = _NOT_IN_FORCE
        except TooFewLeft:
            message = _TOO_FEW_LEFT
        await self._task.write(partial(self._finish, result=result, message=message))

    async def _carry_out(self, place: Place, result: Result, some: Sequence[Doomed]) -> None:
        carry = partial(carry_out, place=place, policy=self._policy, result=result)
        try:
            await self._task.write(partial(carry, some=some))
            return
        except (Unavailable, Superseded):
            raise
        except FairwayError as error:
            if len(some) == 1:
                await self._spare(result, some[0], error)
                return
        for one in some:
            await self._carry_out(place, result, [one])

    async def _spare(self, result: Result, one: Doomed, error: FairwayError) -> None:
        immutable = isinstance(error, PreconditionFailed)
        mark, why = (Mark.IMMUTABLE, IMMUTABLE) if immutable else (Mark.ERR, error.message)
        await self._task.write(partial(spare, result=result, one=one, mark=mark, why=why))

    async def _finish(self, conn: Conn, result: Result, message: str) -> None:
        done = await results.finish(conn, result.id, message)
        if done is None or not done.gone:
            return
        project, _, rest = done.repository.partition("/")
        facts = {
            "project_id": done.project,
            "project": project,
            "repository": rest,
            "policy_id": self._policy.id,
            "execution_id": done.execution,
            "rules": asking.rules_shown(self._policy.wanted.rules),
            "total": done.total,
            "retained": done.retained,
            "result": done.status.upper(),
            "deleted": await _deleted(conn, done, rest),
            "actor": self._by,
        }
        await events.record(conn, f"project:{done.project}", "retention.finished", facts)

    # -- telling

    async def told(self) -> Facts:
        """What came of it."""
        sums = await results.sums(self._db, self._task.execution)
        would = "would be " if self._dry_run else ""
        gone = sums["total"] - sums["retained"]
        await self._task.log(
            f"done: {gone:,} of {sums['total']:,} in {sums['repositories']:,} repositories {would}deleted, "
            f"{sums['failed']:,} repositories failed"
        )
        return sums


async def _deleted(conn: Conn, result: Result, rest: str) -> list[dict[str, Any]]:
    """The first MOST_TOLD that were deleted, one of each tag."""
    lines, _ = await results.lines(conn, result.id, offset=0, limit=MOST_TOLD)
    return [
        {"type": kind, "name_tag": f"{rest}:{tag}" if tag else f"{rest}@{digest}", "digest": digest}
        for digest, tags, kind, *_, mark, _ in lines
        if mark == Mark.DEL
        for tag in (tags or [""])
    ][:MOST_TOLD]
