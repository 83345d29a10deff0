"""Long work that is killed on the way, a schema being made or a thousand things being deleted, can be done again."""

import os
import random
import signal
import subprocess
import sys
import threading
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from faults.client import Client, Lost
from faults.images import image
from faults.inside import Inside
from faults.stage import Scene, seed
from hub import Hub
from postgres import Postgres, free_port

pytestmark = [pytest.mark.system, pytest.mark.slow]

ARTIFACTS = int(os.environ.get("FAIRWAY_TEST_ARTIFACTS", "100"))
LINKS = 1200
"""More than are deleted in one transaction."""
STATEMENTS = 40
"""A migration of an empty database has at least so many."""


@pytest.fixture(params=["sqlite", "postgresql"])
def stopped(request: pytest.FixtureRequest, tmp_path: Path) -> Hub:
    """A hub that was never started: its database is empty."""
    if request.param == "sqlite":
        return Hub(tmp_path)
    server: Postgres = request.getfixturevalue("postgres")
    return Hub(tmp_path, database_url=server.create(f"half_{uuid.uuid4().hex}"))


def fairway(hub: Hub, *arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FAIRWAY_")}
    return subprocess.run(
        [sys.executable, "-m", "fairway", *arguments, "--data-dir", str(hub.data)],
        env={**inherited, **hub.settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_migration_that_was_killed_is_done_by_the_next_one(stopped: Hub) -> None:
    run = seed()
    for statement in random.Random(run).sample(range(1, STATEMENTS), 3):
        command = [sys.executable, "-c", _MIGRATE_AND_DIE, stopped.database_url, str(statement)]
        stopped.data.mkdir(exist_ok=True)
        died = subprocess.run(command, capture_output=True, text=True, check=False)
        assert died.returncode == -signal.SIGKILL, f"seed {run}: {died.stderr}"
    done, again = fairway(stopped, "migrate"), fairway(stopped, "migrate")
    assert (done.returncode, again.returncode) == (0, 0), f"seed {run}: {done.stderr}"
    assert "already" in again.stdout
    assert Inside(stopped).rows("SELECT COUNT(*) FROM projects") == [(0,)]


_MIGRATE_AND_DIE = """
import os, signal, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
from fairway.frame.db.migrate import migrate

left = int(sys.argv[2])

@event.listens_for(Engine, "before_cursor_execute")
def count(*_):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

migrate(sys.argv[1])
"""


def test_a_newer_schema_is_refused_in_words_and_left_alone(stopped: Hub) -> None:
    assert fairway(stopped, "migrate").returncode == 0
    inside = Inside(stopped)
    inside.rows("UPDATE alembic_version SET version_num = '9999'")
    for command in (["serve", "--listen", f"127.0.0.1:{free_port()}"], ["worker"], ["migrate"]):
        refused = fairway(stopped, *command)
        assert refused.returncode == 1
        assert "9999" in refused.stderr
        assert "version" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert inside.rows("SELECT version_num FROM alembic_version") == [("9999",)]
    assert inside.rows("SELECT COUNT(*) FROM users") == [(0,)]


def test_artifacts_whose_deletion_was_killed_are_whole_or_gone(rotten: Scene) -> None:
    client = rotten.client("deleting")
    repo = f"library/doomed-{uuid.uuid4().hex}"
    layer = client.rng.randbytes(1000)
    client.push_blob(repo, layer)
    client.push_blob(repo, b"{}")
    digests = []
    for number in range(ARTIFACTS):
        it = image(b"{}", [layer] * (number + 1))
        client.push_manifest(repo, it, [f"v{number}"])
        digests.append(it.digest)

    interrupted = 0
    while digests:
        left = client.rng.randrange(len(digests) // 3, len(digests)) if interrupted < 2 else -1
        death = threading.Timer(client.rng.uniform(0, 0.02), rotten.stage.hub.kill) if left > 0 else None
        try:
            while digests:
                if death and len(digests) == left:
                    death.start()
                client.delete(repo, digests[0])
                del digests[0]
        except Lost:
            del digests[0]  # deleted or not: the checker knows that both may be
            interrupted += 1
        if death:
            death.join()
            rotten.restart()
            assert not rotten.check().broken
    assert client.call("GET", f"/v2/{repo}/tags/list").status in (200, 404)
    assert interrupted


def test_a_project_whose_deletion_was_killed_is_deleted_by_the_next_one(rotten: Scene) -> None:
    client = rotten.client("project")
    name = f"doomed-{uuid.uuid4().hex}"
    headers = {"Content-Type": "application/json"}
    body = f'{{"project_name": "{name}"}}'.encode()
    assert client.call("POST", "/api/v2.0/projects", body, headers).status == 201
    client.push_blob("library/any", b"linked")
    [(project,)] = rotten.stage.inside.rows(f"SELECT id FROM projects WHERE name = '{name}'")
    link_many(rotten.stage.inside, project)

    deaths = 0
    while deaths < 2 and there(client, name):
        death = threading.Timer(client.rng.uniform(0.0, 0.05), rotten.stage.hub.kill)
        death.start()
        with suppress(Lost):
            client.call("DELETE", f"/api/v2.0/projects/{name}")
        death.join()
        deaths += 1
        rotten.restart()
        assert not rotten.check().broken
    if there(client, name):
        assert client.call("DELETE", f"/api/v2.0/projects/{name}").status == 200
    assert not there(client, name)
    for table in ("project_blobs", "quotas", "quota_deltas", "members"):
        assert rotten.stage.inside.rows(f"SELECT COUNT(*) FROM {table} WHERE project_id = {project}") == [
            (0,)
        ]


def there(client: Client, project: str) -> bool:
    """Is the project there?  The first connection after a restart may be one to the dead."""
    with suppress(Lost):
        client.call("GET", "/v2/")
    return client.call("HEAD", f"/api/v2.0/projects?project_name={project}").status == 200


def link_many(inside: Inside, project: int) -> None:
    """As if so many blobs had been pushed: nobody asks for their bytes."""
    inside.rows(f"""
        WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {LINKS})
        INSERT INTO project_blobs (project_id, digest, size, blob_id, created_at)
        SELECT {project}, 'sha256:' || CAST(100000 + n AS VARCHAR), 1, (SELECT MAX(id) FROM blobs), 0 FROM numbers""")
    inside.rows(f"INSERT INTO quota_deltas (project_id, delta) VALUES ({project}, {LINKS})")
