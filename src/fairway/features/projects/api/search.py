"""`/search`: projects and repositories by a part of their names, those that the caller may see."""

from typing import Annotated, Final

from fastapi import Query
from pydantic import BaseModel

from fairway.features.artifacts.store import repositories, search
from fairway.features.projects.api.projects import ProjectOut, in_list, shown
from fairway.features.projects.store import projects as store
from fairway.frame.db import Conn, Database
from fairway.frame.db.listing import Contains
from fairway.frame.web.routes import PUBLIC, AskedBy, Routes

MOST: Final = 100
"""Projects, and repositories, in one answer.  Lists have all of them, by pages."""


_Part = Annotated[str, Query(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]


class SearchRepositoryOut(BaseModel):
    """Harbor's SearchRepository; `repository_name` is the full one."""

    project_id: int
    project_name: str
    project_public: bool
    repository_name: str
    pull_count: int
    artifact_count: int


class SearchOut(BaseModel):
    """Harbor's Search."""

    project: list[ProjectOut]
    repository: list[SearchRepositoryOut]


def add_routes(made: Routes, db: Database) -> None:
    """Add the route of this page."""

    @made.get("/search", permission=PUBLIC, response_model_exclude_none=True)
    async def search_all(viewer: AskedBy, q: _Part) -> SearchOut:
        async def read(conn: Conn) -> SearchOut:
            named = {"name": Contains(q)}
            projects, _ = await store.listed(conn, viewer, named, offset=0, limit=MOST)
            rows = await search.repositories_named(conn, viewer, q, MOST)
            counts = await repositories.artifact_counts(conn, [row["id"] for row in rows]) if rows else {}
            return SearchOut(
                project=[in_list(shown(project, viewer)) for project in projects],
                repository=[
                    SearchRepositoryOut(
                        project_id=row["project_id"],
                        project_name=row["project"],
                        project_public=bool(row["public"]),
                        repository_name=f"{row['project']}/{row['name']}",
                        pull_count=row["pull_count"],
                        artifact_count=counts.get(row["id"], 0),
                    )
                    for row in rows
                ],
            )

        return await db.walk(read)  # all names are read
