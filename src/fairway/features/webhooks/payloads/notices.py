"""Which notices follow from an event of the outbox: the one table from kinds of events to Harbor's types and ours.

Facts that an event lacks are left out or empty, so that an older event never stops the queue.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from fairway.features.webhooks.payloads import about_artifacts as artifacts
from fairway.features.webhooks.payloads import about_jobs as jobs
from fairway.features.webhooks.payloads import about_projects as projects
from fairway.features.webhooks.payloads import notice
from fairway.features.webhooks.payloads.notice import Notice, Surroundings

Facts = Mapping[str, Any]
Builder = Callable[[Facts, Surroundings], Mapping[str, Any] | None]
"""The data of a notice; None when there is nothing to tell after all."""

_TABLE: Final[Mapping[str, tuple[tuple[str, Builder], ...]]] = {
    "artifact.pushed": (
        (notice.PUSH_ARTIFACT, artifacts.artifact),
        (notice.TAG_CREATED, artifacts.created_tags),
        (notice.TAG_MOVED, artifacts.moved_tags),
    ),
    "artifact.restored": (
        (notice.PUSH_ARTIFACT, artifacts.artifact),
        (notice.TAG_CREATED, artifacts.all_tags),
    ),
    "artifact.pulled": ((notice.PULL_ARTIFACT, artifacts.pull),),
    "artifact.deleted": (
        (notice.DELETE_ARTIFACT, artifacts.artifact),
        (notice.TAG_DELETED, artifacts.all_tags),
    ),
    "tag.created": ((notice.TAG_CREATED, artifacts.all_tags),),
    "tag.moved": ((notice.TAG_MOVED, artifacts.all_tags),),
    "tag.deleted": ((notice.TAG_DELETED, artifacts.all_tags),),
    "signature.added": ((notice.SIGNATURE_ADDED, artifacts.signature),),
    "repository.created": ((notice.REPOSITORY_CREATED, artifacts.repository),),
    "repository.deleted": ((notice.REPOSITORY_DELETED, artifacts.repository),),
    "quota.warning": ((notice.QUOTA_WARNING, projects.quota),),
    "quota.exceeded": ((notice.QUOTA_EXCEED, projects.quota),),
    "project.updated": ((notice.PROJECT_UPDATED, projects.project),),
    "project.name-changed": ((notice.PROJECT_UPDATED, projects.project),),
    "project.deleted": ((notice.PROJECT_DELETED, projects.gone),),
    "member.created": ((notice.MEMBER_ADDED, projects.member),),
    "member.updated": ((notice.MEMBER_CHANGED, projects.member),),
    "member.deleted": ((notice.MEMBER_REMOVED, projects.member),),
    "scan.completed": ((notice.SCANNING_COMPLETED, jobs.scan),),
    "scan.failed": ((notice.SCANNING_FAILED, jobs.scan),),
    "scan.stopped": ((notice.SCANNING_STOPPED, jobs.scan),),
    "replication.finished": ((notice.REPLICATION, jobs.replication),),
    "retention.finished": ((notice.TAG_RETENTION, jobs.retention),),
}

KINDS: Final = tuple(_TABLE)
"""The kinds of events of which something is told."""


def types(kind: str) -> frozenset[str]:
    """The types of notices that an event of this kind may become."""
    return frozenset(each for each, _ in _TABLE.get(kind, ()))


def notices(kind: str, facts: Facts, where: Surroundings, *, id: str, at: int) -> list[Notice]:
    """What is told of an event.

    `id`: the event's; further notices of one event have a number behind it.  `at`: microseconds since the epoch.
    """
    made: list[Notice] = []
    for number, (name, build) in enumerate(_TABLE.get(kind, ())):
        data = build(facts, where)
        if data is not None:
            made.append(
                Notice(
                    id=id if number == 0 else f"{id}-{number}",
                    type=name,
                    operator=str(facts.get("actor") or facts.get("by") or ""),
                    at=at,
                    data=data,
                    repository=_repository(kind, facts, where),
                    tags=_tags(name, data, facts),
                )
            )
    return made


def _repository(kind: str, facts: Facts, where: Surroundings) -> str:
    name = str(facts.get("repository") or "")
    return f"{where.name}/{name}" if name and kind in _WITHOUT_PROJECT else name


# Events that name a repository without its project, as Harbor does in what it tells of them.
_WITHOUT_PROJECT = frozenset({"retention.finished"})

# What selectors of tags are asked about; a retention or a replication is about many at once.
_OF_TAGS = frozenset(
    {
        *(notice.PUSH_ARTIFACT, notice.PULL_ARTIFACT, notice.DELETE_ARTIFACT),
        *(notice.TAG_CREATED, notice.TAG_MOVED, notice.TAG_DELETED),
        *(notice.SCANNING_COMPLETED, notice.SCANNING_FAILED, notice.SCANNING_STOPPED),
    }
)


def _tags(name: str, data: Mapping[str, Any], facts: Facts) -> tuple[str, ...] | None:
    if name not in _OF_TAGS:
        return None
    digest = facts.get("digest")
    resources = data.get("resources", ())
    return tuple(each["tag"] for each in resources if each.get("tag") and each["tag"] != digest)
