"""Letting a tag name again what it named before."""

from dataclasses import dataclass

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import ManifestUnknown
from fairway.core.oci.names import Repository, Tag
from fairway.features.artifacts.changing import Place
from fairway.features.artifacts.store import deleted, history, kept, shown
from fairway.features.artifacts.store import tags as tag_rows
from fairway.features.artifacts.store.history import Change
from fairway.features.immutability import rules as immutability
from fairway.frame.db import Conn, UniqueViolation, ledger


@dataclass(frozen=True, slots=True)
class Rolled:
    """What a tag named `before` (None: it had been deleted), and names `after`."""

    before: str | None
    after: Digest


async def roll_back(conn: Conn, place: Place, repo: Repository, tag: Tag, to: Digest | None) -> Rolled:
    """Let a tag name the manifest `to`, or, without one, what it named before its last change.

    The body of a transaction, which locks as `changing` does.  Raises NameUnknown; ManifestUnknown when nothing is known
    of the tag or the manifest is not there any more; UniqueViolation when the tag names it already, or was changed just
    now; and PreconditionFailed when the tag is immutable.
    """
    frozen_by = await place.rules(conn, repo)
    repository = await place.repository(conn, repo)
    last = None if to else await _last(conn, repo, repository, tag)
    wanted = to or Digest(str(last and last.before))
    held = await shown.hold(conn, repository, {wanted, *await shown.behind(conn, repository, [tag])})
    if wanted not in held:
        raise ManifestUnknown(await _gone(conn, place, repo, wanted))
    before = await tag_rows.move_tag(conn, repository, tag, held[wanted])
    if last is not None and before != last.after:
        raise UniqueViolation(f"{repo}:{tag} was changed just now; look at its history, and try again")
    if before == wanted:
        raise UniqueViolation(f"{repo}:{tag} names {wanted} already")
    if before is not None and (rule := immutability.freezing(frozen_by, tag)) is not None:
        raise immutability.refusal(rule, repo, tag)
    await history.note(conn, repository, {tag: (before, wanted)}, how=history.ROLLBACK, actor=place.actor)
    await ledger.keep_link(conn, place.project, wanted)
    changed = {wanted} if before is None else {wanted, Digest(before)}
    await ledger.review_all(conn, place.project, sorted(changed), "tag rolled back", place.periods.grace)
    await shown.refresh(conn, repository, changed)
    facts = {"tag": tag, "digest": wanted, **await kept.facts(conn, repository)}
    if before is None:
        await place.record(conn, repo, "tag.created", facts)
    else:
        await place.record(conn, repo, "tag.moved", {**facts, "before": before})
    return Rolled(before, wanted)


async def _last(conn: Conn, repo: Repository, repository: int, tag: Tag) -> Change:
    change = await history.last(conn, repository, tag)
    if change is None:
        raise ManifestUnknown(
            f"nothing is known of what {repo}:{tag} named before; say which digest it is to name"
        )
    if change.before is None:
        raise ManifestUnknown(f"{repo}:{tag} named nothing before; say which digest it is to name")
    return change


async def _gone(conn: Conn, place: Place, repo: Repository, digest: Digest) -> str:
    said = f"{repo} has no manifest {digest} any more"
    if await deleted.newest(conn, place.project, repo.rest, digest) is None:
        return f"{said}; push it again, or choose another one: fairway tag history shows them"
    return f"{said}, but it can be had back: fairway gc undo {repo}@{digest}"
