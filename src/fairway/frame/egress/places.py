"""Reading the URL of a request to elsewhere, so that it cannot be taken for another one (T24).

Pure.  What comes back is what the HTTP library is given, so both speak of the same host.
"""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from yarl import URL

from fairway.frame.egress import addresses
from fairway.frame.egress.addresses import Network

_LONGEST = 8192
_UNREADABLE = re.compile(r"[\x00-\x20\x7f\\]")
_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,20}")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,253}")
# A last label like this makes browsers, curl and the C library read the whole host as an IPv4 address.
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.*")
_HERE = re.compile(r"(?:.*\.)?localhost\.*", re.IGNORECASE)
_LOOPBACK = addresses.read("127.0.0.1")


def read(text: str, allowed: Sequence[Network]) -> URL:
    """The URL, if something may be sent there as far as can be said without asking for its name's address.

    Raises ValueError with why not, in words such as "a loopback address", which hold nothing of the text.
    """
    if len(text) > _LONGEST or _UNREADABLE.search(text) or not (authority := _AUTHORITY.match(text)):
        raise ValueError("what is no URL")
    try:
        # As it was given where possible: a signed URL does not bear being quoted anew.
        url = URL(text, encoded=text.isascii()).with_fragment(None)
        host, port = url.raw_host or "", url.port or 0
    except (ValueError, TypeError):
        raise ValueError("what is no URL") from None
    if "@" in authority[0] or url.raw_user is not None or url.raw_password is not None:
        raise ValueError("a URL with a login in it")
    if ("[" in authority[0]) != (":" in host):
        raise ValueError("what is no URL")
    if url.scheme not in ("http", "https"):
        raise ValueError("a URL that is neither http nor https")
    if why := addresses.why_not(_address(host), port, allowed):
        raise ValueError(why)
    return url


def same_origin(one: URL, other: URL) -> bool:
    """Whether two URLs that were `read` have the same scheme, host and port (RFC 6454)."""
    return _origin(one) == _origin(other)


def _origin(url: URL) -> tuple[str, str, int]:
    return url.scheme, (url.raw_host or "").lower(), url.port or 0


def shown(text: str) -> str:
    """What may be said of a URL, readable or not: scheme, host and port.  Login, path and query may be secrets."""
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        return "the URL"
    if not _SCHEME.fullmatch(scheme) or not (_NAME.fullmatch(host) or addresses.read(host)):
        return "the URL"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"


def _address(host: str) -> addresses.Address | None:
    """The address a host is, None for a name.  Raises ValueError for what is neither."""
    address = addresses.read(host)
    if address is not None and "%" not in host:
        return address
    if not _NAME.fullmatch(host):
        raise ValueError("a host that is neither a name nor an address")
    if _NUMBER.fullmatch(host):
        raise ValueError("an address in an unusual spelling")
    return _LOOPBACK if _HERE.fullmatch(host) else None
