"""HTTP about the server itself: is it alive, how is it, what is in it, and which API does it speak."""

import shutil
import time
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from starlette.requests import Request

from fairway import __version__
from fairway.core.oci.errors import FairwayError
from fairway.core.stores.protocols import BlobStore
from fairway.features.audit.forward import Send
from fairway.features.registry.origin import Origin
from fairway.features.system import store
from fairway.features.system.api import configuration
from fairway.features.system.model import Component
from fairway.frame.access.catalogue import SYSTEM_VOLUMES_READ, Permission
from fairway.frame.access.grantable import GRANTABLE_IN_PROJECT, GRANTABLE_ON_SERVER
from fairway.frame.access.principals import Anonymous
from fairway.frame.configuration import Configuration
from fairway.frame.configuration.declared import (
    AUTH_MODE,
    BANNER,
    NOTIFICATIONS,
    PRIMARY_AUTH_MODE,
    PROJECT_CREATION,
    READ_ONLY,
    SELF_REGISTRATION,
)
from fairway.frame.db import SECOND, Database
from fairway.frame.jobs import records
from fairway.frame.log import get_logger
from fairway.frame.settings import Settings
from fairway.frame.web.errors import NotFound
from fairway.frame.web.moments import moment
from fairway.frame.web.routes import AUTHENTICATED, PUBLIC, AskedBy, Authoriser, Routes

_log = get_logger(__name__)

LIKE: Final = "v2.14.0"
"""The version of Harbor whose API this is, for clients that ask before they dare."""
PARTS: Final = ("core", "database", "jobservice", "registry")
_FRESH_SECONDS: Final = 1.0
SILENT_SECONDS: Final = 60
"""After which a worker that renews its leases every few seconds counts as gone."""


class GeneralInfo(BaseModel):
    """Harbor's GeneralInfo; who is not logged in hears of the first five only."""

    auth_mode: str
    primary_auth_mode: bool
    self_registration: bool
    banner_message: str
    oidc_provider_name: str = ""
    harbor_version: str | None = None
    external_url: str | None = None
    registry_url: str | None = None
    has_ca_root: bool | None = None
    project_creation_restriction: str | None = None
    read_only: bool | None = None
    registry_storage_provider_name: str | None = None
    notification_enable: bool | None = None
    current_time: str | None = None


class ComponentOut(BaseModel):
    """Harbor's ComponentHealthStatus."""

    name: str
    status: str
    error: str | None = None


class Health(BaseModel):
    """Harbor's OverallHealthStatus."""

    status: str
    components: list[ComponentOut]


class StatisticOut(BaseModel):
    """Harbor's Statistic."""

    private_project_count: int
    private_repo_count: int
    public_project_count: int
    public_repo_count: int
    total_project_count: int | None = None
    total_repo_count: int | None = None
    total_storage_consumption: int | None = None


class StorageOut(BaseModel):
    """Harbor's Storage; bytes."""

    total: int
    free: int


class SystemInfo(BaseModel):
    """Harbor's SystemInfo."""

    storage: list[StorageOut]


class PermissionOut(BaseModel):
    """Harbor's Permission."""

    resource: str
    action: str


class Permissions(BaseModel):
    """Harbor's Permissions: what a robot can be granted."""

    system: list[PermissionOut]
    project: list[PermissionOut]


def routes(
    db: Database,
    store_: BlobStore,
    settings: Settings,
    origin: Origin,
    authoriser: Authoriser,
    chosen: Configuration,
    send_lines: Send,
) -> APIRouter:
    """The routes, to be mounted at /api."""
    made = Routes(authoriser, tags=["ping"])

    @made.get("/v2.0/ping", permission=PUBLIC, response_class=PlainTextResponse)
    async def ping() -> str:
        return "Pong"

    @made.get("/version", permission=PUBLIC)
    async def version() -> dict[str, str]:
        return {"version": "v2.0"}

    about = Routes(authoriser, tags=["systeminfo"])
    _info(about, db, origin, chosen)
    _volumes(about, settings)
    state = Routes(authoriser, tags=["health"])
    _health(state, db, store_, chosen)
    counts = Routes(authoriser, tags=["statistic"])
    _statistics(counts, db)
    catalogue = Routes(authoriser, tags=["permissions"])
    _permissions(catalogue)
    choices = Routes(authoriser, tags=["configure"])
    configuration.add_routes(choices, db, chosen, send_lines)
    everything = APIRouter()
    for each in (made, about, state, counts, catalogue, choices):
        everything.include_router(each.router)
    return everything


def _info(made: Routes, db: Database, origin: Origin, chosen: Configuration) -> None:
    def told() -> dict[str, Any]:
        """What everybody may know."""
        return {
            "auth_mode": chosen.get(AUTH_MODE),
            "primary_auth_mode": chosen.get(PRIMARY_AUTH_MODE),
            "self_registration": chosen.get(SELF_REGISTRATION),
            "banner_message": chosen.get(BANNER),
        }

    @made.get("/v2.0/systeminfo", permission=PUBLIC, response_model_exclude_none=True)
    async def get_system_info(request: Request, viewer: AskedBy) -> GeneralInfo:
        if isinstance(viewer, Anonymous):
            return GeneralInfo(**told())
        url = origin.of(request.headers, request.client.host if request.client else "")
        return GeneralInfo(
            **told(),
            harbor_version=f"{LIKE}-fairway-{__version__}",
            external_url=url,
            registry_url=url.partition("://")[2],
            has_ca_root=False,
            project_creation_restriction=chosen.get(PROJECT_CREATION),
            read_only=chosen.get(READ_ONLY),
            registry_storage_provider_name="filesystem",
            notification_enable=chosen.get(NOTIFICATIONS),
            current_time=moment(await store.now(db)),
        )

    @made.get("/v2.0/systeminfo/getcert", permission=PUBLIC, response_class=Response, raises=(NotFound,))
    async def get_certificate() -> Response:
        raise NotFound("this server has no certificate authority of its own")


def _volumes(made: Routes, settings: Settings) -> None:
    @made.get("/v2.0/systeminfo/volumes", permission=SYSTEM_VOLUMES_READ)
    async def get_volumes() -> SystemInfo:
        """Room for the bytes of images."""
        usage = shutil.disk_usage(Path(settings.storage_path))
        return SystemInfo(storage=[StorageOut(total=usage.total, free=usage.free)])


def _health(made: Routes, db: Database, blobs: BlobStore, chosen: Configuration) -> None:
    async def problem(part: str) -> str:
        """What is wrong with a part, "" for nothing."""
        try:
            if part == "database":
                await db.check()
            elif part == "registry":
                await blobs.check()
            elif part == "jobservice" and not chosen.get(READ_ONLY):  # while it is, jobs wait
                newest = max((row["seen_at"] for row in await records.workers_seen(db)), default=0)
                if newest < await store.now(db) - SILENT_SECONDS * SECOND:
                    return "no worker has been heard of for a minute: is a background process running?"
        except FairwayError as error:
            return error.message
        except Exception as error:  # noqa: BLE001 - unhealthy, whatever it was
            _log.error("a component is unhealthy", part=part, exc_info=error)
            return "failed; the server's log says more"
        return ""

    async def ask() -> Health:
        parts = [Component(name, await problem(name)) for name in PARTS]
        return Health(
            status="unhealthy" if any(part.error for part in parts) else "healthy",
            components=[
                ComponentOut(name=part.name, status=part.status, error=part.error or None) for part in parts
            ],
        )

    known: Health | None = None
    asked = 0.0

    @made.get("/v2.0/health", permission=PUBLIC, response_model_exclude_none=True)
    async def get_health() -> Health:
        """Asked more often than once a second, it repeats its answer: anybody may ask."""
        nonlocal known, asked
        if known is None or time.monotonic() - asked > _FRESH_SECONDS:
            known, asked = await ask(), time.monotonic()
        return known


def _statistics(made: Routes, db: Database) -> None:
    @made.get("/v2.0/statistics", permission=AUTHENTICATED, response_model_exclude_none=True)
    async def get_statistics(viewer: AskedBy) -> StatisticOut:
        found = await store.statistics(db, viewer)
        shown = StatisticOut(
            private_project_count=found.private_projects,
            private_repo_count=found.private_repositories,
            public_project_count=found.public_projects,
            public_repo_count=found.public_repositories,
        )
        if store.counts_everything(viewer):
            shown.total_project_count = found.private_projects + found.public_projects
            shown.total_repo_count = found.private_repositories + found.public_repositories
            shown.total_storage_consumption = found.used
        return shown


def _permissions(made: Routes) -> None:
    def shown(permissions: frozenset[Permission]) -> list[PermissionOut]:
        return [PermissionOut(resource=each.resource, action=each.action) for each in sorted(permissions)]

    @made.get("/v2.0/permissions", permission=AUTHENTICATED)
    async def get_permissions() -> Permissions:
        return Permissions(system=shown(GRANTABLE_ON_SERVER), project=shown(GRANTABLE_IN_PROJECT))
