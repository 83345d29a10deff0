"""The one reader of JSON bodies: bounded in size, depth and count before anything is built from them.

A route takes its body as `Annotated[Wanted, json_body(Wanted)]`, never as a FastAPI body parameter, which would read
without these bounds.  Fields a model does not name are ignored, as Harbor ignores them, and so are those that are null:
clients send null for what they have nothing to say about.  A model names only what the caller may set.
"""

from typing import Any, Final, TypeVar

from fastapi import Depends
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from fairway.core.oci import json
from fairway.core.oci.errors import BadRequest, BodyTooLarge
from fairway.core.wire.bodies import in_time
from fairway.frame.web.errors import BodyTypeUnsupported, Unprocessable, invalid

MAX_BYTES: Final = 2**20
MAX_DEPTH: Final = 32
MAX_MEMBERS: Final = 20_000

M = TypeVar("M", bound=BaseModel)


async def read_json(request: Request) -> dict[str, Any]:
    """The request's body, which must be one JSON object.

    Raises BodyTooLarge beyond 1 MiB (before reading when Content-Length says so, while reading when it is chunked),
    BodyIncomplete when it takes too long, BodyTypeUnsupported for another content type, and BadRequest for anything that is not a strict JSON object.
    """
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise BodyTypeUnsupported("send the body as application/json")
    raw = await _read(request)
    try:
        value = json.loads(raw, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH, max_members=MAX_MEMBERS)
    except json.JsonInvalid as error:
        raise BadRequest(f"the body is not acceptable JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadRequest("the body must be a JSON object")
    return value


async def _read(request: Request) -> bytes:
    too_large = BodyTooLarge(f"the body may have up to {MAX_BYTES} bytes")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > MAX_BYTES):
        raise too_large
    body = bytearray()
    async with in_time():
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BYTES:
                raise too_large
    return bytes(body)


class ModelReader:
    """The dependency behind `json_body`; routes.py finds the model here to describe the body in OpenAPI."""

    def __init__(self, model: type[BaseModel]) -> None:
        self.model = model

    async def __call__(self, request: Request) -> BaseModel:
        try:
            return self.model.model_validate(_said(await read_json(request)))
        except ValidationError as error:
            problems = error.errors(include_url=False, include_input=False, include_context=False)
            raise Unprocessable(invalid(problems)) from None


def _said(value: Any) -> Any:
    """Without the fields that are null; what a list has in its places stays."""
    if isinstance(value, dict):
        return {name: _said(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_said(each) for each in value]
    return value


def json_body(model: type[BaseModel]) -> Any:
    """A dependency that reads the body into `model`.  Raises as `read_json`, and Unprocessable for a wrong field."""
    return Depends(ModelReader(model), use_cache=False)
