"""Under which URL does the client know us?  Realms and links are built from it, and a forged Host must not bend them."""

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
    with its `X-Forwarded-*`; anybody else gets the address we listen on.
    """

    def __init__(self, external_url: str, listen: str, trusted_proxies: Sequence[Network]) -> None:
        self._external = external_url.rstrip("/")
        self._listen = f"http://{listen}"
        self._proxies = tuple(trusted_proxies)
        self._believed = lru_cache(maxsize=1024)(self._is_believed)

    def of(self, headers: Mapping[str, str], client: str) -> str:
        """The origin for a request from the peer `client`, whose header names are in lower case."""
        if self._external:
            return self._external
        loopback, proxy = self._believed(client)
        host = headers.get("host", "")
        scheme = "http"
        if proxy:
            host = _last(headers.get("x-forwarded-host", "")) or host
            scheme = "https" if _last(headers.get("x-forwarded-proto", "")) == "https" else "http"
        if (loopback or proxy) and host and _HOST_CHARACTERS.issuperset(host):
            return f"{scheme}://{host}"
        return self._listen

    def realm(self, headers: Mapping[str, str], client: str) -> str:
        """The URL of the token service."""
        return f"{self.of(headers, client)}/service/token"

    def client(self, headers: Mapping[str, str], peer: str) -> str:
        """The address to count failed logins by: the peer's, or what a trusted proxy says it is."""
        if self._proxies and self._believed(peer)[1]:
            return _last(headers.get("x-forwarded-for", "")) or peer
        return peer

    def _is_believed(self, client: str) -> tuple[bool, bool]:
        """(is loopback, is a trusted proxy)"""
        try:
            address: Address = ip_address(client)
        except ValueError:
            return False, False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return address.is_loopback, any(address in network for network in self._proxies)


def _last(header: str) -> str:
    """The entry that the nearest proxy added; what stands before it came from the client."""
    return header.rpartition(",")[2].strip()
