"""Who begins uploads without end is stopped alone, gets no room that is not theirs, and is cleaned up after (T51).

FAIRWAY_TEST_UPLOAD_FLOOD says how many uploads are begun, and a tenth of that how many are left half done.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from faults.closed_loop import Ask, asking, refusal_faults
from faults.conftest import running
from faults.images import digest_of
from faults.inside import Inside
from faults.slow import Slow, wait_for
from hub import PASSWORD, Hub
from system.test_login import add_user
from system.wire import Answer, Wire

pytestmark = [pytest.mark.system, pytest.mark.slow]

FLOOD = int(os.environ.get("FAIRWAY_TEST_UPLOAD_FLOOD", "1000"))
HALF = FLOOD // 10
AT_ONCE = 16
CAP = max(60, HALF)
EXPIRY_SECONDS = 600
SIZE = 20_000
SETTINGS = {
    "FAIRWAY_UPLOADS_PER_USER": f"{CAP}",
    "FAIRWAY_UPLOAD_EXPIRY_SECONDS": f"{EXPIRY_SECONDS}",
}


@pytest.fixture(scope="module", params=["sqlite-1", "postgresql-3"])
def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """With the user mallory and a project of hers."""
    with running(request, tmp_path_factory.mktemp("floods"), SETTINGS) as stage:
        add_user(stage.hub, "mallory", PASSWORD)
        Wire(stage.hub, "mallory").create_project("mallory")
        yield stage.hub


@pytest.fixture
def inside(hub: Hub) -> Iterator[Inside]:
    """What lies beneath; every test begins and ends without an upload."""
    found = Inside(hub)
    assert begun(found) == (0, 0)
    yield found
    for path in uploads(found):
        assert Wire(hub, "mallory").ask("DELETE", path).status == 204
    assert begun(found) == (0, 0)


def begun(inside: Inside) -> tuple[int, int]:
    """Rows and files of uploads."""
    [(rows,)] = inside.rows("SELECT COUNT(*) FROM uploads")
    return int(rows), len(inside.uploads())


def uploads(inside: Inside) -> list[str]:
    """The path of each upload that has a row."""
    found = inside.rows(
        "SELECT p.name, u.repository, u.id FROM uploads u JOIN projects p ON p.id = u.project_id"
    )
    return [f"/v2/{project}/{rest}/blobs/uploads/{id}" for project, rest, id in found]


def all_at_once(number: int, wire: Wire, asks: list[tuple[str, str, bytes]]) -> list[Answer]:
    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(lambda ask: wire.ask(*ask), asks))


@contextmanager
def others_at_work(hub: Hub) -> Iterator[None]:
    """Somebody else pushes all the time, in each way, and nothing that mallory does gets them refused."""
    admin = Wire(hub)
    headers = {**admin.headers, "Content-Type": "application/octet-stream"}

    def push(rng: random.Random) -> Ask:
        body = rng.randbytes(1000)
        return Ask("POST", f"/v2/library/app/blobs/uploads/?digest={digest_of(body)}", headers, body)

    def push_in_two_steps(_rng: random.Random) -> Ask:
        return Ask("PUT", f"{admin.start_upload('library/app')}?digest={digest_of(b'')}", headers, b"")

    with asking(hub, 1, push) as pushed, asking(hub, 1, push_in_two_steps) as in_two_steps:
        yield
        wait_for(lambda: bool(pushed.served_at and in_two_steps.served_at), "others could push")
    assert pushed.statuses.keys() == {201}, pushed.wrong
    assert in_two_steps.statuses.keys() == {201}, in_two_steps.wrong


def test_thousands_of_beginnings_stop_at_the_cap(hub: Hub, inside: Inside) -> None:
    mallory = Wire(hub, "mallory")
    with others_at_work(hub):
        answers = all_at_once(AT_ONCE, mallory, [("POST", "/v2/mallory/app/blobs/uploads/", b"")] * FLOOD)
    came = Counter(answer.status for answer in answers)
    assert came == {202: CAP, 503: FLOOD - CAP}
    for answer in answers:
        if answer.status != 202:
            assert not refusal_faults(answer.status, answer.headers, answer.body)
            assert answer.json()["errors"][0]["message"].startswith(f"mallory has {CAP} uploads open")
    assert begun(inside) == (CAP, CAP)
    assert mallory.ask("DELETE", uploads(inside)[0]).status == 204
    mallory.start_upload("mallory/app")


def test_unfinished_uploads_take_no_quota_and_finishing_them_does_not_pass_it(
    hub: Hub, inside: Inside
) -> None:
    room = 5
    asked = {"project_name": (name := "narrow"), "storage_limit": room * SIZE + SIZE // 2}
    json_body = {"Content-Type": "application/json"}
    made = Wire(hub).ask("POST", "/api/v2.0/projects", json.dumps(asked).encode(), json_body)
    assert made.status == 201, made
    admin = Wire(hub)
    contents = [random.Random(f"{number}").randbytes(SIZE) for number in range(4 * room)]
    paths = [admin.start_upload(f"{name}/app") for _ in contents]
    chunks = [("PATCH", path, content[:-1]) for path, content in zip(paths, contents, strict=True)]
    assert {answer.status for answer in all_at_once(AT_ONCE, admin, chunks)} == {202}
    used = f"SELECT q.used FROM quotas q JOIN projects p ON p.id = q.project_id WHERE p.name = '{name}'"
    assert inside.rows(used) == [(0,)]

    ends = [
        ("PUT", f"{path}?digest={digest_of(content)}", content[-1:])
        for path, content in zip(paths, contents, strict=True)
    ]
    answers = all_at_once(AT_ONCE, admin, ends)
    assert Counter(answer.status for answer in answers) == {201: room, 403: 3 * room}
    assert {answer.json()["errors"][0]["code"] for answer in answers if answer.status == 403} == {"DENIED"}
    assert inside.rows(used) == [(room * SIZE,)]
    assert begun(inside) == (0, 0)


def test_what_is_left_half_done_goes_when_its_time_is_over(hub: Hub, inside: Inside) -> None:
    mallory = Wire(hub, "mallory")
    login = f"Authorization: {mallory.headers['Authorization']}\r\nContent-Length: {SIZE}\r\n\r\n".encode()
    half = login + bytes(SIZE // 2)
    in_one_go = f"/v2/mallory/app/blobs/uploads/?digest={digest_of(bytes(SIZE))}"

    def patch() -> bytes:
        return f"PATCH {mallory.start_upload('mallory/app')} HTTP/1.1\r\nHost: hub\r\n".encode() + half

    with (
        others_at_work(hub),
        Slow(hub, HALF // 2, patch),
        Slow(hub, HALF // 2, f"POST {in_one_go} HTTP/1.1\r\nHost: hub\r\n".encode() + half),
    ):
        wait_for(lambda: len(inside.uploads()) >= HALF // 2 * 2, "all of them have begun")
    wait_for(lambda: begun(inside) == (HALF // 2, HALF // 2), "what was pushed in one go left nothing")
    wait_for(lambda: unwritten(inside) == 0, "what came of a chunk is kept")

    going_on = mallory.start_upload("mallory/app")
    late = time.time() - EXPIRY_SECONDS - 10
    others = [path for path in inside.uploads() if path.name not in going_on]
    for path in others:
        os.utime(path, (late, late))
    inside.rows(
        f"UPDATE uploads SET updated_at = {int(late * 1e6)} WHERE id <> '{going_on.rpartition('/')[2]}'"
    )
    with another_worker(hub):
        wait_for(lambda: begun(inside) == (1, 1), "all that were left are gone")
    assert uploads(inside) == [going_on]
    ended = mallory.ask("PUT", f"{going_on}?digest={digest_of(b'end')}", b"end")
    assert ended.status == 201


def unwritten(inside: Inside) -> int:
    """How many uploads have fewer bytes than were sent, by their rows."""
    [(number,)] = inside.rows(f"SELECT COUNT(*) FROM uploads WHERE received <> {SIZE // 2}")
    return int(number)


@contextmanager
def another_worker(hub: Hub) -> Iterator[None]:
    """One more background process: it begins with every step at once, where the hub's own takes a minute for each."""
    command = [sys.executable, "-m", "fairway", "worker", "--data-dir", str(hub.data)]
    env = {**os.environ, **SETTINGS, "FAIRWAY_DATABASE_URL": hub.database_url}
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)
