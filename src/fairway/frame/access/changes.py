"""May anything be changed at all?  What is switched off for everybody.  Pure.

Two places ask, after they have decided about rights, so that strangers learn nothing new: the gate for the registry's
calls and the authoriser for the management API's.  Logging in and counting pulls go on.
"""

from collections.abc import Callable
from dataclasses import dataclass

from fairway.core.oci.errors import Denied, Unsupported


def _no() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Changes:
    """`locked`: the operator lets nothing be pushed, made or deleted, for as long as the process lives.  `deletions`: what
    is there may be deleted.  `paused` asks whether an administrator wants nothing to be changed at present."""

    locked: bool = False
    deletions: bool = True
    paused: Callable[[], bool] = _no

    @property
    def read_only(self) -> bool:
        """Whether nothing may be pushed, made or deleted now."""
        return self.locked or self.paused()

    def admit(self, *, deletes: bool, resumes: bool = False) -> None:
        """Raise Denied (403) while the server is read-only, Unsupported (405) for a deletion where there are none.

        `resumes` is said of what could end a pause.
        """
        if self.locked or (self.paused() and not resumes):
            raise Denied("this server is read-only at present: nothing can be pushed, changed or deleted")
        if deletes and not self.deletions:
            raise Unsupported("deleting is switched off on this server")


ALL_CHANGES = Changes()
"""Nothing is switched off."""
