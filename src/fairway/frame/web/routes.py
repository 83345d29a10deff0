"""Routes that say who may use them, and the one place where that is decided.

```python
routes = Routes(authoriser, tags=["project"])


@routes.get("/projects/{project_name_or_id}", permission=PROJECT_READ)
async def get_project(project: InProject) -> ProjectOut: ...
```

The decision sees the matched route and its decoded parameters, which are also what the handler gets.  For a project
permission it looks the project up (`{project_name_or_id}` or `{project_name}` of the path, or where `project=` says)
and asks `may`.  A permission of both kinds, on a route that names no project, is about the server.  A caller without the
permission gets 403, or 401 when anonymous, whether the project exists or not; only who has it in every project gets a 404.

`check_every_route_declares` makes a route without a declaration stop the process at start.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.requests import Request
from starlette.routing import Match
from starlette.types import Scope

from fairway.core.oci.errors import (
    Denied,
    FairwayError,
    PreconditionFailed,
    Unauthorized,
    Unsupported,
)
from fairway.frame.access.catalogue import IN_PROJECT, ON_SERVER, Permission
from fairway.frame.access.may import ProjectFacts, may
from fairway.frame.access.principals import ANONYMOUS, Anonymous, Principal, Robot, User
from fairway.frame.web.body import ModelReader
from fairway.frame.web.browsers import READS
from fairway.frame.web.deciding import (
    AUTHENTICATED,
    BY_COOKIE,
    LOGIN,
    PUBLIC,
    Authoriser,
    Caller,
    Declared,
    Everyone,
    FindRef,
    Guard,
    OrAnybodyWhile,
    OrOwn,
    ProjectRef,
)
from fairway.frame.web.described import (
    CREDENTIALS,
    CREDENTIALS_IF_ANY,
    Kinds,
    body_of,
    errors_of,
    parameter,
    path_parameters,
)
from fairway.frame.web.errors import Forbidden, NotFound, Unprocessable

__all__ = [
    "AUTHENTICATED",
    "BY_COOKIE",
    "LOGIN",
    "PUBLIC",
    "AskedBy",
    "Authoriser",
    "ByPerson",
    "Came",
    "InProject",
    "InQuery",
    "LoggedIn",
    "OrAnybodyWhile",
    "OrOwn",
    "ProjectRef",
    "Routes",
    "UndeclaredRoute",
    "check_every_route_declares",
    "project_in_query",
]

F = TypeVar("F", bound=Callable[..., Any])


class UndeclaredRoute(RuntimeError):
    """A route does not say who may use it.  A programming error; the process must not start."""


class _Route(APIRoute):
    """A route that takes no path which another one declares letter by letter, whatever the method.

    Otherwise `DELETE /users/search` would be about a user called search where only `GET /users/search` is declared.
    """

    as_written: Collection[str] = ()

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        if match is not Match.NONE and self.param_convertors:
            values = {name: found["path_params"][name] for name in self.param_convertors}
            if self.path_format.format_map(values) in self.as_written:
                return Match.NONE, {}
        return match, found


class Routes:
    """A router whose every route must declare its permission.  Include `router` in the application."""

    def __init__(self, authoriser: Authoriser, *, tags: Collection[str] = ()) -> None:
        self.router = APIRouter(tags=list(tags), route_class=_Route)
        self._authoriser = authoriser
        self._as_written: set[str] = set()

    def get(self, path: str, *, permission: Declared, **options: Any) -> Callable[[F], F]:
        """Declare a GET route.

        `options` are FastAPI's, and three more: `project`, which finds a ProjectRef in a request, `raises`, the
        errors that this route answers with beyond those that any route with its permission has, and `resumes`, for what
        an administrator may do although the server is read-only at present.
        """
        return self._add("GET", path, permission, **options)

    def head(self, path: str, *, permission: Declared, **options: Any) -> Callable[[F], F]:
        """Declare a HEAD route."""
        return self._add("HEAD", path, permission, **options)

    def post(self, path: str, *, permission: Declared, **options: Any) -> Callable[[F], F]:
        """Declare a POST route."""
        return self._add("POST", path, permission, **options)

    def put(self, path: str, *, permission: Declared, **options: Any) -> Callable[[F], F]:
        """Declare a PUT route."""
        return self._add("PUT", path, permission, **options)

    def patch(self, path: str, *, permission: Declared, **options: Any) -> Callable[[F], F]:
        """Declare a PATCH route."""
        return self._add("PATCH", path, permission, **options)

    def delete(self, path: str, *, permission: Declared, **options: Any) -> Callable[[F], F]:
        """Declare a DELETE route."""
        return self._add("DELETE", path, permission, **options)

    def _add(
        self,
        method: str,
        path: str,
        permission: Declared,
        *,
        project: FindRef | None = None,
        raises: Kinds = (),
        resumes: bool = False,
        **options: Any,
    ) -> Callable[[F], F]:
        find = None
        if isinstance(permission, Permission) and permission in IN_PROJECT:
            find = project or _ref_of_path(path)
            if find is None and permission not in ON_SERVER:
                raise UndeclaredRoute(f"{method} {path} needs {permission} but names no project")

        def add(endpoint: F) -> F:
            self.router.add_api_route(
                path,
                endpoint,
                methods=[method],
                dependencies=[Depends(Guard(self._authoriser, permission, find, resumes=resumes))],
                openapi_extra=_described(path, permission, find),
                **options,
            )
            made = self.router.routes[-1]
            assert isinstance(made, _Route)
            made.as_written = self._as_written
            _describe_body(made, [*_errors_of(permission, find), *raises, *_refusals(method, permission)])
            if "{" not in path:
                self._as_written.add(path)
            return endpoint

        return add


def _ref_of_path(path: str) -> FindRef | None:
    if "{project_name_or_id}" in path:
        return _name_or_id
    if "{project_name}" in path:
        return lambda request: str(request.path_params["project_name"])
    return None


def _name_or_id(request: Request) -> ProjectRef:
    """All digits is an id, unless X-Is-Resource-Name says otherwise or no id is that long."""
    text = str(request.path_params["project_name_or_id"])
    by_name = request.headers.get("x-is-resource-name", "").lower() == "true"
    return int(text) if not by_name and text.isascii() and text.isdigit() and len(text) <= 18 else text


@dataclass(frozen=True, slots=True)
class InQuery:
    """Finds the project in the query parameter `name`, which must be there."""

    name: str

    def __call__(self, request: Request) -> ProjectRef:
        ref = request.query_params.get(self.name)
        if ref is None:
            raise Unprocessable(f"query.{self.name}: required")
        return ref


def project_in_query(name: str) -> FindRef:
    """For a route that names its project in the query parameter `name`, which must be there."""
    return InQuery(name)


def _described(path: str, permission: Declared, find: FindRef | None) -> dict[str, Any]:
    """What FastAPI cannot see of a route: who needs a login, and what it reads from the request itself."""
    return {
        "parameters": _described_parameters(path, find),
        "security": CREDENTIALS if _needs_login(permission) else CREDENTIALS_IF_ANY,
    }


def _refusals(method: str, permission: Declared) -> Kinds:
    """What is made of a request for what it comes from, or by an operator who allows no changes."""
    if permission is LOGIN or permission is BY_COOKIE:
        return (Forbidden,)
    if method in READS:
        return ()
    return (Forbidden, Denied, Unsupported) if method == "DELETE" else (Forbidden, Denied)


def _errors_of(permission: Declared, find: FindRef | None) -> Kinds:
    errors: list[type[FairwayError]] = [] if isinstance(permission, Everyone) else [Forbidden]
    if find is not None:
        errors.append(NotFound)
    if isinstance(find, InQuery):
        errors.append(Unprocessable)
    return errors


def _needs_login(permission: Declared) -> bool:
    """Whether nobody gets anywhere here without one."""
    if isinstance(permission, Everyone):
        return permission is AUTHENTICATED
    if isinstance(permission, OrOwn | OrAnybodyWhile):
        return isinstance(permission, OrOwn)
    return not may(ANONYMOUS, permission, ProjectFacts(id=1, public=True))


def _described_parameters(path: str, find: FindRef | None) -> list[dict[str, Any]]:
    found = path_parameters(path)
    if isinstance(find, InQuery):
        found.append(parameter(find.name, "query", required=True))
    if find is _name_or_id:
        found.append(parameter("X-Is-Resource-Name", "header", values=("true", "false")))
    return found


def _describe_body(route: APIRoute, raises: Kinds) -> None:
    """Its errors, and a body that is read by `json_body` or `form_body`: FastAPI knows of neither."""
    readers = (each.call for each in route.dependant.dependencies if isinstance(each.call, ModelReader))
    reader = next(readers, None)
    route.responses = errors_of(raises, with_body=reader is not None)
    if reader is not None and route.openapi_extra is not None:
        route.openapi_extra["requestBody"] = body_of(reader)


def check_every_route_declares(app: FastAPI, *, open_paths: Collection[str] = ()) -> None:
    """Raise UndeclaredRoute when a route of `app`, at any depth, was not declared through `Routes`.

    `open_paths` are the exact paths of routes and mounts that are known to guard themselves or to be for everybody.
    """
    undeclared = [
        f"{', '.join(sorted(context.methods or ()))} {context.path}".strip()
        for context in iter_route_contexts(app.routes)
        if context.path not in open_paths and not _declares(context.original_route)
    ]
    if undeclared:
        raise UndeclaredRoute(f"these routes do not say who may use them: {'; '.join(undeclared)}")


def _declares(route: object) -> bool:
    return isinstance(route, APIRoute) and any(
        isinstance(each.dependency, Guard) for each in route.dependencies
    )


async def _caller(request: Request) -> Principal:
    caller: Caller = request.state.caller
    return caller.principal


async def _logged_in(request: Request) -> User | Robot:
    caller: Caller = request.state.caller
    if isinstance(caller.principal, Anonymous):
        raise Unauthorized("log in first")
    return caller.principal


async def _person(request: Request) -> User:
    caller = await _logged_in(request)
    if isinstance(caller, Robot):
        raise PreconditionFailed("this is about people's own accounts, and you are a robot")
    return caller


async def _project(request: Request) -> ProjectFacts:
    caller: Caller = request.state.caller
    assert caller.project is not None, "only a route with a project permission has a project"
    return caller.project


async def _came(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


AskedBy = Annotated[Principal, Depends(_caller)]
"""A handler's parameter for who is asking."""

LoggedIn = Annotated[User | Robot, Depends(_logged_in)]
"""A handler's parameter for who is asking, on a route that is not for anonymous callers."""

ByPerson = Annotated[User, Depends(_person)]
"""A handler's parameter for the person who is asking; robots get a 412."""

InProject = Annotated[ProjectFacts, Depends(_project)]
"""A handler's parameter for the project of the route's permission; it exists, and the caller may do this there."""

Came = Annotated[Caller, Depends(_came)]
"""A handler's parameter for all that is known of who is asking: also from where, and by which session."""
