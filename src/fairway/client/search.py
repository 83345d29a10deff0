"""Looking for projects and repositories by a part of their names."""

from dataclasses import dataclass

from fairway.client.call import API, Call, asking, reader
from fairway.client.projects import Project


@dataclass(frozen=True, slots=True)
class FoundRepository:
    """Harbor's SearchRepository; `repository_name` is the full one, with the project."""

    repository_name: str
    project_name: str = ""
    project_public: bool = False
    artifact_count: int = 0
    pull_count: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """Harbor's Search: as many as the hub gives in one answer."""

    project: tuple[Project, ...] = ()
    repository: tuple[FoundRepository, ...] = ()


def search(text: str) -> Call[Found]:
    """What the caller may see that has this in its name."""
    return asking(reader(Found), f"{API}/search", {"q": text})
