"""`/repositories` and all below it in Harbor's API v2.0: repositories, artifacts, tags, labels on artifacts, and
accessories."""

from fastapi import APIRouter

from fairway.features.artifacts.api import additions, artifacts, copies, history, labels, repositories, tags
from fairway.features.artifacts.facts import Describer, OpenBlob
from fairway.features.artifacts.model import Periods
from fairway.frame.db import Database
from fairway.frame.web.routes import Authoriser


def routes(db: Database, authoriser: Authoriser, periods: Periods, open_blob: OpenBlob) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    made = APIRouter()
    describer = Describer(db, open_blob)
    made.include_router(repositories.routes(db, authoriser, periods))
    made.include_router(artifacts.routes(db, authoriser, periods, describer))
    made.include_router(additions.routes(db, authoriser, describer, open_blob))
    made.include_router(copies.routes(db, authoriser, periods))
    made.include_router(tags.routes(db, authoriser, periods))
    made.include_router(labels.routes(db, authoriser, periods))
    return made


def own_routes(db: Database, authoriser: Authoriser, periods: Periods) -> APIRouter:
    """Ours, relative to `/api/fairway`."""
    return history.routes(db, authoriser, periods)
