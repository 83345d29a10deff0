"""Which of the tags that a list shows are immutable: one look at the rules for a page, and none unless it is asked for."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from fairway.core.oci.names import Repository
from fairway.features.artifacts.api.shown import ArtifactOut, TagOut, Wanted
from fairway.features.immutability import rules
from fairway.features.immutability.model import Rule
from fairway.features.immutability.store import rows
from fairway.frame.access.may import ProjectFacts
from fairway.frame.db import Conn

Standing = tuple[Rule, ...]
"""The rules that are in force in a project, if somebody asked what they say."""

_ASIDE: Final = 5_000
"""Looks at a rule that would hold up other requests: beyond that they are made beside the event loop."""


async def read(conn: Conn, project: ProjectFacts, wanted: Wanted) -> Standing:
    """What `mark_artifacts` and `mark_tags` need."""
    return await rows.enabled(conn, project.id) if wanted.immutable else ()


async def mark_artifacts(found: Sequence[ArtifactOut], standing: Standing) -> None:
    """Say of each tag whether it is immutable."""
    by_repository: dict[str, list[TagOut]] = {}
    for artifact in found:
        by_repository.setdefault(artifact.repository_name, []).extend(artifact.tags or ())
    for repo, tags in by_repository.items():
        await mark_tags(Repository(repo), tags, standing)


async def mark_tags(repo: Repository, tags: Sequence[TagOut], standing: Standing) -> None:
    """The same for tags of one repository."""
    found = rules.in_repository(standing, repo.rest)
    if not found:
        return
    if len(found) * len(tags) > _ASIDE:
        await asyncio.to_thread(_mark, tags, found)
    else:
        _mark(tags, found)


def _mark(tags: Iterable[TagOut], found: Sequence[Rule]) -> None:
    for tag in tags:
        tag.immutable = rules.freezing(found, tag.name) is not None
