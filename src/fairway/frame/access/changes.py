"""May anything be changed at all?  What the operator has switched off for everybody.  Pure.

Two places ask, after they have decided about rights, so that strangers learn nothing new: the gate for the registry's
calls and the authoriser for the management API's.  Logging in and counting pulls go on.
"""

from dataclasses import dataclass

from fairway.core.oci.errors import Denied, Unsupported


@dataclass(frozen=True, slots=True)
class Changes:
    """`read_only`: nothing is pushed, made or deleted.  `deletions`: what is there may be deleted."""

    read_only: bool = False
    deletions: bool = True

    def admit(self, *, deletes: bool) -> None:
        """Raise Denied (403) while the server is read-only, Unsupported (405) for a deletion where there are none."""
        if self.read_only:
            raise Denied("this server is read-only at present: nothing can be pushed, changed or deleted")
        if deletes and not self.deletions:
            raise Unsupported("deleting is switched off on this server")


ALL_CHANGES = Changes()
"""Nothing is switched off."""
