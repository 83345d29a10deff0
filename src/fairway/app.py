"""The hub's ASGI app: what is served under which path, and what a worker does when it starts and stops.

```text
/v2…               the distribution API        core/wire behind features/registry
/service/token     the token service           features/registry/token.py
/api/…             the management API          FastAPI: */api.py
/c/…               logging in with a browser   the same
/devcenter-api-2.0 the manual of the API       frame/web/manual
/readyz, /metrics  for load balancers and Prometheus
```

The data plane is plain ASGI, so that nothing stands between a pull and its bytes.
"""

import asyncio
import itertools
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cached_property

from fastapi import FastAPI

from fairway import __version__
from fairway.boot import Parts, opened
from fairway.core.oci.errors import RouteUnknown
from fairway.core.wire.bodies import Message, Receive
from fairway.core.wire.replies import Send, error_reply, send_reply
from fairway.core.wire.server import App
from fairway.features.accounts import api as accounts
from fairway.features.artifacts import api as artifacts
from fairway.features.artifacts import charges
from fairway.features.audit import api as audit
from fairway.features.audit.jobs import PURGE_AUDIT_LOG
from fairway.features.gc import api as gc
from fairway.features.gc.model import GARBAGE_COLLECTION, ORPHAN_SEARCH
from fairway.features.immutability import api as immutability
from fairway.features.labels import api as labels
from fairway.features.projects import api as projects
from fairway.features.projects.deletions import PROJECT_DELETION
from fairway.features.quotas import api as quotas
from fairway.features.registry.described import described_paths
from fairway.features.registry.probes import metrics_page, readiness
from fairway.features.registry.pulls import FLUSH_SECONDS
from fairway.features.registry.token import token_routes
from fairway.features.registry.v2 import registry_routes
from fairway.features.retention import api as retention
from fairway.features.retention.model import RETENTION
from fairway.features.robots import api as robots
from fairway.features.roles import api as roles
from fairway.features.system import api as system
from fairway.features.webhooks import api as webhooks
from fairway.frame import log
from fairway.frame.jobs import api as jobs
from fairway.frame.metrics import metrics
from fairway.frame.process import when_orphaned
from fairway.frame.web import errors
from fairway.frame.web.browsers import HandsOutTokens
from fairway.frame.web.described import DescribedAPI
from fairway.frame.web.manual import manual_pages
from fairway.frame.web.routes import Authoriser, check_every_route_declares
from fairway.frame.web.slashes import EncodedSlashes

_log = log.get_logger(__name__)
_API = "/api/v2.0"
_OWN_API = "/api/fairway"
_OPENAPI = f"{_API}/openapi.json"
_MAX_REQUEST_ID = 128


class Hub:
    """The ASGI app of one worker, of parts that are open between `lifespan` start and stop.

    What a worker must have for itself is made in `begin`; the rest may be made before it is forked, with `prepare`.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._series = ""
        self._numbers = itertools.count(1)
        self._exact: dict[str, App] = {}
        self._v2: App = _nothing_here

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)

    async def _request(self, scope: Message, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        metrics().request_started()
        request_id = _given_id(scope) or f"{self._series}{next(self._numbers):08x}"
        log.bind_request(request_id)
        header = (b"x-request-id", request_id.encode("latin-1"))

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        if path.startswith("/v2/") or path == "/v2":
            await self._v2(scope, receive, with_id)
        elif path.startswith(("/api/", "/c/")):
            await self._api(scope, receive, with_id)
        else:
            await self._exact.get(path, _nothing_here)(scope, receive, with_id)

    @cached_property
    def _management(self) -> FastAPI:
        return management_api(self._parts)

    @cached_property
    def _api(self) -> App:
        return _counted(self._management)

    def prepare(self) -> None:
        """Make now what is large: the management API.  Workers that are forked afterwards have it in common."""
        _ = self._management

    def begin(self) -> None:
        """Put together what counts and numbers requests, which each worker does for itself."""
        parts, settings = self._parts, self._parts.settings
        self._series = secrets.token_hex(8)
        self._v2 = registry_routes(parts.hub, parts.origin, max_manifest_bytes=settings.max_manifest_bytes)
        self._exact = {
            **manual_pages(),
            "/service/token": token_routes(parts.hub, parts.origin),
            # The pool that pushes cannot starve: a replica whose requests wait for a locked table is not to be taken out.
            "/readyz": _uncounted(readiness(parts.hub.token_db, parts.store)),
            "/metrics": _uncounted(metrics_page(settings.metrics_token)),
        }

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with opened(self._parts), _flushing(self._parts), _supervised():
                self.begin()
                _ = self._api  # made now: nobody's request is to wait for it
                await send({"type": "lifespan.startup.complete"})
                await receive()
            await send({"type": "lifespan.shutdown.complete"})
        except Exception as error:  # noqa: BLE001 - Granian needs to hear of it, whatever it was
            _log.exception("the worker cannot start or stop cleanly", exc_info=error)
            await send({"type": "lifespan.startup.failed", "message": str(error)})


def management_api(parts: Parts) -> FastAPI:
    """The FastAPI app under /api.  Raises UndeclaredRoute for a route that does not say who may use it."""
    api = DescribedAPI(
        paths=described_paths(),
        title="Fairway",
        version=__version__,
        openapi_url=_OPENAPI,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would send them to wherever the Host header says
    )
    errors.install(api)
    api.add_middleware(EncodedSlashes)
    api.add_middleware(HandsOutTokens)
    authoriser = Authoriser(
        parts.who,
        projects.look_up(parts.db),
        parts.origin.client,
        parts.hub.changes,
        parts.browsers,
    )
    api.include_router(
        system.routes(
            parts.db,
            parts.store,
            parts.settings,
            parts.origin,
            authoriser,
            parts.configuration,
            parts.send_lines,
        ),
        prefix="/api",
    )
    api.include_router(accounts.routes(parts.db, authoriser, parts.hasher, parts.configuration), prefix=_API)
    api.include_router(
        accounts.login_routes(authoriser, parts.who, parts.sessions, parts.browsers), prefix="/c"
    )
    api.include_router(
        accounts.own_routes(parts.db, authoriser, parts.sessions, parts.configuration), prefix=_OWN_API
    )
    api.include_router(roles.own_routes(parts.db, authoriser), prefix=_OWN_API)
    api.include_router(
        projects.routes(
            parts.db,
            authoriser,
            parts.configuration,
            parts.jobs[PROJECT_DELETION],
            gc_grace_seconds=parts.settings.gc_grace_seconds,
        ),
        prefix=_API,
    )
    api.include_router(projects.own_routes(parts.db, authoriser, parts.configuration), prefix=_OWN_API)
    api.include_router(robots.routes(parts.db, authoriser, parts.hasher), prefix=_API)
    api.include_router(quotas.routes(parts.db, authoriser), prefix=_API)
    _content(api, parts, authoriser)
    _background_work(api, parts, authoriser)
    check_every_route_declares(api, open_paths=[_OPENAPI])
    return api


def _content(api: FastAPI, parts: Parts, authoriser: Authoriser) -> None:
    """What is in projects, what hangs on it, and who is told of it."""
    open_blob = parts.hub.open_blob
    api.include_router(artifacts.routes(parts.db, authoriser, parts.hub.periods, open_blob), prefix=_API)
    api.include_router(artifacts.own_routes(parts.db, authoriser, parts.hub.periods), prefix=_OWN_API)
    api.include_router(labels.routes(parts.db, authoriser), prefix=_API)
    api.include_router(immutability.routes(parts.db, authoriser), prefix=_API)
    api.include_router(webhooks.routes(parts.db, authoriser, parts.sealer, parts.webhooks), prefix=_API)


def _background_work(api: FastAPI, parts: Parts, authoriser: Authoriser) -> None:
    """Jobs in general, and those that Harbor has pages of their own for."""
    api.include_router(jobs.routes(parts.db, authoriser, parts.jobs), prefix=_API)
    api.include_router(audit.routes(parts.db, authoriser, parts.jobs[PURGE_AUDIT_LOG]), prefix=_API)
    api.include_router(gc.routes(parts.db, authoriser, parts.jobs[GARBAGE_COLLECTION]), prefix=_API)
    orphans = parts.jobs[ORPHAN_SEARCH]
    api.include_router(gc.own_routes(parts.db, authoriser, parts.hub.periods, orphans), prefix=_OWN_API)
    api.include_router(retention.routes(parts.db, authoriser, parts.jobs[RETENTION]), prefix=_API)
    api.include_router(retention.own_routes(parts.db, authoriser), prefix=_OWN_API)


@asynccontextmanager
async def _flushing(parts: Parts) -> AsyncIterator[None]:
    """Write pull counts, and which tokens were used, every few seconds, and once more at the end."""
    noted = {"pull counts": parts.hub.pulls.flush, "uses of tokens": parts.personal.flush}

    async def flush_for_ever() -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            for what, flush in noted.items():
                try:
                    await flush()
                except Exception as error:  # noqa: BLE001 - they stay counted; the next round tries again
                    _log.warning(f"{what} could not be written", error=str(error))

    task = asyncio.create_task(flush_for_ever())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await parts.hub.pulls.flush()
        await parts.personal.flush()
        await charges.all_told(parts.db)


@asynccontextmanager
async def _supervised() -> AsyncIterator[None]:
    """Stop this worker, as SIGTERM does, when its supervisor is gone."""
    task = asyncio.create_task(when_orphaned(lambda: os.kill(os.getpid(), signal.SIGTERM)))
    try:
        yield
    finally:
        task.cancel()


def _given_id(scope: Message) -> str:
    """The client's own request id if it is a plain one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text: str = value.decode("latin-1")
            if 0 < len(text) <= _MAX_REQUEST_ID and text.isascii() and text.isprintable():
                return text
    return ""


def _counted(app: FastAPI) -> App:
    """Count requests by the template of the matched route."""
    counted = metrics()
    counted.know_operations(str(getattr(route, "path", "")) for route in app.routes)

    async def counting(scope: Message, receive: Receive, send: Send) -> None:
        status = 0
        started = time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await app(scope, receive, watched)
        finally:
            operation = str(getattr(scope.get("route"), "path", ""))
            counted.request_finished(scope["method"], operation, status, time.perf_counter() - started)

    return counting


def _uncounted(app: App) -> App:
    """Probes keep the gauge of running requests right and count as nothing else."""

    async def probe(scope: Message, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        finally:
            metrics().request_finished("GET", "probe", 200, 0.0)

    return probe


async def _nothing_here(scope: Message, receive: Receive, send: Send) -> None:
    await send_reply(
        error_reply(RouteUnknown("nothing is served under this path"), None), scope, receive, send
    )
    metrics().request_finished(scope["method"], "none", 404, 0.0)
