"""`/users/current/sessions`: where somebody is logged in with a browser."""

from fastapi import APIRouter, Response
from pydantic import BaseModel
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest, PreconditionFailed
from fairway.features.accounts.api.people import Id, sees_all, without_a_token
from fairway.features.accounts.model import OpenSession
from fairway.features.accounts.sessions import Sessions
from fairway.frame.web.errors import Forbidden, NotFound
from fairway.frame.web.moments import moment
from fairway.frame.web.paging import Paged, page_headers
from fairway.frame.web.query import Filtered, Ordered
from fairway.frame.web.routes import AUTHENTICATED, Authoriser, ByPerson, Came, Routes


class SessionOut(BaseModel):
    """A browser in which somebody is logged in; `current` is the one that asks."""

    id: int
    client_address: str
    browser: str
    current: bool
    creation_time: str
    last_seen_time: str
    expiration_time: str


def own_routes(authoriser: Authoriser, sessions: Sessions) -> APIRouter:
    """The routes, relative to `/api/fairway`."""
    made = Routes(authoriser, tags=["session"])

    @made.get(
        "/users/current/sessions",
        permission=AUTHENTICATED,
        raises=(BadRequest, Forbidden, PreconditionFailed),
    )
    async def list_sessions(
        request: Request,
        response: Response,
        by: ByPerson,
        came: Came,
        page: Paged,
        filters: Filtered,
        order: Ordered,
    ) -> list[SessionOut]:
        """One's own, the newest first."""
        sees_all(by, "where you are logged in")
        found, total = await sessions.listed(by, filters, order, offset=page.offset, limit=page.size)
        response.headers.update(page_headers(request, page, total))
        asking = came.session.id if came.session is not None else 0
        return [_shown(each, current=each.id == asking) for each in found]

    @made.delete(
        "/users/current/sessions/{session_id}",
        permission=AUTHENTICATED,
        response_class=Response,
        raises=(Forbidden, NotFound, PreconditionFailed),
    )
    async def end_session(session_id: Id, by: ByPerson, came: Came) -> Response:
        """Logs that browser out at once."""
        without_a_token(by, "logging a browser out")
        if not await sessions.end(by, session_id, came.client):
            raise NotFound(f"you have no session {session_id}")
        return Response()

    return made.router


def _shown(session: OpenSession, *, current: bool) -> SessionOut:
    return SessionOut(
        id=session.id,
        client_address=session.client,
        browser=session.browser,
        current=current,
        creation_time=moment(session.created_at),
        last_seen_time=moment(session.seen_at),
        expiration_time=moment(session.expires_at),
    )
