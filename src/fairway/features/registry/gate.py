"""One caller's view of the hub.  Each method is the whole story of one registry request: may they, where, what happened.

A pull with a person's token is decided by the token alone, which carries the project's id: no question to the database
about rights.  Of a personal access token it is asked whether it is still there, and of a robot what it holds now: their
secrets are in many hands, and taking something away must help at once.
Everything that changes something asks for the caller's rights as they are now; the token can only narrow them.
Where a body has to arrive first, they are asked for before it and again after it: it may take hours.

Without the right, the answer is 401 with the scopes it takes, whether the project exists or not: only who could see
every project learns that there is none.
"""

import time
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from fairway.core.content.local import Local
from fairway.core.content.protocols import ManifestInfo, StoredManifest, UploadState
from fairway.core.content.refusing import Refusing
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import BlobUnknown, NameInvalid, NameUnknown, Unauthorized
from fairway.core.oci.manifest import Descriptor, Manifest
from fairway.core.oci.names import Reference, Repository, Tag
from fairway.core.stores.protocols import Blob
from fairway.core.tokens import Access
from fairway.core.wire.challenge import Scope, bearer_challenge
from fairway.features.artifacts.names import Caller
from fairway.features.projects.model import Wanted
from fairway.features.projects.rules import is_name
from fairway.features.projects.store import projects
from fairway.features.registry import rights, sight, store
from fairway.features.registry.hub import SERVICE, Hub
from fairway.features.registry.rights import DELETE, PULL, PUSH
from fairway.features.registry.sight import Sight, key_of, sight_in
from fairway.frame.access.catalogue import REPOSITORY_PULL
from fairway.frame.access.may import ProjectFacts, granted_all_of, may
from fairway.frame.access.principals import ANONYMOUS, Principal, Robot, User, narrowed_to
from fairway.frame.db import UniqueViolation
from fairway.frame.web.who import Identity

FRESH_SECONDS = 1.0
"""A decision is not taken again within this time: it could as well have fallen just before the rights changed."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request goes on once it is allowed: one project's content, seen by this caller.

    `repo` is what a change is told of: the repository by its project's name of today, if it was asked for by a former one.
    `sight` says which blobs are there for who does not see all repositories of the project.
    """

    project: int
    local: Local
    repo: Repository
    sight: Sight | None = None


class Gate(Refusing):
    """Implements `Registry` for one request.  What is not written here stays refused."""

    def __init__(self, hub: Hub, identity: Identity, realm: str) -> None:
        self.hub = hub
        self.identity = identity
        self.realm = realm
        self._decided: tuple[Repository, str, Place, float] | None = None

    async def admit_push(self, repo: Repository) -> None:
        """Decide about a manifest before its bytes are asked for.  Raises as `put_manifest`."""
        await self._enter(repo, PUSH, begins=True)

    async def ping(self) -> None:
        if self.identity.token is None and self.identity.principal == ANONYMOUS:
            raise self._unauthorized([])

    async def repositories(self, *, after: str = "", limit: int) -> list[Repository]:
        scope = Scope(*rights.CATALOG, frozenset({"*"}))
        principal = await self._current([scope])
        token = self.identity.token
        narrowed = token is not None and not any(
            (access.type, access.name) == rights.CATALOG and "*" in access.actions for access in token.access
        )
        if narrowed or not may(principal, rights.CATALOG_PERMISSION):
            raise self._unauthorized([scope])
        return [Repository(name) for name in await store.catalogue(self.hub.db, after, limit)]

    # -- pull

    async def manifest(self, repo: Repository, ref: Reference) -> StoredManifest:
        place = await self._enter(repo, PULL)
        found = await place.local.manifest(repo, ref)
        self.hub.pulls.note(place.project, repo, ref, found.digest, self.identity.principal.name)
        return found

    async def manifest_info(self, repo: Repository, ref: Reference) -> ManifestInfo:
        place = await self._enter(repo, PULL, promise=isinstance(ref, Digest))
        return await place.local.manifest_info(repo, ref)

    async def blob(self, repo: Repository, digest: Digest) -> Blob:
        place = await self._enter(repo, PULL)
        await self._see(place, repo, digest)
        return await place.local.blob(repo, digest)

    async def blob_size(self, repo: Repository, digest: Digest) -> int:
        place = await self._enter(repo, PULL, promise=True)
        await self._see(place, repo, digest)
        return await place.local.blob_size(repo, digest)

    async def tags(self, repo: Repository, *, after: str = "", limit: int) -> list[str]:
        return await (await self._enter(repo, PULL)).local.tags(repo, after=after, limit=limit)

    async def referrers(
        self, repo: Repository, digest: Digest, *, artifact_type: str = "", after: str = "", limit: int
    ) -> list[Descriptor]:
        place = await self._enter(repo, PULL)
        return await place.local.referrers(
            repo, digest, artifact_type=artifact_type, after=after, limit=limit
        )

    # -- push

    async def put_blob(self, repo: Repository, digest: Digest, body: AsyncIterable[bytes]) -> None:
        place = await self._enter(repo, PUSH, begins=True)
        await place.local.put_blob(place.repo, digest, self._and_again(body, repo, place))
        await sight.brought(self.hub.db, place.sight, digest)

    async def mount_blob(self, repo: Repository, digest: Digest, source: Repository | None) -> bool:
        place = await self._enter(repo, PUSH, begins=True)
        allowed, seen = (True, place.sight) if source is None else await self._source(repo, source)
        if not allowed or await sight.hides(self.hub.db, seen, digest):
            return False
        if not await place.local.mount_blob(place.repo, digest, source):
            return False
        await sight.brought(self.hub.db, place.sight, digest)
        return True

    async def put_manifest(self, repo: Repository, manifest: Manifest, tags: Sequence[Tag]) -> None:
        place = await self._enter(repo, PUSH, begins=True, again=True)
        await sight.admit(self.hub.db, place.sight, manifest)
        await place.local.put_manifest(place.repo, manifest, tags)

    async def start_upload(self, repo: Repository) -> UploadState:
        return await (await self._enter(repo, PUSH, begins=True)).local.start_upload(repo)

    async def upload(self, repo: Repository, upload_id: str, /) -> UploadState:
        return await (await self._enter(repo, PUSH)).local.upload(repo, upload_id)

    async def append(
        self, repo: Repository, upload_id: str, /, body: AsyncIterable[bytes], *, at: int | None
    ) -> UploadState:
        return await (await self._enter(repo, PUSH)).local.append(repo, upload_id, body, at=at)

    async def finish(
        self,
        repo: Repository,
        upload_id: str,
        /,
        digest: Digest,
        body: AsyncIterable[bytes] | None,
        *,
        at: int | None,
    ) -> None:
        place = await self._enter(repo, PUSH)
        checked = self._and_again(body, repo, place) if body is not None else None
        await place.local.finish(place.repo, upload_id, digest, checked, at=at)
        await sight.brought(self.hub.db, place.sight, digest)

    async def cancel(self, repo: Repository, upload_id: str, /) -> None:
        await (await self._enter(repo, PUSH)).local.cancel(repo, upload_id)

    # -- delete

    async def delete_tag(self, repo: Repository, tag: Tag) -> None:
        place = await self._enter(repo, DELETE)
        await place.local.delete_tag(place.repo, tag)

    async def delete_manifest(self, repo: Repository, digest: Digest) -> None:
        place = await self._enter(repo, DELETE)
        await place.local.delete_manifest(place.repo, digest)

    async def delete_blob(self, repo: Repository, digest: Digest) -> None:
        place = await self._enter(repo, DELETE)
        if place.sight is not None:
            raise self._refused(repo, DELETE)  # it belongs to all repositories of the project
        await place.local.delete_blob(place.repo, digest)

    # -- may they?

    async def _see(self, place: Place, repo: Repository, digest: Digest) -> None:
        if await sight.hides(self.hub.db, place.sight, digest):
            raise BlobUnknown(f"{repo} has no blob {digest}")

    async def _and_again(
        self, body: AsyncIterable[bytes], repo: Repository, place: Place
    ) -> AsyncIterator[bytes]:
        """A body that ends only for who may still push to `place` when all of it is there."""
        async for piece in body:
            yield piece
        if (await self._enter(repo, PUSH, again=True)).project != place.project:
            raise self._refused(repo, PUSH)  # that project is gone, and another has its name

    async def _enter(
        self,
        repo: Repository,
        action: str,
        *,
        promise: bool = False,
        begins: bool = False,
        again: bool = False,
    ) -> Place:
        """The place behind a decision.  With `promise`, a positive answer must last if this caller may push here;
        `begins` is said of what may be a project's first push, `again` of a decision that was taken before this body.

        Raises Unauthorized, NameUnknown for a missing project if the caller may know that it is missing, and Denied or
        Unsupported while the operator allows no changes.
        """
        if again and (known := self._decided_lately(repo, action)):
            return known
        if not repo.rest:
            raise NameInvalid(f"a repository is named <project>/<name>, such as library/{repo}")
        access = self._access(repo, action)
        if action == PULL and access is not None and access.project is not None:
            now = self.identity.principal
            if isinstance(now, Robot) or narrowed_to(now):
                now = await self._current(_scopes(repo, action))
            if not isinstance(now, Robot) or granted_all_of(now, REPOSITORY_PULL, access.project):
                promise = promise and (PUSH in access.actions or await self._may_push(repo))
                return self._place(access.project, repo, self.identity.principal, promise=promise)
        asked = time.monotonic()
        principal = await self._current(_scopes(repo, action), again=again)
        facts = await projects.facts(self.hub.db, principal, repo.project)
        if facts is None and begins and not self.hub.changes.read_only:
            facts = await self._project_on_push(repo, principal)
        if not may(principal, rights.PERMISSIONS[action], facts, repo.rest):
            raise self._refused(repo, action)
        if action != PULL:
            self.hub.changes.admit(deletes=action == DELETE)
        if facts is None:
            raise NameUnknown(f"there is no project {repo.project}; create it first")
        if access is not None and access.project not in (None, facts.id):
            raise self._refused(repo, action)  # the token was made for an older project of this name
        promise = promise and may(principal, rights.PERMISSIONS[PUSH], facts, repo.rest)
        place = self._place(
            facts.id, _today(repo, facts, action), principal, promise=promise, seen=sight_in(principal, facts)
        )
        self._decided = repo, action, place, asked
        return place

    def _decided_lately(self, repo: Repository, action: str) -> Place | None:
        if self._decided is None or self._decided[:2] != (repo, action):
            return None
        place, when = self._decided[2:]
        return place if time.monotonic() - when < FRESH_SECONDS else None

    def _access(self, repo: Repository, action: str) -> Access | None:
        """What the caller's token says about `repo`; None without a token.  Raises Unauthorized if that is not enough."""
        if self.identity.token is None:
            return None
        access = rights.access_to(self.identity.token, repo)
        if access is None or action not in access.actions:
            raise self._refused(repo, action)
        return access

    async def _current(self, scopes: Sequence[Scope], *, again: bool = False) -> Principal:
        """The caller as they are today.  Raises Unauthorized, asking for `scopes`, when the account is closed."""
        try:
            return await self.hub.who.current(self.identity, again=again)
        except Unauthorized:
            raise self._unauthorized(scopes) from None

    async def _may_push(self, repo: Repository) -> bool:
        if self.identity.principal == ANONYMOUS:
            return False
        principal = await self._current(_scopes(repo, PULL))
        facts = await projects.facts(self.hub.db, principal, repo.project)
        return may(principal, rights.PERMISSIONS[PUSH], facts, repo.rest)

    async def _source(self, repo: Repository, source: Repository) -> tuple[bool, Sight | None]:
        """May the caller mount from there, and which blobs are there for them?  Where they may not, nobody can tell that
        from a blob that is not there."""
        access = None
        if self.identity.token is not None:
            access = rights.access_to(self.identity.token, source)
            if access is None:  # it never asked: let it ask for both
                raise self._unauthorized(
                    [rights.repository_scope(repo, (PULL, PUSH)), rights.repository_scope(source, (PULL,))]
                )
            if PULL not in access.actions:
                return False, None
        principal = await self._current(_scopes(repo, PUSH))
        facts = await projects.facts(self.hub.db, principal, source.project)
        if facts is None or not may(principal, rights.PERMISSIONS[PULL], facts, source.rest):
            return False, None
        return access is None or access.project in (None, facts.id), sight_in(principal, facts)

    async def _project_on_push(self, repo: Repository, principal: Principal) -> ProjectFacts | None:
        """A private project for a first push, where the operator allows it."""
        if not (
            isinstance(principal, User) and self.hub.makes_projects_for(principal) and is_name(repo.project)
        ):
            return None
        wanted = Wanted(repo.project, public=False, storage_limit=self.hub.usual_limit)
        with suppress(UniqueViolation):  # somebody else's first push was quicker
            await self.hub.db.write(lambda conn: projects.create(conn, wanted, principal))
        return await projects.facts(self.hub.db, principal, repo.project)

    def _place(
        self,
        project: int,
        repo: Repository,
        principal: Principal,
        *,
        promise: bool,
        seen: Sight | None = None,
    ) -> Place:
        caller = Caller(key_of(principal), principal.name, promise)
        return Place(project, self.hub.local(project, caller), repo, seen)

    def _refused(self, repo: Repository, action: str) -> Unauthorized:
        return self._unauthorized(_scopes(repo, action))

    def _unauthorized(self, scopes: Sequence[Scope]) -> Unauthorized:
        error = "" if self.identity.token is None else "insufficient_scope"
        what = " and ".join(str(scope) for scope in scopes) or "this registry"
        return Unauthorized(
            f"{self.identity.principal.name} has no access to {what}: log in as somebody who has, "
            "or check that the project exists",
            challenge=bearer_challenge(self.realm, SERVICE, scopes, error),
        )


def _today(repo: Repository, facts: ProjectFacts, action: str) -> Repository:
    """By its project's name of today.  Raises NameInvalid where that would make a longer name than a push may use."""
    if facts.name in ("", repo.project):
        return repo
    try:
        return Repository(f"{facts.name}/{repo.rest}")
    except NameInvalid:
        if action == PUSH:
            raise
        return repo


def _scopes(repo: Repository, action: str) -> list[Scope]:
    """What to ask for when `action` is refused."""
    return [rights.repository_scope(repo, (action,) if action == DELETE else (PULL, action))]
