"""Where a hub is, and as whom to talk to it.  Pure."""

import ipaddress
import re
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urlsplit

from fairway.client.errors import Misaddressed

_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}")


@dataclass(frozen=True, slots=True)
class Address:
    """A hub: scheme, host and port, which together say who gets a login."""

    scheme: str
    host: str
    port: int

    @property
    def place(self) -> str:
        """Host and port as they stand in the names of images."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def secure(self) -> bool:
        """Whether nobody on the way can read along: TLS, or this very machine."""
        return self.scheme == "https" or _is_loopback(self.host)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.place}"


@dataclass(frozen=True, slots=True)
class Login:
    """A user name and what proves it; the secret is in no text that is made of this."""

    username: str
    secret: str = field(repr=False)

    @property
    def header(self) -> str:
        """The value of an Authorization header."""
        return f"Basic {b64encode(f'{self.username}:{self.secret}'.encode()).decode()}"


def parse_address(text: str) -> Address:
    """`https://hub.example`, or a bare `hub.example:8443`: https then, but http on this very machine.

    Raises Misaddressed.
    """
    scheme, separator, rest = text.strip().partition("://")
    if not separator:
        scheme, rest = "", text.strip()
    try:
        found = urlsplit(f"//{rest}")
        host, port = found.hostname or "", found.port
    except ValueError:
        raise _wrong(text) from None
    if found.username is not None:
        raise Misaddressed("the hub's address has no user name or password in it; they are asked for")
    if not _HOST.fullmatch(host) or _is_more(found) or scheme.lower() not in ("", *_PORTS):
        raise _wrong(text)
    scheme = scheme.lower() or ("http" if _is_loopback(host) else "https")
    return Address(scheme, host.lower(), port or _PORTS[scheme])


def _is_more(found: SplitResult) -> bool:
    return found.path not in ("", "/") or bool(found.query or found.fragment)


def _wrong(text: str) -> Misaddressed:
    return Misaddressed(
        f"{text[:80]!r} is no address of a hub; write it as hub.example, hub.example:8443 or https://hub.example"
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
