"""Who is told of what happens in a project: policies, their targets, and what is on its way to a target."""

from dataclasses import dataclass, field
from typing import Any

from fairway.core.oci.patterns import Selector

HTTP, SLACK, TEAMS = "http", "slack", "teams"
DEFAULT, CLOUDEVENTS, FIELDS = "Default", "CloudEvents", "Fields"


@dataclass(frozen=True, slots=True)
class Target:
    """Where it is told, with its secrets in the open: only who sends has one."""

    id: int
    policy: int
    type: str
    """http, slack or teams."""
    address: str = field(repr=False)  # Slack's and Teams' hold a secret
    payload_format: str
    """Default, CloudEvents or Fields; "" where the type has but one."""
    fields: Any = None
    """Of the format Fields: a JSON value with places for facts."""
    auth_header: str = field(default="", repr=False)
    """The value of the Authorization header, as it is."""
    secret: str = field(default="", repr=False)
    """What requests are signed with."""
    skip_cert_verify: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """What of a project is told to whom."""

    id: int
    project: int
    name: str
    description: str
    event_types: tuple[str, ...]
    tags: tuple[Selector, ...]
    """Which tags it is about; none: all, and what has no tag."""
    repositories: tuple[Selector, ...]
    """Which repositories, by their names without the project's."""
    enabled: bool
    creator: str
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a target takes what it is told.  `paused_until`: microseconds since the epoch, 0 for not at all."""

    waiting: int
    """Open deliveries, or somewhat fewer than there are."""
    failures: int
    """In a row."""
    paused_until: int
    last_error: str
    dropped: int
    """The oldest, since too many waited."""


@dataclass(frozen=True, slots=True)
class KnownTarget:
    """A target as people may see it: of its secrets only whether it has them."""

    id: int
    policy: int
    type: str
    address: str = field(repr=False)
    payload_format: str
    fields: Any
    has_auth_header: bool
    has_secret: bool
    skip_cert_verify: bool
    standing: Standing


@dataclass(frozen=True, slots=True)
class WantedTarget:
    """A target as it should be; a secret that is None is to stay as it is, "" is none."""

    type: str
    address: str = field(repr=False)
    payload_format: str
    fields: Any
    auth_header: str | None = field(repr=False)
    secret: str | None = field(repr=False)
    skip_cert_verify: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """A policy as it should be; selectors that are None are to stay as they are."""

    name: str
    description: str
    event_types: tuple[str, ...]
    tags: tuple[Selector, ...] | None
    repositories: tuple[Selector, ...] | None
    enabled: bool
    targets: tuple[WantedTarget, ...]


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """One event for one target, ready to be sent."""

    policy: int
    target: int
    event_id: str
    event_type: str
    topic: str
    """Deliveries of one topic are made in order: the repository's full name, or "" for what is about the project."""
    media_type: str
    body: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """The same, and what became of it.  Times are microseconds since the epoch, `ended_at` None while it is open."""

    id: int
    policy: int
    target: int
    event_id: str
    event_type: str
    topic: str
    media_type: str
    body: str
    status: str
    tries: int
    created_at: int
    started_at: int | None
    ended_at: int | None
    answered: int | None
    """The HTTP status of the last answer."""
    reply: str
    message: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery on its way to its turn.  `head` is the first open one of its topic: only that one has its turn."""

    id: int
    topic: str
    head: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of sending something once."""

    status: int | None
    """The HTTP status; None when nothing was heard."""
    message: str = ""
    """Why it was not taken, in words that hold no secret."""
    reply: str = field(default="", repr=False)
    """The reply's beginning, as far as those who look after the policy may read it."""
    retry_after: float = 0.0
    """Seconds to wait, as the target asks."""
    forbidden: bool = False
    """Nothing was sent, since nothing may be sent there."""
