"""What the push of a manifest writes, and the mount of blobs it needs: parts of transactions.

They lock in the order of digests, as `changing` does: the project, artifacts, tags, links; reviews follow, the quota comes
last.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from fairway.core.crash import crashpoint
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import ManifestBlobUnknown
from fairway.core.oci.manifest import Manifest
from fairway.core.oci.names import Repository, Tag
from fairway.features.artifacts import charges, rules
from fairway.features.artifacts.changing import Place
from fairway.features.artifacts.store import blobs, history, manifests, shown
from fairway.features.artifacts.store import tags as tag_rows
from fairway.features.artifacts.store.kept import Kept
from fairway.features.immutability import rules as immutability
from fairway.features.immutability.model import Rule
from fairway.features.immutability.store import rows as immutable_rules
from fairway.frame.db import Conn, ledger


async def mount(
    conn: Conn, place: Place, repo: Repository, digests: Sequence[Digest], source: Repository
) -> tuple[int, int]:
    """Mount what the project of `source` has of blobs that are in order: how many, and the bytes to charge."""
    sizes, charge = {}, 0
    for digest in digests:
        if (row := await blobs.mountable(conn, source.project, digest)) is not None:
            sizes[digest] = row["size"]
            charge += await ledger.link(conn, place.project, digest, row["size"], row["id"])
    for digest, size in sizes.items():
        await record_blob(conn, place, repo, digest, size, mounted_from=source)
    return len(sizes), charge


async def record_blob(
    conn: Conn,
    place: Place,
    repo: Repository,
    digest: Digest,
    size: int,
    *,
    mounted_from: Repository | None = None,
) -> None:
    """Write what the laws ask for beside a blob that the project has now."""
    await ledger.lease(conn, place.project, digest, place.periods.lease)
    await ledger.review(conn, place.project, digest, "blob pushed", place.periods.grace)
    await ledger.review(conn, ledger.EVERYWHERE, digest, "blob pushed", place.periods.grace)
    payload: dict[str, Any] = {"digest": digest, "size": size}
    if mounted_from is not None:
        payload["mounted_from"] = mounted_from
    await place.record(conn, repo, "blob.pushed", payload)


async def put(
    conn: Conn,
    place: Place,
    repo: Repository,
    manifest: Manifest,
    tags: Sequence[Tag],
    source: Repository | None = None,
) -> None:
    """Store a manifest under these tags, with what it needs from `source` if that is given, and charge the project.

    Raises NameUnknown, PreconditionFailed for a tag that is immutable and names something else, ManifestBlobUnknown, and
    `charges.Refused`.
    """
    kept = await place.ensure(conn, repo)
    repository = kept.id
    frozen = await _frozen(conn, place, repo, repository, manifest, tags) if tags else {}
    children = set(manifest.children())
    before = await shown.behind(conn, repository, tags) - {manifest.digest} if tags else set()
    around = children | before
    held = await shown.hold(conn, repository, {manifest.digest, *around}) if around else {}
    mounted = 0 if source is None else await _mount_missing(conn, place, repo, manifest, source)
    await _require(conn, place, manifest, held)
    artifact, new = await _add(conn, place, repo, kept, manifest, tags)
    crashpoint("manifest.after_row")
    moved = await _point(conn, repo, repository, manifest, artifact, tags, frozen)
    how = history.PUSH if source is None else history.COPY
    changes: dict[str, tuple[str | None, str | None]] = {
        tag: (before, manifest.digest) for tag, before in moved.items()
    }
    await history.note(conn, repository, changes, how=how, actor=place.actor)
    charge = await ledger.link(conn, place.project, manifest.digest, manifest.size, None)
    await ledger.lease(conn, place.project, manifest.digest, place.periods.lease)
    changed = {manifest.digest, *(Digest(before) for before in moved.values() if before is not None)}
    await ledger.review_all(conn, place.project, sorted(changed), "manifest pushed", place.periods.grace)
    if around or not new or any(moved.values()):  # the last: a tag that was set since `around` was read
        await shown.refresh(conn, repository, changed | children)
    await place.record(conn, repo, "artifact.pushed", _pushed(manifest, moved) | kept.facts)
    await charges.charge(conn, place, repo, charge + mounted, manifest.digest, tags)


async def _frozen(
    conn: Conn, place: Place, repo: Repository, repository: int, manifest: Manifest, tags: Sequence[Tag]
) -> Mapping[str, Rule]:
    """The tags that stay where they are if they are there, each with the rule.

    One that is there for something else is refused now, before what the manifest lacks is told; one that is set meanwhile,
    when it would be moved.
    """
    found = immutability.in_repository(await immutable_rules.enabled(conn, place.project), repo.rest)
    frozen = immutability.frozen(found, tags)
    for tag in sorted(frozen):
        _refuse_moving(repo, tag, frozen, await tag_rows.digest_of(conn, repository, tag), manifest)
    return frozen


def _refuse_moving(
    repo: Repository, tag: str, frozen: Mapping[str, Rule], before: str | None, manifest: Manifest
) -> None:
    if tag in frozen and before not in (None, manifest.digest):
        raise immutability.refusal(frozen[tag], repo, tag)


async def _point(
    conn: Conn,
    repo: Repository,
    repository: int,
    manifest: Manifest,
    artifact: int,
    tags: Iterable[Tag],
    frozen: Mapping[str, Rule],
) -> Mapping[Tag, str | None]:
    """Let the tags name the manifest; each with the digest it named before, None for a new one."""
    moved = {}
    for tag in sorted(set(tags)):
        crashpoint("manifest.before_tag")
        moved[tag] = await tag_rows.move_tag(conn, repository, tag, artifact)
        _refuse_moving(repo, tag, frozen, moved[tag], manifest)
    return moved


async def _mount_missing(
    conn: Conn, place: Place, repo: Repository, manifest: Manifest, source: Repository
) -> int:
    """Mount what this project has not; the bytes to charge."""
    kinds = ("config", "layer", "foreign")  # a layer with `urls` may be here, or elsewhere only
    named = _in_lock_order(link.digest for link in manifest.links() if link.kind in kinds)
    present = await blobs.present_blobs(conn, place.project, named)
    return (await mount(conn, place, repo, [each for each in named if each not in present], source))[1]


async def _add(
    conn: Conn, place: Place, repo: Repository, kept: Kept, manifest: Manifest, tags: Sequence[Tag]
) -> tuple[int, bool]:
    """The id, and whether it is new."""
    children = manifest.children()
    sizes = await manifests.total_sizes(conn, kept.id, children) if children else []
    artifact, new = await manifests.add_artifact(
        conn, place.project, kept.id, manifest, total_size=rules.total_size(manifest, sizes)
    )
    if (found := rules.accessory(manifest, tags)) is not None:
        added = await manifests.make_accessory(conn, artifact, found.kind, found.subject)
        if added and found.kind in rules.SIGNATURES:
            facts = {"digest": found.subject, "signature": manifest.digest, "kind": found.kind}
            await place.record(conn, repo, "signature.added", facts | kept.facts)
    return artifact, new


async def _require(conn: Conn, place: Place, manifest: Manifest, held: Collection[Digest]) -> None:
    """All that the manifest needs is here and stays until the transaction ends; `held`: manifests that do.

    Raises ManifestBlobUnknown.
    """
    needed = _in_lock_order(manifest.required_blobs())
    if needed:
        present = await blobs.present_blobs(conn, place.project, needed)
        _refuse_missing([digest for digest in needed if digest not in present], "blob", "push it first")
    missing = [digest for digest in _in_lock_order(manifest.children()) if digest not in held]
    _refuse_missing(missing, "manifest", "push it first")


def _pushed(manifest: Manifest, moved: Mapping[Tag, str | None]) -> dict[str, Any]:
    return {
        "digest": manifest.digest,
        "media_type": manifest.media_type,
        "artifact_type": manifest.artifact_type,
        "size": manifest.size,
        "subject": manifest.subject.digest if manifest.subject else None,
        "tags": {tag: {"was": before} for tag, before in moved.items()},
        # Those that name something else now than before.
        "moved": {tag: before for tag, before in moved.items() if before != manifest.digest},
    }


def _refuse_missing(missing: Sequence[Digest], what: str, advice: str) -> None:
    if missing:
        raise ManifestBlobUnknown(
            f"the {what} {missing[0]} is not in this project; {advice}"
            + (f" ({len(missing) - 1} more are missing too)" if len(missing) > 1 else ""),
            detail=[{"digest": digest} for digest in missing[:20]],
        )


def _in_lock_order(digests: Iterable[Digest]) -> list[Digest]:
    return sorted(set(digests))
