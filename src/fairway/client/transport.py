"""What both shells need to know of this machine: proxies on the way, and which authorities to trust."""

import ssl
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from fairway.client.address import Address, parse_address
from fairway.client.errors import Misaddressed, NotTrusted, Unreachable

SECONDS = 60.0
"""How long a hub may be silent."""


def proxy_for(address: Address) -> str | None:
    """The HTTP proxy that this machine's settings name for a hub (HTTPS_PROXY, NO_PROXY, …)."""
    found = getproxies().get(address.scheme)
    return found if found and not proxy_bypass(f"{address.host}:{address.port}") else None


def proxy_parts(proxy: str) -> tuple[Address, str]:
    """A proxy's address, and its login as `user:password` or "".  Raises Misaddressed."""
    found = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if found.scheme != "http":
        raise Misaddressed(f"a proxy by {found.scheme} cannot be used; name one by http, or none")
    login, _, place = found.netloc.rpartition("@")
    return parse_address(f"http://{place}"), login


def tls_for(address: Address, ca_file: Path | None) -> ssl.SSLContext | None:
    """How to verify a hub: by this machine's authorities, or by those in a file.  Raises NotTrusted."""
    if address.scheme != "https":
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise NotTrusted(f"the certificates in {ca_file} cannot be read: {_words(error)}") from None


def unreachable(address: Address, error: BaseException) -> Unreachable:
    """What a failure of the network means for a person."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return NotTrusted(
            f"{address} shows a certificate that is not trusted here ({error.verify_message}); "
            "name the authority's file with --ca-file or SSL_CERT_FILE"
        )
    if isinstance(error, ssl.SSLError):
        return Unreachable(f"{address} does not speak TLS as it should ({_words(error)}); is it http://?")
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(f"nothing listens at {address}; is the hub running, and is this its address?")
    if isinstance(error, TimeoutError):
        return Unreachable(f"{address} does not answer; try again later")
    return Unreachable(f"{address} cannot be reached: {_words(error)}")


def _words(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
