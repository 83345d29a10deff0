"""What administrators choose is heeded by every process of a hub within two seconds, and settled keys stop a bad start."""

import json
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from conftest import StartHub
from hub import Hub
from postgres import Postgres
from system.wire import Wire

pytestmark = [pytest.mark.system, pytest.mark.slow]
ASKED = 24
"""So many connections leave out one of three workers once in ten thousand times."""
PATH = "/api/v2.0/configurations"
JSON = {"Content-Type": "application/json"}


def ask(who: Wire, method: str, path: str, body: Any) -> int:
    return who.ask(method, path, json.dumps(body).encode(), JSON).status


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_three_workers_know(engine: str, request: pytest.FixtureRequest, start_hub: StartHub) -> None:
    options: dict[str, Any] = {}
    if engine == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        options["database_url"] = server.create(f"c_{uuid.uuid4().hex}")
    admin = Wire(start_hub(workers=3, **options))
    for wanted in (True, False):
        assert ask(admin, "PUT", PATH, {"read_only": wanted, "banner_message": str(wanted)}) == 200
        time.sleep(2)
        for n in range(ASKED):
            name = f"p-{n}-{str(wanted).lower()}"
            assert ask(admin, "POST", "/api/v2.0/projects", {"project_name": name}) == (
                403 if wanted else 201
            )
            told = Wire(admin.hub, "").ask("GET", "/api/v2.0/systeminfo").json()
            assert told["banner_message"] == str(wanted)


@pytest.mark.parametrize(
    ("settled", "says"),
    [
        ("{", "an object such as"),
        ('{"read_onyl": true}', "Did you mean read_only?"),
        ('{"token_expiration": 0}', "token_expiration must be a whole number from 1"),
        ("/nowhere/at/all.json", "or the path of a file"),
    ],
)
def test_what_cannot_be_settled_stops_the_start(settled: str, says: str, tmp_path: Path) -> None:
    hub = Hub(tmp_path, env={"CONFIG_OVERWRITE_JSON": settled})
    hub.launch()
    assert hub.process is not None
    assert hub.process.wait(60) != 0
    assert says in " ".join(hub.log.split())
    hub.kill()


def test_settled_in_a_file(tmp_path: Path, start_hub: StartHub) -> None:
    file = tmp_path / "settled.json"
    file.write_text('{"self_registration": "true"}')
    admin = Wire(start_hub(env={"FAIRWAY_CONFIG_OVERWRITE_JSON": str(file)}))
    found = admin.ask("GET", PATH).json()["self_registration"]
    assert found == {"value": True, "editable": False}
    assert ask(admin, "PUT", PATH, {"self_registration": False}) == 403
