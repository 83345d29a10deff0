"""What pushes lose when they are told to targets that do not answer: ratios of their times, without webhooks and with ten.

    python bench/webhooks.py [--postgres] [--clients 8] [--seconds 10] [--rounds 5] [--work DIR]

Two hubs: nobody is told by one; the other has ten policies for all pushes, five of whose targets are dead and five take a
request and never answer.  Measurements go A B A B …, so that a slow minute of the machine hits both.  The load generator
keeps to the last core, the hubs have all of them.
"""

import argparse
import json
import os
import shutil
import socket
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import pushes
from peers import Fairway
from wire import Client, Refused, basic

from postgres import Postgres, free_port

_POLICIES = 10


class Telling(Fairway):
    """A hub that may tell somebody on this machine."""

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "FAIRWAY_EGRESS_ALLOW_NETWORKS": "127.0.0.0/8"}


def add_policies(peer: Fairway, slow: int, dead: int) -> None:
    client = Client(peer.address, basic(peer.login or ("", "")))
    for number in range(_POLICIES):
        target = {"type": "http", "address": f"http://127.0.0.1:{(slow, dead)[number % 2]}/"}
        policy = {
            "name": f"p{number}",
            "enabled": True,
            "event_types": ["PUSH_ARTIFACT"],
            "targets": [target],
        }
        answer = client.ask(
            "POST",
            "/api/v2.0/projects/library/webhook/policies",
            json.dumps(policy).encode(),
            {"Content-Type": "application/json"},
        )
        if answer.status != 201:
            raise Refused(f"there is no policy: {answer}")


def waiting(peer: Fairway) -> str:
    """How much waits for the targets, as the hub measures it."""
    lines = Client(peer.address).ask("GET", "/metrics").body.decode().splitlines()
    return next(
        (line.split()[-1] for line in lines if line.startswith("fairway_webhook_deliveries_waiting")), "?"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--work", type=Path, default=Path("/var/tmp"))
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fairway-webhooks-", dir=arguments.work))
    folder.chmod(0o711)  # a database server runs as somebody else
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        server = Postgres() if arguments.postgres else None
        if server:
            stack.callback(server.close)
        peers = {}
        for what in ("nobody", "ten"):
            peers[what] = Telling(
                name=what, folder=folder / what, program=Path(sys.executable), postgres=server
            )
            stack.callback(peers[what].remove)
            peers[what].start()
        # The kernel takes connections to it, and nobody ever reads.
        slow = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=4096))
        add_policies(peers["ten"], slow.getsockname()[1], free_port())
        os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
        found: dict[str, list[tuple[float, float]]] = {what: [] for what in peers}
        for turn in range(-1, arguments.rounds):
            for what, measured in found.items():
                peer = peers[what]
                headers = [peer.token(pushes.repo_of(each)) for each in range(arguments.clients)]
                load = pushes.small(peer.address, headers, seconds=arguments.seconds, seed=f"turn{turn}")
                print(
                    f"{what:<6} {load.rate:7.1f} images/s, median {load.p50 * 1000:.1f} ms, "
                    f"p99 {load.p99 * 1000:.1f} ms{'  (warm-up)' if turn < 0 else ''}",
                    flush=True,
                )
                if turn >= 0:
                    measured.append((load.p50, load.p99))
        for nth, what in enumerate(("median", "p99")):
            ratio = median(
                told[nth] / alone[nth] for told, alone in zip(found["ten"], found["nobody"], strict=True)
            )
            print(f"{what} with ten webhooks to without: {ratio:.2f}")
        print(f"{waiting(peers['ten'])} deliveries wait")


if __name__ == "__main__":
    main()
