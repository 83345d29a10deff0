"""When this happened, do those: the one table of what follows from what."""

from fairway.features.audit import store as audit
from fairway.frame.events import Reactions

REACTIONS: Reactions = {
    "project.created": [audit.write],
    "project.deleted": [audit.write],
    "artifact.pushed": [audit.write],
    "artifact.deleted": [audit.write],
    "tag.deleted": [audit.write],
    "blob.pushed": [],
    "blob.deleted": [],
}
