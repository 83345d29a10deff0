"""What a run of the collector is told, what it says on its way, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import Enum
from typing import Final

from fairway.core.oci.errors import PreconditionFailed
from fairway.frame.web.errors import Conflict, NotFound

GARBAGE_COLLECTION: Final = "GARBAGE_COLLECTION"
ORPHAN_SEARCH: Final = "ORPHAN_SEARCH"
"""The kinds of its jobs; the first is Harbor's word."""

EVER = 2**62
"""A time in microseconds that never comes."""

UNTAGGED = "untagged"
"""What a review waits for when only a run that deletes untagged manifests may decide it."""


class CollectionOff(PreconditionFailed):
    """The operator has switched the collector off, or nothing may be changed at all."""


class NothingToUndo(NotFound):
    """Nobody deleted such a manifest, or its time is over."""


class UndoRefused(Conflict):
    """The deleted manifest cannot be had back as things are; the message says why."""


@dataclass(frozen=True, slots=True)
class Switches:
    """What the operator allows: `enabled` is the kill switch of the collector alone."""

    enabled: bool
    read_only: bool
    paused: Callable[[], bool] = lambda: False
    """Whether an administrator wants nothing to be changed at present."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a run is asked for.

    `run`: the number its items are kept under.  `workers`: batches in flight at a time, 1 to 5.
    `now`: no grace and no undo, everything is decided whose lease is over.
    """

    run: int
    delete_untagged: bool = False
    dry_run: bool = False
    workers: int = 1
    now: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= 5:
            raise ValueError("workers must be from 1 to 5")


@dataclass(frozen=True, slots=True)
class Collected:
    """What a run did, or with `dry_run` would do.

    `freed` is in bytes of stored blobs; `links` are digests a project no longer has and is no longer charged for.
    `kept` are reviews that ended with nothing to do, `skipped` what somebody else was using, `failed` what the
    database refused to change; both are looked at again by a later run.
    """

    freed: int = 0
    blobs: int = 0
    manifests: int = 0
    links: int = 0
    kept: int = 0
    skipped: int = 0
    failed: int = 0

    def __add__(self, other: "Collected") -> "Collected":
        return Collected(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __sub__(self, other: "Collected") -> "Collected":
        return Collected(*(getattr(self, f.name) - getattr(other, f.name) for f in fields(self)))

    @property
    def settled(self) -> int:
        """How many decisions changed something: while there are any, there may be more to do."""
        return self.blobs + self.manifests + self.links


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is: `turn` counts walks over the queue from 1, `collected` is what came of it so far."""

    turn: int
    collected: Collected


@dataclass(frozen=True, slots=True)
class Moment:
    """One point of the database's time, in microseconds, that a walk judges by.

    `due`: reviews until then are decided.  `undo`: deleted manifests that may be had back after it still count.
    """

    due: int
    undo: int
    run: int


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """What is known of one digest in one project, under the locks that keep it true."""

    digest: str
    readable: bool
    """The project shows the bytes as a blob."""
    leased: bool
    needed: bool
    """A manifest of the project, or one that may be had back, needs it as a blob."""
    manifest: bool
    """Some repository of the project has a manifest of this digest."""
    loose: bool
    """In some repository that manifest has neither tag nor index, and what it is about is not there."""


class Verdict(Enum):
    """What to do with a digest in a project."""

    WAIT = "wait"  # until its lease is over
    KEEP = "keep"
    HIDE = "hide"  # the manifest stays, the blob of the same bytes is nobody's
    LOOSE = "loose"  # a manifest to delete, where that is wanted
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Deleted:
    """A manifest that may be had back until `until_at` (microseconds since the epoch)."""

    id: int
    project: int
    repository: str
    digest: str
    media_type: str
    size: int
    tags: tuple[str, ...]
    deleted_at: int
    deleted_by: str
    until_at: int


@dataclass(frozen=True, slots=True)
class Restored:
    """A manifest that is back: with which tags, and which of its former tags belong to another one now."""

    tags: tuple[str, ...]
    taken: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Objects and rows that do not belong together: how many, and the first of them.

    `orphans` are stored objects that nothing names, `freed` their bytes; `missing` are blobs whose object is gone.
    """

    objects: int = 0
    orphans: int = 0
    freed: int = 0
    missing: int = 0
    orphan_keys: tuple[str, ...] = ()
    missing_digests: tuple[str, ...] = ()
