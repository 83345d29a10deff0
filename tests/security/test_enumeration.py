"""What is hidden and what does not exist cannot be told apart by those who may see neither (T18)."""

import asyncio
import json
import re
from base64 import urlsafe_b64decode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fairway.app import management_api
from fairway.core.oci.digest import Digest
from fairway.frame.db.statements import Compiler
from fairway.frame.db.tables import login_failures, projects
from features.robots.making import JSON, ROBOTS, body, on, robot
from stories.asgi import Answer
from stories.world import PASSWORD, Person, World, image, layer, replica

BASE = Digest.of(layer("base"))
HIDDEN, ABSENT = "hidden", "absent"


@pytest.fixture
async def owner(world: World) -> Person:
    """Somebody with a private project called hidden; there is none called absent."""
    owner = await world.person("owner")
    await world.project(HIDDEN, owner)
    assert (await owner.push(f"{HIDDEN}/app:v1", image("base"))).status == 201
    return owner


@pytest.fixture
async def strangers(world: World, owner: Person) -> list[Person]:
    """Those who have no business there, by all the ways they can come in."""
    bob = await world.person("bob")
    await world.project("mine", bob)
    scopes = [f"repository:{name}/app:pull,push,delete" for name in (HIDDEN, ABSENT)]
    with_tokens = [await who.with_token("repository:mine/app:*", *scopes) for who in (world.anybody, bob)]
    return [world.anybody, bob, *with_tokens, await bob.with_token("repository:mine/app:pull")]


CALLS = [
    *[(method, "/v2/{}/app/manifests/v1") for method in ("GET", "HEAD", "PUT", "DELETE")],
    *[(method, f"/v2/{{}}/app/manifests/{image('base').digest}") for method in ("GET", "HEAD", "DELETE")],
    *[(method, f"/v2/{{}}/app/blobs/{BASE}") for method in ("GET", "HEAD", "DELETE")],
    ("GET", "/v2/{}/app/tags/list"),
    ("GET", f"/v2/{{}}/app/referrers/{BASE}"),
    ("POST", "/v2/{}/app/blobs/uploads/"),
    ("POST", f"/v2/{{}}/app/blobs/uploads/?digest={BASE}"),
    ("POST", f"/v2/{{}}/app/blobs/uploads/?mount={BASE}"),
    *[(method, "/v2/{}/app/blobs/uploads/0123") for method in ("GET", "PATCH", "DELETE")],
    ("PUT", f"/v2/{{}}/app/blobs/uploads/0123?digest={BASE}"),
    ("HEAD", "/api/v2.0/projects?project_name={}"),
    ("GET", "/api/v2.0/projects/{}"),
    ("DELETE", "/api/v2.0/projects/{}"),
    ("GET", "/api/v2.0/projects?name={}"),
    ("GET", "/api/v2.0/projects/{}/artifacts"),
    ("GET", "/api/v2.0/projects/{}/repositories"),
    *[(method, "/api/v2.0/projects/{}/repositories/app") for method in ("GET", "PUT", "DELETE")],
    ("GET", "/api/v2.0/projects/{}/repositories/app/artifacts"),
    *[(method, "/api/v2.0/projects/{}/repositories/app/artifacts/v1") for method in ("GET", "DELETE")],
    ("GET", "/api/v2.0/projects/{}/repositories/app/artifacts/v1/accessories"),
    ("GET", "/api/v2.0/projects/{}/repositories/app/artifacts/v1/additions/files"),
    *[(method, "/api/v2.0/projects/{}/repositories/app/artifacts/v1/tags") for method in ("GET", "POST")],
    ("DELETE", "/api/v2.0/projects/{}/repositories/app/artifacts/v1/tags/v1"),
    ("POST", "/api/v2.0/projects/{}/repositories/app/artifacts?from=mine/app:v1"),
    ("POST", "/api/v2.0/projects/mine/repositories/app/artifacts?from={}/app:v1"),
    ("POST", "/api/v2.0/projects/{}/repositories/app/artifacts/v1/labels"),
    ("DELETE", "/api/v2.0/projects/{}/repositories/app/artifacts/v1/labels/7"),
    ("GET", "/api/v2.0/search?q={}"),
    ("PUT", "/api/v2.0/projects/{}"),
    *[
        ("GET", f"/api/v2.0/projects/{{}}/{part}")
        for part in ("_deletable", "summary", "logs", "auditlog-exts")
    ],
    *[(method, "/api/v2.0/projects/{}/members") for method in ("GET", "POST")],
    *[(method, "/api/v2.0/projects/{}/members/1") for method in ("GET", "PUT", "DELETE")],
    *[(method, "/api/v2.0/projects/{}/metadatas/") for method in ("GET", "POST")],
    *[(method, "/api/v2.0/projects/{}/metadatas") for method in ("GET", "POST")],
    *[(method, "/api/v2.0/projects/{}/metadatas/public") for method in ("GET", "PUT", "DELETE")],
    *[(method, "/api/v2.0/projects/{}/robots") for method in ("GET", "POST")],
    *[(method, "/api/v2.0/projects/{}/robots/1") for method in ("GET", "PUT", "DELETE")],
    ("GET", "/api/fairway/projects/{}/repositories/app/tags/v1/history"),
    ("POST", "/api/fairway/projects/{}/repositories/app/tags/v1/rollback"),
    *[(method, "/api/v2.0/projects/{}/immutabletagrules") for method in ("GET", "POST")],
    *[(method, "/api/v2.0/projects/{}/immutabletagrules/1") for method in ("PUT", "DELETE")],
    *[
        ("GET", f"/api/v2.0/projects/{{}}/webhook/{part}")
        for part in ("events", "lasttrigger", "jobs?policy_id=1")
    ],
    *[(method, "/api/v2.0/projects/{}/webhook/policies") for method in ("GET", "POST")],
    *[(method, "/api/v2.0/projects/{}/webhook/policies/1") for method in ("GET", "PUT", "DELETE")],
    ("POST", "/api/v2.0/projects/{}/webhook/policies/1/ping"),
    *[
        ("GET", f"/api/v2.0/projects/{{}}/webhook/policies/1/executions{part}")
        for part in ("", "/7", "/7/tasks", "/7/tasks/7/log")
    ],
    ("POST", "/api/v2.0/projects/{}/webhook/policies/1/executions/7/redeliver"),
    ("PUT", "/api/fairway/projects/{}/name"),
    ("GET", "/api/fairway/projects/{}/aliases"),
    ("DELETE", "/api/fairway/projects/{}/aliases/old"),
    ("GET", "/api/fairway/gc/projects/{}/deleted"),
    ("POST", "/api/fairway/gc/projects/{}/undo"),
    *[(method, "/api/fairway/retention/projects/{}") for method in ("GET", "PUT")],
    ("POST", "/api/fairway/retention/projects/{}/simulate"),
]


EXAMPLES = {
    "name": "{}/app",
    "project_name": "{}",
    "project_name_or_id": "{}",
    "repository_name": "app",
    "reference": "v1",
    "tag_name": "v1",
    "digest": str(BASE),
    "id": "0123",
    "mid": "1",
    "meta_name": "public",
    "addition": "files",
    "label_id": "7",
    "robot_id": "1",
    "former_name": "old",
    "immutable_rule_id": "1",
    "webhook_policy_id": "1",
    "execution_id": "7",
    "task_id": "7",
}
"""What stands for the parameters of a path in the calls above."""
OF_POLICIES = [
    *(((method, "")) for method in ("GET", "PUT", "DELETE")),
    *((method, "/executions") for method in ("GET", "POST")),
    ("PATCH", "/executions/{eid}"),
    ("GET", "/executions/{eid}/tasks"),
    ("GET", "/executions/{eid}/tasks/{tid}"),
]
OUR_OWN_OF_POLICIES = ["/executions/{eid}", "/executions/{eid}/tasks/{tid}/decisions"]
NAMES_NO_PROJECT = {
    "GET /v2/",
    "GET /v2/_catalog",
    "GET /api/v2.0/ping",
    "GET /api/version",
    "GET /api/v2.0/health",
    "GET /api/v2.0/icons/{digest}",
    "GET /api/v2.0/labels",
    "POST /api/v2.0/labels",
    *(f"{method} /api/v2.0/labels/{{label_id}}" for method in ("GET", "PUT", "DELETE")),
    "GET /api/v2.0/openapi.json",
    "GET /api/v2.0/permissions",
    "GET /api/v2.0/repositories",
    "GET /api/v2.0/retentions/metadatas",
    "POST /api/v2.0/retentions",
    *(f"{method} /api/v2.0/retentions/{{id}}{rest}" for method, rest in OF_POLICIES),
    *(f"GET /api/fairway/retention/policies/{{id}}{rest}" for rest in OUR_OWN_OF_POLICIES),
    "GET /api/v2.0/robots",
    "POST /api/v2.0/robots",
    *(f"{method} /api/v2.0/robots/{{robot_id}}" for method in ("GET", "PUT", "PATCH", "DELETE")),
    "GET /api/v2.0/statistics",
    "GET /api/v2.0/systeminfo",
    "GET /service/token",
    "POST /service/token",
}
"""Or says the same of all: `test_a_token_says_the_same_of_both`, `test_robots_say_the_same_of_both`,
`test_policies_of_retention_say_the_same_of_both`, and of labels `test_a_label_of_a_hidden_project…`."""
OF_THE_SERVER = (
    "/api/v2.0/audit",
    "/api/v2.0/configurations",
    "/api/v2.0/jobservice/",
    "/api/v2.0/quotas",
    "/api/v2.0/schedules",
    "/api/v2.0/system/",
    "/api/v2.0/systeminfo/",
    "/api/v2.0/usergroups",
    "/api/v2.0/users",
    "/api/fairway/usergroups/",
    "/api/fairway/users/",
    "/c/",
    "/api/fairway/gc/orphans",
    "/api/fairway/roles",
    "/api/fairway/retention/default",
)
"""What lies below is about the server as a whole."""
MAKES_ONE = {"POST /api/v2.0/projects"}
"""Who makes a project learns whether its name is taken: nobody can have two of one name."""


def test_no_route_is_missing(world: World) -> None:
    """Every operation the hub describes was asked about a hidden and an absent project."""
    asked = {f"{method} {path.partition('?')[0]}" for method, path in CALLS}
    asked |= {call.replace(str(image("base").digest), "v1") for call in asked}
    missing = []
    for path, operations in management_api(world.parts).openapi()["paths"].items():
        filled = re.sub(r"{(\w+)}", lambda found: EXAMPLES.get(found[1], found[0]), path)
        for method in map(str.upper, operations):
            known = f"{method} {filled}" in asked or f"{method} {path}" in NAMES_NO_PROJECT | MAKES_ONE
            if not known and not path.startswith(OF_THE_SERVER):
                missing.append(f"{method} {path}")
    assert not missing, "these may tell a hidden project from none"


def seen(answer: Answer, name: str) -> tuple[Any, ...]:
    """All that a caller can see of an answer, the name asked for left out."""
    blank = b"<name>"
    headers = [(key, value.replace(name, "<name>")) for key, value in answer.headers]
    return answer.status, headers, answer.body.replace(name.encode(), blank)


async def test_a_hidden_project_looks_like_none(world: World, strangers: list[Person]) -> None:
    same_id = {"x-request-id": "the same"}
    for stranger in strangers:
        for method, target in CALLS:
            answers = [
                seen(await stranger(method, target.format(name), headers=same_id), name)
                for name in (HIDDEN, ABSENT)
            ]
            assert answers[0] == answers[1], (stranger.authorization[:12], method, target)
            assert answers[0][0] in (200, 401, 403, 404)


async def test_what_is_in_a_hidden_project_looks_like_nothing(world: World, strangers: list[Person]) -> None:
    await world.admin.push("hidden/there:v1", image("base"))
    nothing = Digest.of(b"no such thing")
    pairs = [
        ("/v2/hidden/{}/manifests/v1", "there", "where"),
        ("/v2/hidden/{}/tags/list", "there", "where"),
        ("/v2/hidden/app/manifests/{}", "v1", "v9"),
        ("/v2/hidden/app/manifests/{}", image("base").digest, nothing),
        ("/v2/hidden/app/blobs/{}", BASE, nothing),
        ("/v2/hidden/app/referrers/{}", image("base").digest, nothing),
    ]
    same_id = {"x-request-id": "the same"}
    for stranger in strangers:
        for target, *names in pairs:
            there, not_there = [
                seen(await stranger("GET", target.format(name), headers=same_id), name) for name in names
            ]
            assert there == not_there, target
            assert there[0] == 401


async def test_a_token_says_the_same_of_both(world: World, strangers: list[Person]) -> None:
    for stranger in (strangers[0], strangers[1]):
        granted = []
        for name in (HIDDEN, ABSENT):
            answer = await stranger.ask_token(f"repository:{name}/app:pull,push,delete")
            payload = answer.json["token"].split(".")[1]
            claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            granted.append([{**access, "name": ""} for access in claims["access"]])
        assert granted[0] == granted[1] == [{"type": "repository", "name": "", "actions": []}]


NAMELESS = "an answer that repeats nothing"


async def test_robots_say_the_same_of_both(world: World, strangers: list[Person]) -> None:
    """Their ids, the ids of their projects in lists, and the names of projects in what is asked for."""
    bob = strangers[1]
    hidden = await robot(world, "ci", on(HIDDEN, "repository:pull"))
    maker = await robot(world, "maker", on("mine", "repository:pull", "robot:create", "robot:list"), by=bob)
    (at,) = [row["id"] for row in await world.rows(projects) if row["name"] == HIDDEN]
    same_id = {"x-request-id": "the same", **JSON}
    for who in (world.anybody, bob, maker):
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            sent = (
                json.dumps(body("ci", on("mine", "repository:pull"))).encode() if method == "PUT" else b"{}"
            )
            answers = [
                seen(await who(method, f"{ROBOTS}/{id}", sent, headers=same_id), NAMELESS)
                for id in (hidden.id, 7777)
            ]
            assert answers[0] == answers[1], method
            assert answers[0][0] in (401, 403)
        lists = [
            seen(await who("GET", f"{ROBOTS}?q=Level=project,ProjectID={id}", headers=same_id), NAMELESS)
            for id in (at, 7777)
        ]
        assert lists[0] == lists[1]
        for level in ("project", "system"):
            answers = []
            for name in (HIDDEN, ABSENT):
                asked = json.dumps(body("new", on(name, "repository:pull"), level=level)).encode()
                answers.append(seen(await who("POST", ROBOTS, asked, headers=same_id), name))
            assert answers[0] == answers[1]
            assert answers[0][0] in (401, 403)


async def test_policies_of_retention_say_the_same_of_both(
    world: World, strangers: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of a hidden project, one of the server and none; and where one is made.  As much is asked of the database."""
    (at,) = [row["id"] for row in await world.rows(projects) if row["name"] == HIDDEN]
    policy = {"rules": [], "scope": {"level": "project", "ref": at}}
    same_id = {"x-request-id": "the same", **JSON}
    made = await world.admin("POST", "/api/v2.0/retentions", json.dumps(policy).encode(), headers=JSON)
    hidden = int(made["location"].rpartition("/")[2])
    of_server = await world.admin("PUT", "/api/fairway/retention/default", b'{"rules": []}', headers=JSON)
    asked: list[str] = []
    compile_, this = Compiler.compile, asyncio.current_task()

    def counted(self: Compiler, statement: Any, params: Any) -> Any:
        made = compile_(self, statement, params)
        if asyncio.current_task() is this:
            asked.append(made.sql)
        return made

    monkeypatch.setattr(Compiler, "compile", counted)
    calls = [(method, f"/api/v2.0/retentions/{{}}{rest}") for method, rest in OF_POLICIES]
    calls += [("GET", f"/api/fairway/retention/policies/{{}}{rest}") for rest in OUR_OWN_OF_POLICIES]
    for stranger in strangers:
        for method, target in calls:
            answers = []
            for number in (hidden, 7777, of_server.json["id"]):
                asked.clear()
                filled = target.replace("{eid}", "1").replace("{tid}", "1").format(number)
                answer = await stranger(method, filled, b"{}", headers=same_id)
                answers.append((seen(answer, NAMELESS), len(asked)))
            assert answers[0] == answers[1], (method, target)
            assert answers[0][0] == answers[2][0]
            assert answers[0][0][0] in (401, 403)
        answers = []
        for project in (at, 7777):
            asked.clear()
            sent = json.dumps({"rules": [], "scope": {"level": "project", "ref": project}}).encode()
            answer = await stranger("POST", "/api/v2.0/retentions", sent, headers=same_id)
            answers.append((seen(answer, NAMELESS), len(asked)))
        assert answers[0] == answers[1]
        assert answers[0][0][0] in (401, 403)


async def test_nor_does_it_where_a_first_push_makes_a_project(
    world: World, strangers: list[Person], database_url: str, tmp_path: Path
) -> None:
    """The token is good for asking, in both cases; the push itself is refused or makes the project."""
    async with replica(database_url, tmp_path, create_project_on_push=True) as there:
        bob = replace(strangers[1], world=there)
        for actions in ("pull,push,delete", "pull", "push", "delete", "*"):
            granted = []
            for name in (HIDDEN, ABSENT):
                payload = (
                    (await bob.ask_token(f"repository:{name}/app:{actions}")).json["token"].split(".")[1]
                )
                claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
                granted.append([{**access, "name": ""} for access in claims["access"]])
            assert granted[0] == granted[1], actions
        bearer = await bob.with_token(
            f"repository:{HIDDEN}/app:pull,push", f"repository:{ABSENT}/app:pull,push"
        )
        for name in (HIDDEN, ABSENT):
            assert (await bearer.pull(f"{name}/app:v1")).short == (401, "UNAUTHORIZED")
        assert (await bearer.push_blob(f"{HIDDEN}/app", b"new")).short == (401, "UNAUTHORIZED")
        assert (await bearer.blob(f"{HIDDEN}/app", BASE)).short == (401, "UNAUTHORIZED")
        assert (await bearer.push_blob(f"{ABSENT}/app", b"new")).status == 201


async def test_as_much_is_asked_of_the_database_for_both(
    world: World, strangers: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the time it takes tells nothing either: the same statements, in the same order."""
    asked: list[str] = []
    compile_, this = Compiler.compile, asyncio.current_task()
    most = 0

    def counted(self: Compiler, statement: Any, params: Any) -> Any:
        made = compile_(self, statement, params)
        # Not by what looks every second whether the configuration was changed.
        if asyncio.current_task() is this:
            asked.append(made.sql)
        return made

    monkeypatch.setattr(Compiler, "compile", counted)
    for stranger in strangers:
        for method, target in CALLS:
            did = []
            for name in (HIDDEN, ABSENT):
                asked.clear()
                await stranger(method, target.format(name))
                did.append(list(asked))
                most = max(most, len(asked))
            assert did[0] == did[1], (method, target)
    assert most > 1


async def test_as_much_is_asked_for_every_id_of_a_robot(
    world: World, strangers: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    of_project = await robot(world, "ci", on(HIDDEN, "repository:pull"))
    of_system = await robot(world, "ops", on("/", "catalog:read"))
    asked: list[str] = []
    compile_, this = Compiler.compile, asyncio.current_task()
    most = 0

    def counted(self: Compiler, statement: Any, params: Any) -> Any:
        made = compile_(self, statement, params)
        # Not by what looks every second whether the configuration was changed.
        if asyncio.current_task() is this:
            asked.append(made.sql)
        return made

    monkeypatch.setattr(Compiler, "compile", counted)
    for who in strangers[:2]:
        did = []
        for id in (of_project.id, of_system.id, 7777):
            asked.clear()
            assert (await who("GET", f"{ROBOTS}/{id}")).status in (401, 403)
            did.append(list(asked))
            most = max(most, len(asked))
        assert did[0] == did[1] == did[2]
    assert most > 1


async def test_mounting_from_there_tells_nothing(
    world: World, owner: Person, strangers: list[Person]
) -> None:
    _, bob, _, bearer, narrow = strangers
    for who in (bob, bearer, narrow):
        answers = []
        for name in (HIDDEN, ABSENT):
            answer = await who.mount("mine/app", BASE, f"{name}/app")
            headers = [
                (key, value.replace(name, "<name>"))
                for key, value in answer.headers
                if key not in ("location", "docker-upload-uuid", "x-request-id")
            ]
            answers.append((answer.status, headers, answer.body.replace(name.encode(), b"<name>")))
        assert answers[0] == answers[1]
        assert answers[0][0] in (202, 401)


async def test_an_account_that_is_there_looks_like_one_that_is_not(world: World, owner: Person) -> None:
    """T16: status, headers and body are the same for a wrong password and an unknown user."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    grant = "grant_type=password&username={}&password=wrong"
    answers = []
    for name in ("owner", "oowne"):
        person = Person(world, name).saying("wrong")
        tries = [
            await person("GET", "/v2/", headers={"x-request-id": "x"}),
            await person("GET", "/service/token?service=harbor-registry", headers={"x-request-id": "x"}),
            await world.anybody(
                "POST", "/service/token", grant.format(name).encode(), headers={**form, "x-request-id": "x"}
            ),
            await person("GET", "/api/v2.0/projects", headers={"x-request-id": "x"}),
        ]
        answers.append([(answer.status, answer.headers, answer.body) for answer in tries])
    assert answers[0] == answers[1]
    assert {answer[0] for answer in answers[0]} == {401}
    assert [row["failures"] for row in await world.rows(login_failures)].count(4) == 2  # and counted alike


async def test_a_long_password_counts_to_its_end(world: World) -> None:
    carol = await world.person("carol")
    password = "Abc1" + "x" * 120
    await world.set_password(carol, password)
    assert (await carol.saying(password)("GET", "/v2/")).status == 200
    assert (await carol.saying(password[:72])("GET", "/v2/")).status == 401
    assert (await carol.saying(password + "x")("GET", "/v2/")).status == 401
    assert (await carol.saying(PASSWORD * 70_000)("GET", "/v2/")).short == (400, "BAD_REQUEST")
