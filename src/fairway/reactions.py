"""When this happened, do those: the one table of what follows from what."""

from fairway.features.audit import forward
from fairway.features.audit import store as audit
from fairway.features.webhooks.jobs import Notifications
from fairway.frame.configuration import Configuration
from fairway.frame.configuration.declared import NOTIFICATIONS
from fairway.frame.db import Conn
from fairway.frame.events import Event, Reaction, Reactions


def reactions(notifications: Notifications, configuration: Configuration | None = None) -> Reactions:
    """What follows from each kind of event, as administrators have chosen."""
    tell = (
        notifications.reaction if configuration is None else _while_on(notifications.reaction, configuration)
    )
    write = audit.write if configuration is None else forward.writing(configuration)
    return {
        "project.created": [write],
        "project.updated": [write],
        "project.deleted": [write],
        "project.name-changed": [write],
        "project.alias-dropped": [write],
        "member.created": [write],
        "member.updated": [write],
        "member.deleted": [write],
        "role.created": [write],
        "role.updated": [write],
        "role.deleted": [write],
        "quota.updated": [write],
        "user.created": [write],
        "user.updated": [write],
        "user.deleted": [write],
        "user.logged_in": [write],
        "user.login_refused": [write],
        "user.logged_out": [write],
        "token.created": [write],
        "token.deleted": [write],
        "robot.created": [write],
        "robot.updated": [write],
        "robot.deleted": [write],
        "artifact.pushed": [write, tell],
        "artifact.restored": [write],
        "artifact.deleted": [write, tell],
        "tag.created": [write],
        "tag.deleted": [write, tell],
        "repository.deleted": [write],
        "usergroup.created": [write],
        "usergroup.updated": [write],
        "usergroup.deleted": [write],
        "groupmember.created": [write],
        "groupmember.deleted": [write],
        "label.created": [write],
        "label.updated": [write],
        "label.deleted": [write],
        "artifact.labelled": [write],
        "artifact.unlabelled": [write],
        "immutablerule.created": [write],
        "immutablerule.updated": [write],
        "immutablerule.deleted": [write],
        "configuration.updated": [write],
        "retention.finished": [],
        "blob.pushed": [tell],
        "blob.deleted": [tell],
    }


def _while_on(tell: Reaction, configuration: Configuration) -> Reaction:
    async def told(conn: Conn, event: Event) -> None:
        if configuration.get(NOTIFICATIONS):
            await tell(conn, event)

    return told
