"""What the API's own description (OpenAPI) says beyond what FastAPI sees: errors, credentials, parameters.

Every operation lists all statuses it can answer with, every error in the one shape of `errors.py`.  A status that is
not listed is a mistake of the description or of the operation; the schema-driven tests fail on it.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel

from fairway.core.oci.errors import (
    BadRequest,
    BodyTooLarge,
    FairwayError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from fairway.frame.web.body import ModelReader
from fairway.frame.web.errors import BodyTypeUnsupported, Unprocessable, status_of_kind

Kinds = Collection[type[FairwayError]]

_ERRORS: Final = "#/components/schemas/Errors"
_ALWAYS: Final[Kinds] = (
    FairwayError,  # whatever goes wrong on our side
    BadRequest,  # an Authorization header of absurd length
    Unauthorized,  # wrong credentials, even where none are needed
    TooManyRequests,  # too many wrong ones
    Unavailable,
)
_WITH_BODY: Final[Kinds] = (BodyTooLarge, BodyTypeUnsupported, Unprocessable)
_IN_PATH: Final = re.compile(r"{(\w+)}")

CREDENTIALS: Final[list[dict[str, list[str]]]] = [{"basic": []}]
"""The `security` of an operation that needs a login.  Elsewhere a login is welcome, and must be right."""
CREDENTIALS_IF_ANY: Final[list[dict[str, list[str]]]] = [{}, *CREDENTIALS]

_COMPONENTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "schemas": {
        "Errors": {
            "description": "What went wrong.  `code` is for programs, `message` for people.",
            "type": "object",
            "required": ["errors"],
            "additionalProperties": False,
            "properties": {
                "errors": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["code", "message"],
                        "additionalProperties": False,
                        "properties": {
                            "code": {"type": "string", "pattern": "^[A-Z_]+$"},
                            "message": {"type": "string"},
                            "detail": {},
                        },
                    },
                }
            },
        }
    },
    "securitySchemes": {
        "basic": {
            "type": "http",
            "scheme": "basic",
            "description": "A user name and its password, or a personal access token of theirs in its place.",
        },
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of /service/token; good for /v2 only.",
        },
    },
}


class DescribedAPI(FastAPI):
    """A FastAPI app whose description also has `paths` that others serve."""

    def __init__(self, *, paths: Mapping[str, Any], **options: Any) -> None:
        super().__init__(**options)
        self._paths = paths

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if self.openapi_schema is None:
            _describe_models(self)
            made = super().openapi()
            for operation in (each for path in made["paths"].values() for each in path.values()):
                if "422" in operation["responses"]:  # FastAPI describes the shape it would have used itself
                    operation["responses"].update({"422": error_responses([Unprocessable])[422]})
            made["paths"] = {**made["paths"], **self._paths}
            components = made.setdefault("components", {})
            for kind, members in _COMPONENTS.items():
                components[kind] = {**components.get(kind, {}), **members}
            for unused in ("HTTPValidationError", "ValidationError"):
                components["schemas"].pop(unused, None)
        assert self.openapi_schema is not None
        return self.openapi_schema


def body_of(reader: ModelReader) -> dict[str, Any]:
    """The `requestBody` of a route with this reader; of its schema only the model, since making one takes milliseconds."""
    return {"required": True, "content": {reader.media_type: {"schema": reader.model}}}


def _describe_models(api: FastAPI) -> None:
    for context in iter_route_contexts(api.routes):
        extra = getattr(context.original_route, "openapi_extra", None) or {}
        for content in extra.get("requestBody", {}).get("content", {}).values():
            if isinstance(content["schema"], type) and issubclass(content["schema"], BaseModel):
                content["schema"] = _in_one_piece(content["schema"].model_json_schema())


def _in_one_piece(schema: dict[str, Any]) -> dict[str, Any]:
    """A model's schema with what it refers to in place: `#/$defs/…` would be looked for in the document as a whole."""
    parts = schema.pop("$defs", {})

    def whole(value: Any) -> Any:
        if isinstance(value, list):
            return [whole(each) for each in value]
        if not isinstance(value, dict):
            return value
        other = {name: whole(each) for name, each in value.items() if name != "$ref"}
        if "$ref" not in value:
            return other
        return {**whole(parts[value["$ref"].removeprefix("#/$defs/")]), **other}

    made: dict[str, Any] = whole(schema)
    return made


def errors_of(kinds: Kinds, *, with_body: bool = False) -> dict[int | str, dict[str, Any]]:
    """The `responses` for these errors and those that every operation of the management API can answer with."""
    return error_responses([*_ALWAYS, *(_WITH_BODY if with_body else ()), *kinds])


def error_responses(kinds: Kinds) -> dict[int | str, dict[str, Any]]:
    """The `responses` for these errors, by status."""
    found = sorted({status_of_kind(kind) for kind in kinds})
    content = {"application/json": {"schema": {"$ref": _ERRORS}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in found}


def path_parameters(path: str) -> list[dict[str, Any]]:
    """The parameters that stand in a path's braces, as text."""
    return [parameter(name, "path", required=True) for name in _IN_PATH.findall(path)]


def parameter(
    name: str, where: str, *, required: bool = False, values: Sequence[str] = (), **schema: Any
) -> dict[str, Any]:
    """One parameter; a text unless `schema` says otherwise, one of `values` if there are any."""
    described = {"type": "string", **({"enum": list(values)} if values else {}), **schema}
    return {"name": name, "in": where, "required": required, "schema": described}
