"""Who may use a route: what a route can declare, and the one place where it is decided for a request."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import Enum
from inspect import isawaitable
from typing import Final
from urllib.parse import unquote

from starlette.requests import Request

from fairway.core.oci.errors import (
    Unauthorized,
)
from fairway.frame.access.catalogue import Permission
from fairway.frame.access.changes import ALL_CHANGES, Changes
from fairway.frame.access.may import ABSENT, ProjectFacts, may
from fairway.frame.access.principals import ANONYMOUS, Anonymous, Principal, Session, User, narrowed_to
from fairway.frame.db.walks import asker
from fairway.frame.web.browsers import READS, Browsers
from fairway.frame.web.errors import Forbidden, NotFound
from fairway.frame.web.who import Authenticators


class Everyone(Enum):
    """What a route declares that needs no permission."""

    PUBLIC = "anybody, logged in or not"
    AUTHENTICATED = "anybody who is logged in"
    LOGIN = "anybody: the body says who, and whatever else the request brings says nothing"
    BY_COOKIE = "whoever the cookie of a session says, whatever header comes with it"


PUBLIC: Final = Everyone.PUBLIC
AUTHENTICATED: Final = Everyone.AUTHENTICATED
LOGIN: Final = Everyone.LOGIN
BY_COOKIE: Final = Everyone.BY_COOKIE
_SESSIONS: Final = frozenset({LOGIN, BY_COOKIE})
"""Logging in and out, which goes on when nothing else may be changed."""


@dataclass(frozen=True, slots=True)
class OrOwn:
    """What a route declares that is about one user: `permission`, or being the user whose id the path has."""

    permission: Permission
    parameter: str = "user_id"


@dataclass(frozen=True, slots=True)
class OrAnybodyWhile:
    """What a route declares that needs `permission`, except while an administrator has opened it to everybody."""

    permission: Permission
    opened: Callable[[], bool]


Declared = Everyone | Permission | OrOwn | OrAnybodyWhile

ProjectRef = int | str
"""A project by id or by name."""

LookUp = Callable[[Principal, ProjectRef], Awaitable[ProjectFacts | None]]
"""The facts about a project for a decision about this principal; None when there is no such project."""

FindRef = Callable[[Request], ProjectRef | Awaitable[ProjectRef | None] | None]
"""Finds the project that a request is about; None when it is about the whole server, for a permission of both kinds."""

ClientOf = Callable[[str, str], str]
"""(X-Forwarded-For, the peer's address) → the client's address, by which failed logins are counted."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who got past the decision, for a project permission the project they got it for, and how and from where they came."""

    principal: Principal
    project: ProjectFacts | None = None
    session: Session | None = None
    client: str = ""


class Authoriser:
    """Decides, for one declared permission and one request."""

    def __init__(
        self,
        authenticators: Authenticators,
        look_up: LookUp,
        client_of: ClientOf,
        changes: Changes = ALL_CHANGES,
        browsers: Browsers | None = None,
    ) -> None:
        """Without `browsers` a cookie is nobody's."""
        self._browsers = browsers
        self._changes = changes
        self._authenticators = authenticators
        self._look_up = look_up
        self._client_of = client_of

    async def decide(
        self, request: Request, declared: Declared, find: FindRef | None, *, resumes: bool = False
    ) -> Caller:
        """Raises Unauthorized, Forbidden or, for who may do this in every project, NotFound; Denied or Unsupported while
        the operator allows no changes."""
        caller = await self._decide(request, declared, find)
        if request.method not in READS and declared not in _SESSIONS:
            scope = narrowed_to(caller.principal)
            if scope is not None and scope.only_reads:
                raise Forbidden("this token only reads; make one with a wider scope, or use your password")
            self._changes.admit(deletes=request.method == "DELETE", resumes=resumes)
        return caller

    async def _decide(self, request: Request, declared: Declared, find: FindRef | None) -> Caller:
        came = await self._who(request, declared)
        principal = came.principal
        asker.set(came.client if isinstance(principal, Anonymous) else principal.name)
        if isinstance(declared, Everyone):
            if declared is AUTHENTICATED and isinstance(principal, Anonymous):
                raise Unauthorized("log in first")
            return came
        if isinstance(declared, OrOwn):
            if _is_own(request, declared, principal):
                return came
            declared = declared.permission
        if isinstance(declared, OrAnybodyWhile):
            if declared.opened():
                return came
            declared = declared.permission
        ref = find(request) if find else None
        if isawaitable(ref):
            ref = await ref
        project = None if ref is None else await self._look_up(principal, ref) or ABSENT
        if not may(principal, declared, project, repository_of(request)):
            if isinstance(principal, Anonymous):
                raise Unauthorized("log in first")
            without = " with this token" if narrowed_to(principal) else ""
            raise Forbidden(f"this needs the permission {declared}, which you do not have here{without}")
        if project is ABSENT:
            raise NotFound(f"project {ref} not found")
        return replace(came, project=project)

    async def _who(self, request: Request, declared: Declared) -> Caller:
        """By the header if there is one, else by the cookie."""
        peer = request.client.host if request.client else ""
        client = self._client_of(", ".join(request.headers.getlist("x-forwarded-for")), peer)
        if declared in _SESSIONS or "authorization" not in request.headers:
            return await self._in_browser(request, declared, client)
        identity = await self._authenticators.identify(request.headers, client)
        if identity.token is not None:
            # It was made for some repositories; here it would stand for all its user may do.
            raise Unauthorized("registry tokens are good for /v2 only; use a user name and password here")
        return Caller(identity.principal, client=client)

    async def _in_browser(self, request: Request, declared: Declared, client: str) -> Caller:
        if self._browsers is None:
            return Caller(ANONYMOUS, client=client)
        if declared in _SESSIONS:
            self._browsers.refuse_others(request)  # a GET logs out, too
        session = None if declared is LOGIN else await self._browsers.identify(request)
        return Caller(ANONYMOUS if session is None else session.user, session=session, client=client)


def repository_of(request: Request) -> str | None:
    """The repository in the path, without its project, of which a client has encoded the name twice; None without one."""
    name = request.path_params.get("repository_name")
    return None if name is None else unquote(str(name))


def _is_own(request: Request, declared: OrOwn, principal: Principal) -> bool:
    if not isinstance(principal, User) or request.path_params[declared.parameter] != str(principal.id):
        return False
    scope = principal.scope
    if scope is not None and not scope.whole and request.method not in READS:
        raise Forbidden("this token does not stand for you as a whole; use your password")
    return True


class Guard:
    """The dependency that runs first on a route and leaves the Caller for the handler."""

    def __init__(
        self, authoriser: Authoriser, declared: Declared, find: FindRef | None, *, resumes: bool = False
    ) -> None:
        self._authoriser = authoriser
        self.declared = declared
        self._find = find
        self._resumes = resumes

    async def __call__(self, request: Request) -> None:
        request.state.caller = await self._authoriser.decide(
            request, self.declared, self._find, resumes=self._resumes
        )
