"""The only place where an error becomes a status and a body.

Every reply that is not a success has one shape, for the management API as for the registry:

```json
{"errors": [{"code": "NOT_FOUND", "message": "project team not found", "detail": null}]}
```

`detail` is left out when there is none.  An error nobody raised on purpose is an anonymous 500: the client gets the
request id to quote, the log gets the rest.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fairway.core.oci.errors import FairwayError, MethodNotAllowed, RouteUnknown, Unauthorized
from fairway.core.wire.status import STATUS as WIRE_STATUS
from fairway.frame.db import ReferenceViolation, UniqueViolation
from fairway.frame.log import current_request, get_logger

_log = get_logger(__name__)


class NotFound(FairwayError):
    """What the path names is not there, and the caller may know that."""

    code = "NOT_FOUND"


class Conflict(FairwayError):
    """Somebody else has that name already."""

    code = "CONFLICT"


class Forbidden(FairwayError):
    """We know the caller, and the caller may not."""

    code = "FORBIDDEN"


class Unprocessable(FairwayError):
    """A parameter or a field of the body is not what the API describes."""

    code = "UNPROCESSABLE_ENTITY"


class BodyTypeUnsupported(FairwayError):
    """A body that is not of the media type the route takes."""

    code = "UNSUPPORTED_MEDIA_TYPE"


STATUS: Final[Mapping[type[FairwayError], int]] = {
    **WIRE_STATUS,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    Forbidden: HTTPStatus.FORBIDDEN,
    Unprocessable: HTTPStatus.UNPROCESSABLE_ENTITY,
    BodyTypeUnsupported: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    UniqueViolation: HTTPStatus.CONFLICT,
    ReferenceViolation: HTTPStatus.CONFLICT,
}
"""The table.  An error without a row of its own has its nearest ancestor's."""


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """What to send: a status, lower-case headers and a JSON body."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def status_of(error: BaseException) -> int:
    """The status for an error; 500 for one that was not raised on purpose."""
    return status_of_kind(type(error))


def status_of_kind(kind: type[BaseException]) -> int:
    """The status that errors of a class have."""
    return next((int(STATUS[each]) for each in kind.__mro__ if each in STATUS), 500)


def reply_to(error: BaseException) -> ErrorReply:
    """The whole reply for an error.  The text of one that was not raised on purpose never gets into it."""
    status = status_of(error)
    if not isinstance(error, FairwayError) or status == HTTPStatus.INTERNAL_SERVER_ERROR:
        request = current_request()
        return _reply(status, "UNKNOWN", f"internal server error{f' (request {request})' if request else ''}")
    if isinstance(error, UniqueViolation | ReferenceViolation):
        return _reply(
            status, error.code, "this exists already, or what it belongs to is gone"
        )  # their own words name tables
    headers = {}
    if (retry_after := getattr(error, "retry_after", None)) is not None:
        headers["retry-after"] = str(retry_after)
    if isinstance(error, Unauthorized) and error.challenge:
        headers["www-authenticate"] = error.challenge
    if isinstance(error, MethodNotAllowed) and error.allowed:
        headers["allow"] = ", ".join(error.allowed)
    return _reply(status, error.code, error.message, error.detail, headers)


def _reply(
    status: int,
    code: str,
    message: str,
    detail: object = None,
    headers: Mapping[str, str] | None = None,
) -> ErrorReply:
    entry: dict[str, object] = {"code": code, "message": message}
    if detail is not None:
        entry["detail"] = detail
    body = json.dumps({"errors": [entry]}, default=str).encode() + b"\n"
    return ErrorReply(status, body, {"content-type": "application/json; charset=utf-8", **(headers or {})})


def response_to(error: BaseException) -> Response:
    """`reply_to` as a Starlette response."""
    reply = reply_to(error)
    return Response(reply.body, status_code=reply.status, headers=reply.headers)


def install(app: FastAPI) -> None:
    """Make `app` answer every error in our one shape, its own (unknown path, bad parameter) included."""
    app.add_exception_handler(FairwayError, _on_expected)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_framework_error)
    app.add_middleware(LastResort)


async def _on_expected(_request: Request, error: Exception) -> Response:
    if status_of(error) == HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("request failed", exc_info=error)
    return response_to(error)


async def _on_invalid_request(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return response_to(Unprocessable(invalid(error.errors())))


def invalid(problems: object) -> str:
    """pydantic's list of errors in one sentence: where and what, never the value, which may be a secret."""
    assert isinstance(problems, list | tuple)
    said = [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in problems[:10]]
    return "; ".join(said)


async def _on_framework_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.NOT_FOUND:
        return response_to(RouteUnknown("nothing is served under this path"))
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "")
        return response_to(
            MethodNotAllowed("this path does not take this method", allowed=tuple(allowed.split(", ")))
        )
    status = HTTPStatus(error.status_code)
    reply = _reply(status, status.name, status.phrase.lower())
    return Response(reply.body, status_code=reply.status, headers=reply.headers)


class LastResort:
    """ASGI middleware: an exception nobody caught becomes a logged, anonymous 500 instead of a cut connection."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except ClientDisconnect:
            _log.debug("request abandoned", path=scope.get("path"))
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            _log.exception("request failed", path=scope.get("path"))
            await response_to(error)(scope, receive, send)
