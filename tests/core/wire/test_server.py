"""The server around the calls: errors, hooks, bodies nobody read, and the shape of every reply."""

import asyncio
from typing import Any

import pytest

from fairway.core.content.memory import Memory
from fairway.core.oci import errors
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import FairwayError
from fairway.core.wire import bodies, paths
from fairway.core.wire.server import HANDLERS
from fairway.core.wire.status import STATUS, status_of

BLOB = f"/v2/team/app/blobs/{Digest.of(b'x')}"


def failing(error: Exception) -> Any:
    """A registry whose ping fails."""

    class Failing(Memory):
        async def ping(self) -> None:
            raise error

    return Failing()


async def test_ping_says_this_is_a_registry(wire: Any) -> None:
    for target in ("/v2/", "/v2"):
        answer = await wire("GET", target)
        assert (answer.status, answer.json) == (200, {})
        assert answer["docker-distribution-api-version"] == "registry/2.0"
        assert answer["content-type"] == "application/json"


def test_every_call_has_a_handler() -> None:
    assert HANDLERS.keys() == set(paths.Call.__args__)


def family(of: type[FairwayError]) -> set[type[FairwayError]]:
    return {of}.union(*(family(kind) for kind in of.__subclasses__()))


@pytest.mark.parametrize("kind", sorted(family(FairwayError), key=str))
def test_every_error_has_a_status(kind: type[FairwayError]) -> None:
    status = status_of(kind.__new__(kind))
    assert 400 <= status < 600
    assert (status == 500) == (not any(base in STATUS for base in kind.__mro__ if base is not FairwayError))


class TestErrors:
    async def test_an_error_is_json_with_code_message_and_detail(self, wire: Any) -> None:
        wire.registry = failing(errors.Denied("not you", detail={"why": "because"}))
        answer = await wire("GET", "/v2/")
        assert (answer.status, answer.code) == (403, "DENIED")
        expected = {"code": "DENIED", "message": "not you", "detail": {"why": "because"}}
        assert answer.json["errors"] == [expected]
        assert not wire.failures

    async def test_a_stranger_is_told_where_to_get_a_token(self, wire: Any) -> None:
        challenge = 'Bearer realm="https://hub.example/service/token",service="harbor-registry"'
        wire.registry = failing(errors.Unauthorized("who are you?", challenge=challenge))
        answer = await wire("GET", "/v2/")
        assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
        assert answer["www-authenticate"] == challenge
        assert answer["docker-distribution-api-version"] == "registry/2.0"

    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (errors.TooManyRequests("slow down", retry_after=7), 429),
            (errors.Unavailable("later", retry_after=7), 503),
            (errors.StorageFull("no room", retry_after=7), 503),
        ],
    )
    async def test_who_must_wait_is_told_how_long(self, wire: Any, error: Exception, status: int) -> None:
        wire.registry = failing(error)
        answer = await wire("GET", "/v2/")
        assert (answer.status, answer["retry-after"]) == (status, "7")

    async def test_what_was_not_foreseen_is_told_to_the_operator_only(self, wire: Any) -> None:
        wire.registry = failing(RuntimeError("postgresql://secret@10.0.0.1/"))
        answer = await wire("GET", "/v2/")
        assert (answer.status, answer.code) == (500, "UNKNOWN")
        assert b"secret" not in answer.body
        assert [str(failure) for failure in wire.failures] == ["postgresql://secret@10.0.0.1/"]

    async def test_head_gets_the_headers_of_an_error_without_its_body(self, wire: Any) -> None:
        answer = await wire("HEAD", BLOB)
        assert (answer.status, answer.body) == (404, b"")
        assert int(answer["content-length"]) > 0

    @pytest.mark.parametrize(
        ("method", "target", "status", "code"),
        [
            ("GET", "/v2/_catalog/", 404, "NOT_FOUND"),
            ("GET", "/v2//_catalog", 404, "NOT_FOUND"),
            ("GET", "/v2/UPPER/tags/list", 400, "NAME_INVALID"),
            ("GET", "/v2/a/../b/tags/list", 400, "NAME_INVALID"),
            ("GET", f"/v2/{'a' * 256}/tags/list", 400, "NAME_INVALID"),
            ("GET", "/v2/team/app/manifests/-tag", 400, "TAG_INVALID"),
            ("GET", "/v2/team/app/blobs/sha256:short", 400, "DIGEST_INVALID"),
            ("GET", "/v2/team/app/referrers/sha256:short", 400, "DIGEST_INVALID"),
        ],
    )
    async def test_a_path_that_leads_nowhere_says_why(
        self, wire: Any, method: str, target: str, status: int, code: str
    ) -> None:
        answer = await wire(method, target)
        assert (answer.status, answer.code) == (status, code)

    async def test_a_method_that_is_not_there_names_those_that_are(self, wire: Any) -> None:
        answer = await wire("PUT", BLOB)
        assert answer.status == 405
        assert {"GET", "HEAD", "DELETE"} <= set(answer["allow"].split(", "))


class TestHooks:
    async def test_every_request_is_observed_once_with_what_it_cost(self, wire: Any) -> None:
        await wire.push("team/app", b"x")
        await wire("GET", BLOB)
        await wire("HEAD", BLOB)
        await wire("GET", "/nowhere")
        post, get, head, nowhere = wire.observed
        assert (type(post[0].call), post[1]) == (paths.StartUpload, 201)
        assert (type(get[0].call), *get[1:]) == (paths.GetBlob, 200, 1)
        assert (type(head[0].call), *head[1:]) == (paths.HeadBlob, 200, 0)
        assert (nowhere[0].call, nowhere[1]) == (None, 404)

    async def test_the_request_is_what_was_sent(self, wire: Any) -> None:
        await wire("GET", "/v2/_catalog?n=5", headers={"X-One": "a", "Authorization": "Basic abc"})
        request = wire.observed[0][0]
        assert (request.method, request.path, request.query) == ("GET", "/v2/_catalog", "n=5")
        assert request.headers == {"x-one": "a", "authorization": "Basic abc"}
        assert request.client == "192.0.2.7"
        assert request.call == paths.Catalog(n=5)

    async def test_headers_given_twice_are_joined_not_chosen_from(self, wire: Any) -> None:
        pairs = [(b"authorization", b"Basic one"), (b"authorization", b"Basic two")]
        app = wire.client.app

        async def twice(scope: dict[str, Any], receive: Any, send: Any) -> None:
            await app({**scope, "headers": pairs}, receive, send)

        client = wire.client
        client.app = twice
        await client("GET", "/v2/")
        assert wire.observed[0][0].headers["authorization"] == "Basic one, Basic two"


class TestBodiesNobodyRead:
    """After an error the client may still be sending: it must get to read the answer."""

    TARGET = "/v2/team/app/blobs/uploads/unknown"

    async def test_a_small_rest_is_read_away_and_the_connection_kept(self, wire: Any) -> None:
        answer = await wire("PATCH", self.TARGET, b"x" * 3000)
        assert answer.status == 404
        assert "connection" not in answer
        assert wire.observed[0][0].body.ended

    async def test_a_large_rest_closes_the_connection(self, wire: Any) -> None:
        answer = await wire("PATCH", self.TARGET, b"x" * 1_000_000)
        assert (answer.status, answer["connection"]) == (404, "close")

    async def test_who_waits_to_be_invited_is_not(self, wire: Any) -> None:
        asked = []
        app = wire.client.app

        async def watch(scope: Any, receive: Any, send: Any) -> None:
            async def counted() -> Any:
                asked.append(1)
                return await receive()

            await app(scope, counted, send)

        client = wire.client
        client.app = watch
        answer = await client("PATCH", self.TARGET, b"x" * 3000, headers={"Expect": "100-continue"})
        assert (answer.status, answer["connection"]) == (404, "close")
        assert not asked

    async def test_http_2_knows_no_connection_header(self, wire: Any) -> None:
        answer = await wire("PATCH", self.TARGET, b"x" * 1_000_000, version="2")
        assert answer.status == 404
        assert "connection" not in answer

    async def test_a_client_that_drips_is_given_up(self, wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bodies, "GRACE", 0.01)
        app, bytes_sent = wire.client.app, 0

        async def dripping(scope: Any, receive: Any, send: Any) -> None:
            async def drip() -> Any:
                nonlocal bytes_sent
                bytes_sent += 1
                await asyncio.sleep(0.002)
                return {"type": "http.request", "body": b"x", "more_body": True}

            await app(scope, drip, send)

        client = wire.client
        location = (await client("POST", "/v2/team/app/blobs/uploads/"))["location"]
        client.app = dripping
        answer = await client("PATCH", location, [b"x"])
        assert (answer.status, answer.code) == (400, "SIZE_INVALID")

    async def test_a_body_is_not_blamed_for_a_slow_disk(
        self, wire: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bodies, "GRACE", 0.01)
        append = wire.registry.append

        async def slowly(repo: Any, upload_id: str, /, body: Any, *, at: int | None) -> Any:
            async def pieces() -> Any:
                async for piece in body:
                    await asyncio.sleep(0.01)
                    yield piece

            return await append(repo, upload_id, pieces(), at=at)

        wire.registry.append = slowly
        location = (await wire("POST", "/v2/team/app/blobs/uploads/"))["location"]
        assert (await wire("PATCH", location, [b"x"] * 5)).status == 202

    async def test_a_client_that_falls_silent_is_given_up(
        self, wire: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bodies, "PATIENCE", 0.01)
        app = wire.client.app

        async def stall(scope: Any, receive: Any, send: Any) -> None:
            first = [{"type": "http.request", "body": b"x", "more_body": True}]

            async def silent() -> Any:
                return first.pop() if first else await asyncio.Event().wait()

            await app(scope, silent, send)

        client = wire.client
        location = (await client("POST", "/v2/team/app/blobs/uploads/"))["location"]
        client.app = stall
        answer = await client("PATCH", location, [b"x"])
        assert (answer.status, answer.code) == (400, "SIZE_INVALID")
        assert not wire.failures


async def test_http_2_bodies_need_no_length(wire: Any) -> None:
    location = (await wire("POST", "/v2/team/app/blobs/uploads/", version="2"))["location"]
    digest = Digest.of(b"over h2")
    answer = await wire("PUT", f"{location}?digest={digest}", [b"over", b" h2"], version="2")
    assert answer.status == 201
