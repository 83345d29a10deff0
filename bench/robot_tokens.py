"""How many tokens a second robots get: Basic with a generated secret, with a chosen one, and a person beside them.

    python bench/robot_tokens.py [--postgres] [--seconds 5] [--connections 16]

The server has one web worker, which is one core; the load generator keeps to the last one.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import pulls
from peers import Fairway
from wire import Client, Login, basic

from postgres import Postgres

_TOKEN = "/service/token?service=harbor-registry&scope=repository:team/app:pull,push"
_JSON = {"Content-Type": "application/json"}
_CHOSEN = "Chosen-secret-1"


def robot(client: Client, name: str, secret: str = "") -> Login:
    """Make one that pushes and pulls; what it logs in with."""
    access = [{"resource": "repository", "action": action} for action in ("pull", "push")]
    asked = {
        "name": name,
        "level": "project",
        "duration": 30,
        "secret": secret,
        "permissions": [{"kind": "project", "namespace": "team", "access": access}],
    }
    answer = client.ask("POST", "/api/v2.0/robots", json.dumps(asked).encode(), _JSON)
    made = answer.json()
    return made["name"], made["secret"] or secret


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--work", type=Path, default=Path("/var/tmp"))
    arguments = parser.parse_args()
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("wrk is missing (Debian: apt-get install wrk)")
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="fairway-robots-", dir=arguments.work))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o711)  # a database server runs as somebody else
        server = Postgres() if arguments.postgres else None
        if server:
            stack.callback(server.close)
        peer = Fairway(name="fairway", folder=folder / "hub", program=Path(sys.executable), postgres=server)
        stack.callback(peer.remove)
        peer.start()
        admin = peer.login or ("", "")
        client = Client(peer.address, basic(admin))
        client.ask("POST", "/api/v2.0/projects", b'{"project_name": "team"}', _JSON)
        logins = {
            "a person": admin,
            "generated secret": robot(client, "ci"),
            "chosen secret": robot(client, "chosen", _CHOSEN),
        }
        os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
        for what, login in logins.items():
            load = pulls.get(
                Path(wrk),
                folder,
                peer.url + _TOKEN,
                basic(login),
                seconds=arguments.seconds,
                connections=arguments.connections,
            )
            print(
                f"{what:<18} {load.rate:7.0f} tokens/s, median {load.p50 * 1000:.1f} ms, p99 {load.p99 * 1000:.1f} ms"
            )


if __name__ == "__main__":
    main()
