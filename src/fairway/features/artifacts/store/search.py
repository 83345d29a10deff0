"""Repositories whose full names have a text in them, of all projects that somebody may look into."""

import re
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, bindparam, or_, select

from fairway.features.projects.store.belonging import GOING
from fairway.features.projects.store.granted import listable_by, lists_every, narrowly, somewhere
from fairway.frame.access.catalogue import REPOSITORY_LIST
from fairway.frame.access.principals import Principal
from fairway.frame.db import Conn, Row
from fairway.frame.db.tables import projects, repositories

CANDIDATES: Final = 2_000
"""How many are found before the search stops: of a text that more have, some are shown, and not the first by name."""

_OF_NAMES: Final = re.compile(r"[a-z0-9._/-]*", re.ASCII)
_text: ColumnElement[str] = bindparam("text")
_FOUND: Select[Any] = (
    select(
        repositories.c.id,
        repositories.c.name,
        repositories.c.pull_count,
        projects.c.id.label("project_id"),
        projects.c.name.label("project"),
        projects.c.public,
    )
    .select_from(projects.join(repositories, repositories.c.project_id == projects.c.id))
    .order_by(projects.c.name, repositories.c.name)
    .limit(bindparam("most"))
)


async def repositories_named(conn: Conn, viewer: Principal, text: str, most: int) -> list[Row]:
    """At most `most` of them, by name, whatever the case of `text`.

    All names are read, from an index that has nothing else; see docs/decisions/0007.
    """
    text = text.lower()
    if not _OF_NAMES.fullmatch(text):
        return []  # no name has such a character
    visible = select(projects.c.id).where(listable_by(viewer))
    narrowed = narrowly(viewer, REPOSITORY_LIST, repositories.c.project_id, repositories.c.name)
    known = select(projects.c.id).where(
        or_(listable_by(viewer), somewhere(viewer, REPOSITORY_LIST, projects.c.id))
    )
    of_project, slash, own = text.partition("/")
    has_it = [repositories.c.name.contains(text, autoescape=True)]
    if slash:
        ends = known.where(projects.c.name.endswith(of_project, autoescape=True))
        begins = repositories.c.name.startswith(own, autoescape=True)
        has_it.append(repositories.c.project_id.in_(ends) & begins)
    else:
        named = known.where(projects.c.name.contains(text, autoescape=True))
        has_it.append(repositories.c.project_id.in_(named))
    candidates = select(repositories.c.id).where(or_(*has_it)).limit(CANDIDATES)
    if lists_every(viewer):
        candidates = candidates.where(repositories.c.project_id.not_in(GOING))
    else:
        candidates = candidates.where(or_(repositories.c.project_id.in_(visible), narrowed))
    return await conn.all(_FOUND.where(repositories.c.id.in_(candidates)), most=most)
