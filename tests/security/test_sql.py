"""Text from outside never becomes SQL: a corpus of payloads in every place that takes text (T19, T20).

On PostgreSQL the server writes down every statement: what was sent may stand in the list of parameters, nowhere else.
"""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from fairway.core.oci.digest import Digest
from postgres import Postgres
from stories.asgi import Answer
from stories.world import Person, World, basic, image, open_world

MARK = "zq7mark"
PAYLOADS = [
    f"{MARK}' OR '1'='1",
    f"{MARK}'; DROP TABLE users; --",
    f"{MARK}'); SELECT pg_sleep(9); --",
    f'{MARK}"||pg_sleep(9)||"\\',
    f"{MARK}$1 ?1 :name %(name)s %s {{0}}",
    f"{MARK} UNION SELECT password_hash FROM users /*",
    f"{MARK}%_\u02bc\uff07 OR 1=1",
    MARK,
]
DIGEST = Digest.of(b"{}")
JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}

# Every place in a target that takes text; {} is where the payload goes.
TARGETS = [
    *[
        f"GET /api/v2.0/projects?{name}={{}}"
        for name in ("name", "owner", "public", "page", "page_size", "q", "sort", "with_detail")
    ],
    "HEAD /api/v2.0/projects?project_name={}",
    "GET /api/v2.0/projects/{}",
    "DELETE /api/v2.0/projects/{}",
    "PUT /api/v2.0/projects/{}",
    "GET /api/v2.0/projects/team/members?entityname={}",
    "GET /api/v2.0/projects/team/members/{}",
    "GET /api/v2.0/projects/team/metadatas/{}",
    "DELETE /api/v2.0/projects/team/metadatas/{}",
    *[f"GET /api/v2.0/quotas?{name}={{}}" for name in ("reference", "reference_id", "sort")],
    "GET /v2/_catalog?last={}",
    "GET /v2/_catalog?n={}",
    *[
        f"{method} /v2/{where}/manifests/{{}}"
        for method in ("GET", "HEAD", "PUT", "DELETE")
        for where in ("team/app", "team/nothing")
    ],
    f"PUT /v2/team/app/manifests/{DIGEST}?tag={{}}",
    *[f"GET /v2/{name}/tags/list" for name in ("{}/app", "team/{}", "team/{}/app")],
    *[f"GET /v2/team/app/tags/list?{name}={{}}" for name in ("last", "n")],
    "GET /v2/team/app/blobs/{}",
    "GET /v2/team/app/referrers/{}",
    *[f"GET /v2/team/app/referrers/{DIGEST}?{name}={{}}" for name in ("artifactType", "last", "n")],
    "POST /v2/{}/app/blobs/uploads/",
    *[f"POST /v2/team/app/blobs/uploads/?{name}={{}}" for name in ("digest", "mount", "digest-algorithm")],
    f"POST /v2/team/app/blobs/uploads/?mount={DIGEST}&from={{}}",
    *[f"{method} /v2/team/app/blobs/uploads/{{}}" for method in ("GET", "PATCH", "DELETE")],
    f"PUT /v2/team/app/blobs/uploads/{{}}?digest={DIGEST}",
    *[
        f"GET /service/token?{name}={{}}"
        for name in ("service", "scope", "account", "client_id", "offline_token")
    ],
    "GET /service/token?scope=repository:{}:pull",
    "GET /service/token?offline_token=true&client_id={}",
]
HEADERS = (
    "x-request-id",
    "user-agent",
    "x-forwarded-for",
    "if-none-match",
    "x-is-resource-name",
    "content-range",
)
FIELDS = ("project_name", "metadata", "storage_limit", "registry_id", "public", "owner_name")


@pytest.fixture
async def alice(world: World) -> Person:
    alice = await world.person("alice")
    await world.project("team", alice)
    assert (await alice.push("team/app:v1", image("base"))).status == 201
    return alice


async def attack(world: World, alice: Person, payload: str) -> list[tuple[str, Answer]]:
    """One payload everywhere."""
    answers = []
    for target in TARGETS:
        method, _, path = target.partition(" ")
        asked = path.replace("{}", quote(payload, safe=""))
        who = world.admin if "_catalog" in target or "quotas" in target else alice
        answers.append((target, await who(method, asked)))
    for header in HEADERS:
        value = payload.encode("ascii", "ignore").decode()
        answers.append((header, await alice("GET", "/v2/team/app/manifests/v1", headers={header: value})))
        answers.append((header, await alice("GET", "/api/v2.0/projects/team", headers={header: value})))
    for field in FIELDS:
        for value in (payload, {"public": payload}, {payload: "true"}):
            asked = json.dumps({"project_name": "fine", field: value}).encode()
            if field != "owner_name":  # which is ignored, so that the project is made
                answers.append((field, await alice("POST", "/api/v2.0/projects", asked, headers=JSON)))
    for form in (f"grant_type={payload}", f"grant_type=refresh_token&refresh_token={quote(payload)}"):
        answer = await world.anybody("POST", "/service/token", form.encode(), headers=FORM)
        answers.append((form, answer))
    stranger = {"authorization": basic(payload, payload)}
    answers.append(("login", await world.anybody("GET", "/v2/", headers=stranger)))
    return answers


async def test_no_payload_does_anything(world: World, alice: Person) -> None:
    await alice.mount("team/app", DIGEST, "team/app")
    kept = (
        "users",
        "projects",
        "members",
        "tags",
        "artifacts",
        "repositories",
        "blobs",
        "project_blobs",
        "quotas",
    )
    before = await world.stored()
    for payload in PAYLOADS:
        for place, answer in await attack(world, alice, payload):
            assert answer.status < 500, (place, payload)
            assert b"argon2" not in answer.body
    after = await world.stored()
    made = {row["name"] for row in after["projects"] if row not in before["projects"]}
    assert made <= {"fine", MARK}, "which is a good name"
    for table in kept:
        rows = [row for row in after[table] if row in before[table]]
        assert rows == before[table], table


@pytest.fixture
async def spied(postgres: Postgres, postgres_template: str, tmp_path: Path) -> AsyncIterator[World]:
    """A hub whose database server writes every statement into its log."""
    name = "t_spied"
    url = postgres.create(name, postgres_template)
    for setting in (
        "log_statement = 'all'",
        "log_min_messages = 'warning'",
        "log_min_error_statement = 'panic'",
    ):
        postgres.sql(f"ALTER DATABASE {name} SET {setting}")
    async with open_world(url, tmp_path) as world:
        yield world
    postgres.drop(name)


def entries(log: str) -> list[str]:
    """A server's log by entry: an entry begins with its time, and may go on over several lines."""
    return re.split(r"\n(?=\d{4}-\d\d-\d\d \d\d:\d\d)", log)


async def test_the_server_sees_payloads_as_parameters_only(postgres: Postgres, spied: World) -> None:
    alice = await spied.person("alice")
    await spied.project("team", alice)
    await alice.push("team/app:v1", image("base"))
    log = postgres.folder / "log"
    begins = log.stat().st_size
    for payload in PAYLOADS:
        await attack(spied, alice, payload)
    with log.open("rb") as file:
        file.seek(begins)
        found = entries(file.read().decode(errors="replace"))
    about_us = [entry for entry in found if MARK in entry]
    bound = [entry for entry in about_us if re.search(r"DETAIL:  Parameters:", entry, re.IGNORECASE)]
    assert len(bound) > 50, "the payloads reach the database, and its log tells"
    assert [entry for entry in about_us if entry not in bound] == []
    assert not [entry for entry in found if "pg_sleep" in entry and entry not in bound]


async def test_wildcards_are_letters(world: World) -> None:
    for name in ("ab1c", "a_1c", "a1"):
        await world.project(name)
    for name, found in {
        "a_1": ["a_1c"],
        "_": ["a_1c"],
        "%": [],
        "a%c": [],
        "\\": [],
        "\\_": [],
        "/": [],
        "/_": [],
        "A_1": ["a_1c"],
        "1": ["a1", "a_1c", "ab1c"],
    }.items():
        answer = await world.admin("GET", f"/api/v2.0/projects?name={quote(name, safe='')}")
        assert [each["name"] for each in answer.json] == sorted(found), name
        assert answer["x-total-count"] == str(len(found))


async def test_nothing_can_be_asked_about_columns_nobody_shows(world: World) -> None:
    """T19: what is no filter of the listing has no effect on what is counted."""
    await world.project("team")
    plain = await world.admin("GET", "/api/v2.0/projects")
    for column in ("password_hash", "secret_hash", "users.password_hash", "owner_id", "credentials_version"):
        for asked in (
            f"q={column}=~%24argon2",
            f"q={column}=1",
            f"sort={column}",
            f"sort=-{column}",
            f"{column}=x",
        ):
            answer: Any = await world.admin("GET", f"/api/v2.0/projects?{asked}")
            assert answer.json == plain.json, asked
            assert answer["x-total-count"] == plain["x-total-count"]
