"""Under which URL does the client know us, and from where does it ask?

Realms and links are built from the URL, failed logins are counted by the address: forged headers must bend neither.
"""

import socket
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

_HOST_CHARACTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]")


class Origin:
    """Answers with scheme and host, such as `https://registry.example.com`.

    The configured URL always wins.  Without one, `Host` is believed from loopback, and from a trusted proxy together
    with its `X-Forwarded-*`; anybody else gets the address we listen on.  Where that is "all addresses", it is the one
    `Host` names if it is this machine's, else the machine's name.
    """

    def __init__(self, external_url: str, listen: str, trusted_proxies: Sequence[Network]) -> None:
        self._external = external_url.rstrip("/")
        address, _, self._port = listen.rpartition(":")
        at = _parsed(address)
        self._everywhere = at is not None and at.is_unspecified
        self._listen = (
            f"http://{socket.gethostname()}:{self._port}" if self._everywhere else f"http://{listen}"
        )
        self._proxies = tuple(trusted_proxies)
        self._believed = lru_cache(maxsize=1024)(self._is_believed)
        self._ours = lru_cache(maxsize=256)(self._is_ours)

    def of(self, headers: Mapping[str, str], client: str) -> str:
        """The origin for a request from the peer `client`, whose header names are in lower case."""
        if self._external:
            return self._external
        loopback, proxy = self._believed(client)
        host = headers.get("host", "")
        if proxy:
            host = _last(headers.get("x-forwarded-host", "")) or host
        if (loopback or proxy) and host and _HOST_CHARACTERS.issuperset(host):
            # Also from loopback: a proxy that nobody configured must not make clients send passwords in the clear.
            secure = _last(headers.get("x-forwarded-proto", "")).lower() == "https"
            return f"{'https' if secure else 'http'}://{host}"
        return f"http://{host}" if self._everywhere and self._ours(host) else self._listen

    def realm(self, headers: Mapping[str, str], client: str) -> str:
        """The URL of the token service."""
        return f"{self.of(headers, client)}/service/token"

    def client(self, forwarded_for: str, peer: str) -> str:
        """The address to count failed logins by: the peer's, or what trusted proxies say it is.

        `forwarded_for` is X-Forwarded-For, repeated ones joined by commas.  Every proxy adds at its end who asked it, so
        that the first address from there that is no trusted proxy is the client.
        """
        if not (forwarded_for and self._proxies and self._believed(peer)[1]):
            return peer
        nearest = peer
        for entry in reversed(forwarded_for.split(",")):
            address = _parsed(_without_port(entry.strip()))
            if address is None:
                return peer  # whatever that is, it must not count afresh
            nearest = str(address)
            if not self._believed(nearest)[1]:
                return nearest
        return nearest

    def _is_believed(self, client: str) -> tuple[bool, bool]:
        """(is loopback, is a trusted proxy)"""
        address = _parsed(client)
        if address is None:
            return False, False
        return address.is_loopback, any(address in network for network in self._proxies)

    def _is_ours(self, host: str) -> bool:
        """Whether `host` is an IP address of this machine, with our port: the kernel would talk to it from itself."""
        name, _, port = host.rpartition(":")
        address = _parsed(name)
        if address is None or port != self._port:
            return False
        family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((str(address), 9))  # of a datagram socket: nothing is sent
                return _parsed(probe.getsockname()[0]) == address
        except OSError:
            return False


def _parsed(text: str) -> Address | None:
    """An address with or without brackets; an IPv4 address in IPv6 clothes is itself."""
    try:
        address = ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _without_port(entry: str) -> str:
    """`192.0.2.7:40000` and `[2001:db8::1]:40000` without the port; what has none stays as it is."""
    name, colon, port = entry.rpartition(":")
    return name if colon and port.isdigit() and (name.endswith("]") or ":" not in name) else entry


def _last(header: str) -> str:
    """The entry that the nearest proxy added; what stands before it came from the client."""
    return header.rpartition(",")[2].strip()
