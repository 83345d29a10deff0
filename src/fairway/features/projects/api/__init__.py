"""`/projects` of Harbor's API v2.0: projects, their settings, their members; and `/search`."""

from fastapi import APIRouter

from fairway.features.projects.api import allowlists, members, names, projects, search, settings
from fairway.features.projects.deletions import Arguments
from fairway.features.projects.store import projects as store
from fairway.frame.access.may import ProjectFacts
from fairway.frame.access.principals import Principal
from fairway.frame.configuration import Configuration
from fairway.frame.db import Database
from fairway.frame.jobs.job import Job
from fairway.frame.web.deciding import LookUp
from fairway.frame.web.routes import Authoriser, ProjectRef, Routes

__all__ = ["look_up", "own_routes", "routes"]


def look_up(db: Database) -> LookUp:
    """How the authoriser finds the facts about a project."""

    async def find(principal: Principal, ref: ProjectRef) -> ProjectFacts | None:
        return await store.facts(db, principal, ref)

    return find


def routes(
    db: Database,
    authoriser: Authoriser,
    chosen: Configuration,
    removal: Job[Arguments],
    *,
    gc_grace_seconds: int,
) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    about_projects = Routes(authoriser, tags=["project"])
    projects.add_routes(about_projects, db, chosen, gc_grace_seconds, removal)
    about_settings = Routes(authoriser, tags=["projectMetadata"])
    settings.add_routes(about_settings, db)
    about_members = Routes(authoriser, tags=["member"])
    members.add_routes(about_members, db)
    searching = Routes(authoriser, tags=["search"])
    search.add_routes(searching, db)
    servers_list = Routes(authoriser, tags=["SystemCVEAllowlist"])
    allowlists.add_routes(servers_list, db)
    router = APIRouter()
    for made in (about_projects, about_settings, about_members, searching, servers_list):
        router.include_router(made.router)
    return router


def own_routes(db: Database, authoriser: Authoriser, chosen: Configuration) -> APIRouter:
    """The routes that Harbor does not have, relative to `/api/fairway`."""
    made = Routes(authoriser, tags=["project"])
    names.add_routes(made, db, chosen)
    return made.router
