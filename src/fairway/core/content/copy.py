"""Moving images: one function for replication, warming a cache, preheating, import and export.

Filters and renames (which refs?) belong to the caller, rate limits (how fast?) to a wrapper around a place.
"""

from collections.abc import Iterable

from fairway.core.content.protocols import Source, Target
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import BlobUnknown, ManifestInvalid
from fairway.core.oci.manifest import Manifest
from fairway.core.oci.names import Reference, Repository, Tag

MAX_MANIFESTS = 10_000
"""How many distinct manifests one copy may walk: an index that leads to more is refused, not followed."""


async def copy(
    src: Source, dst: Target, repo: Repository, ref: Reference, *, into: Repository | None = None
) -> Digest:
    """Make `ref` and all it points to present in `dst`, as `into` or under its own name; what `ref` meant.

    Blobs land before the manifests that need them and children before parents, so that what was written when an
    error ends the copy is complete in itself, and a repeated copy finishes it. Each digest is walked once, however
    often it is pointed to. Layers that must not be distributed, and subjects, stay where they are; a descriptor's
    `urls` are never followed.

    Raises what the two places raise, and ManifestInvalid beyond `MAX_MANIFESTS`.
    """
    target = into or repo
    stored = await src.manifest(repo, ref)
    root = stored.parsed()
    seen = {root.digest}
    blobs: set[Digest] = set()
    open_manifests: list[tuple[Manifest, list[Digest]]] = [(root, list(root.children()))]
    while open_manifests:
        manifest, children = open_manifests[-1]
        if children:
            child = children.pop()
            if child in seen:
                continue
            if len(seen) >= MAX_MANIFESTS:
                raise ManifestInvalid(f"this index leads to more than {MAX_MANIFESTS} manifests")
            seen.add(child)
            found = (await src.manifest(repo, child)).parsed()
            open_manifests.append((found, list(found.children())))
            continue
        open_manifests.pop()
        await _copy_blobs(src, dst, repo, target, (d for d in manifest.required_blobs() if d not in blobs))
        blobs.update(manifest.required_blobs())
        tags = [ref] if manifest is root and isinstance(ref, Tag) else []
        await dst.put_manifest(target, manifest, tags)
    return root.digest


async def _copy_blobs(
    src: Source, dst: Target, repo: Repository, target: Repository, digests: Iterable[Digest]
) -> None:
    for digest in digests:
        try:
            await dst.blob_size(target, digest)
        except BlobUnknown:
            blob = await src.blob(repo, digest)
            await dst.put_blob(target, digest, blob.read(0, blob.size))
