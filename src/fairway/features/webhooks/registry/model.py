"""Who is told of what happens in the registry, in the docker registry's own format."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from fairway.frame.settings import SettingsInvalid

MEDIA_TYPE = "application/vnd.docker.distribution.events.v1+json"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A place that is told of every push and deletion, as the docker registry's `notifications.endpoints` has them."""

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold a secret
    timeout: float = 3.0
    """Seconds."""
    backoff: float = 1.0
    """Seconds before what failed is tried again; doubled each time, to a minute at most."""
    verify: bool = True
    """Whether its certificate must be right."""
    ignored_actions: frozenset[str] = frozenset()
    ignored_media_types: frozenset[str] = frozenset()


_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}", re.ASCII)
# How a request is framed and where it goes is said by what sends it.
_NOT_THEIRS = frozenset(
    {
        *("accept-encoding", "connection", "content-length", "content-type", "expect", "host", "keep-alive"),
        *("proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
_KNOWN = {"name", "url", "headers", "timeout", "backoff", "verify", "ignore_actions", "ignore_media_types"}


def endpoints(tables: Iterable[Mapping[str, Any]]) -> list[Endpoint]:
    """The endpoints of the setting `notification_endpoints`.  Raises SettingsInvalid, which names what is wrong."""
    found: list[Endpoint] = []
    for table in tables:
        endpoint = _endpoint(table)
        if any(endpoint.name == other.name for other in found):
            raise _wrong(f"{endpoint.name!r} is there twice")
        found.append(endpoint)
    return found


def _endpoint(table: Mapping[str, Any]) -> Endpoint:
    name, url, headers = table.get("name"), table.get("url"), table.get("headers", {})
    if unknown := sorted(set(table) - _KNOWN):
        raise _wrong(f"{unknown[0]!r} is not known; known are {', '.join(sorted(_KNOWN))}")
    if not isinstance(name, str) or not 0 < len(name) <= 100:
        raise _wrong("each endpoint needs a name")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise _wrong(f"{name!r} needs a url that begins with http:// or https://")
    if "@" in urlsplit(url).netloc or not urlsplit(url).netloc:
        raise _wrong(f"the url of {name!r} needs a host and must hold no login; put one into its headers")
    _check_headers(name, headers)
    if not isinstance(verify := table.get("verify", True), bool):
        raise _wrong(f"verify of {name!r} must be true or false")
    return Endpoint(
        name,
        url,
        headers,
        _seconds(table, "timeout", 3.0),
        _seconds(table, "backoff", 1.0),
        verify,
        _texts(table, "ignore_actions"),
        _texts(table, "ignore_media_types"),
    )


def _check_headers(name: str, headers: object) -> None:
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise _wrong(f"the headers of {name!r} must be an object of texts")
    for header, value in headers.items():
        if not _HEADER.fullmatch(header) or header.lower() in _NOT_THEIRS:
            raise _wrong(f"{name!r} cannot have a header {header!r}")
        if not value.isprintable():
            raise _wrong(f"the header {header!r} of {name!r} has characters that no header may have")


def _seconds(table: Mapping[str, Any], key: str, default: float) -> float:
    value = table.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.1 <= value <= 60:
        raise _wrong(f"{key} of {table['name']!r} must be a number of seconds from 0.1 to 60")
    return float(value)


def _texts(table: Mapping[str, Any], key: str) -> frozenset[str]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _wrong(f"{key} of {table['name']!r} must be a list of texts")
    return frozenset(value)


def _wrong(what: str) -> SettingsInvalid:
    return SettingsInvalid(f"notification_endpoints: {what}")
