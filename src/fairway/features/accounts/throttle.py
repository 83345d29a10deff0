"""How long one address waits after wrong passwords for one account.

A few failures are free, since people mistype.  From then on each doubles the wait, up to five minutes; an hour
without a failure, or a correct password, starts over.  Counting per account *and* address keeps a guesser from
locking the owner out.
"""

import hashlib
from ipaddress import IPv6Address, ip_address

FREE_FAILURES = 4
LONGEST_SECONDS = 300
FORGET_SECONDS = 3600


def wait_seconds(failures: int) -> int:
    """Seconds until the next try after so many failures in a row."""
    if failures <= FREE_FAILURES:
        return 0
    doublings = min(failures - FREE_FAILURES - 1, LONGEST_SECONDS.bit_length())
    return min(1 << doublings, LONGEST_SECONDS)


def key(username: str, client: str) -> str:
    """The counter of a user name and an address.

    It is a hash because people type their password into the wrong field.  An IPv6 client counts by its /64, which
    is what one customer gets.
    """
    try:
        address = ip_address(client)
    except ValueError:
        network = client
    else:
        network = str(address)
        if isinstance(address, IPv6Address):
            network = str(address.ipv4_mapped or int(address) >> 64)
    return hashlib.sha256(f"{username}\0{network}".encode()).hexdigest()
