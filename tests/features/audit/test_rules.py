"""Which line of the audit log an event becomes."""

import pytest

from fairway.features.audit.rules import Entry, entries

ARTIFACT = {"repository": "library/app", "actor": "alice", "digest": "sha256:a"}


@pytest.mark.parametrize(
    ("kind", "operation", "verb"),
    [
        ("artifact.pushed", "create", "create"),
        ("artifact.restored", "create", "restore"),
        ("artifact.deleted", "delete", "delete"),
    ],
)
def test_artifacts_by_their_first_tag_or_their_digest(kind: str, operation: str, verb: str) -> None:
    text = f"{verb} artifact: library/app@sha256:a"
    assert entries(kind, {**ARTIFACT, "tags": ["v2", "v1"]}) == [
        Entry("alice", "library/app:v1", "artifact", operation, f"{text} with v1, v2")
    ]
    assert entries(kind, {**ARTIFACT, "tags": []}) == [
        Entry("alice", "library/app@sha256:a", "artifact", operation, text)
    ]


def test_tags_repositories_and_projects() -> None:
    assert entries("tag.deleted", {**ARTIFACT, "tag": "v1"}) == [
        Entry("alice", "library/app:v1", "tag", "delete", "delete tag: library/app:v1")
    ]
    assert entries("tag.created", {**ARTIFACT, "tag": "v1"}) == [
        Entry("alice", "library/app:v1", "tag", "create", "create tag: library/app:v1")
    ]
    assert entries("repository.deleted", {"repository": "library/app", "actor": "alice"}) == [
        Entry("alice", "library/app", "repository", "delete", "delete repository: library/app")
    ]
    assert entries("project.created", {"name": "team", "by": "bob"}) == [
        Entry("bob", "team", "project", "create", "create project: team")
    ]


def test_changes_of_a_project() -> None:
    facts = {"by": "alice", "name": "bob", "role": "guest", "project": "team", "hard": -1}
    assert entries("project.updated", {"name": "team", "by": "bob"}) == [
        Entry("bob", "team", "project", "update", "update project: team")
    ]
    assert entries("member.created", facts) == [
        Entry("alice", "bob", "member", "create", "create member: bob as guest of project team")
    ]
    assert entries("quota.updated", {**facts, "name": "team"}) == [
        Entry("alice", "team", "quota", "update", "update quota: team to -1 bytes")
    ]
    renamed = {"by": "alice", "name": "crew", "former": "team"}
    assert entries("project.name-changed", renamed) == [
        Entry("alice", "crew", "project", "update", "rename project: team to crew")
    ]
    assert entries("project.alias-dropped", renamed) == [
        Entry("alice", "crew", "project", "update", "let go of the former name team of project: crew")
    ]
    assert entries("project.renamed", facts) == entries("nothing", facts) == []


def test_blobs_are_not_told() -> None:
    assert entries("blob.pushed", ARTIFACT) == []
