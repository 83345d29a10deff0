"""How a request to elsewhere can end badly: we do not send it, it does not get through, or too much comes back.

Messages name the scheme, host and port that the caller gave, and the setting that would help.  They hold nothing that
the other side wrote, no address that a name led to, and no path, query or header: those may be secrets.
"""

from fairway.core.oci.errors import BadRequest, Unavailable


class EgressRefused(BadRequest):
    """A request that we do not send: where it would go, or what would go there.  Sent again it is refused again."""


class EgressFailed(Unavailable):
    """A request that got no whole answer.  It may have arrived."""


class EgressTooLarge(EgressFailed):
    """An answer with more bytes than the caller takes."""
