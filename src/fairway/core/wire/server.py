"""The registry's side of the wire: an ASGI app that serves a `Registry` over the OCI distribution API.

    request → parse (paths) → open_registry: who is asking, and what may they do → one of HANDLERS → reply

The app knows no users: `open_registry` is given the parsed request and answers with the caller's view of the
registry, or raises. Every error of the family becomes a JSON reply by `STATUS`; any other exception becomes one
anonymous 500 and goes, with its detail, to `on_error` only.

It serves nothing but the paths below /v2; mounting it beside others is the caller's business.
"""

import time
from collections.abc import Awaitable, Callable

from fairway.core.content.protocols import Registry
from fairway.core.oci.errors import FairwayError
from fairway.core.oci.manifest import Limits
from fairway.core.wire import paths
from fairway.core.wire.bodies import Body, Message, Receive
from fairway.core.wire.handlers import HANDLERS, Request
from fairway.core.wire.replies import Reply, Send, error_reply, send_reply

__all__ = ["HANDLERS", "Request", "headers_of", "registry_app"]

App = Callable[[Message, Receive, Send], Awaitable[None]]
OpenRegistry = Callable[[Request], Awaitable[Registry]]
OnError = Callable[[Exception, Request], None]
Observe = Callable[[Request, int, int, float], None]


def registry_app(
    open_registry: OpenRegistry,
    *,
    on_error: OnError = lambda _error, _request: None,
    observe: Observe = lambda _request, _status, _sent, _seconds: None,
    max_manifest_bytes: int = Limits().size,
) -> App:
    """The ASGI app.

    `on_error(error, request)` hears of every failure that is ours: a 500, or a reply that broke off on the way.
    `observe(request, status, sent, seconds)` is called once per request, after its reply; `sent` is the bytes of
    body handed to the server, those of a file sent by the server itself included. Both must be quick and must not
    raise.
    """

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request = _request(scope, receive, max_manifest_bytes)
        reply = await _answer(request, open_registry, on_error)
        sent = 0
        try:
            sent = await send_reply(reply, scope, receive, send)
        except Exception as error:  # noqa: BLE001 - too late for a reply; the short body tells the client
            on_error(error, request)
        observe(request, reply.status, sent, time.perf_counter() - started)
        if not request.body.ended:
            await request.body.drain()

    return app


async def _answer(request: Request, open_registry: OpenRegistry, on_error: OnError) -> Reply:
    try:
        call = request.call = paths.parse(request.method, request.path, request.query)
        registry = await open_registry(request)
        return await HANDLERS[type(call)](registry, call, request)
    except FairwayError as error:
        reply = error_reply(error, request.call)
        if reply.status == 500:
            on_error(error, request)
    except Exception as error:  # noqa: BLE001 - whatever it was, its detail stays in the house
        on_error(error, request)
        reply = error_reply(FairwayError("the registry failed; the operator's log says more"), request.call)
    if request.body.ends_connection:
        reply.headers.append((b"connection", b"close"))
    return reply


def _request(scope: Message, receive: Receive, max_manifest_bytes: int) -> Request:
    headers = headers_of(scope)
    method = scope["method"]
    client = scope.get("client")
    return Request(
        method=method,
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        client=client[0] if client else "",
        call=None,
        body=Body(receive, method, headers, scope["http_version"]),
        max_manifest_bytes=max_manifest_bytes,
    )


def headers_of(scope: Message) -> dict[str, str]:
    """A request's headers; repeated ones are joined by ", " (RFC 9110 §5.3)."""
    pairs = scope["headers"]
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
    if len(headers) == len(pairs):
        return headers
    headers = {}
    for name, value in pairs:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers
