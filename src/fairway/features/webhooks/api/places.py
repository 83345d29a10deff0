"""Paths of webhooks, and finding what they name."""

from typing import Annotated, Final

from fastapi import Path

from fairway.features.webhooks.model import Policy
from fairway.features.webhooks.store import history, policies
from fairway.features.webhooks.store.history import Told
from fairway.frame.db import Conn
from fairway.frame.web.errors import NotFound

OF_PROJECT: Final = "/projects/{project_name_or_id}/webhook"
ALL: Final = f"{OF_PROJECT}/policies"
ONE: Final = f"{ALL}/{{webhook_policy_id}}"
EXECUTIONS: Final = f"{ONE}/executions"
EXECUTION: Final = f"{EXECUTIONS}/{{execution_id}}"

Id = Annotated[int, Path(ge=1, le=2**63 - 1)]


async def policy(conn: Conn, project: int, number: int, *, lock: bool = False) -> Policy:
    """A policy of the project.  Raises NotFound."""
    found = await policies.by_id(conn, project, number, lock=lock)
    if found is None:
        raise NotFound(f"the project has no webhook policy {number}; GET webhook/policies lists them")
    return found


async def told(conn: Conn, project: int, number: int, execution: int) -> Told:
    """What was told by a policy of the project.  Raises NotFound."""
    await policy(conn, project, number)
    found = await history.by_id(conn, number, execution)
    if found is None:
        raise NotFound(
            f"the webhook policy {number} has no execution {execution}, or none any more; GET executions lists them"
        )
    return found
