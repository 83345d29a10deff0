"""How long lists take in a large world: every list of the API, first and far pages, one client and many.

    python bench/lists.py [--postgres] [--clients 16] [--rounds 20] [--only TEXT] [--work DIR]

The world is that of world.py; `--keep FOLDER` makes it there, or uses the one that an earlier run has left there
(SQLite only).
Pages have 100 entries.  Far is the thousandth page, or the last one of a list that is shorter.  Prints milliseconds:
median and 95th percentile of one client, and of so many at once.
"""

import argparse
import math
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import world
from peers import Fairway
from wire import Client, Refused, basic

from postgres import Postgres

PAGE = 100
FAR = 1000
REPOSITORY = f"/api/v2.0/projects/{world.BIG}/repositories/{world.REPOSITORY}"
ALL_FLAGS = "with_tag=true&with_label=true&with_accessory=true&with_signature=true&with_immutable_status=true"
LISTS = (
    "/api/v2.0/projects",
    "/api/v2.0/projects?name=team-001",
    "/api/v2.0/projects?public=true",
    "/api/v2.0/repositories",
    "/api/v2.0/repositories?q=name%3D~service",
    f"/api/v2.0/projects/{world.BIG}/repositories",
    f"{REPOSITORY}/artifacts?{ALL_FLAGS}",
    f"{REPOSITORY}/artifacts?{ALL_FLAGS}&sort=push_time",
    f"{REPOSITORY}/artifacts?q=tags%3D~v12",
    f"{REPOSITORY}/artifacts?q=tags%3Dnil",
    f"/api/v2.0/projects/{world.BIG}/artifacts?{ALL_FLAGS}",
    f"/api/v2.0/projects/{world.BIG}/artifacts?latest_in_repository=true",
    f"{REPOSITORY}/artifacts/build-1/tags",
    f"/api/v2.0/projects/{world.BIG}/members",
    "/api/v2.0/users",
    "/api/v2.0/users/search?username=user0",
    "/api/v2.0/quotas",
    "/api/v2.0/quotas?sort=-used.storage",
    "/api/v2.0/audit-logs",
    "/api/v2.0/auditlog-exts",
    "/api/v2.0/auditlog-exts?q=operation%3Dcreate",
    "/api/v2.0/auditlog-exts?q=username%3Duser00017",
    f"/api/v2.0/projects/{world.BIG}/logs",
    "/api/v2.0/system/gc",
    "/v2/_catalog",
    f"/v2/{world.BIG}/{world.REPOSITORY}/tags/list",
)
"""Each is asked for its first page and a far one."""


@dataclass(frozen=True)
class Times:
    """Seconds of single requests."""

    each: Sequence[float]

    def at(self, share: float) -> float:
        """Milliseconds of the request that so large a share of them is not slower than."""
        return sorted(self.each)[min(math.ceil(len(self.each) * share), len(self.each)) - 1] * 1000


def with_page(path: str, page: int) -> str:
    """The path of a page of a list; /v2 has no numbers, only what came before."""
    join = "&" if "?" in path else "?"
    if path.startswith("/v2/"):
        last = {"/v2/_catalog": "team-10000/service/50000"}.get(path, "v5000.3")
        return f"{path}{join}n={PAGE}" + (f"&last={last}" if page > 1 else "")
    return f"{path}{join}page={page}&page_size={PAGE}"


def ask(client: Client, path: str) -> tuple[float, int]:
    """Seconds, and how many entries there are in all."""
    started = time.perf_counter()
    answer = client.ask("GET", path)
    took = time.perf_counter() - started
    if answer.status != 200:
        raise Refused(f"GET {path}: {answer.status} {answer.body[:300]!r}")
    return took, int(answer.headers.get("x-total-count", "0"))


def together(peer: Fairway, path: str, clients: int, rounds: int) -> Times:
    """So many clients, each asking `rounds` times, one request after the other.  Raises Refused when one of them is."""
    times: list[float] = []
    refused: list[Refused] = []
    barrier = threading.Barrier(clients)

    def one() -> None:
        client = Client(peer.address, basic(peer.login or ("", "")))
        client.ask("GET", "/api/v2.0/ping")
        barrier.wait()
        try:
            times.extend(ask(client, path)[0] for _ in range(rounds))
        except Refused as answer:
            refused.append(answer)
        client.close()

    threads = [threading.Thread(target=one) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if refused:
        raise refused[0]
    if len(times) != clients * rounds:
        raise Refused(f"GET {path}: some of the clients failed")
    return Times(times)


def pages(client: Client, path: str) -> Iterator[tuple[str, str]]:
    """The pages of a list to ask for, and what they are called."""
    _, total = ask(client, with_page(path, 1))
    yield "first", with_page(path, 1)
    last = math.ceil(total / PAGE)
    if path.startswith("/v2/") or last > 1:
        far = min(FAR, last)
        yield ("far" if path.startswith("/v2/") else f"{far}"), with_page(path, max(far, 2))


def measure(peer: Fairway, arguments: argparse.Namespace) -> None:
    client = Client(peer.address, basic(peer.login or ("", "")))
    many = f"{arguments.clients} clients"
    print(f"{'page':>6} {'1 client':>16} {many:>16}  list (median, p95 in ms)")
    for path in LISTS:
        if arguments.only not in path:
            continue
        for which, page in pages(client, path):
            try:
                ask(client, page)
                alone = Times([ask(client, page)[0] for _ in range(arguments.rounds)])
                crowd = together(peer, page, arguments.clients, max(arguments.rounds // 4, 2))
            except Refused as answer:
                print(f"{which:>6} refused {answer}", flush=True)
                continue
            figures = [f"{times.at(0.5):7.1f} {times.at(0.95):8.1f}" for times in (alone, crowd)]
            late = alone.at(0.95) > 150 or crowd.at(0.95) > 600
            print(f"{which:>6} {figures[0]} {figures[1]} {'!' if late else ' '}{path}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", default="")
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--work", type=Path, default=Path("/var/tmp"))
    arguments = parser.parse_args()
    with ExitStack() as stack:
        if arguments.keep:
            folder = arguments.keep
            folder.mkdir(parents=True, exist_ok=True)
        else:
            folder = Path(tempfile.mkdtemp(prefix="fairway-lists-", dir=arguments.work))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o711)  # a database server runs as somebody else
        made = (folder / "made").exists()
        server = Postgres() if arguments.postgres else None
        if server:
            stack.callback(server.close)
        peer = Fairway(name="fairway", folder=folder / "hub", program=Path(sys.executable), postgres=server)
        stack.callback(peer.stop)
        if not made:
            peer.start()  # makes the tables and its first account
            peer.stop()
            world.fill(peer.database_url or f"sqlite:///{peer.folder / 'data' / 'fairway.db'}", "")
            (folder / "made").touch()
        peer.start()
        measure(peer, arguments)


if __name__ == "__main__":
    main()
