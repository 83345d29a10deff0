"""`/jobservice` and `/schedules` of Harbor's API v2.0: who works on what, what waits, and stopping and pausing it."""

import json
from functools import partial
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest
from fairway.frame.access.catalogue import JOBSERVICE_LIST, JOBSERVICE_STOP
from fairway.frame.db import Conn, Database
from fairway.frame.jobs import queue, records, schedules
from fairway.frame.jobs.job import Facts, Jobs
from fairway.frame.jobs.records import TaskRecord
from fairway.frame.jobs.runs import log_text
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import NotFound
from fairway.frame.web.moments import moment
from fairway.frame.web.paging import Paged, page_headers
from fairway.frame.web.routes import AUTHENTICATED, Authoriser, Routes

_ALL: Final = "all"
_AT_A_TIME: Final = 100
"""Executions stopped in one transaction."""


class PoolOut(BaseModel):
    """Harbor's WorkerPool: one of our background processes."""

    pid: int
    worker_pool_id: str
    start_at: str
    heartbeat_at: str
    concurrency: int
    host: str


class WorkerOut(BaseModel):
    """Harbor's Worker: one task that a process can run at a time, and which it is."""

    id: str
    pool_id: str
    job_name: str = ""
    job_id: str = ""
    start_at: str | None = None
    check_in: str = ""
    checkin_at: str | None = None


class QueueOut(BaseModel):
    """Harbor's JobQueue.  `latency` is in seconds."""

    job_type: str
    count: int
    latency: int
    paused: bool


class ActionIn(BaseModel):
    """Harbor's ActionRequest."""

    action: Literal["stop", "pause", "resume"]


class ScheduleTaskOut(BaseModel):
    """Harbor's ScheduleTask; `vendor_id` is -1 for what belongs to the whole server."""

    id: int
    vendor_type: str
    vendor_id: int
    cron: str
    update_time: str


class PausedOut(BaseModel):
    """Harbor's SchedulerStatus."""

    paused: bool


def routes(db: Database, authoriser: Authoriser, jobs: Jobs) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    watching = Routes(authoriser, tags=["jobservice"])
    _pools(watching, db)
    _one_job(watching, db)
    _queues(watching, db, jobs)
    recurring = Routes(authoriser, tags=["schedule"])
    _schedules(recurring, db)
    watching.router.include_router(recurring.router)
    return watching.router


def _pools(made: Routes, db: Database) -> None:
    @made.get("/jobservice/pools", permission=JOBSERVICE_LIST)
    async def list_pools() -> list[PoolOut]:
        return [
            PoolOut(
                pid=row["pid"],
                worker_pool_id=row["id"],
                start_at=moment(row["started_at"]),
                heartbeat_at=moment(row["seen_at"]),
                concurrency=row["slots"],
                host=row["host"],
            )
            for row in await records.workers_seen(db)
        ]

    @made.get("/jobservice/pools/{pool_id}/workers", permission=JOBSERVICE_LIST, raises=(NotFound,))
    async def list_workers(pool_id: str) -> list[WorkerOut]:
        async def read(conn: Conn) -> list[WorkerOut]:
            every = pool_id.lower() == _ALL
            pools = [row for row in await records.workers_seen(conn) if every or row["id"] == pool_id]
            if not (pools or every):
                raise NotFound("there is no such pool, or none any more")
            running = await records.at_work(conn)
            return [
                worker
                for row in pools
                for worker in _workers(
                    row["id"], row["slots"], [task for task in running if task.worker == row["id"]]
                )
            ]

        return await db.read(read)


def _one_job(made: Routes, db: Database) -> None:
    @made.put(
        "/jobservice/jobs/{job_id}",
        permission=JOBSERVICE_STOP,
        response_class=Response,
        raises=(NotFound,),
    )
    async def stop_job(job_id: str) -> Response:
        if job_id.lower() == _ALL:
            for task in await records.at_work(db):
                await db.write(partial(queue.stop_task, task=task.id))
        elif not await db.write(partial(queue.stop_task, task=_task_id(job_id))):
            raise _no_job()
        return Response()

    @made.get(
        "/jobservice/jobs/{job_id}/log",
        permission=JOBSERVICE_LIST,
        response_class=PlainTextResponse,
        raises=(NotFound,),
    )
    async def get_job_log(job_id: str) -> str:
        async def read(conn: Conn) -> str:
            task = await records.task(conn, _task_id(job_id))
            if task is None:
                raise _no_job()
            return log_text(await records.lines(conn, task.id))

        return await db.read(read)


def _queues(made: Routes, db: Database, jobs: Jobs) -> None:
    @made.get("/jobservice/queues", permission=JOBSERVICE_LIST)
    async def list_queues() -> list[QueueOut]:
        return [
            QueueOut(
                job_type=row["kind"],
                count=row["waiting"],
                latency=max(0, int(row["latency"])),
                paused=bool(row["paused"]),
            )
            for row in await records.queue_states(db)
        ]

    @made.put(
        "/jobservice/queues/{job_type}",
        permission=JOBSERVICE_STOP,
        response_class=Response,
        raises=(NotFound,),
    )
    async def act_on_queue(job_type: str, asked: Annotated[ActionIn, json_body(ActionIn)]) -> Response:
        await db.write(partial(queue.know_kinds, kinds=jobs.kinds))  # no worker may have been here yet
        kinds = [row["kind"] for row in await records.queue_states(db)]
        chosen = kinds if job_type.lower() == _ALL else [kind for kind in kinds if kind == job_type.upper()]
        if not chosen:
            raise NotFound("there is no such kind of job")
        for kind in chosen:
            if asked.action == "stop":
                while await db.write(partial(queue.stop_waiting, kind=kind, limit=_AT_A_TIME)):
                    continue
            else:
                await db.write(partial(queue.pause, kind=kind, paused=asked.action == "pause"))
        return Response()


def _schedules(made: Routes, db: Database) -> None:
    @made.get("/schedules", permission=JOBSERVICE_LIST)
    async def list_schedules(request: Request, response: Response, page: Paged) -> list[ScheduleTaskOut]:
        found, total = await db.read(partial(schedules.listed, offset=page.offset, limit=page.size))
        response.headers.update(page_headers(request, page, total))
        return [
            ScheduleTaskOut(
                id=each.id,
                vendor_type=each.kind,
                vendor_id=each.owner or -1,
                cron=each.cron,
                update_time=moment(each.updated_at),
            )
            for each in found
        ]

    # Harbor's pages ask it on behalf of everybody who may schedule something in a project.
    @made.get("/schedules/{job_type}/paused", permission=AUTHENTICATED, raises=(BadRequest,))
    async def get_paused(job_type: str) -> PausedOut:
        if job_type.lower() != _ALL:
            raise BadRequest("schedules are only paused all together: ask for `all`")
        states = {row["kind"]: bool(row["paused"]) for row in await records.queue_states(db)}
        return PausedOut(paused=states.get(queue.SCHEDULER, False))


def _workers(pool: str, slots: int, running: list[TaskRecord]) -> list[WorkerOut]:
    busy = [
        WorkerOut(
            id=f"{pool}-{number}",
            pool_id=pool,
            job_name=task.kind,
            job_id=str(task.id),
            start_at=None if task.started_at is None else moment(task.started_at),
            check_in=_progress(task.progress),
        )
        for number, task in enumerate(running, 1)
    ]
    return busy + [
        WorkerOut(id=f"{pool}-{number}", pool_id=pool) for number in range(len(busy) + 1, slots + 1)
    ]


def _progress(facts: Facts) -> str:
    return json.dumps(facts) if facts else ""


def _task_id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise _no_job()
    return int(text)


def _no_job() -> NotFound:
    return NotFound("there is no such job, or none any more")
