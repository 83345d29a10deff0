"""Trying a policy out: a sample of an event on the way that real ones take, and telling something once more."""

import uuid
from typing import Annotated

from fastapi import Response
from pydantic import BaseModel, Field
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest, PreconditionFailed
from fairway.features.webhooks.api.executions import ExecutionOut, execution
from fairway.features.webhooks.api.places import EXECUTION, ONE, Id, policy, told
from fairway.features.webhooks.asking import MOST_TARGETS
from fairway.features.webhooks.model import NewDelivery
from fairway.features.webhooks.payloads.notice import EVENT_TYPES
from fairway.features.webhooks.payloads.samples import sample
from fairway.features.webhooks.store import deliveries, history, surroundings, targets
from fairway.features.webhooks.store.history import Told
from fairway.features.webhooks.telling import Telling, made
from fairway.frame.access.catalogue import NOTIFICATION_POLICY_UPDATE
from fairway.frame.db import Conn, Database
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict
from fairway.frame.web.routes import InProject, LoggedIn, Routes


class PingIn(BaseModel):
    """Which type of event there is to be a sample of; without one, the policy's first."""

    event_type: str = Field(default="", max_length=64)


def add_routes(routes: Routes, db: Database, telling: Telling) -> None:
    """Add the routes of this page."""
    _ping(routes, db, telling)
    _redeliver(routes, db, telling)


def _ping(routes: Routes, db: Database, telling: Telling) -> None:
    @routes.post(
        f"{ONE}/ping",
        permission=NOTIFICATION_POLICY_UPDATE,
        status_code=202,
        raises=(BadRequest, PreconditionFailed),
        response_model_exclude_none=True,
    )
    async def ping_webhook_policy(
        project: InProject,
        webhook_policy_id: Id,
        by: LoggedIn,
        asked: Annotated[PingIn, json_body(PingIn)],
    ) -> list[ExecutionOut]:
        """A sample is told to each of its targets, whatever the policy is about, and be it disabled."""
        if asked.event_type and asked.event_type not in EVENT_TYPES:
            raise BadRequest(
                f"there is no event type {asked.event_type!r}; GET webhook/events lists what there is"
            )
        _require_on(telling)
        event = f"sample-{uuid.uuid4().hex}"

        async def tell(conn: Conn) -> list[Told]:
            found = await policy(conn, project.id, webhook_policy_id, lock=True)
            known = (await targets.of(conn, [found.id]))[found.id]
            where = await surroundings.of(conn, telling.host, project.id, {})
            notice = sample(
                asked.event_type or found.event_types[0],
                where,
                by.name,
                id=event,
                at=await history.now(conn),
            )
            await deliveries.add(conn, made(notice, [(found, known)]))
            return await history.by_event(conn, found.id, event, MOST_TARGETS)

        return [execution(each) for each in await db.write(tell)]


def _redeliver(routes: Routes, db: Database, telling: Telling) -> None:
    @routes.post(
        f"{EXECUTION}/redeliver",
        permission=NOTIFICATION_POLICY_UPDATE,
        status_code=202,
        raises=(Conflict, PreconditionFailed),
        response_model_exclude_none=True,
    )
    async def redeliver_webhook(
        request: Request, response: Response, project: InProject, webhook_policy_id: Id, execution_id: Id
    ) -> ExecutionOut:
        """The same event with the same id and bytes, after all that waits for its target."""
        _require_on(telling)

        async def tell(conn: Conn) -> Told:
            await policy(conn, project.id, webhook_policy_id, lock=True)
            before = await told(conn, project.id, webhook_policy_id, execution_id)
            each = before.delivery
            if each.ended_at is None:
                raise Conflict("this is on its way already; see its task's log for what holds it up")
            if not before.there:
                raise Conflict("the policy has no such target any more; there is nobody to tell it to")
            new = NewDelivery(
                policy=each.policy,
                target=each.target,
                event_id=each.event_id,
                event_type=each.event_type,
                topic=each.topic,
                media_type=each.media_type,
                body=each.body,
            )
            await deliveries.add(conn, [new])
            (last,) = await history.by_event(conn, each.policy, each.event_id, 1)
            return last

        again = await db.write(tell)
        path = request.scope["path"].rstrip("/").removesuffix(f"/{execution_id}/redeliver")
        response.headers["location"] = f"{path}/{again.delivery.id}"
        return execution(again)


def _require_on(telling: Telling) -> None:
    if not telling.on():
        raise PreconditionFailed(
            "nothing is told to anybody while notification_enable is off; an administrator can set it"
        )
