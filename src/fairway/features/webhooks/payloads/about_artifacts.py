"""The `event_data` of what happens to artifacts, tags and repositories.

```text
artifact.pushed      repository (full name), actor, digest, tags {tag: {was: digest before, or null}}, moved
                     {tag: digest before, or null} of those whose target changed; without it `was` says it
artifact.restored    repository, actor, digest, tags
artifact.deleted     repository, actor, digest, tags
artifact.pulled      repository, actor, digest, tag ("" for a pull by digest), count (of pulls since the last event)
tag.created, tag.moved, tag.deleted      repository, actor, digest, tag, before (of one that moved)
signature.added      repository, actor, digest (of what is signed), signature (digest of it), kind
repository.created, repository.deleted   repository, actor
```
Each may say `repository_created_at` (µs) and `public`, as it was at that time; else it is looked up.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fairway.features.webhooks.payloads.notice import Surroundings

Facts = Mapping[str, Any]

MOST_RESOURCES: Final = 100
"""Tags that one notice names; an artifact may have a hundred thousand."""


def artifact(facts: Facts, where: Surroundings) -> dict[str, Any]:
    """Harbor's for a push and a deletion: a resource per tag, or one without any, which has the digest for its tag."""
    digest = str(facts.get("digest") or "")
    tags = sorted(facts.get("tags") or ()) or [digest]
    return {"resources": _resources(facts, where, tags), **repository(facts, where)}


def pull(facts: Facts, where: Surroundings) -> dict[str, Any]:
    """Harbor's for a pull.  When one notice tells of several, `custom_attributes` says how many."""
    reference = str(facts.get("tag") or facts.get("digest") or "")
    count = facts.get("count") or 1
    more = {"custom_attributes": {"pulls": str(count)}} if count != 1 else {}
    return {"resources": _resources(facts, where, [reference]), **repository(facts, where), **more}


def all_tags(facts: Facts, where: Surroundings) -> dict[str, Any] | None:
    """Of what is about one tag or several; nothing when it is about none."""
    tags = [str(facts["tag"])] if facts.get("tag") else sorted(facts.get("tags") or ())
    before = facts.get("before")
    return _tags(facts, where, dict.fromkeys(tags, before))


def created_tags(facts: Facts, where: Surroundings) -> dict[str, Any] | None:
    """The tags that a push made."""
    return _tags(facts, where, {tag: None for tag, before in _moved(facts) if before is None})


def moved_tags(facts: Facts, where: Surroundings) -> dict[str, Any] | None:
    """The tags that a push took from another artifact."""
    return _tags(facts, where, {tag: before for tag, before in _moved(facts) if before is not None})


def signature(facts: Facts, where: Surroundings) -> dict[str, Any]:
    """That something was signed: the resource is what is signed."""
    digest = str(facts.get("digest") or "")
    said = {"digest": str(facts.get("signature") or ""), "kind": str(facts.get("kind") or "")}
    return {"resources": _resources(facts, where, [digest]), **repository(facts, where), "signature": said}


def repository(facts: Facts, where: Surroundings) -> dict[str, Any]:
    """Harbor's Repository, with when it was made unless that is not known any more."""
    shown = repository_of(facts, where)
    if created_at := facts.get("repository_created_at") or where.created_at:
        shown = {"date_created": created_at // 1_000_000, **shown}
    return {"repository": shown}


def repository_of(facts: Facts, where: Surroundings) -> dict[str, Any]:
    """The same without when it was made."""
    full = str(facts.get("repository") or "")
    project, _, rest = full.partition("/")
    return {
        "name": rest,
        "namespace": project or where.name,
        "repo_full_name": full,
        "repo_type": "public" if facts.get("public", where.public) else "private",
    }


def resource_url(facts: Facts, where: Surroundings, reference: str) -> str:
    """How clients call it: `host/project/app:tag`, or with `@` a digest."""
    return f"{where.host}/{facts.get('repository') or ''}{'@' if ':' in reference else ':'}{reference}"


def _moved(facts: Facts) -> list[tuple[str, str | None]]:
    moved = facts.get("moved")
    if moved is None and isinstance(tags := facts.get("tags"), Mapping):
        moved = {tag: each["was"] for tag, each in tags.items() if each["was"] != facts.get("digest")}
    return sorted((moved or {}).items())


def _tags(facts: Facts, where: Surroundings, before: Mapping[str, str | None]) -> dict[str, Any] | None:
    if not before:
        return None
    resources = _resources(facts, where, before)
    for resource in resources:
        if was := before[resource["tag"]]:
            resource["previous_digest"] = was
    return {"resources": resources, **repository(facts, where)}


def _resources(facts: Facts, where: Surroundings, references: Iterable[str]) -> list[dict[str, Any]]:
    digest = str(facts.get("digest") or "")
    return [
        {"digest": digest, "tag": each, "resource_url": resource_url(facts, where, each)}
        for each in list(references)[:MOST_RESOURCES]
    ]
