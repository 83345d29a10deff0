"""Retention: which images of a project stay, and the runs that delete the others."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from fairway.client.call import (
    API,
    BY_NAME,
    Call,
    Listing,
    answering,
    asking,
    changing,
    making,
    reader,
    segment,
    with_query,
)

OWN = "/api/fairway/retention"


@dataclass(frozen=True, slots=True)
class Selector:
    """Harbor's RetentionSelector: of `kind` doublestar, regex or semver; `extras` is JSON as text."""

    kind: str
    decoration: str
    pattern: str
    extras: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """Harbor's RetentionRule: what `template` keeps, such as `latestPushedK`, with its number in `params`."""

    template: str
    params: Mapping[str, int] = field(default_factory=dict)
    tag_selectors: tuple[Selector, ...] = ()
    scope_selectors: Mapping[str, tuple[Selector, ...]] = field(default_factory=dict)
    disabled: bool = False
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Trigger:
    """When it runs by itself: `cron` in the settings, empty for never."""

    kind: str = "Schedule"
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scope:
    """Of which project, by its id, a policy is; level `system` for that of the hub."""

    level: str = ""
    ref: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """Harbor's RetentionPolicy; `mode` is artifact, or tag where each tag is kept or deleted by itself."""

    id: int
    rules: tuple[Rule, ...] = ()
    trigger: Trigger = Trigger()
    scope: Scope = Scope()
    mode: str = "artifact"


@dataclass(frozen=True, slots=True)
class InForce:
    """Which policy is in force in a project: that of `source` project or default, or none."""

    source: str
    use_default: bool = True
    policy: Policy | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """Harbor's RetentionExecution."""

    id: int
    policy_id: int = 0
    start_time: str = ""
    end_time: str = ""
    status: str = ""
    trigger: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    done: int = 0
    total: int = 0
    what: str = ""


@dataclass(frozen=True, slots=True)
class WholeRun:
    """A run with the sums of all repositories."""

    id: int
    status: str = ""
    dry_run: bool = False
    repositories: int = 0
    total: int = 0
    retained: int = 0
    deleted: int = 0
    failed: int = 0
    message: str = ""
    progress: Progress = Progress()


@dataclass(frozen=True, slots=True)
class Task:
    """Harbor's RetentionExecutionTask: what a run made of one repository."""

    id: int
    repository: str
    status: str = ""
    total: int = 0
    retained: int = 0
    deleted: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was, or would be, decided about an image or a tag: RETAIN, DEL, IMMUTABLE or ERR, and why."""

    digest: str
    tags: tuple[str, ...] = ()
    type: str = ""
    labels: tuple[str, ...] = ()
    push_time: str = ""
    pull_time: str = ""
    retention: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """What would become of a repository."""

    repository: str
    total: int = 0
    retained: int = 0
    deleted: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a policy would do; `next` is where more repositories begin, "" for no more."""

    repositories: tuple[Counts, ...] = ()
    decisions: tuple[Decision, ...] = ()
    next: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A policy as somebody wants it; `cron` is six fields, or Hourly, Daily or Weekly, or "" for never."""

    rules: Sequence[Rule]
    mode: str = "artifact"
    cron: str = ""

    @property
    def body(self) -> dict[str, Any]:
        """As it is sent."""
        return {
            "algorithm": "or",
            "mode": self.mode,
            "rules": [{**asdict(rule), "action": "retain"} for rule in self.rules],
            "trigger": {"kind": "Schedule", "settings": {"cron": self.cron}},
        }


def in_force(project: str) -> Call[InForce]:
    """The policy in force in a project."""
    return asking(reader(InForce), _of_project(project), headers=BY_NAME)


def choose_default(project: str, *, use_default: bool) -> Call[None]:
    """Whether the hub's policy is for a project without one of its own."""
    return changing("PUT", _of_project(project), {"use_default": use_default}, headers=BY_NAME)


def default() -> Call[Policy]:
    """The hub's policy, for projects without their own."""
    return asking(reader(Policy), f"{OWN}/default")


def set_default(wanted: Wanted) -> Call[Policy]:
    """Make or replace the hub's policy."""
    return answering(reader(Policy), "PUT", f"{OWN}/default", wanted.body)


def create(project_id: int, wanted: Wanted) -> Call[int]:
    """Make the policy of a project; its id."""
    return making(f"{API}/retentions", {**wanted.body, "scope": {"level": "project", "ref": project_id}})


def change(policy: Policy, wanted: Wanted) -> Call[None]:
    """Replace what a policy says."""
    return changing("PUT", f"{API}/retentions/{policy.id}", {**wanted.body, "scope": asdict(policy.scope)})


def delete(policy: int) -> Call[None]:
    """Delete a policy with its history."""
    return changing("DELETE", f"{API}/retentions/{policy}")


def start(policy: int, *, dry_run: bool) -> Call[int]:
    """Run it now; the id of the run."""
    return making(f"{API}/retentions/{policy}/executions", {"dry_run": dry_run})


def stop(policy: int, run: int) -> Call[None]:
    """Stop a run."""
    return changing("PATCH", f"{API}/retentions/{policy}/executions/{run}", {"action": "stop"})


def runs(policy: int) -> Listing[Run]:
    """The runs of a policy, the last first."""
    return Listing(f"{API}/retentions/{policy}/executions", reader(Run))


def run(policy: int, run: int) -> Call[WholeRun]:
    """How far a run is, or what came of it."""
    return asking(reader(WholeRun), f"{OWN}/policies/{policy}/executions/{run}")


def tasks(policy: int, run: int) -> Listing[Task]:
    """What a run made of each repository."""
    return Listing(f"{API}/retentions/{policy}/executions/{run}/tasks", reader(Task))


def decisions(policy: int, run: int, task: int) -> Listing[Decision]:
    """What was decided in one repository, what goes before what stays."""
    at = f"{OWN}/policies/{policy}/executions/{run}/tasks/{task}/decisions"
    return Listing(at, reader(Decision))


def simulate(
    project: str, wanted: Wanted, *, repository: str = "", after: str = "", page: int = 1
) -> Call[Simulated]:
    """What a policy would do: counts of repositories, those that follow `after`, or the decisions in one."""
    path = with_query(f"{_of_project(project)}/simulate", {"page": page, "page_size": 100})
    body = {**wanted.body, "repository": repository, "after": after}
    return answering(reader(Simulated), "POST", path, body, headers=BY_NAME)


def _of_project(project: str) -> str:
    return f"{OWN}/projects/{segment(project)}"
