"""Redirects: looked at one by one, and what is secret stays home (T25)."""

from collections.abc import AsyncIterator

import pytest
from yarl import URL

from fairway.frame.egress import Egress, EgressFailed, EgressRefused
from fairway.frame.egress.redirects import Outgoing, after, target
from frame.egress.elsewhere import Elsewhere

SECRETS = {"X-Robot": "s3cret", "authorization": "Bearer s3cret"}
TOLD = {
    "Authorization": "Basic s3cret",
    "Cookie": "session=s3cret",
    "X-Auth-Token": "s3cret",
    "X-Api-Key": "s3cret",
    "Private-Token": "s3cret",
}


async def no_end() -> AsyncIterator[bytes]:
    yield b"a piece"


def sent(method: str = "GET", url: str = "https://a.example/x", body: bytes = b"", **more: bool) -> Outgoing:
    headers = {"content-type": "text/plain", "accept": "*/*", "x-api-key": "s3cret"}
    return Outgoing(method, URL(url), headers, {"x-robot": "s3cret"}, body, **more)


class TestWhatFollows:
    @pytest.mark.parametrize(
        ("method", "status", "then"),
        [
            *(("GET", 301, "GET"), ("GET", 302, "GET"), ("GET", 303, "GET"), ("GET", 307, "GET")),
            *(("HEAD", 301, "HEAD"), ("HEAD", 303, "HEAD"), ("HEAD", 308, "HEAD")),
            *(("POST", 301, "GET"), ("POST", 302, "GET"), ("POST", 303, "GET"), ("POST", 307, "POST")),
            *(("POST", 308, "POST"), ("PUT", 302, "PUT"), ("PUT", 303, "GET"), ("DELETE", 307, "DELETE")),
        ],
    )
    def test_the_method(self, method: str, status: int, then: str) -> None:
        body = b"x" if method in {"POST", "PUT"} else b""
        following = after(sent(method, body=body), status, URL("https://a.example/y"))
        assert following.method == then
        assert following.body == (body if then == method else b"")
        assert ("content-type" in following.headers) == (then == method)

    @pytest.mark.parametrize("to", ["https://a.example:444/", "https://b.example/", "https://x.a.example/"])
    def test_to_another_origin_no_secret_and_no_body(self, to: str) -> None:
        following = after(sent(), 307, URL(to))
        assert following.secret_headers == {}
        assert following.headers.keys() == {"content-type", "accept"}
        with pytest.raises(ValueError, match="the body for another origin"):
            after(sent("POST", body=b"x"), 307, URL(to))
        assert after(sent("POST", body=b"x", body_travels=True), 307, URL(to)).body == b"x"

    def test_at_home_everything(self) -> None:
        following = after(sent("POST", body=b"x"), 308, URL("https://A.example:443/elsewhere"))
        assert following.secret_headers == {"x-robot": "s3cret"}
        assert following.headers["x-api-key"] == "s3cret"

    def test_no_secret_comes_back_from_elsewhere(self) -> None:
        away = after(sent(), 307, URL("https://b.example/"))
        assert after(away, 307, URL("https://a.example/chosen-by-b")).secret_headers == {}

    @pytest.mark.parametrize("to", ["http://a.example/x", "http://a.example:443/x", "http://b.example/"])
    def test_never_from_encryption_to_none(self, to: str) -> None:
        with pytest.raises(ValueError, match="without encryption"):
            after(sent(), 301, URL(to))

    def test_from_none_to_encryption_without_secrets(self) -> None:
        """The port is another, and so is the origin."""
        assert after(sent(url="http://a.example/"), 301, URL("https://a.example/")).secret_headers == {}

    @pytest.mark.parametrize("location", ["http://[", "http://[::1/", "//[x", "http://a:b"])
    def test_what_is_no_url_is_left_for_who_reads_it(self, location: str) -> None:
        assert isinstance(target(URL("https://a.example/"), location), str)


async def test_a_redirect_is_followed_where_it_leads(egress: Egress, there: Elsewhere) -> None:
    there.script |= {
        "/a/b": (302, {"location": "../c?d=%2F"}, b"not this"),
        "/c": (200, {"x-thing": "yes"}, b"but this"),
    }
    reply = await egress.request("GET", f"{there.url}/a/b#part", headers=TOLD, limit=10)
    assert (reply.status, reply.body, reply.headers["x-thing"]) == (200, b"but this", "yes")
    assert reply.url == f"{there.url}/c?d=%2F"
    assert there.asked[-1].headers["authorization"] == "Basic s3cret"


async def test_unless_the_caller_wants_to_see_it(egress: Egress, there: Elsewhere) -> None:
    there.script["/"] = (307, {"location": "/elsewhere"}, b"")
    reply = await egress.request("POST", there.url, follow=False, limit=10)
    assert (reply.status, reply.headers["location"]) == (307, "/elsewhere")
    assert there.story == ["POST /"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_secret_reaches_another_host(
    egress: Egress, there: Elsewhere, stranger: Elsewhere, status: int
) -> None:
    there.script["/"] = (status, {"location": f"{stranger.url}/store"}, b"")
    stranger.script["/store"] = (307, {"location": f"{there.url}/back"}, b"")
    for method in ("GET", "HEAD", "DELETE"):
        await egress.request(method, there.url, headers=TOLD, secret_headers=SECRETS, limit=99)
    assert there.asked[0].headers["x-robot"] == "s3cret"
    assert there.asked[0].headers["authorization"] == "Bearer s3cret"
    assert [each.path for each in there.asked] == ["/", "/back"] * 3
    assert "s3cret" not in str([each.headers for each in (*stranger.asked, *there.asked[1::2])])


@pytest.mark.parametrize("status", [307, 308])
async def test_a_body_goes_again_where_it_was_meant_to_go(
    egress: Egress, there: Elsewhere, stranger: Elsewhere, status: int
) -> None:
    there.script["/"] = (status, {"location": "/again"}, b"")
    await egress.request("POST", there.url, body=b"s3cret", limit=99)
    assert [each.body for each in there.asked] == [b"s3cret", b"s3cret"]
    there.script["/"] = (status, {"location": stranger.url}, b"")
    with pytest.raises(EgressRefused, match="asks for the body for another origin"):
        await egress.request("POST", there.url, body=b"s3cret", limit=99)
    assert not stranger.asked
    await egress.request("POST", there.url, body=b"open", body_travels=True, limit=99)
    assert [each.body for each in stranger.asked] == [b"open"]


async def test_a_body_that_is_gone_is_not_sent_again(egress: Egress, there: Elsewhere) -> None:
    there.script["/"] = (307, {"location": "/again"}, b"")
    with pytest.raises(EgressRefused, match="once more"):
        await egress.request("PUT", there.url, body=no_end(), limit=99)
    there.script["/"] = (303, {"location": "/again"}, b"")
    await egress.request("PUT", there.url, body=no_end(), limit=99)
    assert there.story == ["PUT /", "PUT /", "GET /again"]


async def test_five_are_followed_and_no_more(egress: Egress, there: Elsewhere) -> None:
    for hop in range(7):
        there.script[f"/{hop}"] = (302, {"location": f"/{hop + 1}"}, b"")
    there.script["/7"] = (200, {}, b"arrived")
    assert (await egress.request("GET", f"{there.url}/2", limit=10)).body == b"arrived"
    with pytest.raises(EgressFailed, match="more than 5 times"):
        await egress.request("GET", f"{there.url}/1", limit=10)


@pytest.mark.parametrize("location", ["http://[", "http://host:port/", "//host:99999/x", "gopher://x/"])
async def test_what_leads_nowhere_is_refused(egress: Egress, there: Elsewhere, location: str) -> None:
    there.script["/"] = (302, {"location": location}, b"")
    with pytest.raises(EgressRefused, match="redirects"):
        await egress.request("GET", there.url, limit=10)


async def test_a_redirect_that_names_no_place_is_the_reply(egress: Egress, there: Elsewhere) -> None:
    there.script["/"] = (301, {}, b"moved")
    assert (await egress.request("GET", there.url, limit=10)).body == b"moved"
