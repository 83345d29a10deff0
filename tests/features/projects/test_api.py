"""`/api/v2.0/projects` as Harbor's clients use it."""

import re
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import insert, select

from fairway.core.tokens import SigningKeys
from fairway.features.accounts.passwords import Hasher, Passwords
from fairway.features.accounts.store import people
from fairway.features.artifacts.model import Periods
from fairway.features.projects import api
from fairway.features.projects.jobs import deletion
from fairway.frame.access.principals import User
from fairway.frame.clock import utc_now
from fairway.frame.configuration import Configuration
from fairway.frame.db import Database, now_us
from fairway.frame.db.tables import members, projects, quotas, repositories
from fairway.frame.sealing import Sealer
from fairway.frame.settings import Settings
from fairway.frame.web import errors
from fairway.frame.web.routes import Authoriser, check_every_route_declares
from fairway.frame.web.who import Authenticators
from frame.web.asgi_call import Answer, Caller

PEOPLE = {"admin": True, "alice": False, "bob": False}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Hub:
    """The application with admin, alice and bob, whose passwords are `Secret123`."""

    def __init__(self, db: Database, app: FastAPI) -> None:
        self.db = db
        self.app = app
        self.anonymous = Caller(app)
        self.admin, self.alice, self.bob = (Caller(app, self._basic(name)) for name in PEOPLE)

    @staticmethod
    def _basic(name: str) -> dict[str, str]:
        return {"authorization": "Basic " + b64encode(f"{name}:Secret123".encode()).decode()}

    async def make(self, name: str, *, by: Caller, public: bool = False) -> int:
        answer = await by("POST", "/api/v2.0/projects", json_body={"project_name": name, "public": public})
        assert answer.status == 201, answer.body
        return int(answer.headers["location"].rpartition("/")[2])

    async def add_repository(self, project: int) -> None:
        row = {"project_id": project, "name": "app", "created_at": now_us(), "updated_at": now_us()}
        await self.db.write(lambda conn: conn.run(insert(repositories).values(**row)))


@pytest.fixture
async def hub(db: Database) -> AsyncIterator[Hub]:
    hasher = Hasher()
    hashed = await hasher.hash("Secret123")
    for name, sysadmin in PEOPLE.items():
        await db.write(lambda conn, n=name, s=sysadmin: people.create(conn, n, hashed, sysadmin=s))

    async def user(account: int) -> User | None:
        found = await people.by_id(db, account)
        return found.user if found else None

    authenticators = Authenticators(
        keys=SigningKeys.generate(),
        issuer="fairway",
        audience="registry",
        passwords=Passwords(db, hasher, utc_now),
        users=user,
        clock=utc_now,
    )
    app = FastAPI(openapi_url=None)
    errors.install(app)
    authoriser = Authoriser(authenticators, api.look_up(db), lambda _forwarded_for, peer: peer)
    chosen = Configuration(db, Sealer([b"a key for tests, thirty-two bytes."]), Settings())
    removal = deletion(db, Periods(lease=60, grace=60, trash=60))
    app.include_router(api.routes(db, authoriser, chosen, removal, gc_grace_seconds=60), prefix="/api/v2.0")
    check_every_route_declares(app)
    yield Hub(db, app)
    hasher.close()


async def test_a_project_is_made_and_found_where_location_says(hub: Hub) -> None:
    answer = await hub.alice("POST", "/api/v2.0/projects", json_body={"project_name": "team"})
    assert (answer.status, answer.body) == (201, b"")
    assert re.fullmatch(r"/api/v2\.0/projects/\d+", answer.headers["location"])
    found = await hub.alice("GET", answer.headers["location"])
    assert found.status == 200
    project = found.json
    assert MOMENT.fullmatch(project.pop("creation_time"))
    assert MOMENT.fullmatch(project.pop("update_time"))
    assert project.pop("cve_allowlist")["items"] == []
    assert project == {
        "project_id": int(answer.headers["location"].rpartition("/")[2]),
        "name": "team",
        "owner_id": 2,
        "owner_name": "alice",
        "registry_id": 0,
        "deleted": False,
        "togglable": True,
        "current_user_role_id": 1,
        "current_user_role_ids": [1],
        "repo_count": 0,
        "chart_count": 0,
        "metadata": {"public": "false"},
    }


async def test_location_names_the_project_when_asked_to(hub: Hub) -> None:
    answer = await hub.alice(
        "POST",
        "/api/v2.0/projects",
        json_body={"project_name": "team"},
        headers={"x-resource-name-in-location": "true"},
    )
    assert answer.headers["location"] == "/api/v2.0/projects/team"


@pytest.mark.parametrize(
    ("body", "public"),
    [
        ({"public": True}, "true"),
        ({"metadata": {"public": "true"}}, "true"),
        ({"public": True, "metadata": {"public": "false"}}, "false"),
        ({}, "false"),
        ({"metadata": None, "public": None, "storage_limit": None, "registry_id": None}, "false"),
    ],
)
async def test_a_project_is_as_public_as_was_asked(hub: Hub, body: dict[str, Any], public: str) -> None:
    await hub.alice("POST", "/api/v2.0/projects", json_body={"project_name": "team", **body})
    assert (await hub.alice("GET", "/api/v2.0/projects/team")).json["metadata"] == {"public": public}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"project_name": "Team"}, 400),
        ({"project_name": ""}, 400),
        ({}, 400),
        ({"project_name": "a\0b"}, 400),
        ({"project_name": "x" * 256}, 400),
        ({"project_name": 7}, 422),
        ({"project_name": "team", "metadata": {"public": "maybe"}}, 400),
        ({"project_name": "team", "metadata": {"public": True}}, 422),
        ({"project_name": "team", "metadata": {"nonsense": "x"}}, 400),
        ({"project_name": "team", "registry_id": 4}, 403),
    ],
)
async def test_what_cannot_be_made(hub: Hub, body: dict[str, Any], status: int) -> None:
    assert (await hub.alice("POST", "/api/v2.0/projects", json_body=body)).status == status
    assert await hub.db.all(select(projects)) == []


async def test_a_taken_name_is_409(hub: Hub) -> None:
    await hub.make("team", by=hub.alice)
    answer = await hub.bob("POST", "/api/v2.0/projects", json_body={"project_name": "team"})
    assert (answer.status, answer.error["code"]) == (409, "CONFLICT")


async def test_nobody_makes_a_project_without_logging_in(hub: Hub) -> None:
    answer = await hub.anonymous("POST", "/api/v2.0/projects", json_body={"project_name": "team"})
    assert (answer.status, answer.error["code"]) == (401, "UNAUTHORIZED")


async def test_no_field_of_the_body_sets_what_the_caller_may_not(hub: Hub) -> None:
    body = {
        "project_name": "team",
        "id": 77,
        "project_id": 77,
        "owner_id": 1,
        "owner_name": "admin",
        "creation_time": "2001-01-01T00:00:00Z",
        "deleted": True,
        "role_id": 1,
        "current_user_role_id": 1,
        "sysadmin_flag": True,
        "storage_limit": 5,
    }
    await hub.alice("POST", "/api/v2.0/projects", json_body=body)
    (row,) = await hub.db.all(select(projects))
    assert (row["id"] != 77, row["owner_id"], row["created_at"] > 10**15) == (True, 2, True)
    (member,) = await hub.db.all(select(members))
    assert (member["user_id"], member["role"]) == (2, 1)
    (quota,) = await hub.db.all(select(quotas))
    assert quota["hard"] == -1
    bob = await people.by_name(hub.db, "bob")
    assert bob is not None
    assert not bob.sysadmin


async def test_a_system_administrator_sets_a_limit(hub: Hub) -> None:
    await hub.admin("POST", "/api/v2.0/projects", json_body={"project_name": "team", "storage_limit": 5000})
    assert await hub.db.scalar(select(quotas.c.hard)) == 5000


async def test_a_list_has_what_the_caller_may_see(hub: Hub) -> None:
    await hub.make("open", by=hub.alice, public=True)
    await hub.make("closed", by=hub.alice)

    def seen(answer: Answer) -> list[tuple[str, int, bool]]:
        assert answer.status == 200
        assert answer.headers["x-total-count"] == str(len(answer.json))
        return [(each["name"], each["current_user_role_id"], each["togglable"]) for each in answer.json]

    assert seen(await hub.anonymous("GET", "/api/v2.0/projects")) == [("open", 0, False)]
    assert seen(await hub.bob("GET", "/api/v2.0/projects")) == [("open", 0, False)]
    assert seen(await hub.alice("GET", "/api/v2.0/projects")) == [("closed", 1, True), ("open", 1, True)]
    assert seen(await hub.admin("GET", "/api/v2.0/projects")) == [("closed", 0, True), ("open", 0, True)]
    assert seen(await hub.anonymous("GET", "/api/v2.0/projects?public=false")) == []


async def test_a_list_is_filtered_and_paged(hub: Hub) -> None:
    for name in ("app-1", "app-2", "app-3", "other"):
        await hub.make(name, by=hub.alice)
    answer = await hub.alice(
        "GET", "/api/v2.0/projects?name=app&owner=alice&public=false&page_size=2&page=1&with_detail=true"
    )
    assert [each["name"] for each in answer.json] == ["app-1", "app-2"]
    assert answer.headers["x-total-count"] == "3"
    assert answer.headers["link"] == (
        "</api/v2.0/projects?name=app&owner=alice&page=2&page_size=2&public=false&with_detail=true>; "
        'rel="next"'
    )


@pytest.mark.parametrize(
    "query", ["name=%00", "owner=%0a", "public=perhaps", "page_size=101", "name=" + "x" * 256]
)
async def test_a_filter_that_makes_no_sense_is_422(hub: Hub, query: str) -> None:
    answer = await hub.alice("GET", f"/api/v2.0/projects?{query}")
    assert (answer.status, answer.error["code"]) == (422, "UNPROCESSABLE_ENTITY")


WHO_GETS_WHAT = """
                                       anonymous  bob   alice  admin
GET /projects/closed                   401        403   200    200
GET /projects/absent                   401        403   403    404
GET /projects/open                     200        200   200    200
HEAD /projects?project_name=closed     401        403   200    200
HEAD /projects?project_name=absent     401        403   403    404
HEAD /projects?project_name=open       200        200   200    200
DELETE /projects/absent                401        403   403    404
DELETE /projects/full                  401        403   412    412
DELETE /projects/open                  401        403   200    200
DELETE /projects/closed                401        403   200    200
"""


def rows(table: str) -> list[tuple[str, str, str, int]]:
    heads, *lines = [line.split() for line in table.strip().splitlines()]
    return [
        (method, target, head, int(cell))
        for method, target, *cells in lines
        for head, cell in zip(heads, cells, strict=True)
    ]


@pytest.mark.parametrize(("method", "target", "who", "status"), rows(WHO_GETS_WHAT))
async def test_who_gets_what(hub: Hub, method: str, target: str, who: str, status: int) -> None:
    await hub.make("open", by=hub.alice, public=True)
    await hub.make("closed", by=hub.alice)
    await hub.add_repository(await hub.make("full", by=hub.alice))
    caller: Caller = getattr(hub, who)
    assert (await caller(method, f"/api/v2.0{target}")).status == status


async def test_a_deleted_project_is_gone_and_its_name_is_free(hub: Hub) -> None:
    made = await hub.make("team", by=hub.alice)
    answer = await hub.alice("DELETE", f"/api/v2.0/projects/{made}")
    assert (answer.status, answer.body) == (200, b"")
    assert (await hub.alice("GET", f"/api/v2.0/projects/{made}")).status == 403
    assert await hub.make("team", by=hub.bob) != made


async def test_a_name_of_digits_is_reached_by_saying_it_is_a_name(hub: Hub) -> None:
    await hub.make("2024", by=hub.alice)
    assert (await hub.alice("GET", "/api/v2.0/projects/2024")).status == 403
    named = await hub.alice("GET", "/api/v2.0/projects/2024", headers={"x-is-resource-name": "true"})
    assert named.json["name"] == "2024"
