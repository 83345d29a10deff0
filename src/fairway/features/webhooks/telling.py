"""What follows from an event for the webhooks of its project: a delivery for each target that wants to hear of it.

It happens in the transaction that takes the event, so that nothing is told twice and nothing is forgotten; a payload is put
together once for all targets that get the same.
"""

from collections.abc import Callable, Sequence
from typing import Any

from fairway.features.webhooks.model import CLOUDEVENTS, FIELDS, KnownTarget, NewDelivery, Policy
from fairway.features.webhooks.payloads.chosen import wants
from fairway.features.webhooks.payloads.formats import render
from fairway.features.webhooks.payloads.notice import Notice
from fairway.features.webhooks.payloads.notices import notices, types
from fairway.features.webhooks.store import deliveries, history, policies, surroundings, targets
from fairway.frame.db import Conn
from fairway.frame.events import Event

_PROJECT_GONE = "project.deleted"


class Telling:
    """`host`: under which clients know this registry; `on`: whether anything is told at all now."""

    def __init__(self, host: str, on: Callable[[], bool]) -> None:
        self.host = host
        self.on = on

    async def react(self, conn: Conn, event: Event) -> None:
        """The reaction to an event about a project."""
        project = event.facts.get("project_id")
        if not isinstance(project, int):
            return
        if self.on():
            await self._tell(conn, event, project)
        if event.kind == _PROJECT_GONE:
            await policies.disable_all(conn, project)

    async def _tell(self, conn: Conn, event: Event, project: int) -> None:
        found = await policies.wanting(conn, project, types(event.kind))
        if not found:
            return
        where = await surroundings.of(conn, self.host, project, event.facts)
        of = await targets.of(conn, [policy.id for policy in found])
        new: list[NewDelivery] = []
        for notice in notices(event.kind, event.facts, where, id=event.id, at=event.at):
            wanting = [policy for policy in found if wants(policy, notice, where.name)]
            if wanting:
                new += made(notice, [(policy, of[policy.id]) for policy in wanting])
                await history.triggered(conn, [policy.id for policy in wanting], notice.type)
        await deliveries.add(conn, new)


def made(notice: Notice, told: Sequence[tuple[Policy, Sequence[KnownTarget]]]) -> list[NewDelivery]:
    """What is to be sent to each target of these policies."""
    rendered: dict[tuple[Any, ...], tuple[str, str]] = {}
    new: list[NewDelivery] = []
    for policy, known in told:
        for target in known:
            own = policy.id if target.payload_format in (CLOUDEVENTS, FIELDS) else 0
            key = (target.type, target.payload_format, own, repr(target.fields))
            if key not in rendered:
                rendered[key] = render(
                    notice,
                    target.type,
                    target.payload_format,
                    project=policy.project,
                    policy=policy.id,
                    template=target.fields,
                )
            media_type, body = rendered[key]
            new.append(
                NewDelivery(
                    policy=policy.id,
                    target=target.id,
                    event_id=notice.id,
                    event_type=notice.type,
                    topic=notice.repository,
                    media_type=media_type,
                    body=body,
                )
            )
    return new
