"""One shape for every error, and nothing in it that the client should not see."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI, HTTPException
from starlette.responses import StreamingResponse

from fairway.core.oci import errors as family
from fairway.core.oci.errors import (
    BlobUnknown,
    FairwayError,
    MethodNotAllowed,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from fairway.frame import log
from fairway.frame.db import UniqueViolation
from fairway.frame.web import errors
from fairway.frame.web.errors import Conflict, Forbidden, NotFound, Unprocessable, reply_to, status_of
from frame.web.asgi_call import Caller


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotFound("x"), 404, "NOT_FOUND"),
        (Conflict("x"), 409, "CONFLICT"),
        (Forbidden("x"), 403, "FORBIDDEN"),
        (Unprocessable("x"), 422, "UNPROCESSABLE_ENTITY"),
        (BlobUnknown("x"), 404, "BLOB_UNKNOWN"),
        (Unauthorized("x"), 401, "UNAUTHORIZED"),
        (UniqueViolation("x"), 409, "CONFLICT"),
        (Unavailable("x"), 503, "UNAVAILABLE"),
    ],
)
def test_an_error_has_a_status_and_a_code(error: FairwayError, status: int, code: str) -> None:
    reply = reply_to(error)
    assert reply.status == status
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    assert f'"code": "{code}"' in reply.body.decode()


def every_error() -> Iterator[type[FairwayError]]:
    for module in (family, errors):
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, FairwayError) and value is not FairwayError:
                yield value


@pytest.mark.parametrize("kind", sorted(set(every_error()), key=lambda kind: kind.__name__))
def test_no_error_that_is_raised_on_purpose_is_a_500(kind: type[FairwayError]) -> None:
    assert status_of(kind.__new__(kind)) < 500 or issubclass(kind, Unavailable)


def test_a_detail_is_sent_only_when_there_is_one() -> None:
    assert b"detail" not in reply_to(NotFound("gone")).body
    assert b'"detail": {"digest": "d"}' in reply_to(NotFound("gone", detail={"digest": "d"})).body


def test_the_headers_that_belong_to_an_error_are_sent_with_it() -> None:
    assert reply_to(TooManyRequests("slow down", retry_after=7)).headers["retry-after"] == "7"
    assert reply_to(Unavailable("later", retry_after=3)).headers["retry-after"] == "3"
    assert reply_to(MethodNotAllowed("no", allowed=("GET", "PUT"))).headers["allow"] == "GET, PUT"
    assert (
        reply_to(Unauthorized("who?", challenge='Basic realm="x"')).headers["www-authenticate"]
        == 'Basic realm="x"'
    )
    assert "www-authenticate" not in reply_to(Unauthorized("who?")).headers


def test_an_unexpected_error_shows_the_request_id_and_nothing_else() -> None:
    log.bind_request("req-1")
    try:
        body = reply_to(RuntimeError("password=hunter2 at db.internal:5432")).body
    finally:
        log.bind_request("")
    assert b"req-1" in body
    assert b"hunter2" not in body
    assert b"db.internal" not in body


def test_the_database_s_words_about_a_taken_key_stay_inside() -> None:
    assert b"users.username" not in reply_to(UniqueViolation("UNIQUE constraint failed: users.username")).body


@pytest.fixture
def call() -> Caller:
    app = FastAPI()
    errors.install(app)

    @app.get("/expected")
    async def expected() -> None:
        raise NotFound("project team not found")

    @app.get("/unexpected")
    async def unexpected() -> None:
        raise RuntimeError("SELECT secret FROM vault")

    @app.get("/number")
    async def number(n: int) -> int:
        return n

    @app.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(418, "from a library, with words of its own")

    @app.get("/half")
    async def half() -> StreamingResponse:
        async def body() -> object:
            yield b"half"
            raise RuntimeError("the disk broke")

        return StreamingResponse(body())  # type: ignore[arg-type]

    return Caller(app)


async def test_errors_of_a_handler_are_told_in_our_shape(call: Caller) -> None:
    answer = await call("GET", "/expected")
    assert answer.status == 404
    assert answer.json == {"errors": [{"code": "NOT_FOUND", "message": "project team not found"}]}


async def test_a_bug_in_a_handler_is_an_anonymous_500(call: Caller) -> None:
    answer = await call("GET", "/unexpected")
    assert answer.status == 500
    assert answer.error["code"] == "UNKNOWN"
    assert "secret" not in answer.body.decode()


async def test_a_path_nobody_serves_is_404_in_our_shape(call: Caller) -> None:
    answer = await call("GET", "/nowhere")
    assert (answer.status, answer.error["code"]) == (404, "NOT_FOUND")


async def test_another_method_is_405_and_says_which_are_allowed(call: Caller) -> None:
    answer = await call("PUT", "/expected")
    assert (answer.status, answer.error["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "GET"


async def test_a_parameter_of_the_wrong_kind_is_422_without_its_value(call: Caller) -> None:
    answer = await call("GET", "/number?n=s3cr3t")
    assert (answer.status, answer.error["code"]) == (422, "UNPROCESSABLE_ENTITY")
    assert "n: " in answer.error["message"]
    assert "s3cr3t" not in answer.body.decode()


async def test_a_library_s_own_error_is_told_in_our_shape(call: Caller) -> None:
    answer = await call("GET", "/teapot")
    assert (answer.status, answer.error["code"]) == (418, "IM_A_TEAPOT")


async def test_a_reply_that_broke_half_way_is_cut_and_not_finished_as_if_whole(call: Caller) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is, the server must see it and cut the connection
        await call("GET", "/half")
