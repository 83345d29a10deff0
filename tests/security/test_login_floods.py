"""Floods of logins: a slow hash is worked through by a small pool, who is too many is told so, and pulls go on (T52).

FAIRWAY_TEST_LOGINS says how many come from as many addresses; with several times 1,000 of them the queue is full, too.
"""

import http.client
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from fairway.features.accounts.passwords import AT_ONCE, MOST_WAITING
from faults.closed_loop import SECONDS, Ask, Seen, asking, refusal_faults
from faults.conftest import running
from faults.images import image
from faults.slow import allow_sockets
from hub import PASSWORD, Hub
from stories.world import basic
from system.test_login import add_user
from system.wire import Answer, Wire

pytestmark = [pytest.mark.system, pytest.mark.slow]

PARALLEL = 500
FROM_EVERYWHERE = int(os.environ.get("FAIRWAY_TEST_LOGINS", "100"))
REPO = "library/pulled"
IMAGE = image(b'{"of":"logins"}', [])
TOKEN = "/service/token?service=harbor-registry"
BEHIND_A_PROXY = {"FAIRWAY_TRUSTED_PROXIES": "127.0.0.0/8"}
MEGABYTE = 1 << 20
OTHERS_SHARE = 200
"""How much slower pulls may be: hashes take all cores there are, but no pull waits for one."""
HASH = 19 * MEGABYTE
MOST_MEMORY = AT_ONCE * HASH + 64 * MEGABYTE + (PARALLEL + FROM_EVERYWHERE) * 64 * 1024
"""What a process may need more than at rest: the pool, what serves the pulls beside it, and every connection."""


@pytest.fixture(scope="module", params=["sqlite-1", "postgresql-3"])
def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Where a test can log in from everywhere; with somebody who has not logged in yet."""
    with running(request, tmp_path_factory.mktemp("logins"), BEHIND_A_PROXY) as stage:
        add_user(stage.hub, "alice", PASSWORD)
        yield stage.hub


@pytest.fixture(scope="module")
def pull(hub: Hub) -> Ask:
    """With a token."""
    admin = Wire(hub)
    for content in IMAGE.blobs.values():
        admin.push_blob(REPO, content)
    put = admin.ask("PUT", f"/v2/{REPO}/manifests/v1", IMAGE.raw, {"Content-Type": IMAGE.media_type})
    assert put.status == 201, put
    token = admin.ask("GET", f"{TOKEN}&scope=repository:{REPO}:pull").json()["token"]
    return Ask("GET", f"/v2/{REPO}/manifests/v1", {"Authorization": f"Bearer {token}"})


def logins(hub: Hub, credentials: list[tuple[str, str, str]]) -> list[Answer]:
    """All of these (user, password, address) log in at the same moment."""
    allow_sockets(len(credentials))
    gate = threading.Barrier(len(credentials))

    def log_in(who: tuple[str, str, str]) -> Answer:
        user, password, address = who
        connection = http.client.HTTPConnection(hub.place, timeout=4 * SECONDS)
        try:
            connection.connect()
            gate.wait(SECONDS)
            headers = {"Authorization": basic(user, password), "X-Forwarded-For": address}
            connection.request("GET", TOKEN, headers=headers)
            got = connection.getresponse()
            return Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
        finally:
            connection.close()

    with ThreadPoolExecutor(len(credentials)) as threads:
        return list(threads.map(log_in, credentials))


@contextmanager
def pulls_go_on(hub: Hub, pull: Ask) -> Iterator[Seen]:
    """During the block pulls are served as before, and no process takes more memory than its pool needs."""
    pids = hub.pids()
    with asking(hub, 2, lambda _rng: pull) as seen:
        start = time.monotonic()
        time.sleep(1)
        before = seen.rate(start, time.monotonic())
        hub.forget_peaks()
        at_rest = hub.peaks()
        start = time.monotonic()
        yield seen
        meanwhile = seen.rate(start, time.monotonic())
    assert not seen.wrong
    assert seen.statuses.keys() == {200}
    assert meanwhile > before / OTHERS_SHARE, (before, meanwhile)
    assert hub.pids() == pids
    for pid, peak in hub.peaks().items():
        assert peak - at_rest[pid] < MOST_MEMORY, (pid, at_rest[pid], peak)


def clean(answers: list[Answer]) -> Counter[int]:
    """How many had which status; all that were refused for being too many are told when to come again."""
    for answer in answers:
        if answer.status not in (200, 401):
            assert not refusal_faults(answer.status, answer.headers, answer.body), answer
    return Counter(answer.status for answer in answers)


def test_five_hundred_from_one_address_keep_nobody_else_waiting(hub: Hub, pull: Ask) -> None:
    right = [("admin", PASSWORD, "192.0.2.1")] * (PARALLEL // 2)
    wrong = [(f"nobody-{number}", "Wrong-password-1", "192.0.2.1") for number in range(PARALLEL // 2)]
    crowd = random.Random(1).sample([*right, *wrong], PARALLEL)
    with pulls_go_on(hub, pull), ThreadPoolExecutor(1) as aside:
        flood = aside.submit(logins, hub, crowd)
        elsewhere = clean(logins(hub, [("alice", PASSWORD, "198.51.100.1")]))
        came = clean(flood.result())
    assert elsewhere == {200: 1}
    assert came.keys() <= {200, 401, 429}, came
    assert came[429] > PARALLEL // 10, came
    assert came[401] < PARALLEL // 4, "most wrong passwords are not even tried"


def test_from_many_addresses_they_wait_their_turn_or_are_sent_away(hub: Hub, pull: Ask) -> None:
    numbers = range(FROM_EVERYWHERE)
    crowd = [(f"nobody-{n}", f"Wrong-password-{n}", f"203.0.{n >> 8}.{n & 255}") for n in numbers]
    with pulls_go_on(hub, pull):
        came = clean(logins(hub, crowd))
    assert came.keys() <= {401, 503}, came
    assert came[401] >= min(FROM_EVERYWHERE, MOST_WAITING)
    assert came[503] >= FROM_EVERYWHERE - (MOST_WAITING + AT_ONCE) * hub.workers - came[401]
