"""What may be there after all: the values a tag, a manifest or a blob may have, given what clients were told.

A register holds the last acknowledged write, or one that was under way at the same time as it, or one whose outcome
nobody knows and that nothing acknowledged has certainly overwritten.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from faults.journal import Deed

Value = str | None
"""A digest, or None for "nothing is there"."""


@dataclass(frozen=True, slots=True)
class Write:
    """A value that was written, or may have been, at some moment between `start` and `end`."""

    value: Value
    start: float
    end: float
    sure: bool

    @classmethod
    def of(cls, deed: Deed, value: Value) -> "Write":
        return cls(value, deed.started, deed.ended, deed.acknowledged)


@dataclass
class Register:
    """`writes` set a value whatever was there; `removals` empty the register if it holds their value.

    `before`: what it may have held when the journals began.
    """

    before: frozenset[Value] = frozenset({None})
    writes: list[Write] = field(default_factory=list)
    removals: list[Write] = field(default_factory=list)

    def possible(self) -> set[Value]:
        """The values it may have now."""
        sure = [write for write in self.writes if write.sure]
        found: set[Value] = set() if sure else set(self.before)
        for write in self.writes:
            over = [*sure, *(r for r in self.removals if r.sure and r.value == write.value)]
            if not any(other.start > write.end for other in over):
                found.add(write.value)
        if any(self._may_have_emptied(removal, sure) for removal in self.removals):
            found.add(None)
        return found

    def _may_have_emptied(self, removal: Write, sure: list[Write]) -> bool:
        """Might the register have held the removed value then, and has nothing certainly been written since?"""
        if any(later.start > removal.end for later in sure):
            return False
        return any(
            write.value == removal.value
            and write.start < removal.end
            and not any(other.start > write.end and other.end < removal.start for other in sure)
            for write in self.writes
        )


PRESENT = "present"


@dataclass
class Expected:
    """Every register the journals know, by what it is called."""

    tags: dict[tuple[str, str], Register]  # (repository, tag)
    manifests: dict[tuple[str, str], Register]  # (repository, digest)
    blobs: dict[tuple[str, str], Register]  # (project, digest)


def expected(deeds: Iterable[Deed]) -> Expected:
    """The registers after these deeds.  What was refused changed nothing."""
    tags: dict[tuple[str, str], Register] = defaultdict(Register)
    manifests: dict[tuple[str, str], Register] = defaultdict(Register)
    # Projects outlive scenes, and so does the empty blob, which every crowd pushes.
    blobs: dict[tuple[str, str], Register] = defaultdict(lambda: Register(frozenset({None, PRESENT})))
    done = [deed for deed in deeds if not deed.refused]
    for deed in done:
        match deed.kind:
            case "blob" | "mount":
                blobs[deed.project, deed.digest].writes.append(Write.of(deed, PRESENT))
            case "delete_blob":
                blobs[deed.project, deed.digest].writes.append(Write.of(deed, None))
            case "manifest":
                manifests[deed.repo, deed.digest].writes.append(Write.of(deed, PRESENT))
                for tag in deed.tags:
                    tags[deed.repo, tag].writes.append(Write.of(deed, deed.digest))
            case "untag":
                tags[deed.repo, deed.tags[0]].writes.append(Write.of(deed, None))
            case "delete":
                manifests[deed.repo, deed.digest].writes.append(Write.of(deed, None))
            case other:
                raise ValueError(f"a journal speaks of {other!r}")
    deletes = [deed for deed in done if deed.kind == "delete"]
    for (repo, _), register in tags.items():
        register.removals += [Write.of(deed, deed.digest) for deed in deletes if deed.repo == repo]
    return Expected(tags, manifests, blobs)
