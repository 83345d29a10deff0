"""Webhooks in the API's words: what a client says, and what it is shown."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

from fairway.core.oci.errors import BadRequest
from fairway.features.webhooks import asking, selectors
from fairway.features.webhooks.model import KnownTarget, Policy, Wanted
from fairway.frame.web.moments import moment


class SelectorIn(BaseModel):
    """A selector as Harbor's rules have it."""

    kind: str = Field(default="", max_length=32)
    decoration: str = Field(default="", max_length=32)
    pattern: str = ""


class TargetIn(BaseModel):
    """Harbor's WebhookTargetObject, with a `secret` that requests are signed with, and `fields` of a payload.

    `********` in place of a secret, or nothing, leaves it as it is.
    """

    type: str = ""
    address: str = ""
    auth_header: str | None = None
    skip_cert_verify: bool = False
    payload_format: str = ""
    secret: str | None = None
    fields: Any = None


class PolicyIn(BaseModel):
    """What a client may say of Harbor's WebhookPolicy, and selectors; other fields are ignored."""

    name: str = ""
    description: str = ""
    targets: list[TargetIn] = Field(default_factory=list)
    event_types: list[str] = Field(default_factory=list)
    enabled: bool = False
    tag_selectors: list[SelectorIn] | None = None
    scope_selectors: dict[str, list[SelectorIn]] | None = None


class SelectorOut(BaseModel):
    """A selector as Harbor's rules have it."""

    kind: str
    decoration: str
    pattern: str


class TargetOut(BaseModel):
    """Harbor's WebhookTargetObject; of secrets it shows that they are there."""

    type: str
    address: str
    auth_header: str | None = None
    skip_cert_verify: bool
    payload_format: str | None = None
    secret: str | None = None
    fields: Any = None


class HealthOut(BaseModel):
    """How a target takes what it is told."""

    address: str
    waiting: int
    failures: int
    last_error: str
    paused_until: str | None = None
    dropped: int


class PolicyOut(BaseModel):
    """Harbor's WebhookPolicy; `health` of each target, in their order, is there when one policy is asked for."""

    id: int
    name: str
    description: str
    project_id: int
    targets: list[TargetOut]
    event_types: list[str]
    creator: str
    creation_time: str
    update_time: str
    enabled: bool
    tag_selectors: list[SelectorOut]
    scope_selectors: dict[str, list[SelectorOut]]
    health: list[HealthOut] | None = None


def wanted(asked: PolicyIn) -> Wanted:
    """What a client asks for.  Raises BadRequest."""
    scopes = asked.scope_selectors
    if scopes is not None and (unknown := sorted(set(scopes) - {selectors.REPOSITORY})):
        raise BadRequest(f"scope_selectors has {unknown[0][:40]!r}; it knows repository only")
    return asking.wanted(
        name=asked.name,
        description=asked.description,
        event_types=asked.event_types,
        enabled=asked.enabled,
        targets=[
            asking.target(
                type=each.type,
                address=each.address,
                payload_format=each.payload_format,
                template=each.fields,
                auth_header=each.auth_header,
                secret=each.secret,
                skip_cert_verify=each.skip_cert_verify,
            )
            for each in asked.targets
        ],
        tag_selectors=_said(asked.tag_selectors),
        repository_selectors=None if scopes is None else _said(scopes.get(selectors.REPOSITORY, [])),
    )


def _said(given: Sequence[SelectorIn] | None) -> list[Mapping[str, Any]] | None:
    return None if given is None else [each.model_dump() for each in given]


def shown(policy: Policy, targets: Sequence[KnownTarget], *, health: bool = False) -> PolicyOut:
    """A policy as Harbor's JSON has it."""
    return PolicyOut(
        id=policy.id,
        name=policy.name,
        description=policy.description,
        project_id=policy.project,
        targets=[_target(each) for each in targets],
        event_types=list(policy.event_types),
        creator=policy.creator,
        creation_time=moment(policy.created_at),
        update_time=moment(policy.updated_at),
        enabled=policy.enabled,
        tag_selectors=[SelectorOut(**each) for each in selectors.shown(policy.tags, selectors.OF_TAGS)],
        scope_selectors={
            selectors.REPOSITORY: [
                SelectorOut(**each)
                for each in selectors.shown(policy.repositories, selectors.OF_REPOSITORIES)
            ]
        },
        health=[_health(each) for each in targets] if health else None,
    )


def _target(target: KnownTarget) -> TargetOut:
    return TargetOut(
        type=target.type,
        address=target.address,
        auth_header=asking.MASK if target.has_auth_header else None,
        skip_cert_verify=target.skip_cert_verify,
        payload_format=target.payload_format or None,
        secret=asking.MASK if target.has_secret else None,
        fields=target.fields,
    )


def _health(target: KnownTarget) -> HealthOut:
    how = target.standing
    return HealthOut(
        address=target.address,
        waiting=how.waiting,
        failures=how.failures,
        last_error=how.last_error,
        paused_until=moment(how.paused_until) if how.paused_until else None,
        dropped=how.dropped,
    )
