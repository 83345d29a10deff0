"""Which addresses the hub may connect to: a pure rule over one address and one port (T24).

Only public unicast addresses, and what the operator allows (`FAIRWAY_EGRESS_ALLOW_NETWORKS`).  The table is our own,
from the registries of special addresses that IANA keeps: what `ipaddress` calls private differs from one Python to the
next.  An IPv6 address that stands for an IPv4 address is judged as that one.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_UNLESS = ", which only FAIRWAY_EGRESS_ALLOW_NETWORKS can allow"
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_PUBLIC_V6 = IPv6Network("2000::/3")

# The first network that holds an address names it.
_SPECIAL: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), name)
    for network, name in (
        ("0.0.0.0/8", "an address of this host"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "an address shared behind a carrier's NAT"),
        ("127.0.0.0/8", "a loopback address"),
        ("168.63.129.16/32", "a cloud's metadata service"),  # Azure's, the one that looks public
        (
            "169.254.0.0/16",
            "a link-local address",
        ),  # with 169.254.169.254, the metadata service of most clouds
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "a reserved address"),
        ("192.0.2.0/24", "an address for documentation"),
        ("192.88.99.0/24", "a 6to4 address"),
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "an address for benchmarks"),
        ("198.51.100.0/24", "an address for documentation"),
        ("203.0.113.0/24", "an address for documentation"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
        ("::/128", "an address of this host"),
        ("::1/128", "a loopback address"),
        ("::/96", "an IPv4-compatible address"),
        ("2001::/32", "a Teredo address"),
        ("2001::/23", "a reserved address"),
        ("2001:db8::/32", "an address for documentation"),
        ("2002::/16", "a 6to4 address"),
        ("3fff::/20", "an address for documentation"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a private address"),
        ("ff00::/8", "a multicast address"),
    )
)

# What browsers do not open either (the Fetch standard's "bad ports"), and databases, queues and control planes.  Text
# protocols among them take the lines of an HTTP request for commands.
_NOT_HTTP = frozenset(
    {
        *(1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95),
        *(101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 138, 139, 143, 161, 162, 179),
        *(389, 427, 445, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636),
        *(873, 989, 990, 993, 995, 1433, 1521, 1719, 1720, 1723, 2049, 2181, 2375, 2376, 2379, 2380, 3306),
        *(
            3389,
            3659,
            4045,
            4190,
            5060,
            5061,
            5432,
            5433,
            5672,
            5900,
            6000,
            6379,
            6380,
            6432,
            6566,
            6665,
            6666,
        ),
        *(6667, 6668, 6669, 6679, 6697, 9042, 9092, 10080, 10250, 10255, 11211, 16379, 26379, 27017),
    }
)


def read(text: str) -> Address | None:
    """The address that a text is, a zone after `%` left aside; None when it is none, or not in its usual spelling."""
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None


def why_not(address: Address | None, port: int, allowed: Sequence[Network]) -> str:
    """Why nothing is sent to `port` of an address, in words such as "a loopback address, …"; "" when it may be.

    Whatever lies in an `allowed` network may be reached on every port.  None is an address not known yet, or unreadable:
    only its port is judged, so whoever connects judges again.
    """
    if address is not None:
        meant = _meant(address)
        if any(address in network or meant in network for network in allowed):
            return ""
        if special := _special(meant):
            return special + _UNLESS
    return f"port {port}, where other protocols are spoken{_UNLESS}" if port in _NOT_HTTP or port < 1 else ""


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, on this host or behind a NAT64; else the same address."""
    if isinstance(address, IPv6Address) and (address in _MAPPED or address in _NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _special(address: Address) -> str:
    for network, name in _SPECIAL:
        if address in network:
            return name
    return "" if address.version == 4 or address in _PUBLIC_V6 else "a reserved address"
