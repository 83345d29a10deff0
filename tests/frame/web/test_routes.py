"""Every route says who may use it, and one place decides."""

from base64 import b64encode
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI, Response
from pydantic import BaseModel
from starlette.routing import Mount

from fairway.core.oci.errors import Unauthorized
from fairway.core.tokens import SigningKeys, Token, sign
from fairway.frame.access.catalogue import CATALOG_READ, PROJECT_DELETE, PROJECT_READ
from fairway.frame.access.may import ProjectFacts
from fairway.frame.access.principals import Principal, User
from fairway.frame.access.roles import Role
from fairway.frame.web import errors
from fairway.frame.web.body import json_body
from fairway.frame.web.described import DescribedAPI
from fairway.frame.web.routes import (
    AUTHENTICATED,
    PUBLIC,
    AskedBy,
    Authoriser,
    InProject,
    LoggedIn,
    ProjectRef,
    Routes,
    UndeclaredRoute,
    check_every_route_declares,
    project_in_query,
)
from fairway.frame.web.who import Authenticators
from frame.web.asgi_call import Caller

KEYS = SigningKeys.generate()
PEOPLE = {"admin": User(1, "admin", sysadmin=True), "alice": User(7, "alice"), "mallory": User(8, "mallory")}

PROJECTS: dict[ProjectRef, tuple[int, bool]] = {
    3: (3, False),
    "team": (3, False),
    4: (4, True),
    "open": (4, True),
    "5": (5, True),
}
ALICE_IS = {3: Role.PROJECT_ADMIN}


class Body(BaseModel):
    text: str = ""


async def passwords(username: str, password: str, _client: str) -> User:
    if password != "right" or username not in PEOPLE:
        raise Unauthorized("wrong")
    return PEOPLE[username]


async def user(_user: int) -> User | None:
    return None


async def look_up(principal: Principal, ref: ProjectRef) -> ProjectFacts | None:
    if ref not in PROJECTS:
        return None
    project, public = PROJECTS[ref]
    role = ALICE_IS.get(project) if principal == PEOPLE["alice"] else None
    return ProjectFacts(project, public, role)


@pytest.fixture
def authoriser() -> Authoriser:
    authenticators = Authenticators(
        keys=KEYS,
        issuer="fairway",
        audience="registry",
        passwords=passwords,
        users=user,
        clock=lambda: 1000.0,
    )
    return Authoriser(authenticators, look_up, lambda forwarded_for, peer: forwarded_for or peer)


@pytest.fixture
def app(authoriser: Authoriser) -> FastAPI:
    routes = Routes(authoriser)

    @routes.get("/public", permission=PUBLIC)
    async def public(who: AskedBy) -> str:
        return who.name

    @routes.get("/mine", permission=AUTHENTICATED)
    async def mine(who: LoggedIn) -> int:
        return who.id

    @routes.post("/text", permission=AUTHENTICATED)
    async def text(body: Annotated[Body, json_body(Body)], n: int = 0) -> str:
        return body.text * n

    @routes.get("/catalog", permission=CATALOG_READ)
    async def catalog() -> str:
        return "all"

    @routes.get("/projects/{project_name_or_id}", permission=PROJECT_READ)
    async def project(found: InProject) -> int:
        return found.id

    @routes.delete("/projects/{project_name_or_id}", permission=PROJECT_DELETE)
    async def delete(found: InProject) -> int:
        return found.id

    @routes.get("/named/{project_name}/things", permission=PROJECT_READ)
    async def named(found: InProject) -> int:
        return found.id

    @routes.head("/projects", permission=PROJECT_READ, project=project_in_query("project_name"))
    async def head(_found: InProject) -> Response:
        return Response()

    app = FastAPI(openapi_url=None)
    errors.install(app)
    app.include_router(routes.router, prefix="/api")
    return app


@pytest.fixture
def call(app: FastAPI) -> Caller:
    return Caller(app)


def as_(name: str, password: str = "right") -> dict[str, str]:
    return {"authorization": "Basic " + b64encode(f"{name}:{password}".encode()).decode()}


WHO_GETS_WHAT = """
                               anonymous  mallory  alice  admin
GET /public                    200        200      200    200
GET /mine                      401        200      200    200
GET /catalog                   401        403      403    200
GET /projects/3                401        403      200    200
GET /projects/team             401        403      200    200
GET /projects/open             200        200      200    200
GET /projects/absent           401        403      403    404
GET /projects/99               401        403      403    404
DELETE /projects/3             401        403      200    200
DELETE /projects/open          401        403      403    200
DELETE /projects/absent        401        403      403    404
GET /named/team/things         401        403      200    200
GET /named/absent/things       401        403      403    404
HEAD /projects?project_name=team    401   403      200    200
HEAD /projects?project_name=absent  401   403      403    404
HEAD /projects                 422        422      422    422
PUT /public                    405        405      405    405
POST /catalog                  405        405      405    405
GET /absent                    404        404      404    404
"""


def cells(table: str) -> list[tuple[str, str, str, int]]:
    heads, *rows = [line.split() for line in table.strip().splitlines()]
    return [
        (method, target, head, int(cell))
        for method, target, *answers in rows
        for head, cell in zip(heads, answers, strict=True)
    ]


@pytest.mark.parametrize(("method", "target", "who", "status"), cells(WHO_GETS_WHAT))
async def test_who_gets_what(call: Caller, method: str, target: str, who: str, status: int) -> None:
    headers = {} if who == "anonymous" else as_(who)
    assert (await call(method, "/api" + target, headers=headers)).status == status


@pytest.mark.parametrize("who", [{}, as_("mallory")], ids=["anonymous", "mallory"])
async def test_a_private_project_and_no_project_look_the_same(call: Caller, who: dict[str, str]) -> None:
    private = await call("GET", "/api/projects/team", headers=who)
    absent = await call("GET", "/api/projects/miss", headers=who)
    assert (private.status, private.body, private.headers) == (absent.status, absent.body, absent.headers)


async def test_digits_are_an_id_unless_the_client_says_they_are_a_name(call: Caller) -> None:
    admin = as_("admin")
    assert (await call("GET", "/api/projects/3", headers=admin)).json == 3
    assert (await call("GET", "/api/projects/5", headers=admin)).status == 404
    assert (await call("GET", "/api/projects/5", headers={**admin, "x-is-resource-name": "true"})).json == 5


@pytest.mark.parametrize("ref", ["9" * 19, "9" * 3000, "%D9%A3", "3%00", "..%2F3", "-1", "+3", "3%20"])
async def test_what_only_looks_like_an_id_is_none(call: Caller, ref: str) -> None:
    assert (await call("GET", f"/api/projects/{ref}", headers=as_("admin"))).status == 404


async def test_a_wrong_password_is_401_even_where_everybody_may(call: Caller) -> None:
    assert (await call("GET", "/api/public", headers=as_("alice", "wrong"))).status == 401


async def test_a_registry_token_is_no_key_to_the_management_api(call: Caller) -> None:
    token = Token("admin", 1, "fairway", "registry", (), 900, 1200, "t")
    answer = await call("GET", "/api/mine", headers={"authorization": f"Bearer {sign(KEYS, token)}"})
    assert answer.status == 401


async def test_the_decision_comes_before_parameters_and_body_are_looked_at(call: Caller) -> None:
    answer = await call("POST", "/api/text?n=abc", body=[b"not json"], headers={"content-type": "text/plain"})
    assert answer.status == 401


async def test_a_head_reply_carries_what_its_get_would(call: Caller) -> None:
    answer = await call("HEAD", "/api/projects?project_name=team", headers=as_("alice"))
    assert (answer.status, answer.body) == (200, b"")


def test_an_application_of_declared_routes_starts(app: FastAPI) -> None:
    check_every_route_declares(app)


def test_a_route_that_declares_nothing_stops_the_start(app: FastAPI) -> None:
    @app.get("/forgotten")
    async def forgotten() -> None: ...

    with pytest.raises(UndeclaredRoute, match="GET /forgotten"):
        check_every_route_declares(app)
    check_every_route_declares(app, open_paths={"/forgotten"})


def test_a_forgotten_route_is_found_in_a_router_within_a_router(app: FastAPI) -> None:
    inner, outer = APIRouter(), APIRouter()

    @inner.put("/deep")
    async def deep() -> None: ...

    outer.include_router(inner, prefix="/inner")
    app.include_router(outer, prefix="/outer")
    with pytest.raises(UndeclaredRoute, match="PUT /outer/inner/deep"):
        check_every_route_declares(app)


@pytest.mark.parametrize(
    "made", [{"openapi_url": "/openapi.json"}, {"mount": True}], ids=["openapi", "mount"]
)
def test_what_the_framework_adds_by_itself_counts_too(authoriser: Authoriser, made: dict[str, Any]) -> None:
    app = FastAPI(openapi_url=made.get("openapi_url"))
    if "mount" in made:
        app.router.routes.append(Mount("/files", app=FastAPI()))
    with pytest.raises(UndeclaredRoute):
        check_every_route_declares(app)


def test_a_project_permission_on_a_path_without_a_project_is_refused_at_once(authoriser: Authoriser) -> None:
    with pytest.raises(UndeclaredRoute, match="names no project"):
        Routes(authoriser).get("/things", permission=PROJECT_READ)


def test_a_permission_cannot_be_left_out(authoriser: Authoriser) -> None:
    with pytest.raises(TypeError):
        Routes(authoriser).get("/things")  # type: ignore[call-arg]


def test_the_body_is_described_in_openapi(authoriser: Authoriser) -> None:
    routes = Routes(authoriser)

    @routes.post("/text", permission=PUBLIC)
    async def text(body: Annotated[Body, json_body(Body)]) -> str:
        return body.text

    app = DescribedAPI(paths={})
    app.include_router(routes.router)
    described = app.openapi()["paths"]["/text"]["post"]["requestBody"]
    assert described["content"]["application/json"]["schema"]["properties"] == {
        "text": {"default": "", "title": "Text", "type": "string"}
    }
