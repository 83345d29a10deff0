"""When this happened, do those: the one table of what follows from what."""

from collections.abc import Mapping
from typing import Final

from fairway.features.audit import forward
from fairway.features.audit import store as audit
from fairway.features.webhooks.jobs import Notifications
from fairway.features.webhooks.payloads.notices import KINDS
from fairway.features.webhooks.telling import Telling
from fairway.frame.configuration import Configuration
from fairway.frame.configuration.declared import NOTIFICATIONS
from fairway.frame.db import Conn
from fairway.frame.events import Event, Reaction, Reactions

# write: a line in the audit log; tell: the endpoints that the operator has set up.  Webhooks of projects come last: what
# they are told of is said by `KINDS`.
_FOLLOWS: Final[Mapping[str, str]] = {
    "project.created": "write",
    "project.updated": "write",
    "project.deleted": "write",
    "project.name-changed": "write",
    "project.alias-dropped": "write",
    "member.created": "write",
    "member.updated": "write",
    "member.deleted": "write",
    "role.created": "write",
    "role.updated": "write",
    "role.deleted": "write",
    "quota.updated": "write",
    "user.created": "write",
    "user.updated": "write",
    "user.deleted": "write",
    "user.logged_in": "write",
    "user.login_refused": "write",
    "user.logged_out": "write",
    "token.created": "write",
    "token.deleted": "write",
    "robot.created": "write",
    "robot.updated": "write",
    "robot.deleted": "write",
    "quota.warning": "",
    "quota.exceeded": "",
    "artifact.pushed": "write tell",
    "artifact.pulled": "",
    "artifact.restored": "write",
    "artifact.deleted": "write tell",
    "tag.created": "write",
    "tag.deleted": "write tell",
    "tag.moved": "write",
    "repository.created": "",
    "repository.deleted": "write",
    "signature.added": "",
    "usergroup.created": "write",
    "usergroup.updated": "write",
    "usergroup.deleted": "write",
    "groupmember.created": "write",
    "groupmember.deleted": "write",
    "webhook.created": "write",
    "webhook.updated": "write",
    "webhook.deleted": "write",
    "label.created": "write",
    "label.updated": "write",
    "label.deleted": "write",
    "artifact.labelled": "write",
    "artifact.unlabelled": "write",
    "immutablerule.created": "write",
    "immutablerule.updated": "write",
    "immutablerule.deleted": "write",
    "retention.finished": "",
    "configuration.updated": "write",
    "blob.pushed": "tell",
    "blob.deleted": "tell",
}


def reactions(
    notifications: Notifications,
    configuration: Configuration | None = None,
    webhooks: Telling | None = None,
) -> Reactions:
    """What follows from each kind of event, as administrators have chosen."""
    tell = (
        notifications.reaction if configuration is None else _while_on(notifications.reaction, configuration)
    )
    write = audit.write if configuration is None else forward.writing(configuration)
    known = {"write": write, "tell": tell}
    follows = {kind: [known[word] for word in words.split()] for kind, words in _FOLLOWS.items()}
    return follows if webhooks is None else _with(follows, webhooks)


def _with(follows: dict[str, list[Reaction]], webhooks: Telling) -> Reactions:
    """And last what webhooks of projects are told."""
    return follows | {kind: [*follows.get(kind, ()), webhooks.react] for kind in KINDS}


def _while_on(tell: Reaction, configuration: Configuration) -> Reaction:
    async def told(conn: Conn, event: Event) -> None:
        if configuration.get(NOTIFICATIONS):
            await tell(conn, event)

    return told
