"""What is known about a label."""

from dataclasses import dataclass
from typing import Final

from fairway.frame.web.moments import moment

GLOBAL: Final = "g"
PROJECT: Final = "p"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a label should say."""

    name: str
    description: str = ""
    color: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """A label; `project` is None for one of the whole server.  Times in µs since the epoch."""

    id: int
    project: int | None
    name: str
    description: str
    color: str
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class LabelOut:
    """Harbor's Label.  `scope` is `g` for the whole server, whose `project_id` is 0, or `p`."""

    id: int
    name: str
    description: str
    color: str
    scope: str
    project_id: int
    creation_time: str
    update_time: str


def shown(label: Label) -> LabelOut:
    """A label as Harbor's JSON has it."""
    return LabelOut(
        id=label.id,
        name=label.name,
        description=label.description,
        color=label.color,
        scope=GLOBAL if label.project is None else PROJECT,
        project_id=label.project or 0,
        creation_time=moment(label.created_at),
        update_time=moment(label.updated_at),
    )
