"""When this happened, do those: the one table of what follows from what."""

from fairway.features.audit import store as audit
from fairway.features.webhooks.jobs import Notifications
from fairway.frame.events import Reactions


def reactions(notifications: Notifications) -> Reactions:
    """What follows from each kind of event."""
    tell = notifications.reaction
    return {
        "project.created": [audit.write],
        "project.updated": [audit.write],
        "project.deleted": [audit.write],
        "member.created": [audit.write],
        "member.updated": [audit.write],
        "member.deleted": [audit.write],
        "quota.updated": [audit.write],
        "user.created": [audit.write],
        "user.updated": [audit.write],
        "user.deleted": [audit.write],
        "robot.created": [audit.write],
        "robot.updated": [audit.write],
        "robot.deleted": [audit.write],
        "artifact.pushed": [audit.write, tell],
        "artifact.restored": [audit.write],
        "artifact.deleted": [audit.write, tell],
        "tag.created": [audit.write],
        "tag.deleted": [audit.write, tell],
        "repository.deleted": [audit.write],
        "blob.pushed": [tell],
        "blob.deleted": [tell],
    }
