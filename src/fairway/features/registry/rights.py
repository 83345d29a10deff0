"""The words of the token specification in terms of our permissions, and what a token allows.  Pure."""

from collections.abc import Iterable
from typing import Final

from fairway.core.oci.names import Repository
from fairway.core.tokens import Access, Token
from fairway.core.wire import paths
from fairway.core.wire.challenge import Scope
from fairway.core.wire.paths import Call
from fairway.frame.access.catalogue import (
    ARTIFACT_DELETE,
    CATALOG_READ,
    REPOSITORY_PULL,
    REPOSITORY_PUSH,
    Permission,
)
from fairway.frame.access.may import ProjectFacts, may
from fairway.frame.access.principals import Principal

PULL, PUSH, DELETE = "pull", "push", "delete"

PERMISSIONS: Final[dict[str, Permission]] = {
    PULL: REPOSITORY_PULL,
    PUSH: REPOSITORY_PUSH,
    DELETE: ARTIFACT_DELETE,
}
"""Action of a repository scope → what its holder must be permitted in the project."""

CATALOG = "registry", "catalog"
CATALOG_PERMISSION = CATALOG_READ

_PULLS = frozenset({PULL})
_PUSHES = frozenset({PULL, PUSH})  # every client asks for both: a push looks before it writes
_DELETES = frozenset({DELETE})

ACTIONS: Final[dict[type[Call], frozenset[str]]] = {
    paths.Ping: frozenset(),
    paths.Catalog: frozenset({"*"}),
    paths.HeadManifest: _PULLS,
    paths.GetManifest: _PULLS,
    paths.PutManifest: _PUSHES,
    paths.DeleteManifest: _DELETES,
    paths.HeadBlob: _PULLS,
    paths.GetBlob: _PULLS,
    paths.DeleteBlob: _DELETES,
    paths.StartUpload: _PUSHES,
    paths.GetUpload: _PUSHES,
    paths.PatchUpload: _PUSHES,
    paths.PutUpload: _PUSHES,
    paths.CancelUpload: _PUSHES,
    paths.ListTags: _PULLS,
    paths.ListReferrers: _PULLS,
}
"""What a challenge asks for, per call; the gate decides by itself, so a row here never opens anything."""


def scopes_for(call: Call | None) -> list[Scope]:
    """The scopes a client needs for a call."""
    if call is None or isinstance(call, paths.Ping):
        return []
    actions = ACTIONS[type(call)]
    if isinstance(call, paths.Catalog):
        return [Scope(*CATALOG, actions)]
    scopes = [repository_scope(call.repo, actions)]
    if isinstance(call, paths.StartUpload) and call.mount_from is not None:
        scopes.append(repository_scope(call.mount_from, _PULLS))
    return scopes


def repository_scope(repo: Repository, actions: Iterable[str]) -> Scope:
    """The scope of some actions on one repository."""
    return Scope("repository", repo, frozenset(actions))


def access_to(token: Token, repo: Repository) -> Access | None:
    """What a token says about a repository; None when it says nothing, no actions when it was asked and refused."""
    return next(
        (access for access in token.access if access.type == "repository" and access.name == repo), None
    )


def allowed(
    principal: Principal, asked: Iterable[str], facts: ProjectFacts | None, repository: str
) -> frozenset[str]:
    """requested ∩ granted: which of the actions the principal may do in a project's repository; `*` asks for all there
    are."""
    wanted = set(asked)
    names = PERMISSIONS if "*" in wanted else wanted & PERMISSIONS.keys()
    return frozenset(name for name in names if may(principal, PERMISSIONS[name], facts, repository))
