"""Which policies want a notice: the rule over event types and selectors.  Pure."""

from fairway.features.webhooks.model import Policy
from fairway.features.webhooks.payloads.notice import Notice


def wants(policy: Policy, notice: Notice, project: str) -> bool:
    """Whether a policy is to be told.

    Selectors of repositories are asked about the name without the project's.  Those of tags want at least one tag that
    all of them select, so that with any of them what has no tag is not told.  Neither is asked about a notice that is
    about no repository, or about no artifact.
    """
    if not policy.enabled or notice.type not in policy.event_types:
        return False
    if notice.repository and policy.repositories:
        name = notice.repository.removeprefix(f"{project}/")
        if not all(selector.selects(name) for selector in policy.repositories):
            return False
    if notice.tags is None or not policy.tags:
        return True
    return any(all(selector.selects(tag) for selector in policy.tags) for tag in notice.tags)
