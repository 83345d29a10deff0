"""Webhooks of projects: policies that say what is told to whom, and what was told."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from fairway.client.call import (
    API,
    BY_NAME,
    Call,
    Listing,
    answering,
    asking,
    changing,
    filters,
    making,
    matching,
    reader,
    segment,
)

MASK: Final = "********"
"""In place of a secret: the one that the hub keeps."""


@dataclass(frozen=True, slots=True)
class Target:
    """Harbor's WebhookTargetObject, with what requests are signed with and the `fields` of a payload of one's own.

    Of secrets a hub shows a mask, which leaves them as they are when it is sent.
    """

    type: str
    address: str
    auth_header: str = field(default="", repr=False)
    skip_cert_verify: bool = False
    payload_format: str = ""
    secret: str = field(default="", repr=False)
    fields: object = None


@dataclass(frozen=True, slots=True)
class Selector:
    """Which tags or repositories: `kind` is doublestar, regex or semver."""

    kind: str
    decoration: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Health:
    """How a target takes what it is told."""

    address: str = ""
    waiting: int = 0
    failures: int = 0
    last_error: str = ""
    paused_until: str = ""
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """Harbor's WebhookPolicy, with selectors; `health` of each target is there when one policy is asked for."""

    id: int
    name: str
    description: str = ""
    project_id: int = 0
    targets: tuple[Target, ...] = ()
    event_types: tuple[str, ...] = ()
    creator: str = ""
    creation_time: str = ""
    update_time: str = ""
    enabled: bool = False
    tag_selectors: tuple[Selector, ...] = ()
    scope_selectors: Mapping[str, tuple[Selector, ...]] = field(default_factory=dict)
    health: tuple[Health, ...] = ()


@dataclass(frozen=True, slots=True)
class Formats:
    """Harbor's PayloadFormat."""

    notify_type: str = ""
    formats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Supported:
    """Harbor's SupportedWebhookEventTypes."""

    event_type: tuple[str, ...] = ()
    notify_type: tuple[str, ...] = ()
    payload_formats: tuple[Formats, ...] = ()


@dataclass(frozen=True, slots=True)
class Attributes:
    """What of a delivery its execution says beside Harbor's fields."""

    event_type: str = ""
    payload: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """What is sent to a target; of secrets a mask."""

    address: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a target answered last."""

    status: int = 0
    body: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Harbor's Execution: one event for one target.  `request` and `answer` are there when one is asked for."""

    id: int
    vendor_type: str = ""
    status: str = ""
    status_message: str = ""
    extra_attrs: Attributes = field(default_factory=Attributes)
    start_time: str = ""
    end_time: str = ""
    event_id: str = ""
    tries: int = 0
    request: Sent | None = None
    answer: Answered | None = None

    @property
    def ended(self) -> bool:
        """Whether it was taken, or given up."""
        return bool(self.end_time) and not self.end_time.startswith("0001-")


def listed(project: str, *, name: str = "", sort: str = "") -> Listing[Policy]:
    """The policies of a project; `name` is exactly theirs."""
    query = {"q": filters(matching(name=name)), "sort": sort}
    return Listing(f"{_at(project)}/policies", reader(Policy), query, BY_NAME)


def get(project: str, policy: int) -> Call[Policy]:
    """One policy by its id."""
    return asking(reader(Policy), f"{_at(project)}/policies/{policy}", headers=BY_NAME)


def create(
    project: str,
    name: str,
    *,
    event_types: Sequence[str],
    targets: Sequence[Target],
    description: str = "",
    enabled: bool = True,
    tag_selectors: Sequence[Selector] = (),
    repository_selectors: Sequence[Selector] = (),
) -> Call[int]:
    """Make a policy; its id."""
    made = Policy(
        0,
        name,
        description,
        targets=tuple(targets),
        event_types=tuple(event_types),
        enabled=enabled,
        tag_selectors=tuple(tag_selectors),
        scope_selectors={"repository": tuple(repository_selectors)},
    )
    return making(f"{_at(project)}/policies", _told(made), headers=BY_NAME)


def change(project: str, policy: Policy) -> Call[None]:
    """Let a policy be so, by its id; masks leave secrets as they are."""
    path = f"{_at(project)}/policies/{policy.id}"
    return changing("PUT", path, _told(policy), headers=BY_NAME)


def delete(project: str, policy: int) -> Call[None]:
    """Delete a policy, with what was told by it."""
    return changing("DELETE", f"{_at(project)}/policies/{policy}", headers=BY_NAME)


def supported(project: str) -> Call[Supported]:
    """What there is to be told, and how."""
    return asking(reader(Supported), f"{_at(project)}/events", headers=BY_NAME)


def ping(project: str, policy: int, event_type: str = "") -> Call[tuple[Delivery, ...]]:
    """Tell each target a sample of an event; without a type of the policy's first."""
    body = {"event_type": event_type} if event_type else {}
    path = f"{_at(project)}/policies/{policy}/ping"
    return answering(_deliveries, "POST", path, body, headers=BY_NAME)


def deliveries(project: str, policy: int, *, status: str = "", sort: str = "") -> Listing[Delivery]:
    """What was told by a policy, the last first."""
    query = {"q": filters(matching(status=status)), "sort": sort}
    return Listing(f"{_executions(project, policy)}", reader(Delivery), query, BY_NAME)


def delivery(project: str, policy: int, number: int) -> Call[Delivery]:
    """One of them, with the request and the last answer."""
    return asking(reader(Delivery), f"{_executions(project, policy)}/{number}", headers=BY_NAME)


def redeliver(project: str, policy: int, number: int) -> Call[Delivery]:
    """Tell the same once more, with the same event id."""
    path = f"{_executions(project, policy)}/{number}/redeliver"
    return answering(reader(Delivery), "POST", path, None, headers=BY_NAME)


def _at(project: str) -> str:
    return f"{API}/projects/{segment(project)}/webhook"


def _executions(project: str, policy: int) -> str:
    return f"{_at(project)}/policies/{policy}/executions"


def _deliveries(told: object) -> tuple[Delivery, ...]:
    read = reader(Delivery)
    return tuple(read(each) for each in told) if isinstance(told, list) else ()


def _told(policy: Policy) -> dict[str, Any]:
    body = asdict(policy)
    for name in ("id", "project_id", "creator", "creation_time", "update_time", "health"):
        del body[name]
    for target in body["targets"]:
        if target["fields"] is None:
            del target["fields"]
    return body
