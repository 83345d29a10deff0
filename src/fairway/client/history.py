"""What tags named before, and going back to it."""

from dataclasses import dataclass

from fairway.client.artifacts import Named
from fairway.client.call import Call, Listing, answering, reader, repository_segment, segment

OWN = "/api/fairway"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a tag: the digests it named `before` ("" for a new one) and `after` ("" for a deleted one)."""

    id: int
    before: str
    after: str
    how: str = ""
    by: str = ""
    time: str = ""


@dataclass(frozen=True, slots=True)
class Rolled:
    """What a tag named `before`, and names now."""

    before: str
    after: str


def changes(named: Named) -> Listing[Change]:
    """The changes of a tag, the last one first."""
    return Listing(f"{_path(named)}/history", reader(Change))


def roll_back(named: Named, digest: str) -> Call[Rolled]:
    """Let a tag name a manifest that is still there."""
    return answering(reader(Rolled), "POST", f"{_path(named)}/rollback", {"digest": digest})


def _path(named: Named) -> str:
    project, rest = segment(named.repository.project), repository_segment(named.repository.rest)
    return f"{OWN}/projects/{project}/repositories/{rest}/tags/{segment(named.reference)}"
