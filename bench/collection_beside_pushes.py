"""What pushes lose while the collector works: images per second before, during and after a run of a real hub.

    python bench/collection_beside_pushes.py --blobs 1000000 --garbage 100000 [--postgres] [--clients 16] [--work DIR]

The world is that of collection.py.  Measurements go A B A: without a run, during one, without one; each of them as
long as `--seconds`.  The load generator keeps to the last core, the hub has all of them.
"""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from base64 import b64encode
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import pushes
from collection import fill, timed, write_files
from peers import Fairway
from wire import Client, Refused

from fairway.frame.db import open_database
from postgres import Postgres

FIRST = 1_000_000_000
"""Ids of our own rows: PostgreSQL's sequences never come so far here, and SQLite goes on above them."""
RUN = {"parameters": {"delete_untagged": False, "workers": 1}, "schedule": {"type": "Manual"}}


async def fill_behind(url: str, peer: Fairway, arguments: argparse.Namespace) -> None:
    """Make the world in the database of a hub that is not running."""
    db = await open_database(url, pool=8, statement_timeout_ms=60_000)
    with timed("rows made", arguments.blobs):
        await fill(db, arguments.blobs, arguments.garbage, due=arguments.garbage, first=FIRST)
    await db.close()
    with timed("files made", arguments.garbage):
        write_files(peer.folder / "data" / "storage", arguments.garbage)
    if peer.postgres:
        # As autovacuum does within a minute; without statistics the planner would have to guess.
        peer.postgres.sql("ANALYZE", url.rpartition("/")[2])


class Collector:
    """Harbor's API for runs."""

    def __init__(self, peer: Fairway) -> None:
        login = b64encode(":".join(peer.login or ()).encode()).decode()
        self._client = Client(peer.address, {"Authorization": f"Basic {login}"})

    def _ask(self, status: int, method: str, path: str, body: bytes = b"") -> bytes:
        answer = self._client.ask(
            method, f"/api/v2.0/system/gc{path}", body, {"Content-Type": "application/json"}
        )
        if answer.status != status:
            raise Refused(f"{method} {path}: {answer}")
        return answer.body

    def start(self) -> None:
        """Ask for a run, and wait until it has begun."""
        self._ask(201, "POST", "/schedule", json.dumps(RUN).encode())
        while self.last()["job_status"] == "Pending":
            time.sleep(0.05)

    def last(self) -> dict[str, Any]:
        """The newest run."""
        [newest] = json.loads(self._ask(200, "GET", "?page_size=1&sort=-id"))
        return dict(newest)

    def running(self) -> bool:
        """Whether the newest run is at work."""
        return self.last()["job_status"] in ("Pending", "Running")


def measure(peer: Fairway, arguments: argparse.Namespace) -> None:
    headers = [peer.token(pushes.repo_of(client)) for client in range(arguments.clients)]
    turn = 0

    def rate(what: str) -> float:
        nonlocal turn
        turn += 1
        load = pushes.small(peer.address, headers, seconds=arguments.seconds, seed=f"turn{turn}")
        speed = load.rate
        print(
            f"{what:<10} {speed:7.1f} images/s, median {load.p50 * 1000:.1f} ms, p99 {load.p99 * 1000:.1f} ms"
        )
        return speed

    rate("(warm-up)")
    collector = Collector(peer)
    alone = [rate("alone") for _ in range(arguments.rounds)]
    started = time.perf_counter()
    collector.start()
    beside = []
    while collector.running() and len(beside) < arguments.rounds:
        speed = rate("beside")
        if collector.running():  # else it was beside one for a part of its time only
            beside.append(speed)
    while collector.running():
        time.sleep(0.2)
    print(f"the run took {time.perf_counter() - started:.1f} s: {collector.last()['job_parameters']}")
    alone += [rate("alone") for _ in range(arguments.rounds)]
    if beside:
        print(
            f"pushes keep {median(beside) / median(alone):.0%} ({len(beside)} and {len(alone)} measurements)"
        )
    else:
        print("the run was over before a measurement was: more --garbage, or fewer --seconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--blobs", type=int, default=1_000_000)
    parser.add_argument("--garbage", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--work", type=Path, default=Path("/var/tmp"))
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fairway-beside-", dir=arguments.work))
    folder.chmod(0o711)  # a database server runs as somebody else
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        server = Postgres() if arguments.postgres else None
        if server:
            stack.callback(server.close)
        peer = Fairway(name="fairway", folder=folder / "hub", program=Path(sys.executable), postgres=server)
        stack.callback(peer.remove)
        peer.start()  # makes the tables and its first account
        peer.stop()
        url = peer.database_url or f"sqlite:///{peer.folder / 'data' / 'fairway.db'}"
        asyncio.run(fill_behind(url, peer, arguments))
        os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
        peer.start()
        measure(peer, arguments)


if __name__ == "__main__":
    main()
