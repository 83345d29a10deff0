"""`/system/gc` of Harbor's API v2.0: runs of the garbage collector, and when there is one."""

from typing import Final

from fastapi import APIRouter

from fairway.core.oci.errors import BadRequest
from fairway.features.gc.jobs import GcArguments
from fairway.frame.access.catalogue import GC_CREATE, GC_LIST, GC_READ, GC_STOP, GC_UPDATE
from fairway.frame.db import Database
from fairway.frame.jobs.job import Facts, Job
from fairway.frame.jobs.runs import Permissions, Runs, add_routes
from fairway.frame.web.routes import Authoriser, Routes

MOST_WORKERS: Final = 10
_SWITCHES: Final = ("delete_untagged", "dry_run", "delete_tag")


def routes(db: Database, authoriser: Authoriser, job: Job[GcArguments]) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    made = Routes(authoriser, tags=["gc"])
    needs = Permissions(list=GC_LIST, read=GC_READ, create=GC_CREATE, update=GC_UPDATE, stop=GC_STOP)
    add_routes(made, Runs("/system/gc", job, parameters, needs), db)
    return made.router


def parameters(asked: Facts) -> Facts:
    """What a client may ask of a run; other names are ignored, as Harbor ignores them.  Raises BadRequest."""
    asked = {name: value for name, value in asked.items() if value is not None}
    chosen: dict[str, bool | int] = {name: asked.get(name, False) for name in _SWITCHES}
    for name, value in chosen.items():
        if not isinstance(value, bool):
            raise BadRequest(f"{name} is true or false")
    workers = asked.get("workers", 1)
    if isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= MOST_WORKERS:
        raise BadRequest(f"workers is a number from 1 to {MOST_WORKERS}")
    return {**chosen, "workers": workers}
