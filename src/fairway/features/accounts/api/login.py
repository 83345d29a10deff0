"""`/c/login` and `/c/log_out`: people who log in with a browser."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest, Unauthorized
from fairway.features.accounts.sessions import Sessions
from fairway.frame.access.principals import User, narrowed_to
from fairway.frame.web.body import form_body
from fairway.frame.web.browsers import Browsers, cookie_of, hand_out, set_cookie
from fairway.frame.web.routes import BY_COOKIE, LOGIN, Authoriser, Came, Routes
from fairway.frame.web.who import Authenticators

# RFC 9110 wants a challenge with a 401.  At those they know, browsers ask for a password of their own accord; not at this
# one.
_CHALLENGE = 'Cookie form-action="/c/login", cookie-name="sid"'
_NO_STORE = {"cache-control": "no-store"}


class LoginIn(BaseModel):
    """The form of a login, with Harbor's names."""

    principal: str = ""
    password: str = ""


def routes(
    authoriser: Authoriser, authenticators: Authenticators, sessions: Sessions, browsers: Browsers
) -> APIRouter:
    """The routes, relative to `/c`."""
    made = Routes(authoriser, tags=["session"])

    @made.post("/login", permission=LOGIN, response_class=Response, raises=(BadRequest,))
    async def log_in(request: Request, came: Came, asked: Annotated[LoginIn, form_body(LoginIn)]) -> Response:
        """Sets a new cookie, whatever the request brought: nobody can know it before."""
        try:
            user = await authenticators.password(asked.principal, asked.password, came.client)
            if not isinstance(user, User):
                raise Unauthorized("robots log in with each request (Basic); sessions are for people")
            if narrowed_to(user):  # a session is all that its owner is, and knows no scope
                raise Unauthorized(
                    "log in with your password; tokens and CLI secrets go with each request (Basic)"
                )
            secret = await sessions.begin(
                user,
                instead_of=cookie_of(request),
                client=came.client,
                browser=request.headers.get("user-agent", ""),
            )
        except Unauthorized as error:
            await sessions.refused(asked.principal, came.client)
            error.challenge = _CHALLENGE
            raise
        hand_out(request, browsers.token(sessions.key(secret)))
        return Response(headers={"set-cookie": set_cookie(secret, secure=browsers.is_secure(request))})

    async def log_out(request: Request, came: Came) -> Response:
        """Ends the session on the server; without one there is nothing to do."""
        if came.session is not None:
            await sessions.end(came.session.user, came.session.id, came.client)
        ended = set_cookie("", secure=browsers.is_secure(request))
        return Response(headers={"set-cookie": ended, **_NO_STORE})

    # Harbor has the first.
    made.get("/log_out", permission=BY_COOKIE, response_class=Response)(log_out)
    made.post("/log_out", permission=BY_COOKIE, response_class=Response)(log_out)
    return made.router
