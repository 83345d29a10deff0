"""Runs a command when Fairway tells of a push, with what was pushed in the command's environment.

    python3 deploy_hook.py --secret-file hook-secret --state hook.db [--listen 127.0.0.1:9000] -- ./deploy.sh

A request counts when its signature is right and not old; an event counts once, however often it is told.  It is written
down before it is answered, and commands run one after the other: what waited when this program ended runs at its next start.
"""

import argparse
import base64
import hmac
import json
import os
import re
import sqlite3
import subprocess
import threading
import time
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MOST_BYTES = 1 << 20
OLDEST_SECONDS = 300  # Standard Webhooks' own figure
KEPT = 10_000  # ids by which repeats are seen
ADD = "INSERT INTO event VALUES (?, ?, NULL) ON CONFLICT (id) DO UPDATE SET status = NULL WHERE status <> 0"
FORGET = "DELETE FROM event WHERE status IS NOT NULL AND rowid <= (SELECT max(rowid) FROM event) - ?"
PUSHES = {"PUSH_ARTIFACT", "TAG_CREATED", "TAG_MOVED"}
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
DIGEST = re.compile(r"[a-z0-9]+:[0-9a-f]{64,128}", re.ASCII)


def is_signed(secret: str, headers: Message, body: bytes, now: float) -> bool:
    """Is this request from who knows the secret, whole and not old?"""
    at, id = headers.get("webhook-timestamp", ""), headers.get("webhook-id", "")
    if not (id and re.fullmatch("[0-9]{1,12}", at) and abs(now - int(at)) <= OLDEST_SECONDS):
        return False
    key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
    signature = base64.b64encode(hmac.digest(key, f"{id}.{at}.".encode() + body, "sha256"))
    given = headers.get("webhook-signature", "").encode("latin-1").split()
    return any(hmac.compare_digest(b"v1," + signature, each) for each in given)


def pushed(body: bytes) -> list[dict[str, str]]:
    """What a default payload says was pushed.  Raises ValueError, TypeError, KeyError for anything else."""
    told = json.loads(body)
    if told["type"] not in PUSHES:
        return []
    found = []
    for each in told["event_data"]["resources"]:
        if TAG.fullmatch(each["tag"]) and DIGEST.fullmatch(each["digest"]):  # a push by digest has no tag
            image = each["resource_url"].rpartition(":")[0] + "@" + each["digest"]
            repository = told["event_data"]["repository"]["repo_full_name"]
            found.append({"TAG": each["tag"], "DIGEST": each["digest"]})
            found[-1] |= {"REPOSITORY": repository, "IMAGE": image}
    return found


class Events:
    """What was told, in a file: what waits for its command, and the ids of what ran."""

    def __init__(self, file: Path) -> None:
        self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._db.execute("CREATE TABLE IF NOT EXISTS event (id PRIMARY KEY, facts, status)")
        self._lock = threading.Lock()
        self._more = threading.Event()

    def add(self, id: str, facts: list[dict[str, str]]) -> None:
        """Let it wait, unless it waits or ran already; one that failed has another try."""
        with self._lock:
            self._db.execute(ADD, (id, json.dumps(facts)))
        self._more.set()

    def run(self, command: list[str], seconds: float) -> None:
        """Run the command for what waits, for ever."""
        while True:
            self._more.clear()
            with self._lock:
                row = self._db.execute(
                    "SELECT id, facts FROM event WHERE status IS NULL ORDER BY rowid LIMIT 1"
                ).fetchone()
            if row is None:
                self._more.wait()
                continue
            status = max(run(command, seconds, each) for each in json.loads(row[1]))
            with self._lock:
                self._db.execute("UPDATE event SET status = ? WHERE id = ?", (status, row[0]))
                self._db.execute(FORGET, (KEPT,))


def run(command: list[str], seconds: float, facts: dict[str, str]) -> int:
    """Run the command, by no shell; 0 when it went well."""
    print(f"{facts['REPOSITORY']}:{facts['TAG']} {facts['DIGEST']}: running", flush=True)
    env = {**os.environ, **{f"PUSHED_{name}": value for name, value in facts.items()}}
    try:
        status = subprocess.run(
            command, env=env, stdin=subprocess.DEVNULL, timeout=seconds, check=False
        ).returncode
    except (OSError, subprocess.TimeoutExpired) as failed:
        print(failed, flush=True)
        status = 1
    print(f"{facts['REPOSITORY']}:{facts['TAG']}: {f'failed ({status})' if status else 'done'}", flush=True)
    return abs(status)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--secret-file", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True, help="a file that this program makes")
    parser.add_argument("--listen", default="127.0.0.1:9000")
    parser.add_argument("--seconds", type=float, default=600, help="how long a command may take")
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    if not (secret := given.secret_file.read_text().strip()):
        parser.error("the secret is empty")
    events = Events(given.state)

    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # seconds that a client may keep us waiting

        def do_POST(self) -> None:
            length = self.headers.get("content-length", "")
            if not re.fullmatch("[0-9]{1,9}", length) or int(length) > MOST_BYTES:
                self.send_error(413)
                return
            body = self.rfile.read(int(length))
            if not is_signed(secret, self.headers, body, time.time()):
                self.send_error(401)
                return
            try:
                facts, id = pushed(body), self.headers["webhook-id"]
            except (ValueError, TypeError, KeyError):
                self.send_error(400, "not the default payload")
                return
            if facts and not id.startswith("sample-"):  # what `fairway webhook ping` sends is no push
                events.add(id, facts)
            self.send_response(202)
            self.end_headers()

    host, _, port = given.listen.rpartition(":")
    threading.Thread(target=events.run, args=(given.command, given.seconds), daemon=True).start()
    with ThreadingHTTPServer((host, int(port)), Handler) as server:
        print(f"listening on {host}:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
