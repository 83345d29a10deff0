"""What a quota costs: images per second that many clients push into one project, without a limit and with one.

    python bench/quota.py [--postgres] [--clients 64] [--seconds 10] [--rounds 3] [--work DIR]

Measurements go A B A B …, so that a slow minute of the machine hits both.  A push that fails ends the run.  The load
generator keeps to the last core, the hub has all of them.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import pushes
from peers import Fairway
from wire import Client, Refused, basic

from postgres import Postgres

_UNLIMITED = -1
_LIMIT = 1 << 40


def limit(client: Client, project: str, most: int) -> None:
    """Let a project store so many bytes."""
    [one] = [
        each["id"]
        for each in client.ask("GET", "/api/v2.0/quotas?reference=project&page_size=100").json()
        if each["ref"]["name"] == project
    ]
    asked = json.dumps({"hard": {"storage": most}}).encode()
    answer = client.ask("PUT", f"/api/v2.0/quotas/{one}", asked, {"Content-Type": "application/json"})
    if answer.status != 200:
        raise Refused(f"the quota stays as it is: {answer}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--work", type=Path, default=Path("/var/tmp"))
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fairway-quota-", dir=arguments.work))
    folder.chmod(0o711)  # a database server runs as somebody else
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        server = Postgres() if arguments.postgres else None
        if server:
            stack.callback(server.close)
        peer = Fairway(name="fairway", folder=folder / "hub", program=Path(sys.executable), postgres=server)
        stack.callback(peer.remove)
        peer.start()
        client = Client(peer.address, basic(peer.login or ("", "")))
        headers = [peer.token(pushes.repo_of(each)) for each in range(arguments.clients)]
        os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
        rates: dict[int, list[float]] = {_UNLIMITED: [], _LIMIT: []}
        for turn in range(-1, arguments.rounds):
            for most, measured in rates.items():
                limit(client, "library", most)
                seed = f"turn{turn}-{most}"
                load = pushes.small(peer.address, headers, seconds=arguments.seconds, seed=seed)
                what = "no limit" if most == _UNLIMITED else "a limit"
                print(
                    f"{what:<9} {load.rate:7.1f} images/s, median {load.p50 * 1000:.1f} ms, p99 {load.p99 * 1000:.1f} ms"
                    f"{'  (warm-up)' if turn < 0 else ''}"
                )
                if turn >= 0:
                    measured.append(load.rate)
        kept = median(rates[_LIMIT]) / median(rates[_UNLIMITED])
        print(f"with a limit pushes keep {kept:.0%}; none failed")


if __name__ == "__main__":
    main()
