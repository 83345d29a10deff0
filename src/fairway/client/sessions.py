"""Where somebody is logged in with a browser; Harbor has no calls for it."""

from dataclasses import dataclass

from fairway.client.call import Call, Listing, changing, filters, reader
from fairway.client.groups import OWN_API

_PLACE = f"{OWN_API}/users/current/sessions"


@dataclass(frozen=True, slots=True)
class Session:
    """A browser in which the caller is logged in, from which address, and what it calls itself."""

    id: int
    client_address: str = ""
    browser: str = ""
    creation_time: str = ""
    last_seen_time: str = ""
    expiration_time: str = ""


def listed(*, q: str = "", sort: str = "") -> Listing[Session]:
    """The caller's own, the newest first."""
    return Listing(_PLACE, reader(Session), {"q": filters(q), "sort": sort})


def end(session: int) -> Call[None]:
    """Log that browser out."""
    return changing("DELETE", f"{_PLACE}/{session}")
