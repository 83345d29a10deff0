"""What the registry's requests share in one process, and how a caller's place is put together from it."""

from dataclasses import dataclass, field

from fairway.core.content.local import Local
from fairway.core.content.small import SmallBlobs
from fairway.core.oci.digest import Digest
from fairway.core.oci.names import Repository
from fairway.core.stores.protocols import Blob, BlobStore
from fairway.core.tokens import SigningKeys
from fairway.features.artifacts.names import Caller, Periods, SqlNames
from fairway.features.projects.rules import usual_limit
from fairway.features.registry.pulls import Pulls
from fairway.frame.access.changes import ALL_CHANGES, Changes
from fairway.frame.access.may import may_make_projects
from fairway.frame.access.principals import Principal, User
from fairway.frame.clock import Clock
from fairway.frame.configuration import Configuration
from fairway.frame.configuration.declared import EVERYONE, PROJECT_CREATION, QUOTAS, STORAGE, TOKEN_MINUTES
from fairway.frame.db import Database
from fairway.frame.web.who import Authenticators

SERVICE = "harbor-registry"
"""Our name in challenges and tokens.  It is Harbor's, because scripts written for Harbor ask for it by name."""

ISSUER = "fairway"

_OURSELVES = Caller("", "", may_push=False)


@dataclass(frozen=True, slots=True)
class Hub:
    """The long-lived parts.  `token_db` is a pool of its own, so that pushes cannot starve logins."""

    db: Database
    token_db: Database
    store: BlobStore
    keys: SigningKeys
    who: Authenticators
    pulls: Pulls
    clock: Clock
    periods: Periods
    uploads_per_user: int
    token_seconds: int
    refresh_token_seconds: int
    create_project_on_push: bool
    configuration: Configuration
    changes: Changes = ALL_CHANGES
    small: SmallBlobs = field(default_factory=SmallBlobs)

    @property
    def token_life(self) -> int:
        """Seconds that a new token is good for."""
        minutes = self.configuration.chosen(TOKEN_MINUTES)
        return self.token_seconds if minutes is None else minutes * 60

    @property
    def usual_limit(self) -> int:
        """What a project may store whose limit nobody chose."""
        return usual_limit(enabled=self.configuration.get(QUOTAS), storage=self.configuration.get(STORAGE))

    def makes_projects_for(self, principal: Principal) -> bool:
        """Whether a push of theirs to a project that does not exist makes it."""
        everyone = self.configuration.get(PROJECT_CREATION) == EVERYONE
        return (
            self.create_project_on_push
            and isinstance(principal, User)
            and may_make_projects(principal, everyone=everyone)
        )

    def local(self, project: int, caller: Caller) -> Local:
        """Our own store as `caller` sees it in one project."""
        names = SqlNames(self.db, project, caller, self.periods, uploads_per_caller=self.uploads_per_user)
        return Local(names, self.store, self.small)

    async def open_blob(self, project: int, repo: Repository, digest: Digest) -> Blob:
        """A blob of a project, for ourselves: nobody is promised anything.  Raises BlobUnknown and Unavailable."""
        return await self.local(project, _OURSELVES).blob(repo, digest)
