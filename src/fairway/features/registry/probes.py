"""What load balancers and Prometheus ask: `/readyz` and `/metrics`, as small ASGI apps."""

import asyncio
import hmac
import time
from ipaddress import ip_address

from fairway.core.oci.errors import FairwayError, RouteUnknown, StorageFull, StorageReadOnly, Unauthorized
from fairway.core.stores.protocols import BlobStore
from fairway.core.wire.bodies import Message, Receive
from fairway.core.wire.replies import Reply, Send, error_reply, json_reply, send_reply
from fairway.core.wire.server import App
from fairway.frame.db import Database
from fairway.frame.log import get_logger
from fairway.frame.metrics import metrics, render

_log = get_logger(__name__)
_FRESH_SECONDS = 1.0


def readiness(db: Database, store: BlobStore) -> App:
    """200 when the database answers and the storage takes bytes, else 503.  Asked more often, it repeats its answer."""
    answer: Reply | None = None
    asked = 0.0

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        nonlocal answer, asked
        if answer is None or time.monotonic() - asked > _FRESH_SECONDS:
            answer, asked = await _ask(db, store), time.monotonic()
        await send_reply(answer, scope, receive, send)

    return app


async def _ask(db: Database, store: BlobStore) -> Reply:
    state, ready = {"database": "ok", "storage": "ok"}, True
    for part, check in (("database", db.check()), ("storage", store.check())):
        try:
            await check
        except (StorageFull, StorageReadOnly) as error:
            state[part] = error.message  # pulls still work: a replica must not be taken out for that
        except FairwayError as error:
            state[part], ready = error.message, False
        except Exception as error:  # noqa: BLE001 - not ready, whatever it was
            _log.error("not ready", part=part, exc_info=error)
            state[part], ready = "failed; the log says more", False
    return json_reply(200 if ready else 503, state)


def metrics_page(token: str) -> App:
    """All processes' metrics, for whoever brings `token`; where none is set, for this machine only."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        try:
            _require_reader(scope, token)
            metrics().publish()
            body, content_type = await asyncio.to_thread(render)
            headers = [
                (b"content-type", content_type.encode("latin-1")),
                (b"content-length", b"%d" % len(body)),
            ]
            reply = Reply(200, headers, body)
        except FairwayError as error:
            reply = error_reply(error, None)
        await send_reply(reply, scope, receive, send)

    return app


def _require_reader(scope: Message, token: str) -> None:
    headers = dict(scope["headers"])
    if token:
        given = headers.get(b"authorization", b"")
        if not hmac.compare_digest(given, b"Bearer " + token.encode("latin-1", "replace")):
            raise Unauthorized("send the metrics token as a Bearer token", challenge='Bearer realm="metrics"')
        return
    forwarded = any(name.startswith((b"x-forwarded-", b"forwarded")) for name in headers)
    peer = scope["client"][0] if scope.get("client") else ""
    if forwarded or not _is_loopback(peer):
        raise RouteUnknown(
            "metrics are served to this machine only; set FAIRWAY_METRICS_TOKEN to read them from elsewhere"
        )


def _is_loopback(peer: str) -> bool:
    try:
        return ip_address(peer).is_loopback
    except ValueError:
        return False
