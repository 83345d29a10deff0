"""The distribution API of the hub: `core/wire`'s server with a gate per request in front of our own content."""

from typing import get_args

from fairway.core.content.protocols import Registry
from fairway.core.oci.errors import Unauthorized
from fairway.core.wire import paths
from fairway.core.wire.challenge import bearer_challenge
from fairway.core.wire.paths import Call
from fairway.core.wire.server import App, Request, registry_app
from fairway.features.registry import rights
from fairway.features.registry.gate import Gate
from fairway.features.registry.hub import SERVICE, Hub
from fairway.features.registry.origin import Origin
from fairway.frame.log import debugging, get_logger
from fairway.frame.metrics import metrics

_log = get_logger(__name__)
_READS = frozenset({"GET", "HEAD"})
_SERVER_ERROR = 500
_BLOB_UPLOADS = (paths.PatchUpload, paths.PutUpload, paths.StartUpload)


def operation_of(request: Request) -> str:
    """The name of the call for logs and metrics."""
    return f"v2.{type(request.call).__name__}" if request.call is not None else "v2.unknown"


def registry_routes(hub: Hub, origin: Origin, *, max_manifest_bytes: int) -> App:
    """The ASGI app for everything below /v2."""
    undeclared = [call for call in get_args(Call) if call not in rights.ACTIONS]
    if undeclared:
        raise RuntimeError(f"these calls do not say what they need: {undeclared}")
    counted = metrics()
    counted.know_operations(["v2.unknown", *(f"v2.{call.__name__}" for call in get_args(Call))])

    async def open_registry(request: Request) -> Registry:
        realm = origin.realm(request.headers, request.client)
        try:
            client = origin.client(request.headers.get("x-forwarded-for", ""), request.client)
            identity = await hub.who.identify(request.headers, client)
        except Unauthorized as error:
            error.challenge = bearer_challenge(
                realm, SERVICE, rights.scopes_for(request.call), _error(request.headers)
            )
            raise
        gate = Gate(hub, identity, realm)
        if isinstance(request.call, paths.PutManifest):
            await gate.admit_push(
                request.call.repo
            )  # before megabytes of a stranger's body are read and parsed
        return gate

    def on_error(error: Exception, request: Request) -> None:
        counted.unexpected_error(operation_of(request))
        _log.error("registry request failed", operation=operation_of(request), exc_info=error)

    def observe(request: Request, status: int, sent: int, seconds: float) -> None:
        counted.request_finished(request.method, operation_of(request), status, seconds)
        if isinstance(request.call, paths.GetBlob):
            counted.blob_sent(sent)
        elif isinstance(request.call, _BLOB_UPLOADS) and request.body.received:
            counted.blob_received(request.body.received)
        quiet = request.method in _READS and status < _SERVER_ERROR
        if quiet and not debugging():
            return
        tell = _log.debug if quiet else _log.info
        tell(
            "request",
            operation=operation_of(request),
            path=request.path,
            client=request.client,
            status=status,
            bytes=sent or request.body.received,
            seconds=round(seconds, 6),
        )

    return registry_app(
        open_registry, on_error=on_error, observe=observe, max_manifest_bytes=max_manifest_bytes
    )


def _error(headers: dict[str, str]) -> str:
    """RFC 6750 §3.1: an error is named only to who sent a token."""
    return "invalid_token" if headers.get("authorization", "").lower().startswith("bearer") else ""
