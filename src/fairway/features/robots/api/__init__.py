"""Robots in Harbor's API v2.0: `/robots`, and what older clients ask of a project."""

from fastapi import APIRouter

from fairway.features.accounts.passwords import Hasher
from fairway.features.robots.api import of_project, robots
from fairway.frame.db import Database
from fairway.frame.web.routes import Authoriser, Routes

__all__ = ["routes"]


def routes(db: Database, authoriser: Authoriser, hasher: Hasher) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    about_robots = Routes(authoriser, tags=["robot"])
    robots.add_routes(about_robots, db, hasher)
    older = Routes(authoriser, tags=["robotv1"])
    of_project.add_routes(older, db)
    router = APIRouter()
    for made in (about_robots, older):
        router.include_router(made.router)
    return router
