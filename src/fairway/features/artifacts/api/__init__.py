"""`/repositories` and all below it in Harbor's API v2.0: repositories, artifacts, tags, labels on artifacts, and
accessories."""

from fastapi import APIRouter

from fairway.features.artifacts.api import artifacts, copies, labels, repositories, tags
from fairway.features.artifacts.model import Periods
from fairway.frame.db import Database
from fairway.frame.web.routes import Authoriser


def routes(db: Database, authoriser: Authoriser, periods: Periods) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    made = APIRouter()
    made.include_router(repositories.routes(db, authoriser, periods))
    made.include_router(artifacts.routes(db, authoriser, periods))
    made.include_router(copies.routes(db, authoriser, periods))
    made.include_router(tags.routes(db, authoriser, periods))
    made.include_router(labels.routes(db, authoriser, periods))
    return made
