"""Retention over HTTP: Harbor's `/retentions`, and what Harbor has no word for.

```text
…                /api/v2.0/retentions…                            policies, their runs, and what these decided
POST             /api/fairway/retention/projects/{project}/simulate what a policy would do that nobody has saved
GET, PUT         /api/fairway/retention/projects/{project}        which policy is in force, and whether the server's may be
GET, PUT, DELETE /api/fairway/retention/default                   the policy of the server
GET              /api/fairway/retention/policies/{id}/…           how far a run is, and its decisions a page at a time
```
"""

from fastapi import APIRouter

from fairway.features.retention.api import of_server, policies, runs, simulated
from fairway.features.retention.jobs import RetentionArguments
from fairway.frame.db import Database
from fairway.frame.jobs.job import Job
from fairway.frame.web.routes import Authoriser, Routes


def routes(db: Database, authoriser: Authoriser, job: Job[RetentionArguments]) -> APIRouter:
    """Harbor's routes, relative to `/api/v2.0`."""
    made = Routes(authoriser, tags=["Retention"])
    policies.add_routes(made, db)
    runs.add_routes(made, db, job)
    return made.router


def own_routes(db: Database, authoriser: Authoriser) -> APIRouter:
    """Ours, relative to `/api/fairway`."""
    made = Routes(authoriser, tags=["retention"])
    of_server.add_routes(made, db)
    simulated.add_routes(made, db)
    runs.add_own_routes(made, db)
    return made.router
