"""Bodies are bounded before anything is built from them, whatever the client says about their length."""

from typing import Annotated

import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from fairway.frame.web import errors
from fairway.frame.web.body import MAX_BYTES, json_body
from frame.web.asgi_call import Caller


class Part(BaseModel):
    weight: int = 1


class Named(BaseModel):
    name: str
    size: int = 0
    parts: list[Part] = []


@pytest.fixture
def call() -> Caller:
    app = FastAPI()
    errors.install(app)

    @app.post("/")
    async def post(named: Annotated[Named, json_body(Named)]) -> dict[str, object]:
        return named.model_dump()

    return Caller(app, {"content-type": "application/json"})


async def test_a_body_is_read_into_its_model(call: Caller) -> None:
    answer = await call("POST", "/", json_body={"name": "x", "size": 3})
    assert answer.json == {"name": "x", "size": 3, "parts": []}


async def test_fields_the_model_does_not_name_are_ignored(call: Caller) -> None:
    answer = await call("POST", "/", json_body={"name": "x", "sysadmin_flag": True, "id": 1})
    assert answer.json == {"name": "x", "size": 0, "parts": []}


async def test_null_says_nothing(call: Caller) -> None:
    answer = await call("POST", "/", json_body={"name": "x", "size": None, "parts": [{"weight": None}]})
    assert answer.json == {"name": "x", "size": 0, "parts": [{"weight": 1}]}


@pytest.mark.parametrize("body", [{"name": None}, {"name": "x", "parts": [None]}], ids=str)
async def test_null_is_no_value_of_what_must_be_said(call: Caller, body: dict[str, object]) -> None:
    answer = await call("POST", "/", json_body=body)
    assert (answer.status, answer.error["code"]) == (422, "UNPROCESSABLE_ENTITY")


async def test_a_chunked_body_is_put_together(call: Caller) -> None:
    assert (await call("POST", "/", body=[b'{"na', b'me": "', b'x"}'])).status == 200


async def test_a_length_over_the_limit_is_refused_unread(call: Caller) -> None:
    answer = await call("POST", "/", headers={"content-length": str(MAX_BYTES + 1)}, body=[b"{}"])
    assert (answer.status, answer.error["code"]) == (413, "REQUEST_ENTITY_TOO_LARGE")


async def test_a_length_of_a_thousand_digits_is_refused_too(call: Caller) -> None:
    assert (await call("POST", "/", headers={"content-length": "9" * 5000}, body=[b"{}"])).status == 413


async def test_a_chunked_body_over_the_limit_is_refused_while_it_is_read(call: Caller) -> None:
    assert (await call("POST", "/", body=[b" " * 65536] * 17)).status == 413


async def test_a_body_of_exactly_the_limit_is_taken(call: Caller) -> None:
    body = b'{"name": "x"}'
    assert (await call("POST", "/", body=[body + b" " * (MAX_BYTES - len(body))])).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b"null",
        b'"text"',
        b'{"name": "a", "name": "b"}',
        b'{"name": NaN}',
        b'{"name": "x"} trailing',
        b'\xef\xbb\xbf{"name": "x"}',
        '{"name": "x"}'.encode("utf-16"),
        b'{"name": "\\ud800"}',
        b'{"size": ' + b"9" * 100_000 + b"}",
        b'{"name": ' + b"[" * 100_000,
        b'{"name": [' + b"1," * 100_000 + b"1]}",
        b'{"name": "\xff"}',
    ],
    ids=lambda body: repr(body[:24]),
)
async def test_what_is_not_one_strict_bounded_json_object_is_400(call: Caller, body: bytes) -> None:
    answer = await call("POST", "/", body=[body])
    assert (answer.status, answer.error["code"]) == (400, "BAD_REQUEST")


async def test_a_wrong_field_is_422_and_its_value_is_not_repeated(call: Caller) -> None:
    answer = await call("POST", "/", json_body={"name": {"password": "hunter2"}})
    assert (answer.status, answer.error["code"]) == (422, "UNPROCESSABLE_ENTITY")
    assert "name: " in answer.error["message"]
    assert b"hunter2" not in answer.body


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
async def test_a_form_is_not_json(call: Caller, media_type: str) -> None:
    answer = await call("POST", "/", headers={"content-type": media_type}, body=[b'{"name": "x"}'])
    assert (answer.status, answer.error["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_parameters_of_the_content_type_do_not_matter(call: Caller) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert (await call("POST", "/", headers=headers, body=[b'{"name": "x"}'])).status == 200
