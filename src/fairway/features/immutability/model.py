"""What is known about a rule that keeps tags where they are."""

from dataclasses import dataclass

from fairway.core.oci.patterns import Selector


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a rule should say: the tags that `tag` selects, in the repositories that `repository` selects by their names
    without the project, are immutable."""

    tag: Selector
    repository: Selector
    disabled: bool = False
    priority: int = 0

    def __str__(self) -> str:
        return f"{_said(self.tag)} in {_said(self.repository)}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a project."""

    id: int
    project: int
    says: Wanted


def _said(selector: Selector) -> str:
    kind = "" if selector.kind == "doublestar" else f"{selector.kind} "
    return f"{'all but ' if selector.excludes else ''}{kind}{selector.pattern or '**'!r}"
