"""`/system/purgeaudit` of Harbor's API v2.0: purging the audit log of old lines, now or by a schedule."""

import re
from typing import Final

from fastapi import APIRouter

from fairway.core.oci.errors import BadRequest
from fairway.features.audit.jobs import PurgeArguments
from fairway.frame.access.catalogue import (
    PURGE_AUDIT_CREATE,
    PURGE_AUDIT_LIST,
    PURGE_AUDIT_READ,
    PURGE_AUDIT_STOP,
    PURGE_AUDIT_UPDATE,
)
from fairway.frame.db import Database
from fairway.frame.jobs.job import Facts, Job
from fairway.frame.jobs.runs import Permissions, Runs, add_routes
from fairway.frame.web.routes import Authoriser, Routes

MOST_HOURS: Final = 240_000
_NAMES: Final = re.compile(r"[A-Za-z_]{1,64}( ?, ?[A-Za-z_]{1,64}){0,99}")
_LISTS: Final = ("include_event_types", "include_operations")


def routes(db: Database, authoriser: Authoriser, job: Job[PurgeArguments]) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    made = Routes(authoriser, tags=["purge"])
    needs = Permissions(
        list=PURGE_AUDIT_LIST,
        read=PURGE_AUDIT_READ,
        create=PURGE_AUDIT_CREATE,
        update=PURGE_AUDIT_UPDATE,
        stop=PURGE_AUDIT_STOP,
    )
    add_routes(made, Runs("/system/purgeaudit", job, parameters, needs), db)
    return made.router


def parameters(asked: Facts) -> Facts:
    """What a client must and may ask of a run; other names are ignored.  Raises BadRequest."""
    hours = asked.get("audit_retention_hour")
    if isinstance(hours, bool) or not isinstance(hours, int) or not 1 <= hours <= MOST_HOURS:
        raise BadRequest(f"audit_retention_hour is a number from 1 to {MOST_HOURS}")
    lists = {name: asked[name] for name in _LISTS if asked.get(name)}
    if not lists:
        raise BadRequest("say in include_event_types what to purge, such as create_artifact,pull_artifact")
    for name, value in lists.items():
        if not isinstance(value, str) or not _NAMES.fullmatch(value.strip()):
            raise BadRequest(f"{name} is a list of names, separated by commas")
    dry_run = asked.get("dry_run")
    if not isinstance(dry_run, bool | None):
        raise BadRequest("dry_run is true or false")
    return {"audit_retention_hour": hours, **lists, "dry_run": bool(dry_run)}
