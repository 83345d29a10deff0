"""Robots: accounts of programs, with rights in one project or in several."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from fairway.client.call import API, Call, Listing, answering, asking, changing, filters, reader


@dataclass(frozen=True, slots=True)
class Access:
    """Harbor's Access: one thing that may be done, such as `repository`, `push`."""

    resource: str
    action: str
    effect: str = "allow"


@dataclass(frozen=True, slots=True)
class Granted:
    """Harbor's RobotPermission: what is granted in a project (`*`: in all of them), or by kind `system` on the hub, `/`.

    `repositories`: patterns of those of the project it is for; none for all.
    """

    kind: str
    namespace: str
    access: tuple[Access, ...] = ()
    repositories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Robot:
    """Harbor's Robot: `name` is what it logs in with, `expires_at` in seconds since the epoch, -1 for never."""

    id: int
    name: str
    description: str = ""
    level: str = ""
    duration: int = -1
    disable: bool = False
    editable: bool = True
    expires_at: int = -1
    permissions: tuple[Granted, ...] = ()
    creation_time: str = ""
    update_time: str = ""


@dataclass(frozen=True, slots=True)
class Created:
    """Harbor's RobotCreated: the only time that the hub tells the secret."""

    id: int
    name: str
    secret: str = field(default="", repr=False)
    expires_at: int = -1
    creation_time: str = ""


@dataclass(frozen=True, slots=True)
class Secret:
    """Harbor's RobotSec."""

    secret: str = field(default="", repr=False)


def listed(project_id: int | None = None, *, sort: str = "") -> Listing[Robot]:
    """Robots of the project with this id, or those that belong to none."""
    q = "Level=system" if project_id is None else f"Level=project,ProjectID={project_id}"
    return Listing(f"{API}/robots", reader(Robot), {"q": filters(q), "sort": sort})


def get(robot: int) -> Call[Robot]:
    """One robot by its id."""
    return asking(reader(Robot), f"{API}/robots/{robot}")


def create(
    name: str, *, level: str, permissions: Sequence[Granted], days: int, description: str = ""
) -> Call[Created]:
    """Make a robot with a secret that the hub chooses; `days` -1 for ever, `level` is project or system."""
    body = {
        "name": name,
        "description": description,
        "level": level,
        "duration": days,
        "disable": False,
        "permissions": [_told(each) for each in permissions],
    }
    return answering(reader(Created), "POST", f"{API}/robots", body)


def _told(granted: Granted) -> dict[str, Any]:
    body = asdict(granted)
    if not granted.repositories:
        del body["repositories"]  # as every hub knows it
    return body


def set_disabled(robot: Robot, *, disabled: bool) -> Call[None]:
    """Let a robot in no longer, or again; all else stays as it was read."""
    body = {
        "id": robot.id,
        "name": robot.name,
        "description": robot.description,
        "level": robot.level,
        "duration": robot.duration,
        "disable": disabled,
        "permissions": [_told(each) for each in robot.permissions],
    }
    return changing("PUT", f"{API}/robots/{robot.id}", body)


def renew(robot: int) -> Call[Secret]:
    """A new secret; the old one is void at once."""
    return answering(reader(Secret), "PATCH", f"{API}/robots/{robot}", {"secret": ""})


def delete(robot: int) -> Call[None]:
    """Delete a robot."""
    return changing("DELETE", f"{API}/robots/{robot}")
