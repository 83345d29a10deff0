"""What is told beyond Harbor's events: tags, signatures, repositories, projects and members."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from fairway.features.webhooks.model import CLOUDEVENTS, HTTP
from fairway.features.webhooks.payloads import samples
from fairway.features.webhooks.payloads.formats import render
from fairway.features.webhooks.payloads.notice import EVENT_TYPES, Surroundings
from fairway.features.webhooks.payloads.notices import KINDS, notices, types

D = "sha256:" + "a" * 64
E = "sha256:" + "b" * 64
HERE = Surroundings("hub.example.com", 7, "team", False, 1_600_000_000_000_000)
COMMON = {"project_id": 7, "repository": "team/app", "actor": "alice"}
REPOSITORY = {
    "date_created": 1_600_000_000,
    "name": "app",
    "namespace": "team",
    "repo_full_name": "team/app",
    "repo_type": "private",
}
PROJECT = {"id": 7, "name": "team"}
MEMBER = {"id": 5, "name": "bob", "type": "user", "role": "developer"}
OF_MEMBER = {
    "project_id": 7,
    "project": "team",
    "member_id": 5,
    "user_id": 9,
    "name": "bob",
    "role": "developer",
}


def resource(tag: str, **more: str) -> dict[str, str]:
    return {"digest": D, "tag": tag, "resource_url": f"hub.example.com/team/app:{tag}", **more}


def of_tags(*resources: Mapping[str, str]) -> dict[str, Any]:
    return {"resources": list(resources), "repository": REPOSITORY}


EVENTS: list[tuple[str, Mapping[str, Any], str, Mapping[str, Any]]] = [
    ("tag.created", {**COMMON, "digest": D, "tag": "v1"}, "TAG_CREATED", of_tags(resource("v1"))),
    ("tag.deleted", {**COMMON, "digest": D, "tag": "v1"}, "TAG_DELETED", of_tags(resource("v1"))),
    (
        "tag.moved",
        {**COMMON, "digest": D, "tag": "v1", "before": E},
        "TAG_MOVED",
        of_tags(resource("v1", previous_digest=E)),
    ),
    (
        "artifact.deleted",
        {**COMMON, "digest": D, "tags": ["b", "a"]},
        "TAG_DELETED",
        of_tags(resource("a"), resource("b")),
    ),
    (
        "artifact.pushed",
        {**COMMON, "digest": D, "tags": ["new", "old", "same"], "moved": {"new": None, "old": E}},
        "TAG_CREATED",
        of_tags(resource("new")),
    ),
    (
        "artifact.pushed",
        {**COMMON, "digest": D, "tags": ["new", "old", "same"], "moved": {"new": None, "old": E}},
        "TAG_MOVED",
        of_tags(resource("old", previous_digest=E)),
    ),
    ("artifact.restored", {**COMMON, "digest": D, "tags": ["v1"]}, "TAG_CREATED", of_tags(resource("v1"))),
    (
        "signature.added",
        {**COMMON, "digest": D, "signature": E, "kind": "signature.cosign"},
        "SIGNATURE_ADDED",
        {
            "resources": [{"digest": D, "tag": D, "resource_url": f"hub.example.com/team/app@{D}"}],
            "repository": REPOSITORY,
            "signature": {"digest": E, "kind": "signature.cosign"},
        },
    ),
    ("repository.created", COMMON, "REPOSITORY_CREATED", {"repository": REPOSITORY}),
    ("repository.deleted", COMMON, "REPOSITORY_DELETED", {"repository": REPOSITORY}),
    (
        "project.updated",
        {"project_id": 7, "name": "team", "public": True, "by": "alice"},
        "PROJECT_UPDATED",
        {"project": {**PROJECT, "type": "public"}},
    ),
    (
        "project.name-changed",
        {"project_id": 7, "name": "crew", "former": "team", "by": "alice"},
        "PROJECT_UPDATED",
        {"project": {"id": 7, "name": "crew", "type": "private", "former_name": "team"}},
    ),
    (
        "project.deleted",
        {"project_id": 7, "name": "team", "by": "alice"},
        "PROJECT_DELETED",
        {"project": PROJECT},
    ),
    ("member.created", {**OF_MEMBER, "by": "alice"}, "MEMBER_ADDED", {"project": PROJECT, "member": MEMBER}),
    (
        "member.updated",
        {**OF_MEMBER, "by": "alice"},
        "MEMBER_CHANGED",
        {"project": PROJECT, "member": MEMBER},
    ),
    (
        "member.deleted",
        {**OF_MEMBER, "by": "alice"},
        "MEMBER_REMOVED",
        {"project": PROJECT, "member": MEMBER},
    ),
]


@pytest.mark.parametrize(("kind", "facts", "told_as", "data"), EVENTS)
def test_what_is_told(kind: str, facts: Mapping[str, Any], told_as: str, data: Mapping[str, Any]) -> None:
    (told,) = [each for each in notices(kind, facts, HERE, id="e1", at=5_000_000) if each.type == told_as]
    assert (told.data, told.operator) == (data, "alice")
    event = json.loads(render(told, HTTP, CLOUDEVENTS, project=7, policy=3)[1])
    assert event["type"].startswith("fairway.")
    assert event["data"] == data


def test_notices_of_one_event_are_told_apart() -> None:
    facts = {**COMMON, "digest": D, "tags": ["a", "b"], "moved": {"a": None, "b": E}}
    made = notices("artifact.pushed", facts, HERE, id="e1", at=1)
    assert [each.type for each in made] == ["PUSH_ARTIFACT", "TAG_CREATED", "TAG_MOVED"]
    assert len({each.id for each in made}) == 3
    assert made[0].id == "e1"


def test_where_tags_were_is_as_good_as_what_moved() -> None:
    facts = {**COMMON, "digest": D, "tags": {"new": {"was": None}, "old": {"was": E}, "same": {"was": D}}}
    made = {each.type: each.data for each in notices("artifact.pushed", facts, HERE, id="e1", at=1)}
    assert [each["tag"] for each in made["PUSH_ARTIFACT"]["resources"]] == ["new", "old", "same"]
    assert made["TAG_CREATED"] == of_tags(resource("new"))
    assert made["TAG_MOVED"] == of_tags(resource("old", previous_digest=E))


def test_what_an_event_says_of_its_time_counts() -> None:
    facts = {**COMMON, "digest": D, "tag": "v1", "repository_created_at": 5_000_000, "public": True}
    (told,) = notices("tag.deleted", facts, HERE, id="e1", at=1)
    assert told.data["repository"] == {**REPOSITORY, "date_created": 5, "repo_type": "public"}


def test_a_push_that_moves_no_tag_tells_of_none() -> None:
    facts = {**COMMON, "digest": D, "tags": ["a"], "moved": {}}
    assert [each.type for each in notices("artifact.pushed", facts, HERE, id="e1", at=1)] == ["PUSH_ARTIFACT"]


def test_every_type_comes_from_an_event_and_has_a_sample() -> None:
    assert {each for kind in KINDS for each in types(kind)} == set(EVENT_TYPES)
    for event_type in EVENT_TYPES:
        told = samples.sample(event_type, HERE, "alice", id="s1", at=1)
        assert (told.type, told.operator) == (event_type, "alice")
        assert told.data


def test_what_is_not_told_of_is_nothing() -> None:
    assert types("blob.pushed") == frozenset()
    assert notices("blob.pushed", {}, HERE, id="e1", at=1) == []
