"""Repositories, the artifacts in them, and their tags."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fairway.client.call import (
    API,
    Call,
    Listing,
    asking,
    changing,
    filters,
    reader,
    repository_segment,
    segment,
    with_query,
)
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import BadRequest
from fairway.core.oci.names import Repository, Tag


@dataclass(frozen=True, slots=True)
class RepositoryRow:
    """Harbor's Repository; `name` is the full one, with the project."""

    id: int
    name: str
    project_id: int = 0
    description: str = ""
    artifact_count: int = 0
    pull_count: int = 0
    creation_time: str = ""
    update_time: str = ""


@dataclass(frozen=True, slots=True)
class TagRow:
    """Harbor's Tag."""

    id: int
    name: str
    artifact_id: int = 0
    push_time: str = ""
    pull_time: str = ""
    immutable: bool = False


@dataclass(frozen=True, slots=True)
class Platform:
    """What an image runs on."""

    architecture: str = ""
    os: str = ""
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Child:
    """Harbor's Reference: what an index names."""

    child_id: int
    child_digest: str
    platform: Platform | None = None


@dataclass(frozen=True, slots=True)
class Accessory:
    """Harbor's Accessory: a signature, an SBOM and the like."""

    id: int
    digest: str
    type: str = ""
    size: int = 0
    creation_time: str = ""


@dataclass(frozen=True, slots=True)
class Artifact:
    """Harbor's Artifact."""

    id: int
    digest: str
    type: str = ""
    media_type: str = ""
    manifest_media_type: str = ""
    artifact_type: str = ""
    repository_name: str = ""
    size: int = 0
    push_time: str = ""
    pull_time: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    references: tuple[Child, ...] = ()
    tags: tuple[TagRow, ...] = ()
    accessories: tuple[Accessory, ...] = ()

    @property
    def tag_names(self) -> tuple[str, ...]:
        """The names of its tags."""
        return tuple(tag.name for tag in self.tags)


@dataclass(frozen=True, slots=True)
class Named:
    """One artifact by tag or digest in a repository."""

    repository: Repository
    reference: str

    def __str__(self) -> str:
        return f"{self.repository}{'@' if ':' in self.reference else ':'}{self.reference}"


def parse_repository(text: str) -> Repository:
    """`team/app`.  Raises NameInvalid or BadRequest."""
    found = Repository(text)
    if not found.rest:
        raise BadRequest(f"{text!r} is a project; a repository is written as {text}/NAME")
    return found


def parse_named(text: str) -> Named:
    """`team/app:tag` or `team/app@sha256:…`.  Raises NameInvalid, TagInvalid, DigestInvalid or BadRequest."""
    name, at, digest = text.partition("@")
    if at:
        return Named(parse_repository(name.partition(":")[0]), Digest(digest))
    name, colon, tag = text.partition(":")
    if not colon:
        raise BadRequest(f"say which artifact of {text}: {text}:TAG or {text}@sha256:…")
    return Named(parse_repository(name), Tag(tag))


def _repository_path(repository: Repository) -> str:
    project, rest = segment(repository.project), repository_segment(repository.rest)
    return f"{API}/projects/{project}/repositories/{rest}"


def path_of(named: Named) -> str:
    """Where the API has an artifact."""
    return f"{_repository_path(named.repository)}/artifacts/{segment(named.reference)}"


def repositories(project: str = "", *, q: str = "", sort: str = "") -> Listing[RepositoryRow]:
    """Repositories of a project, or of all that the caller may see."""
    path = f"{API}/projects/{segment(project)}/repositories" if project else f"{API}/repositories"
    return Listing(path, reader(RepositoryRow), {"q": filters(q), "sort": sort})


def repository(name: Repository) -> Call[RepositoryRow]:
    """One repository."""
    return asking(reader(RepositoryRow), _repository_path(name))


def describe(name: Repository, description: str) -> Call[None]:
    """Set what a repository says about itself."""
    return changing("PUT", _repository_path(name), {"description": description})


def delete_repository(name: Repository) -> Call[None]:
    """Delete a repository with all that is in it."""
    return changing("DELETE", _repository_path(name))


def listed(name: Repository, *, q: str = "", sort: str = "") -> Listing[Artifact]:
    """Artifacts of a repository with their tags, the last pushed one first."""
    query = {"q": filters(q), "sort": sort, "with_tag": True}
    return Listing(f"{_repository_path(name)}/artifacts", reader(Artifact), query)


def get(named: Named) -> Call[Artifact]:
    """One artifact with its tags and accessories."""
    return asking(reader(Artifact), path_of(named), {"with_tag": True, "with_accessory": True})


def delete(named: Named) -> Call[None]:
    """Delete an artifact with its tags and accessories."""
    return changing("DELETE", path_of(named))


def tags(named: Named, *, q: str = "", sort: str = "") -> Listing[TagRow]:
    """Tags of an artifact."""
    query = {"q": filters(q), "sort": sort, "with_immutable_status": True}
    return Listing(f"{path_of(named)}/tags", reader(TagRow), query)


def add_tag(named: Named, tag: str) -> Call[None]:
    """Give an artifact one more tag."""
    return changing("POST", f"{path_of(named)}/tags", {"name": tag})


def delete_tag(named: Named, tag: str) -> Call[None]:
    """Take a tag away; the artifact stays."""
    return changing("DELETE", f"{path_of(named)}/tags/{segment(tag)}")


def copy(source: Named, to: Repository) -> Call[None]:
    """Put an artifact into another repository of the hub, with what it names and what belongs to it."""
    path = with_query(f"{_repository_path(to)}/artifacts", {"from": str(source)})
    return changing("POST", path)
