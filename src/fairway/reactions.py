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
        "artifact.pushed": [audit.write, tell],
        "artifact.restored": [audit.write],
        "artifact.deleted": [audit.write, tell],
        "tag.created": [audit.write],
        "tag.deleted": [audit.write, tell],
        "repository.deleted": [audit.write],
        "usergroup.created": [audit.write],
        "usergroup.updated": [audit.write],
        "usergroup.deleted": [audit.write],
        "groupmember.created": [audit.write],
        "groupmember.deleted": [audit.write],
        "label.created": [audit.write],
        "label.updated": [audit.write],
        "label.deleted": [audit.write],
        "artifact.labelled": [audit.write],
        "artifact.unlabelled": [audit.write],
        "blob.pushed": [tell],
        "blob.deleted": [tell],
    }
