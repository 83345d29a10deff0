"""Policies, runs and decisions as the API says them."""

from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import Path
from pydantic import BaseModel, Field
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest
from fairway.features.retention import asking
from fairway.features.retention.model import RETENTION, Line, Policy, Wanted
from fairway.features.retention.store import policies
from fairway.frame.db import Conn, Database
from fairway.frame.jobs import schedules
from fairway.frame.jobs.schedules import Schedule
from fairway.frame.web.errors import NotFound
from fairway.frame.web.moments import moment
from fairway.frame.web.routes import ProjectRef

Id = Annotated[int, Path(ge=1, le=2**63 - 1)]
NEVER: Final = "0001-01-01T00:00:00.000Z"
_NOBODYS: Final = 0
"""The id of no project."""


class SelectorIn(BaseModel):
    """Harbor's RetentionSelector; `kind` can also be regex or semver."""

    kind: str = ""
    decoration: str = ""
    pattern: str = ""
    extras: str = ""


class RuleIn(BaseModel):
    """Harbor's RetentionRule."""

    priority: int = Field(default=0, ge=-(2**31), lt=2**31)
    disabled: bool = False
    action: str = ""
    template: str = ""
    params: dict[str, Any] = {}
    tag_selectors: list[SelectorIn] = []
    scope_selectors: dict[str, list[SelectorIn]] = {}


class TriggerIn(BaseModel):
    """Harbor's RetentionRuleTrigger, of which the cron expression counts."""

    kind: str = ""
    settings: dict[str, Any] = {}


class ScopeIn(BaseModel):
    """Harbor's RetentionPolicyScope."""

    level: str = ""
    ref: int = Field(default=0, ge=0, lt=2**63)


class RulesIn(BaseModel):
    """What a policy says: rules, and what goes as one (`mode`: artifact or tag)."""

    algorithm: str = ""
    mode: str = ""
    rules: list[RuleIn] = []

    def wanted(self, cron: str = "", trigger: str = "") -> Wanted:
        """Checked.  Raises BadRequest and Conflict."""
        rules = [rule.model_dump() for rule in self.rules]
        return asking.wanted(
            algorithm=self.algorithm, mode=self.mode, cron=cron, trigger=trigger, rules=rules
        )


class PolicyIn(RulesIn):
    """Harbor's RetentionPolicy, and `mode`."""

    trigger: TriggerIn | None = None
    scope: ScopeIn | None = None

    def wanted(self, cron: str = "", trigger: str = "", *, before: Wanted | None = None) -> Wanted:  # noqa: ARG002 - they are in the body
        """Checked; the mode is as `before` where it is not said.  Raises BadRequest and Conflict."""
        when = self.trigger or TriggerIn()
        said = when.settings.get("cron", "")
        if not isinstance(said, str):
            raise BadRequest("trigger.settings.cron is text; leave it empty for no schedule")
        wanted = super().wanted(said, when.kind)
        return wanted if self.mode or before is None else replace(wanted, mode=before.mode)


class TriggerOut(BaseModel):
    """Harbor's RetentionRuleTrigger; `references` has the id of the schedule as `job_id`."""

    kind: str = "Schedule"
    settings: dict[str, str]
    references: dict[str, int]


class ScopeOut(BaseModel):
    """Harbor's RetentionPolicyScope; level `system` and ref 0 for the policy of the server."""

    level: str
    ref: int


class PolicyOut(BaseModel):
    """Harbor's RetentionPolicy, and `mode`."""

    id: int
    algorithm: str = "or"
    rules: list[dict[str, Any]]
    trigger: TriggerOut
    scope: ScopeOut
    mode: str


class DecisionOut(BaseModel):
    """What was, or would be, decided about an image or a tag, and why: RETAIN, DEL, IMMUTABLE or ERR."""

    digest: str
    tags: list[str]
    type: str
    labels: list[str]
    push_time: str
    pull_time: str
    creation_time: str
    retention: str
    reason: str


def decision(line: Line) -> DecisionOut:
    """A line of the log."""
    digest, tags, kind, labels, pushed, pulled, created, mark, reason = line
    return DecisionOut(
        digest=digest,
        tags=tags,
        type=kind,
        labels=labels,
        push_time=time_of(pushed),
        pull_time=time_of(pulled),
        creation_time=time_of(created),
        retention=mark,
        reason=reason,
    )


def time_of(micros: int | None) -> str:
    """NEVER for none, and for one that nobody knows."""
    return moment(micros) if micros is not None and micros > 0 else NEVER


async def shown(conn: Conn, policy: Policy) -> PolicyOut:
    """A policy with its next time."""
    when: Schedule | None = None
    if policy.wanted.cron:
        when = await schedules.of(conn, RETENTION, policy.id)
    settings = {"cron": policy.wanted.cron}
    if when is not None and when.comes:
        settings["next_scheduled_time"] = moment(when.next_at)
    of_project = policy.project is not None
    return PolicyOut(
        id=policy.id,
        rules=asking.rules_shown(policy.wanted.rules),
        trigger=TriggerOut(settings=settings, references={} if when is None else {"job_id": when.id}),
        scope=ScopeOut(level="project" if of_project else "system", ref=policy.project or 0),
        mode=policy.wanted.mode,
    )


class HomeOfPolicy:
    """Finds the project of the policy in the path; None for that of the server, and no project for no policy."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def __call__(self, request: Request) -> ProjectRef | None:
        text = str(request.path_params["id"])
        if not (text.isascii() and text.isdigit() and len(text) <= 18):
            return _NOBODYS
        policy = await policies.by_id(self._db, int(text))
        return _NOBODYS if policy is None else policy.project


async def present(conn: Conn, id: int) -> Policy:
    """The policy with this id.  Raises NotFound."""
    found = await policies.by_id(conn, id)
    if found is None:
        raise NotFound(
            f"there is no retention policy {id}; a project's metadata names its own as retention_id"
        )
    return found
