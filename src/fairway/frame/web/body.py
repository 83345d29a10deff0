"""The one reader of JSON bodies: bounded in size, depth and count before anything is built from them.

A route takes its body as `Annotated[Wanted, json_body(Wanted)]`, never as a FastAPI body parameter, which would read
without these bounds.  Fields a model does not name are ignored, as Harbor ignores them, and so are those that are null:
clients send null for what they have nothing to say about.  A model names only what the caller may set.
"""

from typing import Any, Final, TypeVar
from urllib.parse import parse_qs

from fastapi import Depends
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from fairway.core.oci import json
from fairway.core.oci.errors import BadRequest, BodyTooLarge
from fairway.core.wire.bodies import in_time
from fairway.frame.web.errors import BodyTypeUnsupported, Unprocessable, invalid

FORM: Final = "application/x-www-form-urlencoded"
MAX_BYTES: Final = 2**20
MAX_DEPTH: Final = 32
MAX_MEMBERS: Final = 20_000
MAX_FORM_BYTES: Final = 64 * 1024
MAX_FORM_FIELDS: Final = 100

M = TypeVar("M", bound=BaseModel)


async def read_json(request: Request) -> dict[str, Any]:
    """The request's body, which must be one JSON object.

    Raises BodyTooLarge beyond 1 MiB (before reading when Content-Length says so, while reading when it is chunked),
    BodyIncomplete when it takes too long, BodyTypeUnsupported for another content type, and BadRequest for anything that is not a strict JSON object.
    """
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise BodyTypeUnsupported("send the body as application/json")
    raw = await _read(request, MAX_BYTES)
    try:
        value = json.loads(raw, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH, max_members=MAX_MEMBERS)
    except json.JsonInvalid as error:
        raise BadRequest(f"the body is not acceptable JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadRequest("the body must be a JSON object")
    return value


async def _read(request: Request, most: int) -> bytes:
    too_large = BodyTooLarge(f"the body may have up to {most} bytes")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > most):
        raise too_large
    body = bytearray()
    async with in_time():
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise too_large
    return bytes(body)


async def read_form(request: Request) -> dict[str, Any]:
    """The fields of the request's body, which must be a form; of those that come several times, the first.

    Raises BodyTooLarge, BodyIncomplete, BodyTypeUnsupported and, for too many fields, BadRequest.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != FORM:
        raise BodyTypeUnsupported(f"send the body as {FORM}")
    raw = await _read(request, MAX_FORM_BYTES)
    try:
        fields = parse_qs(
            raw.decode("utf-8", "replace"),
            keep_blank_values=True,
            max_num_fields=MAX_FORM_FIELDS,
            errors="replace",
        )
    except ValueError:
        raise BadRequest(f"a form may have up to {MAX_FORM_FIELDS} fields") from None
    return {name: values[0] for name, values in fields.items()}


class ModelReader:
    """The dependency behind `json_body`; routes.py finds the model here to describe the body in OpenAPI."""

    media_type = "application/json"

    def __init__(self, model: type[BaseModel]) -> None:
        self.model = model

    async def __call__(self, request: Request) -> BaseModel:
        try:
            return self.model.model_validate(await self._said(request))
        except ValidationError as error:
            problems = error.errors(include_url=False, include_input=False, include_context=False)
            raise Unprocessable(invalid(problems)) from None

    async def _said(self, request: Request) -> Any:
        return _said(await read_json(request))


class FormReader(ModelReader):
    """The same behind `form_body`."""

    media_type = FORM

    async def _said(self, request: Request) -> Any:
        return await read_form(request)


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


def form_body(model: type[BaseModel]) -> Any:
    """A dependency that reads the form in the body into `model`.  Raises as `read_form`, and Unprocessable."""
    return Depends(FormReader(model), use_cache=False)
