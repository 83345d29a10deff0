"""How long one address waits after wrong passwords, for one account and for any.

A few failures are free, since people mistype.  From then on each doubles the wait, up to five minutes; an hour
without a failure, or a correct password, starts over.  Counting per account *and* address keeps a guesser from
locking the owner out.

Whoever tries one name after the other is counted by the address alone.  Many people, or a whole cluster, may share one:
so that more is free there and the wait stays short, and only failures that are still free for their account count, or
one forgotten job with an old password would keep everybody waiting.  A correct password changes nothing, since a
guesser may have an account, too.
"""

import hashlib
from ipaddress import IPv6Address, ip_address

FREE_FAILURES = 4
LONGEST_SECONDS = 300
FORGET_SECONDS = 3600
FREE_FAILURES_OF_ADDRESS = 20
LONGEST_SECONDS_OF_ADDRESS = 30


def wait_seconds(failures: int, *, of_address: bool = False) -> int:
    """Seconds until the next try after so many failures in a row."""
    free = FREE_FAILURES_OF_ADDRESS if of_address else FREE_FAILURES
    longest = LONGEST_SECONDS_OF_ADDRESS if of_address else LONGEST_SECONDS
    if failures <= free:
        return 0
    return min(1 << min(failures - free - 1, longest.bit_length()), longest)


def key(username: str, client: str) -> str:
    """The counter of a user name and an address; without a name, that of the address.

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
