"""What a policy would do that nobody has saved: decided by the same code as a run, and nothing is written.

An answer looks at MOST images at most: it is about some repositories, and says after which the next one begins.
"""

from contextlib import aclosing
from typing import Annotated, Final

from fastapi import Response
from pydantic import BaseModel, Field
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest
from fairway.features.projects.store import projects
from fairway.features.retention.api.shown import DecisionOut, RulesIn, decision
from fairway.features.retention.deciding import decide, decide_one
from fairway.features.retention.model import Candidate, Mark, Part, Verdict
from fairway.features.retention.rules import Judge
from fairway.features.retention.store import candidates, lines
from fairway.frame.access.catalogue import TAG_RETENTION_OPERATE
from fairway.frame.access.may import ProjectFacts
from fairway.frame.db import Database
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict, NotFound
from fairway.frame.web.paging import Page, Paged, page_headers
from fairway.frame.web.routes import AskedBy, InProject, Routes

MOST: Final = 20_000


class SimulateIn(RulesIn):
    """A policy, and what of its decisions to tell.

    `repository`: the decisions in this one, a page at a time; else the counts of all, some at a time, those that follow
    `after`.
    """

    repository: str = Field(default="", max_length=255)
    after: str = Field(default="", max_length=255)


class CountsOut(BaseModel):
    """What would become of a repository; an `error` when that cannot be said."""

    repository: str
    total: int = 0
    retained: int = 0
    deleted: int = 0
    error: str = ""


class SimulatedOut(BaseModel):
    """Counts of repositories that a rule is about; or of one, with the decisions.

    `next`: send it as `after` to have more; empty when there are none.
    """

    repositories: list[CountsOut]
    decisions: list[DecisionOut] = []
    next: str = ""


def add_routes(made: Routes, db: Database) -> None:
    """Add the routes of this page."""

    @made.post(
        "/retention/projects/{project_name_or_id}/simulate",
        permission=TAG_RETENTION_OPERATE,
        raises=(BadRequest, Conflict),
    )
    async def simulate_retention(
        request: Request,
        response: Response,
        project: InProject,
        by: AskedBy,
        page: Paged,
        asked: Annotated[SimulateIn, json_body(SimulateIn)],
    ) -> SimulatedOut:
        judge = Judge(asked.wanted(), await candidates.now(db))
        found = await projects.by_id(db, project.id, by)
        if found is None:
            raise NotFound("the project was deleted just now")
        if not asked.repository:
            return await _counted(db, project, found.name, judge, asked.after, page.size)
        made, total = await _decided(db, project, found.name, judge, asked.repository, page)
        response.headers.update(page_headers(request, page, total))
        return made


async def _counted(
    db: Database, project: ProjectFacts, name: str, judge: Judge, after: str, limit: int
) -> SimulatedOut:
    counted: list[CountsOut] = []
    looked_at = 0
    async with aclosing(decide(db, project.id, name, judge, after=after, most=MOST)) as parts:
        async for part in parts:
            rest = part.name.partition("/")[2]
            if not counted or counted[-1].repository != rest:
                if len(counted) >= limit or looked_at >= MOST:
                    return SimulatedOut(repositories=counted, next=counted[-1].repository)
                counted.append(CountsOut(repository=rest))
            counted[-1] = _more(counted[-1], part)
            looked_at += len(part.judged)
    return SimulatedOut(repositories=counted)


def _more(counts: CountsOut, part: Part) -> CountsOut:
    if part.error:
        return CountsOut(repository=counts.repository, error=part.error)
    verdicts = [verdict for each in part.judged for verdict in each.verdicts]
    deleted = sum(verdict.mark is Mark.DEL for verdict in verdicts)
    return CountsOut(
        repository=counts.repository,
        total=counts.total + len(verdicts),
        retained=counts.retained + len(verdicts) - deleted,
        deleted=counts.deleted + deleted,
    )


async def _decided(
    db: Database, project: ProjectFacts, name: str, judge: Judge, rest: str, page: Page
) -> tuple[SimulatedOut, int]:
    """Of one repository; those that go first."""
    repository = await candidates.repository(db, project.id, rest)
    if repository is None:
        raise NotFound(f"the project has no repository {rest}")
    counts = CountsOut(repository=rest)
    going: list[tuple[Candidate, Verdict]] = []
    staying: list[tuple[Candidate, Verdict]] = []
    async for part in decide_one(db, project.id, name, (repository, rest), judge, most=MOST):
        counts = _more(counts, part)
        for each in part.judged:
            for verdict in each.verdicts:
                (going if verdict.mark is Mark.DEL else staying).append((each.candidate, verdict))
    shown = [*going, *staying][page.offset : page.offset + page.size]
    decisions = [decision(lines.line(image, verdict)) for image, verdict in shown]
    return SimulatedOut(repositories=[counts], decisions=decisions), len(going) + len(staying)
