"""Rows as Harbor's JSON has them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, Field

from fairway.features.artifacts import icons
from fairway.features.artifacts.store import details
from fairway.features.artifacts.store.details import Grouped
from fairway.features.labels import model as labels_model
from fairway.features.labels.model import LabelOut
from fairway.features.labels.store import label_of
from fairway.frame.db import Conn, Row
from fairway.frame.web.moments import moment

NEVER: Final = "0001-01-01T00:00:00.000Z"
"""When something was pulled that never was."""


class RepositoryOut(BaseModel):
    """Harbor's Repository; `name` is the full one."""

    id: int
    project_id: int
    name: str
    description: str
    artifact_count: int
    pull_count: int
    creation_time: str
    update_time: str


class TagOut(BaseModel):
    """Harbor's Tag."""

    id: int
    repository_id: int
    artifact_id: int
    name: str
    push_time: str
    pull_time: str
    immutable: bool = False


class PlatformOut(BaseModel):
    """Harbor's Platform."""

    architecture: str = ""
    os: str = ""
    os_version: str = Field("", serialization_alias="os.version")
    os_features: list[str] = Field([], serialization_alias="os.features")
    variant: str = ""


class ReferenceOut(BaseModel):
    """Harbor's Reference: what an index names."""

    parent_id: int
    child_id: int
    child_digest: str
    platform: PlatformOut | None
    annotations: dict[str, str]
    urls: list[str]


class AccessoryOut(BaseModel):
    """Harbor's Accessory; `id` and `artifact_id` are both that of the accessory itself."""

    id: int
    artifact_id: int
    subject_artifact_id: int
    subject_artifact_digest: str
    subject_artifact_repo: str
    size: int
    digest: str
    type: str
    icon: str = ""
    creation_time: str


class AdditionOut(BaseModel):
    """Harbor's AdditionLink."""

    href: str
    absolute: bool


class ArtifactOut(BaseModel):
    """Harbor's Artifact.  `tags`, `labels` and `accessories` are null unless they were asked for."""

    id: int
    type: str
    media_type: str
    manifest_media_type: str
    artifact_type: str
    project_id: int
    repository_id: int
    repository_name: str
    digest: str
    size: int
    icon: str = ""
    push_time: str
    pull_time: str
    extra_attrs: dict[str, Any] = {}
    annotations: dict[str, str]
    references: list[ReferenceOut]
    tags: list[TagOut] | None
    labels: list[LabelOut] | None
    accessories: list[AccessoryOut] | None
    addition_links: dict[str, AdditionOut] = {}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which details of artifacts to show."""

    tags: bool = True
    labels: bool = False
    accessories: bool = False
    immutable: bool = False
    """Whether each tag is immutable."""


def _ever(micros: int | None) -> str:
    return NEVER if micros is None else moment(micros)


def repository(row: Row, artifacts: Mapping[int, int]) -> RepositoryOut:
    """A repository; `artifacts` are how many each lists, by id."""
    return RepositoryOut(
        id=row["id"],
        project_id=row["project_id"],
        name=f"{row['project']}/{row['name']}",
        description=row["description"],
        artifact_count=artifacts.get(row["id"], 0),
        pull_count=row["pull_count"],
        creation_time=moment(row["created_at"]),
        update_time=moment(row["updated_at"]),
    )


def tag(row: Row) -> TagOut:
    """A tag."""
    return TagOut(
        id=row["id"],
        repository_id=row["repository_id"],
        artifact_id=row["artifact_id"],
        name=row["name"],
        push_time=moment(row["pushed_at"]),
        pull_time=_ever(row["pulled_at"]),
    )


def label(row: Row) -> LabelOut:
    """A label."""
    return labels_model.shown(label_of(row))


def accessory(row: Row, repo: str) -> AccessoryOut:
    """An accessory of something in the repository with this full name."""
    return AccessoryOut(
        id=row["id"],
        artifact_id=row["id"],
        subject_artifact_id=row["subject_id"],
        subject_artifact_digest=row["subject_digest"],
        subject_artifact_repo=repo,
        size=row["total_size"],
        digest=row["digest"],
        type=row["accessory"],
        icon=icons.of_accessory(row["accessory"]),
        creation_time=moment(row["created_at"]),
    )


def _reference(row: Row) -> ReferenceOut:
    about = json.loads(row["about"] or "{}")
    platform = about.get("platform")
    return ReferenceOut(
        parent_id=row["parent_id"],
        child_id=row["child_id"],
        child_digest=row["digest"],
        platform=None if platform is None else _platform(platform),
        annotations=about.get("annotations", {}),
        urls=about.get("urls", []),
    )


def _platform(told: Mapping[str, Any]) -> PlatformOut:
    return PlatformOut(**{name.replace(".", "_"): value for name, value in told.items()})


MOST_ANNOTATIONS = 16_384
"""Bytes of one artifact's annotations that a list shows; of more it shows none."""


async def artifacts(conn: Conn, rows: Sequence[Row], wanted: Wanted) -> list[ArtifactOut]:
    """Artifacts with their details: a statement per kind of detail, however many artifacts there are."""
    ids = [row["id"] for row in rows]
    indexes = [row["id"] for row in rows if row["kind"] == "index"]
    references = await details.references_of(conn, indexes) if indexes else {}
    tags = await details.tags_of(conn, ids) if wanted.tags and ids else {}
    labels = await details.labels_of(conn, ids) if wanted.labels and ids else {}
    accessories = await details.accessories_of(conn, ids) if wanted.accessories and ids else {}
    found = [_artifact(row, wanted, references, tags, labels, accessories) for row in rows]
    for row, out in zip(rows, found, strict=True):
        if len(rows) == 1 or len(row["annotations"]) <= MOST_ANNOTATIONS:
            out.annotations = json.loads(row["annotations"])
    return found


def _artifact(
    row: Row, wanted: Wanted, references: Grouped, tags: Grouped, labels: Grouped, accessories: Grouped
) -> ArtifactOut:
    id, repo = row["id"], f"{row['project']}/{row['repository']}"
    return ArtifactOut(
        id=id,
        type=row["type"],
        media_type=row["config_media_type"],
        manifest_media_type=row["media_type"],
        artifact_type=row["artifact_type"],
        project_id=row["project_id"],
        repository_id=row["repository_id"],
        repository_name=repo,
        digest=row["digest"],
        size=row["total_size"],
        push_time=moment(row["pushed_at"]),
        pull_time=_ever(row["pulled_at"]),
        annotations={},
        references=[_reference(each) for each in references.get(id, ())],
        tags=[tag(each) for each in tags.get(id, ())] if wanted.tags else None,
        labels=[label(each) for each in labels.get(id, ())] if wanted.labels else None,
        accessories=[accessory(each, repo) for each in accessories.get(id, ())]
        if wanted.accessories
        else None,
    )
