"""What is known about a robot, and what one to be made should be like."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from fairway.frame.access.catalogue import Permission
from fairway.frame.access.principals import Robot

FOR_EVER = -1
"""A duration, and an end, that is none."""

ALL_PROJECTS = "*"
"""The namespace of every project."""

WHOLE_SERVER = "/"
"""The namespace of what is about no project."""


class Level(StrEnum):
    """Where a robot belongs; Harbor's words, also for what kind of thing a grant is about."""

    SYSTEM = "system"
    PROJECT = "project"


class Creator(StrEnum):
    """What made a robot; Harbor's words."""

    PERSON = "local"
    ROBOT = "robot"


@dataclass(frozen=True, slots=True)
class Access:
    """Some of what a robot is granted: all on the server, in every project, or in the project called `namespace`.

    `only`: patterns of the repositories it is for; none for all of the project.
    """

    kind: Level
    namespace: str
    permissions: frozenset[Permission]
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a robot should be like.  `duration` in days or FOR_EVER, counted from when it was made."""

    name: str
    level: Level
    description: str
    duration: int
    disabled: bool
    access: tuple[Access, ...]

    @property
    def home(self) -> str | None:
        """The name of its project; None at the system level."""
        return self.access[0].namespace if self.level is Level.PROJECT else None


@dataclass(frozen=True, slots=True)
class RobotAccount:
    """A row of `robots`; times in µs since the epoch, `expires_at` None for never.

    `name` is its own, `login` what it logs in with.  `live`: neither disabled nor expired.
    """

    id: int
    project: int | None
    name: str
    login: str
    description: str
    secret_hash: str = field(repr=False)
    disabled: bool
    live: bool
    duration: int
    expires_at: int | None
    version: int
    creator: Creator
    creator_ref: int
    created_at: int
    updated_at: int

    @property
    def level(self) -> Level:
        """Where it belongs."""
        return Level.SYSTEM if self.project is None else Level.PROJECT


@dataclass(frozen=True, slots=True)
class RobotLogin:
    """A robot as somebody who logs in, with what it holds: what features/accounts/passwords.py asks of an account."""

    account: RobotAccount
    principal: Robot
    password_hash: str | None = field(repr=False)
    is_right: Callable[[str], bool] = field(repr=False, compare=False)

    def opened_by(self, said: str) -> bool:
        """Whether this is its generated secret."""
        return self.is_right(said)

    @property
    def id(self) -> int:
        """The robot's."""
        return self.account.id

    @property
    def enabled(self) -> bool:
        """Whether it may log in."""
        return self.account.live

    @property
    def credentials_version(self) -> int:
        """Moves with every change of the robot."""
        return self.account.version
