"""Connections that break, in every place where one can: nothing is lost, nothing is left, nobody is alarmed (N2, N5)."""

import json
import random
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import pytest

from faults.client import Client, Lost, Refused, Upload
from faults.conftest import running
from faults.images import digest_of
from faults.journal import Journal
from faults.proxy import FaultProxy
from faults.resources import open_files, wait_until_calm
from faults.slow import wait_for
from faults.stage import Stage, seed
from hub import PASSWORD, Hub

pytestmark = [pytest.mark.system, pytest.mark.slow]

REPO = "library/network"
PATIENCE = 30
"""Seconds until a broken request has put away what it got, on a busy machine."""
LOGIN = "Authorization: Basic " + b64encode(f"admin:{PASSWORD}".encode()).decode()


@pytest.fixture(scope="module", params=["sqlite-1", "postgresql-3"])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running(request, tmp_path_factory.mktemp("network")) as made:
        yield made


@pytest.fixture
def hub(stage: Stage) -> Hub:
    return stage.hub


@pytest.fixture
def proxy(hub: Hub) -> Iterator[FaultProxy]:
    host, port = hub.place.split(":")
    with FaultProxy((host, int(port)), seed=seed()) as made:
        yield made


@pytest.fixture
def direct(stage: Stage) -> Iterator[Client]:
    """A client without a fault between it and the hub; afterwards the hub must be as it was."""
    journal = Journal(stage.hub.folder / "journals", "direct")
    made = Client(stage.hub.place, journal, random.Random(1))
    made.call("GET", "/v2/")
    wait_until_calm(stage.hub)
    said, files = len(stage.hub.log), open_files(stage.hub)
    yield made
    wait_for(lambda: not stage.inside.uploads(), "no upload's file is left")
    assert stage.inside.rows("SELECT COUNT(*) FROM uploads") == [(0,)]
    wait_for(lambda: open_files(stage.hub) <= files + 5 * stage.hub.workers, "no open file is left")
    for line in stage.hub.log[said:].splitlines():
        assert json.loads(line)["level"] in ("info", "debug"), line
    made.close()
    journal.close()


@pytest.fixture
def flaky(proxy: FaultProxy, direct: Client) -> Iterator[Client]:
    """The same, through the proxy."""
    made = Client(proxy.place, direct.journal, random.Random(2))
    yield made
    made.close()


def data() -> bytes:
    return random.Random(seed()).randbytes(700_000) + random.SystemRandom().randbytes(16)


def resume(direct: Client, upload: Upload, content: bytes) -> int:
    """Go on from where the hub says, and end; the offset it named.

    A request that has just broken may still be putting away what it got: then it is asked again.
    """
    again = Upload.__new__(Upload)
    again.client, again.deed, again.path = direct, upload.deed, upload.path
    at = again.offset()
    deadline = time.monotonic() + PATIENCE
    while at < len(content):
        where = {"Content-Range": f"{at}-{len(content) - 1}"}
        answer = direct.call("PATCH", again.path, content[at:], where)
        if answer.status == 202:
            break
        assert answer.status == 416 or b"another request" in answer.body, answer
        assert time.monotonic() < deadline, answer
        time.sleep(0.02)
        at = again.offset()
    again.finish(digest_of(content))
    assert direct.blob(REPO, digest_of(content)).body == content
    return at


@pytest.mark.parametrize("announced", [True, False], ids=["chunk", "stream"])
def test_a_patch_that_breaks_off_goes_on_from_where_it_came(
    proxy: FaultProxy, direct: Client, flaky: Client, announced: bool
) -> None:
    content = data()
    upload = Upload(flaky, REPO)
    proxy.cut_after(400_000)
    with pytest.raises(Lost):
        upload.patch(content, 0 if announced else None)
    assert resume(direct, upload, content) <= 400_000


def test_a_closing_put_that_breaks_off_can_be_repeated(
    proxy: FaultProxy, direct: Client, flaky: Client
) -> None:
    content = data()
    upload = Upload(flaky, REPO)
    upload.patch(content[:1000], 0)
    proxy.cut_after(400_000)
    with pytest.raises(Lost):
        upload.finish(digest_of(content), content[1000:])
    assert 1000 <= resume(direct, upload, content) <= 401_000


def test_a_push_in_one_go_that_breaks_off_leaves_nothing(
    proxy: FaultProxy, direct: Client, flaky: Client
) -> None:
    content = data()
    proxy.cut_after(400_000)
    with pytest.raises(Lost):
        flaky.push_blob(REPO, content, "single-post")
    assert direct.blob(REPO, digest_of(content), "HEAD").status == 404
    assert direct.push_blob(REPO, content, "single-post") == digest_of(content)


@pytest.mark.parametrize("closing", [False, True], ids=["patch", "put"])
def test_a_reply_that_gets_lost_is_no_lost_upload(
    proxy: FaultProxy, direct: Client, flaky: Client, closing: bool
) -> None:
    """All bytes have arrived, and not one of the reply gets back."""
    content = data()
    upload = Upload(flaky, REPO)
    proxy.cut_after(0, to="client")
    send = (
        partial(upload.finish, digest_of(content), content) if closing else partial(upload.patch, content, 0)
    )
    with pytest.raises(Lost):
        send()
    if closing:
        assert direct.blob(REPO, digest_of(content)).body == content
        assert direct.call("GET", upload.path).status == 404
    else:
        assert resume(direct, upload, content) == len(content)


def test_a_client_that_falls_silent_half_closed_is_told_and_goes_on(
    proxy: FaultProxy, direct: Client, flaky: Client
) -> None:
    content = data()
    upload = Upload(flaky, REPO)
    flaky._connection.putrequest("PATCH", upload.path)
    flaky._connection.putheader(*LOGIN.split(": "))
    flaky._connection.putheader("Content-Length", str(len(content)))
    flaky._connection.endheaders(content[:300_000])
    passed = -1
    while passed != proxy.passed["server"] or passed < 300_000:  # with the heads of requests it is a bit more
        passed = proxy.passed["server"]
        time.sleep(0.3)
    proxy.half_close("server")
    answer = flaky._connection.getresponse()
    assert (answer.status, b"SIZE_INVALID" in answer.read()) == (400, True)
    assert resume(direct, upload, content) == 300_000


def test_hundreds_that_hang_up_leave_nothing_behind(
    proxy: FaultProxy, hub: Hub, direct: Client, flaky: Client
) -> None:
    """Pulls, parts of pulls, manifests and uploads, each reset after a random number of bytes."""
    content = data()
    direct.push_blob(REPO, content)
    proxy.cut_at_random(60_000)
    rng = random.Random(seed())
    for _ in range(200):
        with suppress(Lost, Refused):
            match rng.randrange(4):
                case 0:
                    flaky.blob(REPO, digest_of(content))
                case 1:
                    flaky.call("GET", f"/v2/{REPO}/blobs/{digest_of(content)}", headers={"Range": "bytes=5-"})
                case 2:
                    flaky.call("PUT", f"/v2/{REPO}/manifests/v1", rng.randbytes(100_000))
                case _:
                    flaky.push_blob(REPO, rng.randbytes(100_000), "single-post")
    assert direct.blob(REPO, digest_of(content)).body == content


def test_an_upload_through_a_bad_line_ends_and_began_only_once(
    proxy: FaultProxy, stage: Stage, direct: Client, flaky: Client
) -> None:
    """A narrow line that breaks every 40 KB or so: one session, however often it was resumed."""
    content = data()
    upload = Upload(flaky, REPO)
    proxy.rate(400_000)
    proxy.cut_at_random(40_000)
    flaky.close()
    breaks = 0
    while breaks < 1000:
        with suppress(Lost):
            at = upload.offset()
            if at == len(content):
                break
            where = {"Content-Range": f"{at}-{min(at + 100_000, len(content)) - 1}"}
            answer = flaky.call("PATCH", upload.path, content[at : at + 100_000], where)
            # or what broke just now is still being put away
            assert answer.status in (202, 416) or b"another request" in answer.body, answer
            continue
        breaks += 1
    assert breaks > 3, "the line was too good to prove anything"
    assert stage.inside.rows("SELECT COUNT(*) FROM uploads") == [(1,)]
    assert resume(direct, upload, content) == len(content)
