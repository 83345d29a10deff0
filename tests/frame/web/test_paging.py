"""Pages and their headers, in the form Harbor's clients parse."""

from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI, Request, Response

from fairway.frame.web import errors
from fairway.frame.web.paging import Paged, page_headers
from frame.web.asgi_call import Answer, Caller


@pytest.fixture
def call() -> Caller:
    app = FastAPI()
    errors.install(app)

    @app.get("/api/v2.0/things")
    async def things(request: Request, response: Response, page: Paged, total: int = 0) -> list[int]:
        response.headers.update(page_headers(request, page, total))
        return [page.number, page.size, page.offset]

    return Caller(app)


async def test_the_first_ten_are_the_default(call: Caller) -> None:
    answer = await call("GET", "/api/v2.0/things")
    assert answer.json == [1, 10, 0]
    assert answer.headers["x-total-count"] == "0"
    assert "link" not in answer.headers


async def test_a_middle_page_links_both_ways(call: Caller) -> None:
    answer = await call("GET", "/api/v2.0/things?page_size=10&page=2&total=25")
    assert answer.json == [2, 10, 10]
    assert answer.headers["x-total-count"] == "25"
    assert answer.headers["link"] == (
        '</api/v2.0/things?page=1&page_size=10&total=25>; rel="prev" , '
        '</api/v2.0/things?page=3&page_size=10&total=25>; rel="next"'
    )


async def test_the_page_size_is_in_the_link_even_when_nobody_gave_one(call: Caller) -> None:
    answer = await call("GET", "/api/v2.0/things?total=11")
    assert answer.headers["link"] == '</api/v2.0/things?page=2&page_size=10&total=11>; rel="next"'


async def test_the_last_page_links_back_only(call: Caller) -> None:
    answer = await call("GET", "/api/v2.0/things?page=2&total=20")
    assert answer.headers["link"] == '</api/v2.0/things?page=1&page_size=10&total=20>; rel="prev"'


async def test_a_page_far_behind_the_end_links_nowhere(call: Caller) -> None:
    assert "link" not in (await call("GET", "/api/v2.0/things?page=9&total=20")).headers


async def test_a_page_size_of_zero_asks_for_as_many_as_there_can_be(call: Caller) -> None:
    answer = await call("GET", "/api/v2.0/things?page_size=0&total=101")
    assert answer.json == [1, 100, 0]
    assert answer.headers["link"] == '</api/v2.0/things?page=2&page_size=100&total=101>; rel="next"'


async def test_a_query_stays_readable_in_the_link(call: Caller) -> None:
    answer = await call("GET", "/api/v2.0/things?q=name%3D~foo%2Cid%3D[1~5]&total=11")
    assert "&q=name=~foo,id=[1~5]&" in answer.headers["link"]


@pytest.mark.parametrize(
    "value",
    ["a%26page_size%3D1", "a%0d%0aset-cookie:x", "%3e%3b%20rel", "100%25", "a%2Bb", "%C3%A9", "%23x", "%22"],
)
async def test_whatever_is_asked_comes_back_whole_in_the_link(call: Caller, value: str) -> None:
    answer = await call("GET", f"/api/v2.0/things?q={value}&total=11")
    assert set(answer.headers["link"]).isdisjoint("\r\n")
    assert parse_qs(urlsplit(target(answer)).query)["q"] == parse_qs(f"q={value}")["q"]


async def test_the_host_header_has_no_say_in_the_link(call: Caller) -> None:
    answer = await call("GET", "/api/v2.0/things?total=11", headers={"host": "evil.example/elsewhere?x="})
    assert target(answer).startswith("/api/v2.0/things?")


def target(answer: Answer) -> str:
    return answer.headers["link"].partition("<")[2].partition(">")[0]


@pytest.mark.parametrize(
    "query",
    [
        "page_size=101",
        "page_size=-1",
        "page_size=1e30",
        "page_size=abc",
        "page=0",
        "page=-1",
        "page=9223372036854775807",
        "page=" + "9" * 5000,
        "page=",
    ],
)
async def test_a_page_out_of_bounds_is_422(call: Caller, query: str) -> None:
    answer = await call("GET", f"/api/v2.0/things?{query}")
    assert (answer.status, answer.error["code"]) == (422, "UNPROCESSABLE_ENTITY")
