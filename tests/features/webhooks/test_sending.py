"""One request: what it bears, where it does not go (T24), what does not leave with it (T25), what is kept of the answer."""

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web

from fairway import __version__
from fairway.features.webhooks.model import Answer, Delivery, Target
from fairway.features.webhooks.sending import send
from fairway.frame.egress import Egress, Stream
from fairway.frame.egress.replies import Response
from frame.egress.elsewhere import LOOPBACK, Authority, Elsewhere, Names, listening, tunnelling, up, way_out

BODY = '{"a": "ü"}'
EVENT = Delivery(
    1,
    1,
    1,
    "e1",
    "PUSH_ARTIFACT",
    "team/app",
    "application/json",
    BODY,
    "Pending",
    0,
    1,
    None,
    None,
    None,
    "",
    "",
)
SECRET = "a secret of somebody"


def target(
    address: str, *, auth_header: str = "", secret: str = "", skip_cert_verify: bool = False
) -> Target:
    return Target(1, 1, "http", address, "Default", None, auth_header, secret, skip_cert_verify)


@pytest.fixture
def everywhere_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if what is on loopback were on the internet."""
    monkeypatch.setattr(Stream, "public", True)


async def test_what_a_request_bears(egress: Egress, there: Elsewhere) -> None:
    before = int(time.time())
    answer = await send(egress, target(f"{there.url}/hook", auth_header="Token abc", secret=SECRET), EVENT)
    assert answer == Answer(200)
    [asked] = there.asked
    assert (asked.method, asked.body) == ("POST", BODY.encode())
    bears = asked.headers
    assert bears["content-type"] == "application/json"
    assert bears["authorization"] == "Token abc"
    assert bears["user-agent"] == f"Fairway/{__version__}"
    assert bears["webhook-id"] == "e1"
    assert bears["x-fairway-event"] == "PUSH_ARTIFACT"
    at = bears["webhook-timestamp"]
    assert before <= int(at) <= time.time()
    mac = hmac.new(SECRET.encode(), f"e1.{at}.".encode() + asked.body, hashlib.sha256).digest()
    assert bears["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"
    mac = hmac.new(SECRET.encode(), asked.body, hashlib.sha256)
    assert bears["x-signature"] == f"sha256={mac.hexdigest()}"


async def test_without_secrets_there_is_no_header_for_them(egress: Egress, there: Elsewhere) -> None:
    await send(egress, target(f"{there.url}/hook"), EVENT)
    assert there.asked[0].headers.keys().isdisjoint({"authorization", "webhook-signature", "x-signature"})


# -- where it does not go


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:{port}/hook",
        "http://localhost:{port}/hook",
        "http://127.1:{port}/hook",
        "http://2130706433:{port}/hook",
        "http://[::ffff:127.0.0.1]:{port}/hook",
        "http://u:p@127.0.0.1:{port}/hook",
        "http://inside.example:{port}/hook",
        "http://10.0.0.7/hook",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/latest/",
        "http://93.184.216.34:6379/",
        "ftp://93.184.216.34/",
        "file:///etc/passwd",
    ],
)
async def test_nothing_is_sent_to_where_only_the_hub_can_reach(address: str) -> None:
    async with listening() as canary, way_out(resolver=Names(inside=["127.0.0.1"])) as egress:
        answer = await send(
            egress, target(address.format(port=canary.port), auth_header="x", secret=SECRET), EVENT
        )
        assert canary.connections == 0
    assert answer.forbidden
    assert answer.status is None
    assert answer.reply == ""
    assert "127.0.0.1" in address or "127.0.0.1" not in answer.message, "where a name leads is not told"


async def test_a_name_that_moves_inside_gains_nothing() -> None:
    """DNS rebinding: it was public when somebody looked at it."""
    names = Names(moves=[["93.184.216.34"], ["127.0.0.1"]])
    await names.resolve("moves.example")
    async with listening() as canary, way_out(resolver=names) as egress:
        answer = await send(egress, target(f"http://moves.example:{canary.port}/"), EVENT)
        assert answer.forbidden
        assert names.questions["moves.example"] == 2
        assert canary.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed_and_nothing_leaves_with_them(
    egress: Egress, there: Elsewhere, status: int
) -> None:
    async with up() as stranger:
        stranger.script["/stolen"] = (200, {}, b"")
        there.script["/hook"] = (status, {"location": f"{stranger.url}/stolen"}, b"")
        answer = await send(egress, target(f"{there.url}/hook", auth_header="Bearer s", secret=SECRET), EVENT)
        assert stranger.asked == []
    assert answer.status == status
    assert answer.message == (
        f"answered {status}: it is elsewhere; redirects are not followed, set the address to where it leads"
    )
    assert not answer.forbidden


async def test_a_redirect_to_inside_is_not_even_looked_at(egress: Egress, there: Elsewhere) -> None:
    async with listening() as canary:
        there.script["/hook"] = (301, {"location": f"http://127.0.0.1:{canary.port}/"}, b"")
        await send(egress, target(f"{there.url}/hook"), EVENT)
        assert canary.connections == 0


# -- certificates


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


async def test_a_certificate_must_be_right_unless_its_target_says_otherwise(
    egress: Egress, authority: Authority
) -> None:
    async with up(tls=authority.server("127.0.0.1")) as unknown:
        unknown.script["/hook"] = (200, {}, b"")
        answer = await send(egress, target(f"{unknown.url}/hook", auth_header="x"), EVENT)
        assert answer.status is None
        assert "certificate that cannot be verified" in answer.message
        assert unknown.asked == []
        answer = await send(egress, target(f"{unknown.url}/hook", skip_cert_verify=True), EVENT)
        assert answer.status == 200


# -- what is kept of the answer


async def test_of_what_only_the_hub_can_reach_nothing_but_the_status_is_kept(
    egress: Egress, there: Elsewhere
) -> None:
    for status in (200, 404, 500):
        there.script["/hook"] = (status, {}, b"root:x:0:0")
        answer = await send(egress, target(f"{there.url}/hook"), EVENT)
        assert (answer.status, answer.reply) == (status, "")
        assert "root" not in answer.message


async def test_of_what_anybody_can_reach_the_beginning_is_kept(
    egress: Egress, there: Elsewhere, everywhere_is_public: None
) -> None:
    there.script["/hook"] = (500, {}, b"no\x00 such\r\nbranch \xff" + b"x" * 9000)
    answer = await send(egress, target(f"{there.url}/hook"), EVENT)
    assert answer.reply.startswith("no  such  branch \N{REPLACEMENT CHARACTER}xxx")
    assert len(answer.reply) == 1024


async def test_what_was_compressed_is_not_kept(
    egress: Egress, there: Elsewhere, everywhere_is_public: None
) -> None:
    there.script["/hook"] = (200, {"content-encoding": "gzip"}, b"abc")
    assert await send(egress, target(f"{there.url}/hook"), EVENT) == Answer(200)


@pytest.mark.parametrize(
    ("peer", "proxied", "public"),
    [
        ("93.184.216.34", False, True),
        ("2606:2800:220:1::1", False, True),
        ("93.184.216.34", True, False),
        ("127.0.0.1", False, False),
        ("10.1.2.3", False, False),
        ("169.254.169.254", False, False),
        ("::ffff:10.0.0.1", False, False),
        ("", False, False),
    ],
)
def test_where_anybody_can_reach(peer: str, proxied: bool, public: bool) -> None:
    reply = Stream.__new__(Stream)
    reply._response = Response.__new__(Response)
    reply._response.peer = peer
    reply._proxied = proxied
    assert reply.public is public


async def test_a_reply_knows_where_it_came_from(egress: Egress, there: Elsewhere) -> None:
    async with egress.stream("GET", f"{there.url}/hook", limit=9) as reply:
        assert isinstance(reply._response, Response)
        assert reply._response.peer == "127.0.0.1"
        assert not reply.public


async def test_what_comes_by_a_proxy_comes_from_nobody_knows_where(there: Elsewhere) -> None:
    async with tunnelling(there.port) as proxy, way_out(LOOPBACK, egress_proxy=proxy) as egress:
        assert egress.session().proxied
        answer = await send(egress, target("https://93.184.216.34/hook"), EVENT)
        assert answer.reply == ""


@pytest.fixture(params=[False, True], ids=["inside", "public"])
def wherever(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stream, "public", request.param)


Endless = Callable[[web.BaseRequest], AsyncIterator[None]]


@pytest.mark.parametrize("announced", [True, False])
async def test_an_endless_answer_costs_nothing(
    egress: Egress, there: Elsewhere, wherever: None, announced: bool
) -> None:
    sent = 0

    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal sent
        reply = web.StreamResponse(headers={"content-length": "100000000"} if announced else {})
        await reply.prepare(request)
        while sent < 100_000_000:
            await reply.write(b"x" * 100_000)
            sent += 100_000
        return reply

    there.script["/hook"] = endless
    answer = await send(egress, target(f"{there.url}/hook"), EVENT)
    assert answer.status == 200
    assert answer.message == ""
    await asyncio.sleep(0.1)
    assert sent < 10_000_000, "the connection was closed"


async def test_a_reply_that_drips_is_left(egress: Egress, wherever: None) -> None:
    async with listening() as slow:
        slow.says = [b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n", *([b"x"] * 90)]
        slow.pause = 0.2
        began = time.monotonic()
        answer = await send(egress, target(f"{slow.url}/hook"), EVENT)
        assert answer.status == 200
        assert time.monotonic() - began < 8
        await asyncio.wait_for(slow.left.wait(), 10)


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ([b""], "takes too long to answer"),
        ([b"HTTP/1.1 200 OK\r\nx: "], "takes too long to answer"),
        ([b"nonsense\r\n\r\n"], "cannot be read as HTTP"),
    ],
)
async def test_what_is_no_answer_is_a_failure(egress: Egress, says: list[bytes], words: str) -> None:
    async with listening() as raw:
        raw.says = says
        answer = await send(egress, target(f"{raw.url}/SECRETPATH"), EVENT, seconds=0.5)
        assert answer.status is None
        assert words in answer.message
        assert not answer.forbidden
        assert "SECRETPATH" not in answer.message


async def test_secrets_are_in_no_message_and_in_no_log(
    egress: Egress, there: Elsewhere, capsys: pytest.CaptureFixture[str]
) -> None:
    about = target(f"{there.url}/T00/B00/slacksecret", auth_header="Bearer hush", secret=SECRET)
    answer = await send(egress, about, EVENT)
    down = await send(egress, target("http://127.0.0.1:1/slacksecret", auth_header="Bearer hush"), EVENT)
    said = capsys.readouterr().out + capsys.readouterr().err + answer.message + down.message + repr(about)
    for each in ("hush", SECRET, "slacksecret"):
        assert each not in said
