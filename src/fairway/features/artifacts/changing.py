"""What people change about what is there, whichever API they use: deleting manifests and tags, adding tags.

All but `delete_repository` are bodies of transactions.  They lock in the order of digests: the project, artifacts, tags, links; reviews follow, the quota comes last.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import ManifestUnknown, NameUnknown, PreconditionFailed
from fairway.core.oci.names import Reference, Repository, Tag
from fairway.features.artifacts.model import Periods
from fairway.features.artifacts.store import blobs, deleted, history, kept, manifests, repositories, shown
from fairway.features.artifacts.store import tags as tag_rows
from fairway.features.immutability import rules as immutability
from fairway.features.immutability.model import Rule
from fairway.features.immutability.store import rows as immutable_rules
from fairway.features.immutability.store import standing
from fairway.frame import events
from fairway.frame.db import Body, Conn, Database, UniqueViolation, ledger

T = TypeVar("T")

AT_A_TIME = 40
"""Manifests of a repository that are deleted in one transaction: what each of them names is reviewed, too."""

MOST_ACCESSORIES = 500
"""Accessories that go in one transaction with their subject; more are left to the collector."""

LINKS_AT_A_TIME = 5_000
"""And no more than name so much together, or one that does: everybody else's writes wait for it."""


class Write(Protocol):
    """`Database.write`, or one that refuses when this worker has been given up."""

    async def __call__(self, body: Body[T], /) -> T: ...


@dataclass(frozen=True, slots=True)
class Place:
    """A project as somebody changes it: `actor` is told in events.

    `bound`: immutable tags stay.  Only what is left of a deleted project goes without asking.
    """

    project: int
    actor: str
    periods: Periods
    bound: bool = True

    async def record(self, conn: Conn, repo: Repository, kind: str, facts: Mapping[str, Any]) -> None:
        """Record what was done, to be told with its repository and who did it."""
        payload = {"project_id": self.project, "repository": repo, "actor": self.actor, **facts}
        await events.record(conn, f"project:{self.project}", kind, payload)

    async def repository(self, conn: Conn, repo: Repository) -> int:
        """The id of a repository.  Raises NameUnknown."""
        found = await manifests.repository(conn, self.project, repo.rest)
        if found is None:
            raise NameUnknown(f"there is no repository {repo}")
        return found

    async def ensure(self, conn: Conn, repo: Repository) -> kept.Kept:
        """A repository to push to; that it was made for it is recorded.  Raises NameUnknown and NameInvalid."""
        repository = await kept.ensure_repository(conn, self.project, repo.rest)
        if repository.new:
            await self.record(conn, repo, "repository.created", repository.facts)
        return repository

    async def rules(self, conn: Conn, repo: Repository) -> tuple[Rule, ...]:
        """The rules by which tags of a repository stay, which nobody changes until the transaction ends: to be asked for
        before any lock.  Raises NameUnknown when the project is gone."""
        if not self.bound:
            return ()
        return immutability.in_repository(await immutable_rules.kept(conn, self.project), repo.rest)


async def delete_manifest(conn: Conn, place: Place, repo: Repository, digest: Digest) -> None:
    """Delete a manifest with its tags.  Raises NameUnknown, ManifestUnknown, and PreconditionFailed when an index
    names it or one of the tags is immutable."""
    repository = await place.repository(conn, repo)
    if not await _delete(conn, place, repo, repository, [digest], whole={digest}):
        raise ManifestUnknown(f"{repo} has no manifest {digest}")


async def delete_with_accessories(conn: Conn, place: Place, repo: Repository, ref: Reference) -> None:
    """The same for what a tag or digest names, with its accessories, and theirs; those that an index names stay, and
    those with a tag that is immutable."""
    repository = await place.repository(conn, repo)
    digest = await _resolve(conn, place, repo, ref)
    found = await _bounded(conn, repository, [digest, *await _accessories(conn, repository, digest)])
    if digest not in await _delete(conn, place, repo, repository, found, whole={digest}):
        raise ManifestUnknown(f"{repo} has no manifest {digest}")


Unchanged = Callable[[Conn, Collection[int]], Awaitable[Collection[int]]]
"""Which artifacts, by their ids, are as somebody saw them; asked while nobody can change them or their tags."""


async def delete_unchanged(
    conn: Conn,
    place: Place,
    repo: Repository,
    repository: int,
    digests: Sequence[Digest],
    unchanged: Unchanged,
) -> tuple[Sequence[Digest], set[Digest]]:
    """Delete those of these manifests that are `unchanged`, with what lists do not show but for them: their accessories,
    and what only they name.

    The first of them, which were looked at, and those that went.  One that another index names stays, and so does one
    with a tag that is immutable.
    """
    await place.rules(conn, repo)  # before any lock
    first, going = digests[:0], dict[Digest, set[Digest]]()
    for digest in digests:
        going[digest] = await _with_it(conn, repository, digest)
        if first and sum(map(len, going.values())) > 2 * AT_A_TIME:
            break
        first = digests[: len(first) + 1]
    first = await _bounded(conn, repository, first)
    everything = {each for digest in first for each in going[digest]}
    children = await shown.children(conn, repository, everything)
    held = await shown.hold(conn, repository, everything | children, to_delete=True)
    for digest in sorted(held.keys() & set(first)):
        await tag_rows.lock_tags_of(conn, held[digest])
    still = await unchanged(conn, [held[digest] for digest in first if digest in held])
    chosen = [digest for digest in first if held.get(digest) in still]
    along = {each for digest in chosen for each in going[digest]}.difference(chosen)
    gone = await _delete(conn, place, repo, repository, along.union(chosen), along=along)
    return first, set(chosen) & set(gone)


async def _with_it(conn: Conn, repository: int, digest: Digest) -> set[Digest]:
    """A manifest, its accessories, what no list shows of all that it names, and theirs.

    A child that somebody may be about to name again stays, as it does when a person deletes its index.
    """
    seen: set[Digest] = set()
    waiting = {digest}
    while waiting and len(seen) < MOST_ACCESSORIES:
        seen |= waiting
        near = {each for of in sorted(waiting) for each in await _accessories(conn, repository, of)}
        near |= await shown.hidden(conn, repository, await shown.children(conn, repository, waiting))
        waiting = near - seen
    return seen


async def delete_repository(db: Database, place: Place, repo: Repository) -> None:
    """Delete all that a repository had when this began, in many transactions, and then the repository.

    It stays when somebody pushes to it meanwhile, with what they pushed.  Raises NameUnknown, and PreconditionFailed when
    a tag is immutable: before anything is deleted, unless it was made so meanwhile.
    """
    repository = await place.repository(db, repo)
    await standing.check_repository(db, place.project, repository, repo)
    await empty_repository(db, place, repo, repository, db.write)


async def empty_repository(
    db: Database, place: Place, repo: Repository, repository: int, write: Write
) -> None:
    """The same by its id, with each change through `write`."""
    newest = await repositories.newest(db, repository)
    while await _delete_unnamed(db, place, repo, repository, newest, write):
        continue  # once more, for what was named by an index that is gone now

    async def remove(conn: Conn) -> None:
        facts = await kept.facts(conn, repository)
        if await repositories.remove_empty(conn, repository):
            await place.record(conn, repo, "repository.deleted", facts)

    await write(remove)


async def _delete_unnamed(
    db: Database, place: Place, repo: Repository, repository: int, newest: int, write: Write
) -> int:
    """Delete each manifest up to the id `newest` that no other one names; how many went."""
    after, gone = "", 0
    while found := await repositories.some_artifacts(db, repository, newest, after, AT_A_TIME):
        digests = await _bounded(db, repository, found)
        after = digests[-1]

        async def body(conn: Conn, digests: Sequence[Digest] = digests) -> int:
            return len(await _delete(conn, place, repo, repository, digests, tagged=digests))

        gone += await write(body)
    return gone


async def _bounded(conn: Conn, repository: int, digests: Sequence[Digest]) -> Sequence[Digest]:
    """The first of these manifests: as many as name LINKS_AT_A_TIME together, and one at least."""
    counts = await manifests.link_counts(conn, repository, digests)
    total = 0
    for n, digest in enumerate(digests):
        total += counts.get(digest, 0)
        if n and total > LINKS_AT_A_TIME:
            return digests[:n]
    return digests


async def _resolve(conn: Conn, place: Place, repo: Repository, ref: Reference) -> Digest:
    row = await manifests.manifest_info(conn, place.project, repo.rest, ref)
    if row is None:
        raise ManifestUnknown(f"{repo} has no manifest {ref}")
    return Digest(row["digest"])


async def _accessories(conn: Conn, repository: int, digest: Digest) -> list[Digest]:
    """The accessories of a manifest, and theirs, nearest first."""
    seen, waiting = {digest}, [digest]
    found: list[Digest] = []
    while waiting and len(found) < MOST_ACCESSORIES:
        of = waiting.pop(0)
        near = await manifests.accessories(conn, repository, of, MOST_ACCESSORIES - len(found))
        new = [each for each in near if each not in seen]
        seen.update(new)
        found += new
        waiting += new
    return found


async def _delete(
    conn: Conn,
    place: Place,
    repo: Repository,
    repository: int,
    digests: Iterable[Digest],
    *,
    whole: Collection[Digest] = (),
    tagged: Collection[Digest] = (),
    along: Collection[Digest] = (),
) -> list[Digest]:
    """Delete manifests; those that went.

    One that an index names, which does not go too, stays, and so does one with a tag that is immutable; of `whole`, or
    for a tag of `tagged`, it is an error then, PreconditionFailed.  Of those that go `along` with others, one stays that
    belongs to what was to go and stays, and so does one that has been given a tag.
    """
    frozen_by = await place.rules(conn, repo)
    chosen = set(digests)
    children = await shown.children(conn, repository, chosen)
    held = await shown.hold(conn, repository, chosen | children, to_delete=True)
    rows = {digest: held[digest] for digest in sorted(chosen & held.keys())}
    tag_names = {digest: await tag_rows.lock_tags_of(conn, artifact) for digest, artifact in rows.items()}
    for digest in list(rows):
        for tag, rule in immutability.frozen(frozen_by, tag_names[digest]).items():
            if digest in whole or digest in tagged:
                raise immutability.refusal(rule, repo, tag)
            rows.pop(digest, None)
    subjects = await manifests.subjects(conn, rows.values())
    rows = {
        each: id for each, id in rows.items() if not tag_names[each] or each not in along or id in subjects
    }
    stay = (chosen & held.keys()) - rows.keys()
    parents = {each: await manifests.parents(conn, place.project, repository, each) for each in rows}
    while True:
        named = {each for each in rows if not parents[each] <= rows.keys()}
        for digest in sorted(named & set(whole)):
            parent = min(parents[digest] - rows.keys())
            raise PreconditionFailed(f"the index {parent} names this manifest; delete the index first")
        kept_with = {each for each, id in rows.items() if subjects.get(id) in stay and each in along}
        if not named | kept_with:
            break
        stay |= named | kept_with
        rows = {digest: artifact for digest, artifact in rows.items() if digest not in stay}
    for digest in rows:
        await ledger.lock_link(conn, place.project, digest)  # before the reviews, as whoever pushes it does
    await _review(conn, place, repository, rows)
    released, facts = 0, await kept.facts(conn, repository)
    for digest, artifact in rows.items():
        tags = tag_names[digest]
        if place.periods.undo:
            await deleted.keep(conn, artifact, repo.rest, tags, place.actor, place.periods.undo)
        gone: dict[str, tuple[str | None, str | None]] = dict.fromkeys(tags, (digest, None))
        await history.note(conn, repository, gone, how=history.DELETE, actor=place.actor)
        told = {"digest": digest, "tags": tags, **await manifests.remove_artifact(conn, artifact), **facts}
        released += await _release(conn, place, digest)
        await place.record(conn, repo, "artifact.deleted", told)
    await shown.refresh(conn, repository, children - rows.keys())
    await ledger.charge(conn, place.project, -released)
    return list(rows)


async def _review(conn: Conn, place: Place, repository: int, rows: Mapping[Digest, int]) -> None:
    """Ask the collector to look at manifests that go, at what they name and at what is about them."""
    changed = set(rows)
    for digest, artifact in rows.items():
        changed.update(await manifests.about(conn, repository, digest))
        changed.update(await manifests.linked(conn, artifact))
    await ledger.review_all(conn, place.project, sorted(changed), "manifest deleted", place.periods.grace)


async def _release(conn: Conn, place: Place, digest: Digest) -> int:
    """Drop the project's link to a manifest that no repository has any more; the bytes to release."""
    if not await ledger.lock_link(conn, place.project, digest):
        return 0
    if await manifests.manifest_in_project(conn, place.project, digest):
        return 0
    if await blobs.is_blob(conn, place.project, digest):
        return 0  # the same bytes were pushed as a blob too; the collector decides about that
    return await ledger.unlink(conn, place.project, digest)


async def delete_tag(
    conn: Conn, place: Place, repo: Repository, tag: Tag, *, on: Reference | None = None
) -> None:
    """Delete a tag, which must be one of the manifest `on` if that is given.

    Raises NameUnknown, ManifestUnknown, and PreconditionFailed when the tag is immutable.
    """
    frozen_by = await place.rules(conn, repo)
    repository = await place.repository(conn, repo)
    expected = None if on is None else await _resolve(conn, place, repo, on)
    await shown.hold(conn, repository, await shown.behind(conn, repository, [tag]))
    digest = await tag_rows.remove_tag(conn, repository, tag)
    if digest is None or expected not in (None, digest):
        raise ManifestUnknown(f"{repo if on is None else f'{repo}@{expected}'} has no tag {tag}")
    if (rule := immutability.freezing(frozen_by, tag)) is not None:
        raise immutability.refusal(rule, repo, tag)
    await history.note(conn, repository, {tag: (digest, None)}, how=history.DELETE, actor=place.actor)
    await ledger.review(conn, place.project, Digest(digest), "tag deleted", place.periods.grace)
    await shown.refresh(conn, repository, [Digest(digest)])
    facts = await kept.facts(conn, repository)
    await place.record(conn, repo, "tag.deleted", {"tag": tag, "digest": digest, **facts})


async def keep(conn: Conn, place: Place, repo: Repository, ref: Reference) -> tuple[int, Digest]:
    """A manifest's id and digest; nobody removes it until the transaction ends.  Raises NameUnknown, ManifestUnknown."""
    repository = await place.repository(conn, repo)
    digest = await _resolve(conn, place, repo, ref)
    row = await manifests.keep_artifact(conn, repository, digest)
    if row is None:
        raise ManifestUnknown(f"{repo} has no manifest {ref}")
    return row["id"], digest


async def add_tag(conn: Conn, place: Place, repo: Repository, ref: Reference, tag: Tag) -> None:
    """Give another tag to a manifest.

    Raises NameUnknown, ManifestUnknown, UniqueViolation when the tag is there, and PreconditionFailed when it stays there.
    """
    repository = await place.repository(conn, repo)
    artifact, digest = await keep(conn, place, repo, ref)
    if not await tag_rows.add_tag(conn, repository, tag, artifact):
        there = await tag_rows.digest_of(conn, repository, tag)
        frozen_by = immutability.in_repository(await immutable_rules.enabled(conn, place.project), repo.rest)
        if there != digest and (rule := immutability.freezing(frozen_by, tag)) is not None:
            raise immutability.refusal(rule, repo, tag)
        raise UniqueViolation(f"{repo} has the tag {tag} already; delete it first, or choose another name")
    await history.note(conn, repository, {tag: (None, digest)}, how=history.TAG, actor=place.actor)
    await ledger.keep_link(conn, place.project, digest)
    await ledger.review(conn, place.project, digest, "tag created", place.periods.grace)
    await shown.refresh(conn, repository, [digest])
    facts = await kept.facts(conn, repository)
    await place.record(conn, repo, "tag.created", {"tag": tag, "digest": digest, **facts})


async def hold_tags(conn: Conn, repository: int, digests: Collection[Digest]) -> None:
    """Let nobody change these manifests of a repository, or move and delete their tags, until the transaction ends."""
    held = await shown.hold(conn, repository, digests, to_delete=True)
    for digest in sorted(held):
        await tag_rows.lock_tags_of(conn, held[digest])
