"""A canary in every secret there is; then all that the hub says, writes and shows is searched for them (T21).

A secret stands where it has to and nowhere else: keys in their files (0600), settings in the environment of our own
processes (which only we and root may read), passwords in the database as argon2 hashes, refresh tokens as SHA-256,
tokens in the reply to who asked for them, and personal access tokens as SHA-256.
"""

import json
import sqlite3
import subprocess
import uuid
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from faults.images import image
from hub import Hub
from postgres import Postgres
from system.test_login import add_user
from system.wire import Answer, Wire

pytestmark = [pytest.mark.system, pytest.mark.slow]

CANARIES = {
    "admin password": "Canary-Admin-1qz",
    "user password": "Canary-Users-2qz",
    "wrong password": "Canary-Wrong-3qz",
    "database password": "CanaryDatabase4qz",
    "secret key": "canary-secret-key-5qz-0123456789abcdef",
    "former secret key": "canary-former-key-6qz-0123456789abcdef",
    "metrics token": "canary-metrics-token-7qz-0123456789abc",
    "token in a query": "canary-in-query-8qz",
    "token in a header": "canary-header-9qz",
    "robot's chosen secret": "Canary-Robot-1Aqz",
    "robot's bad secret": "canary-robot-2bqz",
    "CLI secret": "Canary-Cli-3Cqz",
    "bad CLI secret": "canary-cli-4cqz",
    "webhook's header": "Canary-Hook-5dqz",
    "webhook's secret": "Canary-Hook-6eqz",
    "webhook's bad secret": "canary-hook-7fqz",
}
ROBOTS = "/api/v2.0/robots"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


@dataclass
class Watched:
    """A hub that talks as much as it can, its secrets, and what it replied."""

    hub: Hub
    server: Postgres | None
    log_from: int = 0
    secrets: dict[str, str] = field(default_factory=lambda: dict(CANARIES))
    replies: list[Answer] = field(default_factory=list)

    def ask(self, wire: Wire, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        self.replies.append(wire.ask(method, path, body, said))
        return self.replies[-1]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def watched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    name = f"w_{uuid.uuid4().hex}"
    server: Postgres | None = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    url = None
    if server:
        url = server.create(name).replace("postgres@", f"postgres:{CANARIES['database password']}@")
        server.sql(f"ALTER DATABASE {name} SET log_statement = 'all'")
    env = {
        "FAIRWAY_ADMIN_PASSWORD": CANARIES["admin password"],
        "FAIRWAY_SECRET_KEY": CANARIES["secret key"],
        "FAIRWAY_PREVIOUS_SECRET_KEYS": CANARIES["former secret key"],
        "FAIRWAY_METRICS_TOKEN": CANARIES["metrics token"],
        "FAIRWAY_LOG_LEVEL": "debug",
    }
    hub = Hub(tmp_path_factory.mktemp("watched"), workers=2, database_url=url, env=env)
    made = Watched(hub, server, (server.folder / "log").stat().st_size if server else 0)
    hub.start()
    try:
        add_user(hub, "someone", CANARIES["user password"])
        use(made)
        yield made
    finally:
        hub.kill()
        if server:
            server.drop(name)


def use(watched: Watched) -> None:
    """Everything there is to ask, rightly and wrongly."""
    hub = watched.hub
    admin = Wire(hub, "admin", CANARIES["admin password"])
    someone = Wire(hub, "someone", CANARIES["user password"])
    pushed = image(b'{"of":"canaries"}', [b"a layer"])
    admin.create_project("team")
    for content in pushed.blobs.values():
        admin.push_blob("team/app", content)
    tokens = admin.ask(
        "GET",
        "/service/token?service=harbor-registry&scope=repository:team/app:*&offline_token=true&client_id=x",
    ).json()
    watched.secrets |= {
        "access token": tokens["token"].split(".")[2],
        "refresh token": tokens["refresh_token"],
    }
    bearer = Wire(hub, "")
    bearer.headers["Authorization"] = f"Bearer {tokens['token']}"
    broken = Wire(hub, "")
    broken.headers["Authorization"] = f"Bearer {tokens['token'][:-9]}AAAAAAAAA"
    put = admin.ask("PUT", "/v2/team/app/manifests/v1", pushed.raw, {"Content-Type": pushed.media_type})
    assert put.status == 201
    personal_tokens(watched)
    for who in (
        admin,
        someone,
        bearer,
        broken,
        Wire(hub, "someone", CANARIES["wrong password"]),
        Wire(hub, ""),
    ):
        for method, path in (
            ("GET", "/v2/"),
            ("GET", "/v2/_catalog?n=x"),
            ("GET", "/v2/team/app/manifests/v1"),
            ("PUT", "/v2/team/app/manifests/v2"),
            ("POST", "/v2/team/app/blobs/uploads/"),
            ("DELETE", "/v2/team/app/blobs/sha256:0"),
            ("GET", "/api/v2.0/projects?page=x"),
            ("POST", "/api/v2.0/projects"),
            ("GET", "/metrics"),
            ("GET", f"/v2/team/app/tags/list?access_token={CANARIES['token in a query']}"),
            ("GET", f"/api/v2.0/projects?password={CANARIES['token in a query']}&name=%00"),
            ("GET", f"/nowhere?token={CANARIES['token in a query']}"),
        ):
            watched.ask(who, method, path, b"" if method in ("PUT", "POST") else None)
    robots(watched)
    webhooks(watched)
    mistakes(watched)
    wrong_tokens(watched)


def robots(watched: Watched) -> None:
    """One with a generated secret and one with a chosen one, used rightly and wrongly; only whom it was made for is told."""
    admin = Wire(watched.hub, "admin", CANARIES["admin password"])
    place = {"kind": "project", "namespace": "team", "access": [{"resource": "repository", "action": "pull"}]}
    wanted = {"level": "project", "duration": -1, "permissions": [place]}
    made = admin.ask("POST", ROBOTS, json.dumps({**wanted, "name": "made"}).encode(), JSON)
    assert made.status == 201
    watched.secrets["robot's secret"] = made.json()["secret"]
    chosen, bad = CANARIES["robot's chosen secret"], CANARIES["robot's bad secret"]
    for name, secret in (("chosen", chosen), ("bad", bad)):
        body = json.dumps({**wanted, "name": name, "secret": secret}).encode()
        watched.ask(admin, "POST", ROBOTS, body, **JSON)
    for target in ("1", "2"):
        for secret in (chosen, bad) if target == "2" else (bad,):
            watched.ask(admin, "PATCH", f"{ROBOTS}/{target}", json.dumps({"secret": secret}).encode(), **JSON)
        watched.ask(admin, "GET", f"{ROBOTS}/{target}")
    watched.ask(admin, "GET", "/api/v2.0/projects/team/robots")
    for name, secret in (("made", watched.secrets["robot's secret"]), ("chosen", chosen), ("made", bad)):
        wire = Wire(watched.hub, f"robot$team+{name}", secret)
        for path in ("/v2/team/app/manifests/v1", "/v2/_catalog", "/api/v2.0/projects"):
            watched.ask(wire, "GET", path)


HOOKS = "/api/v2.0/projects/team/webhook/policies"


def webhooks(watched: Watched) -> None:
    """One whose target is signed to and logged in to, looked at, tried out and changed, rightly and wrongly."""
    admin = Wire(watched.hub, "admin", CANARIES["admin password"])
    bad = CANARIES["webhook's bad secret"]
    target = {"type": "http", "address": "http://127.0.0.1:9/"}
    secrets = {"auth_header": CANARIES["webhook's header"], "secret": CANARIES["webhook's secret"]}

    def policy(**more: object) -> bytes:
        told = {"name": "ci", "enabled": True, "event_types": ["PUSH_ARTIFACT"]}
        return json.dumps({**told, "targets": [{**target, **more}]}).encode()

    assert watched.ask(admin, "POST", HOOKS, policy(**secrets), **JSON).status == 201
    for status, body in (
        (200, policy(**secrets)),
        (200, policy()),
        (400, policy(auth_header=f"{bad}\n")),
        (400, policy(secret=bad, address=f"http://{bad}@127.0.0.1/")),
        (400, policy(address="http://127.0.0.2/")),
        (422, policy(secret=[bad])),
    ):
        assert watched.ask(admin, "PUT", f"{HOOKS}/1", body, **JSON).status == status
    pinged = watched.ask(admin, "POST", f"{HOOKS}/1/ping", b"{}", **JSON)
    assert pinged.status == 202
    delivery = f"{HOOKS}/1/executions/{pinged.json()[0]['id']}"
    for path in (HOOKS, f"{HOOKS}/1", f"{HOOKS}/1/executions", delivery):
        assert watched.ask(admin, "GET", path).status == 200


OWN = "/api/fairway/users/current/tokens"


def personal_tokens(watched: Watched) -> None:
    """One that is used, and a CLI secret, before anybody has to wait for wrong passwords."""
    someone = Wire(watched.hub, "someone", CANARIES["user password"])
    made = someone.ask("POST", OWN, b'{"name": "laptop", "access": ["all"]}', JSON)
    assert made.status == 201
    token = watched.secrets["personal access token"] = made.json()["token"]
    for secret, status in ((CANARIES["bad CLI secret"], 400), (CANARIES["CLI secret"], 200)):
        body = json.dumps({"secret": secret}).encode()
        assert watched.ask(someone, "PUT", "/api/v2.0/users/2/cli_secret", body, **JSON).status == status
    for secret in (token, CANARIES["CLI secret"]):
        for path in ("/v2/team/app/manifests/v1", "/api/v2.0/projects", OWN, f"/nowhere?what={secret}"):
            assert watched.ask(Wire(watched.hub, "someone", secret), "GET", path).status != 429
    watched.ask(someone, "POST", OWN, json.dumps({"name": token, "access": [token]}).encode(), **JSON)


def wrong_tokens(watched: Watched) -> None:
    """In another's name, and mistyped."""
    token, bearer = watched.secrets["personal access token"], Wire(watched.hub, "")
    bearer.headers["Authorization"] = f"Bearer {token[:-1]}"
    for wire in (Wire(watched.hub, "admin", token), Wire(watched.hub, "admin", f"{token[:-1]}!"), bearer):
        for path in ("/v2/", "/api/v2.0/projects", OWN):
            watched.ask(wire, "GET", path)


def mistakes(watched: Watched) -> None:
    """Secrets where they do not belong: in the wrong field, header or scheme."""
    nobody, wrong = Wire(watched.hub, ""), CANARIES["wrong password"]
    in_header = CANARIES["token in a header"]
    refresh = watched.secrets["refresh token"]
    for value in (
        f"Bearer {in_header}",
        f"Basic {in_header}",
        f"Digest {in_header}",
        in_header,
        "Basic " + b64encode(in_header.encode()).decode(),
        f"Bearer {CANARIES['metrics token']}x",
    ):
        for path in ("/v2/", "/api/v2.0/projects", "/service/token", "/metrics"):
            watched.ask(nobody, "GET", path, Authorization=value)
    for header in ("X_Api_Key", "Cookie", "Proxy_Authorization", "X_Harbor_CSRF_Token"):
        watched.ask(nobody, "GET", "/v2/team/app/tags/list", **{header: in_header})
    for form in (
        f"grant_type=password&username=admin&password={wrong}",
        f"grant_type=refresh_token&client_id=x&refresh_token={quote(refresh)}x",
        f"grant_type={wrong}",
    ):
        watched.ask(nobody, "POST", "/service/token", form.encode(), **FORM)
    admin = Wire(watched.hub, "admin", CANARIES["admin password"])
    for body in (
        {"project_name": 1, "password": wrong},
        {"project_name": "x y", "secret": wrong},
        {"metadata": {"token": [wrong]}},
    ):
        watched.ask(admin, "POST", "/api/v2.0/projects", json.dumps(body).encode(), **JSON)
    watched.ask(admin, "POST", "/api/v2.0/projects", b'{"password": "' + wrong.encode(), **JSON)


def spellings(secret: str) -> list[bytes]:
    """A secret as it stands, as a URL has it, and as Basic credentials have it, whose last letters depend on the rest."""
    basic = [
        b64encode(f"{name}:{secret}".encode()).rstrip(b"=")[:-1]
        for name in ("admin", "someone", "robot$team+made", "robot$team+chosen")
    ]
    return [secret.encode(), quote(secret, safe="").encode(), *basic]


def found(watched: Watched, where: bytes, *but: str) -> list[str]:
    return [
        name
        for name, secret in watched.secrets.items()
        if name not in but and any(spelling in where for spelling in spellings(secret))
    ]


def test_no_reply_holds_one(watched: Watched) -> None:
    assert len(watched.replies) > 80
    assert {answer.status for answer in watched.replies} >= {200, 400, 401, 404, 422}
    for answer in watched.replies:
        assert found(watched, answer.body + repr(answer.headers).encode()) == [], answer


def test_no_log_holds_one(watched: Watched) -> None:
    log = watched.hub.log
    assert "debug" in log
    assert log.count("request") > 80
    assert found(watched, log.encode()) == []


def test_no_row_holds_one(watched: Watched) -> None:
    """Nor does a statement on its way there."""
    if watched.server is None:
        with closing(sqlite3.connect(watched.hub.data / "fairway.db")) as database:
            dump = "\n".join(database.iterdump()).encode()
    else:
        assert watched.server.bin is not None
        where = watched.hub.database_url.replace(f":{CANARIES['database password']}", "")
        command = [str(watched.server.bin / "pg_dump"), "--inserts", where]
        dump = subprocess.run(command, check=True, capture_output=True).stdout
        with (watched.server.folder / "log").open("rb") as log:
            log.seek(watched.log_from)
            assert found(watched, log.read()) == []
    assert b"$argon2id$" in dump
    assert found(watched, dump) == []


def test_no_file_holds_one(watched: Watched) -> None:
    """The private key of tokens is in its own file and in no other."""
    key = (watched.hub.data / "keys" / "token-0001.pem").read_text().splitlines()[1]
    files = [path for path in watched.hub.folder.rglob("*") if path.is_file()]
    assert len(files) > 5
    for path in files:
        raw = path.read_bytes()
        assert found(watched, raw) == [], path
        assert (key.encode() in raw) is (path.name == "token-0001.pem"), path


def test_no_metric_holds_one(watched: Watched) -> None:
    nobody = Wire(watched.hub, "")
    answer = nobody.ask("GET", "/metrics", headers={"Authorization": f"Bearer {CANARIES['metrics token']}"})
    assert answer.status == 200
    assert found(watched, answer.body) == []


def test_no_command_line_holds_one_and_the_environment_only_what_was_given_there(watched: Watched) -> None:
    pids = watched.hub.pids()
    assert len(pids) >= 4
    given = ("admin password", "database password", "secret key", "former secret key", "metrics token")
    for pid in pids:
        assert found(watched, Path(f"/proc/{pid}/cmdline").read_bytes()) == []
        assert found(watched, Path(f"/proc/{pid}/environ").read_bytes(), *given) == []
        assert Path(f"/proc/{pid}/environ").stat().st_mode & 0o077 == 0
