"""`/webhook/policies`, what there is to be told, and when it was last told."""

from typing import Annotated

from fastapi import Response
from pydantic import BaseModel
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest
from fairway.features.webhooks import asking
from fairway.features.webhooks.api.places import ALL, OF_PROJECT, ONE, Id, policy
from fairway.features.webhooks.api.shown import PolicyIn, PolicyOut, shown, wanted
from fairway.features.webhooks.model import HTTP, Policy
from fairway.features.webhooks.payloads.notice import EVENT_TYPES
from fairway.features.webhooks.store import history, targets
from fairway.features.webhooks.store import policies as store
from fairway.frame.access.catalogue import (
    NOTIFICATION_POLICY_CREATE,
    NOTIFICATION_POLICY_DELETE,
    NOTIFICATION_POLICY_LIST,
    NOTIFICATION_POLICY_READ,
    NOTIFICATION_POLICY_UPDATE,
)
from fairway.frame.db import Conn, Database, ReferenceViolation, UniqueViolation
from fairway.frame.sealing import Sealer
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict, NotFound
from fairway.frame.web.moments import moment
from fairway.frame.web.paging import Paged, page_headers
from fairway.frame.web.query import Filtered, Ordered
from fairway.frame.web.routes import InProject, LoggedIn, Routes


class FormatsOut(BaseModel):
    """Harbor's PayloadFormat: which formats a type of target can have."""

    notify_type: str
    formats: list[str]


class SupportedOut(BaseModel):
    """Harbor's SupportedWebhookEventTypes."""

    event_type: list[str]
    notify_type: list[str]
    payload_formats: list[FormatsOut]


class TriggerOut(BaseModel):
    """Harbor's WebhookLastTrigger: when a type of event was last told by a policy, if it ever was."""

    policy_name: str
    event_type: str
    enabled: bool
    creation_time: str
    last_trigger_time: str | None = None


def add_routes(made: Routes, db: Database, sealer: Sealer) -> None:
    """Add the routes of this page."""
    _about(made, db)
    _listing(made, db)
    _creating(made, db, sealer)
    _one_policy(made, db, sealer)


def _about(made: Routes, db: Database) -> None:
    @made.get(f"{OF_PROJECT}/events", permission=NOTIFICATION_POLICY_READ)
    async def get_supported_event_types(project: InProject) -> SupportedOut:  # noqa: ARG001 - it must be there
        return SupportedOut(
            event_type=list(EVENT_TYPES),
            notify_type=list(asking.TARGET_TYPES),
            payload_formats=[FormatsOut(notify_type=HTTP, formats=list(asking.FORMATS))],
        )

    @made.get(
        f"{OF_PROJECT}/lasttrigger", permission=NOTIFICATION_POLICY_READ, response_model_exclude_none=True
    )
    async def list_last_triggers(project: InProject) -> list[TriggerOut]:
        async def read(conn: Conn) -> list[TriggerOut]:
            found = await store.of_project(conn, project.id)
            last = await history.last_triggered(conn, [each.id for each in found])
            return [
                TriggerOut(
                    policy_name=each.name,
                    event_type=event_type,
                    enabled=each.enabled,
                    creation_time=moment(each.created_at),
                    last_trigger_time=moment(at) if (at := last.get((each.id, event_type))) else None,
                )
                for each in found
                for event_type in each.event_types
            ]

        return await db.read(read)


def _listing(made: Routes, db: Database) -> None:
    @made.get(
        ALL, permission=NOTIFICATION_POLICY_LIST, raises=(BadRequest,), response_model_exclude_none=True
    )
    async def list_webhook_policies(
        request: Request,
        response: Response,
        project: InProject,
        page: Paged,
        filters: Filtered,
        order: Ordered,
    ) -> list[PolicyOut]:
        async def read(conn: Conn) -> tuple[list[PolicyOut], int]:
            found, total = await store.listed(
                conn, project.id, filters, order, offset=page.offset, limit=page.size
            )
            of = await targets.of(conn, [each.id for each in found])
            return [shown(each, of[each.id]) for each in found], total

        policies, total = await db.read(read)
        response.headers.update(page_headers(request, page, total))
        return policies


def _creating(made: Routes, db: Database, sealer: Sealer) -> None:
    @made.post(
        ALL,
        permission=NOTIFICATION_POLICY_CREATE,
        status_code=201,
        response_class=Response,
        raises=(BadRequest, Conflict),
    )
    async def create_webhook_policy(
        request: Request, project: InProject, by: LoggedIn, asked: Annotated[PolicyIn, json_body(PolicyIn)]
    ) -> Response:
        new = wanted(asked)
        settled = [each for each, _ in asking.matched(new.targets, [])]

        async def create(conn: Conn) -> int:
            if await store.count(conn, project.id) >= asking.MOST_POLICIES:
                raise BadRequest(
                    f"a project has up to {asking.MOST_POLICIES} webhook policies; delete one, or add targets to one"
                )
            return await store.create(conn, project.id, new, settled, by, sealer)

        try:
            made_policy = await db.write(create)
        except UniqueViolation:
            raise _taken(new.name) from None
        except ReferenceViolation:
            raise NotFound("the project was deleted just now") from None
        location = f"{request.scope['path'].rstrip('/')}/{made_policy}"
        return Response(status_code=201, headers={"location": location})


def _one_policy(made: Routes, db: Database, sealer: Sealer) -> None:
    @made.get(ONE, permission=NOTIFICATION_POLICY_READ, response_model_exclude_none=True)
    async def get_webhook_policy(project: InProject, webhook_policy_id: Id) -> PolicyOut:
        async def read(conn: Conn) -> PolicyOut:
            found = await policy(conn, project.id, webhook_policy_id)
            of = await targets.of(conn, [found.id])
            return shown(found, of[found.id], health=True)

        return await db.read(read)

    @made.put(
        ONE,
        permission=NOTIFICATION_POLICY_UPDATE,
        response_class=Response,
        raises=(BadRequest, Conflict),
    )
    async def update_webhook_policy(
        project: InProject,
        webhook_policy_id: Id,
        by: LoggedIn,
        asked: Annotated[PolicyIn, json_body(PolicyIn)],
    ) -> Response:
        """Needs the whole policy, as it was read; selectors and secrets that are left out stay."""
        new = wanted(asked)

        async def change(conn: Conn) -> None:
            before: Policy = await policy(conn, project.id, webhook_policy_id, lock=True)
            known = (await targets.of(conn, [before.id]))[before.id]
            await store.change(conn, before, new, asking.matched(new.targets, known), by, sealer)

        try:
            await db.write(change)
        except UniqueViolation:
            raise _taken(new.name) from None
        return Response()

    @made.delete(ONE, permission=NOTIFICATION_POLICY_DELETE, response_class=Response)
    async def delete_webhook_policy(project: InProject, webhook_policy_id: Id, by: LoggedIn) -> Response:
        async def remove(conn: Conn) -> None:
            await store.remove(conn, await policy(conn, project.id, webhook_policy_id, lock=True), by)

        await db.write(remove)
        return Response()


def _taken(name: str) -> Conflict:
    return Conflict(f"the project has a webhook policy {name} already; choose another name")
