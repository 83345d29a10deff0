"""What a registry with a collector should hold, in a few lines of memory: sets, and no SQL."""

from dataclasses import dataclass, field

from fairway.core.oci.digest import Digest
from fairway.core.oci.manifest import Manifest

AS_BLOB = {"config", "layer", "foreign"}
Place = tuple[int, str, Digest]
"""Project, repository, digest."""


def named(manifest: Manifest, *kinds: str) -> set[Digest]:
    return {link.digest for link in manifest.links() if link.kind in kinds}


@dataclass
class Truth:
    """Which manifests there are, with which tags; what is deleted but kept; readable blobs; leases."""

    live: dict[Place, tuple[Manifest, set[str]]] = field(default_factory=dict)
    deleted: list[tuple[Place, Manifest, list[str]]] = field(default_factory=list)
    readable: set[tuple[int, Digest]] = field(default_factory=set)
    leased: set[tuple[int, Digest]] = field(default_factory=set)

    def push_blob(self, project: int, digest: Digest) -> None:
        self.readable.add((project, digest))
        self.leased.add((project, digest))

    def may_push(self, project: int, repo: str, manifest: Manifest) -> bool:
        return all((project, each) in self.readable for each in named(manifest, "config", "layer")) and all(
            (project, repo, each) in self.live for each in named(manifest, "child")
        )

    def push(self, project: int, repo: str, manifest: Manifest, tags: list[str]) -> None:
        for tag in tags:
            self.untag(project, repo, tag)
        place = (project, repo, manifest.digest)
        had = self.live.get(place, (manifest, set()))[1]
        self.live[place] = (manifest, had | set(tags))
        self.leased.add((project, manifest.digest))

    def untag(self, project: int, repo: str, tag: str) -> None:
        for (of, at, _), (_, tags) in self.live.items():
            if (of, at) == (project, repo):
                tags.discard(tag)

    def parents(self, place: Place) -> list[Place]:
        project, repo, digest = place
        return [
            other
            for other, (manifest, _) in self.live.items()
            if other[:2] == (project, repo) and other != place and digest in named(manifest, "child")
        ]

    def delete(self, place: Place) -> None:
        manifest, tags = self.live.pop(place)
        self.deleted.append((place, manifest, sorted(tags)))

    def deletable_blob(self, project: int, digest: Digest) -> bool:
        return (project, digest) in self.readable and not self._needed(project, digest, [])

    def undoable(self, place: Place) -> bool:
        kept = [manifest for at, manifest, _ in self.deleted if at == place]
        return bool(kept) and place not in self.live and self.may_push(place[0], place[1], kept[-1])

    def undo(self, place: Place) -> None:
        """Put back the last one; its tags only where nobody has them."""
        project, repo, _ = place
        _, manifest, tags = [each for each in self.deleted if each[0] == place][-1]
        used = {
            tag for (of, at, _), (_, on) in self.live.items() if (of, at) == (project, repo) for tag in on
        }
        self.deleted = [each for each in self.deleted if each[0] != place]
        self.live[place] = (manifest, set(tags) - used)
        self.leased.add((project, manifest.digest))

    # -- the collector

    def collect(self, *, untagged: bool, now: bool) -> None:
        """Let go of all that nothing needs."""
        if now:
            self.deleted.clear()
        while untagged and (loose := [place for place in self.live if self._loose(place)]):
            for place in loose:
                del self.live[place]
        kept = [(at[0], manifest) for at, manifest, _ in self.deleted]
        self.readable = {
            (project, digest)
            for project, digest in self.readable
            if (project, digest) in self.leased or self._needed(project, digest, kept)
        }

    def _needed(self, project: int, digest: Digest, kept: list[tuple[int, Manifest]]) -> bool:
        live = [(at[0], manifest) for at, (manifest, _) in self.live.items()]
        return any(of == project and digest in named(manifest, *AS_BLOB) for of, manifest in [*live, *kept])

    def _loose(self, place: Place) -> bool:
        project, repo, digest = place
        manifest, tags = self.live[place]
        if tags or (project, digest) in self.leased or self.parents(place):
            return False
        if any(at[0] == project and digest in named(kept, "child") for at, kept, _ in self.deleted):
            return False
        about = named(manifest, "subject")
        return not any((project, repo, each) in self.live for each in about) and not any(
            at[0] == project and at[2] in about for at, _, _ in self.deleted
        )

    # -- what must be in the database

    def artifacts(self) -> set[tuple[int, str, str, tuple[str, ...]]]:
        return {(*place, tuple(sorted(tags))) for place, (_, tags) in self.live.items()}

    def links(self) -> set[tuple[int, str]]:
        return {(project, digest) for project, _, digest in self.live} | self.readable

    def blobs(self) -> set[str]:
        return {digest for _, digest in self.readable}
