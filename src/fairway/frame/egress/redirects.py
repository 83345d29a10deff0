"""What is sent after a redirect: where to, with which method, and what stays at home (T25).  Pure.

A secret goes to the origin the caller named and to no other.  Once a redirect has led away it does not come back
either: whoever sent us there chose what we ask for on the way back.
"""

from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urljoin

from yarl import URL

from fairway.frame.egress import places
from fairway.frame.log.redact import names_a_secret

STATUSES = (301, 302, 303, 307, 308)
MAX_HOPS = 5


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request.  Header names are in lower case.  `body_travels` says that other origins may have the body."""

    method: str
    url: URL = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    secret_headers: Mapping[str, str] = field(repr=False)
    body: bytes | AsyncIterable[bytes] = field(repr=False)
    body_travels: bool = False


def target(at: URL, location: str) -> str:
    """The URL that a `Location` in a reply from `at` means; as it stands when that cannot be said."""
    try:
        return urljoin(str(at), location)
    except ValueError:
        return location


def after(sent: Outgoing, status: int, to: URL) -> Outgoing:
    """The request that follows `sent` when the reply has this status and leads `to` another place.

    Raises ValueError with what would be needed for that and is refused.
    """
    if sent.url.scheme == "https" and to.scheme != "https":
        raise ValueError("a place without encryption")
    following = replace(sent, url=to)
    if (status == 303 and sent.method not in {"GET", "HEAD"}) or (
        status in (301, 302) and sent.method == "POST"
    ):
        headers = {name: value for name, value in sent.headers.items() if not name.startswith("content-")}
        following = replace(following, method="GET", headers=headers, body=b"")
    gone = not isinstance(following.body, bytes)
    if gone:
        raise ValueError("the body once more, which is gone")
    if places.same_origin(sent.url, to):
        return following
    if following.body and not sent.body_travels:
        raise ValueError("the body for another origin")
    kept = {name: value for name, value in following.headers.items() if not names_a_secret(name)}
    return replace(following, headers=kept, secret_headers={})
