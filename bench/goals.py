"""What the figures should be. A goal that is missed is shown as missed; it fails nothing."""

from dataclasses import dataclass
from statistics import median

Values = dict[int, float]
"""A row's value on one peer, by round."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A row's median on `peer`, divided by that on `than` unless that is empty, should be on the right side of `bound`.

    `most`: the bound must not be passed; otherwise it must be reached.
    """

    row: str
    than: str
    bound: float
    peer: str = "fairway"
    most: bool = False

    def seen(self, ours: Values, theirs: Values) -> float | None:
        """What came out; None when it was not measured."""
        if not ours or (self.than and not theirs):
            return None
        return median(ours.values()) / (median(theirs.values()) if self.than else 1.0)

    def met(self, seen: float) -> bool:
        """Whether that is good enough."""
        return seen <= self.bound if self.most else seen >= self.bound


GOALS = (
    Goal("manifest-get-tag", "registry3", 1.5),
    Goal("manifest-get-tag", "registry2", 5.0),
    Goal("manifest-get-tag", "fairway", 1.5, peer="fairway-2"),
    Goal("blob-100k", "registry3", 1.5),
    Goal("blob-100k", "nginx", 0.5),
    Goal("blob-64m", "registry2", 1.0),
    Goal("blob-64m", "registry3", 1.0),
    Goal("blob-64m", "nginx", 0.9),
    Goal("token", "", 1500.0),
    Goal("push-small-16", "registry3", 2.0),
    Goal("push-large", "registry3", 1.3),
    Goal("push-crowd-memory", "", 450.0, most=True),
)
