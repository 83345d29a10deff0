"""`/projects/{project}/webhook` of Harbor's API v2.0: policies, what was told by them, and trying them out."""

from fastapi import APIRouter

from fairway.features.webhooks.api import executions, policies, trying
from fairway.features.webhooks.telling import Telling
from fairway.frame.db import Database
from fairway.frame.sealing import Sealer
from fairway.frame.web.routes import Authoriser, Routes


def routes(db: Database, authoriser: Authoriser, sealer: Sealer, telling: Telling) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    made = Routes(authoriser, tags=["webhook"])
    policies.add_routes(made, db, sealer)
    executions.add_routes(made, db)
    trying.add_routes(made, db, telling)
    jobs = Routes(authoriser, tags=["webhookjob"])
    executions.add_job_routes(jobs, db)
    made.router.include_router(jobs.router)
    return made.router
