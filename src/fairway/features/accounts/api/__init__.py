"""`/c/login`, `/users` and `/usergroups` of Harbor's API v2.0, and below `/api/fairway` who is in a group, people's tokens
and where one is logged in."""

from fastapi import APIRouter

from fairway.features.accounts.api import groups, login, people, sessions, tokens
from fairway.features.accounts.passwords import Hasher
from fairway.features.accounts.sessions import Sessions
from fairway.frame.configuration import Configuration
from fairway.frame.db import Database
from fairway.frame.web.routes import Authoriser

__all__ = ["login_routes", "own_routes", "routes"]

login_routes = login.routes


def routes(db: Database, authoriser: Authoriser, hasher: Hasher, chosen: Configuration) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    made = APIRouter()
    made.include_router(people.routes(db, authoriser, hasher, chosen))
    made.include_router(tokens.routes(db, authoriser, hasher, chosen))
    made.include_router(groups.routes(db, authoriser))
    return made


def own_routes(
    db: Database, authoriser: Authoriser, open_sessions: Sessions, chosen: Configuration
) -> APIRouter:
    """The routes that Harbor does not have, relative to `/api/fairway`."""
    made = APIRouter()
    made.include_router(groups.own_routes(db, authoriser))
    made.include_router(tokens.own_routes(db, authoriser, chosen))
    made.include_router(sessions.own_routes(authoriser, open_sessions))
    return made
