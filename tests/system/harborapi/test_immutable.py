"""Tags that stay, told through harborapi: a rule is made, holds, is switched off and on, changed and deleted."""

import pytest
from harborapi import HarborAsyncClient
from harborapi.exceptions import Conflict, NotFound, PreconditionFailed
from harborapi.models import ImmutableRule, ImmutableSelector, Tag

from hub import Hub
from system.harborapi.pushing import push
from system.harborapi.steps import new_project, number
from system.wire import Wire

pytestmark = pytest.mark.system


def rule(tags: str, repositories: str = "**") -> ImmutableRule:
    return ImmutableRule(
        action="immutable",
        template="immutable_template",
        tag_selectors=[ImmutableSelector(kind="doublestar", decoration="matches", pattern=tags)],
        scope_selectors={
            "repository": [
                ImmutableSelector(kind="doublestar", decoration="repoMatches", pattern=repositories)
            ]
        },
    )


async def test_a_released_tag_stays(hub: Hub, harbor: HarborAsyncClient) -> None:
    wire = Wire(hub)
    await new_project(harbor, "anchored")
    first = push(wire, "anchored/chain", "v1", seed=b"first")
    made = number(await harbor.create_project_immutable_tag_rule("anchored", rule("v*")))
    with pytest.raises(Conflict):
        await harbor.create_project_immutable_tag_rule("anchored", rule("v*"))
    [found] = await harbor.get_project_immutable_tag_rules("anchored")
    assert (found.id, found.disabled, found.action, found.template) == (
        made,
        False,
        "immutable",
        "immutable_template",
    )
    tags = await harbor.get_artifact_tags("anchored", "chain", first, with_immutable_status=True)
    assert [(tag.name, tag.immutable) for tag in tags] == [("v1", True)]
    push(wire, "anchored/chain", "nightly", seed=b"second")
    for refused in (
        harbor.delete_artifact_tag("anchored", "chain", "v1", "v1"),
        harbor.delete_artifact("anchored", "chain", "v1"),
        harbor.delete_repository("anchored", "chain"),
        harbor.create_artifact_tag("anchored", "chain", "nightly", Tag(name="v1")),
    ):
        with pytest.raises(PreconditionFailed):
            await refused
    await harbor.enable_project_immutable_tagrule("anchored", made, enabled=False)
    [found] = await harbor.get_project_immutable_tag_rules("anchored")
    assert found.disabled
    assert found.tag_selectors
    assert found.tag_selectors[0].pattern == "v*"
    await harbor.delete_artifact_tag("anchored", "chain", "v1", "v1")
    await harbor.enable_project_immutable_tagrule("anchored", made)
    await harbor.update_project_immutable_tag_rule("anchored", made, rule("nightly", "chain"))
    with pytest.raises(PreconditionFailed):
        await harbor.delete_artifact("anchored", "chain", "nightly")
    await harbor.delete_project_immutable_tag_rule("anchored", made)
    await harbor.delete_artifact("anchored", "chain", "nightly")
    with pytest.raises(NotFound):
        await harbor.delete_project_immutable_tag_rule("anchored", made)
