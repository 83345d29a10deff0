"""What can go wrong between a client and a hub, in words that say what to do next.

ClientError
├── Unreachable ─ NotTrusted    no reply: the hub is down, elsewhere, or shows a certificate nobody vouches for
├── SentElsewhere               a redirect that would take a login to somebody else
├── Unreadable                  a reply that is not what the API promises
├── Misaddressed                the hub's address is none
└── ApiError                    the hub said no
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from fairway.core.oci.errors import FairwayError

_LONGEST: Final = 2000
_ADVICE: Final[Mapping[int, str]] = {
    401: "log in with a user name and password that the hub knows",
    403: "ask an administrator of the project, or of the hub, for the right to do this",
    429: "wait a little, then try again",
    502: "what stands in front of the hub cannot reach it; try again later",
    503: "the hub cannot just now; try again later",
    504: "what stands in front of the hub waited too long for it; try again later",
}


class ClientError(FairwayError):
    """Base of what the client raises."""

    code = "CLIENT"


class Misaddressed(ClientError):
    """The hub's address is not one that can be called."""


class Unreachable(ClientError):
    """There was no reply.  Whether a change was carried out is not known."""


class NotTrusted(Unreachable):
    """The hub's certificate is not vouched for by an authority that this machine trusts."""


class SentElsewhere(ClientError):
    """The hub redirects to another one, where nothing was sent."""


class Unreadable(ClientError):
    """The reply is not what the API promises."""


class ApiError(ClientError):
    """The hub said no: `status`, its `code` and words, and the id under which its log has the request."""

    def __init__(self, status: int, code: str, message: str, *, request_id: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.request_id = request_id

    @property
    def advice(self) -> str:
        """What to do next where the status alone tells it, else ""."""
        if self.status in _ADVICE:
            return _ADVICE[self.status]
        if self.status >= 500:
            return f"tell the hub's operator the request id {self.request_id or 'of the reply'}"
        return ""

    def __str__(self) -> str:
        return f"{self.message} ({self.advice})" if self.advice else self.message


def said_no(status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
    """The error that a reply tells of, whoever wrote it: the hub in JSON, or a proxy in front of it in a page."""
    code, message = _told(body)
    return ApiError(
        status,
        code or "UNKNOWN",
        message[:_LONGEST] or f"the hub answered with status {status}",
        request_id=headers.get("x-request-id", ""),
    )


def _told(body: bytes) -> tuple[str, str]:
    try:
        said: Any = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    errors = said.get("errors") if isinstance(said, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, dict):
        return "", ""
    return _text(first.get("code")), _text(first.get("message"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
