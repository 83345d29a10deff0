"""Repositories that are pushed to, or from which something goes: made, kept, and what is told of them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.core.oci.errors import NameUnknown
from fairway.core.oci.names import Repository
from fairway.frame.db import Conn, now_us
from fairway.frame.db.tables import projects, repositories

_KEEP_PROJECT = (
    select(projects.c.name, projects.c.public)
    .where(projects.c.id == bindparam("project"), projects.c.deleted_at.is_(None))
    .with_for_update(read=True, key_share=True)
)
_KEEP_REPOSITORY = (
    select(repositories.c.id, repositories.c.created_at)
    .where(repositories.c.project_id == bindparam("project"), repositories.c.name == bindparam("name"))
    .with_for_update(read=True, key_share=True)
)
_MAKE_REPOSITORY = (
    upsert(repositories)
    .values(project_id=bindparam("project"), name=bindparam("name"), created_at=now_us(), updated_at=now_us())
    .on_conflict_do_nothing(index_elements=["project_id", "name"])
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A repository that stays until the transaction ends; `new`: this transaction made it."""

    id: int
    created_at: int
    public: bool
    new: bool

    @property
    def facts(self) -> dict[str, Any]:
        """What is told in events, for nobody can look it up when the repository, or the project, is gone."""
        return _facts(self.created_at, self.public)


async def ensure_repository(conn: Conn, project: int, name: str) -> Kept:
    """A repository, made if it is the first push; nobody removes it, or hides the project, until the transaction ends.
    Raises NameUnknown when the project is gone, and NameInvalid when it has been renamed meanwhile, so that a new
    repository's whole name would be too long."""
    belongs = await conn.first(_KEEP_PROJECT, project=project)
    if belongs is None:
        raise NameUnknown("the project was deleted just now")
    new = False
    while (row := await conn.first(_KEEP_REPOSITORY, project=project, name=name)) is None:
        Repository(f"{belongs['name']}/{name}")
        new = bool(await conn.run(_MAKE_REPOSITORY, project=project, name=name))
    return Kept(row["id"], row["created_at"], bool(belongs["public"]), new)


_TOLD = (
    select(repositories.c.created_at, projects.c.public)
    .join(projects, projects.c.id == repositories.c.project_id)
    .where(repositories.c.id == bindparam("repository"))
)


async def facts(conn: Conn, repository: int) -> dict[str, Any]:
    """What is told of a repository from which something goes, as `Kept.facts`; of one that is gone, nothing."""
    row = await conn.first(_TOLD, repository=repository)
    return {} if row is None else _facts(row["created_at"], bool(row["public"]))


def _facts(created_at: int, public: bool) -> dict[str, Any]:
    return {"repository_created_at": created_at, "public": public}
