"""Which addresses and ports may be reached, as a table (T24)."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.frame.egress import addresses

V4 = st.integers(0, 2**32 - 1).map(IPv4Address)


def why_not(text: str, port: int = 443, *allowed: str) -> str:
    address = addresses.read(text)
    assert address is not None
    return addresses.why_not(address, port, [ip_network(each) for each in allowed])


@pytest.mark.parametrize(
    "text",
    [
        *(
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
        ),
        *("128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255"),
        *("192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "192.0.1.0"),
        *("2606:4700:4700::1111", "2a00::1", "2001:200::1", "2003::1", "3ffe::1"),
        *("::ffff:1.1.1.1", "64:ff9b::101:101"),
    ],
)
def test_the_public_may_be_reached(text: str) -> None:
    assert why_not(text) == ""


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *(("127.0.0.1", "a loopback"), ("127.255.255.254", "a loopback"), ("::1", "a loopback")),
        *(("0.0.0.0", "an address of this host"), ("0.1.2.3", "an address of this host")),
        ("::", "an address of this host"),
        *(("10.0.0.1", "a private"), ("172.16.0.1", "a private"), ("172.31.255.255", "a private")),
        *(("192.168.1.1", "a private"), ("fc00::1", "a private"), ("fd00:ec2::254", "a private")),
        *(("fec0::1", "a private"), ("169.254.169.254", "a link-local"), ("169.254.0.1", "a link-local")),
        *(("fe80::1", "a link-local"), ("fe80::1%eth0", "a link-local"), ("100.64.0.1", "an address shared")),
        *(("100.100.100.200", "an address shared"), ("168.63.129.16", "a cloud's metadata service")),
        *(("224.0.0.1", "a multicast"), ("239.255.255.255", "a multicast"), ("ff02::1", "a multicast")),
        *(("240.0.0.1", "a reserved"), ("255.255.255.255", "a reserved"), ("192.0.0.192", "a reserved")),
        *(("192.0.2.1", "an address for doc"), ("198.51.100.1", "an address for doc")),
        *(("203.0.113.1", "an address for doc"), ("2001:db8::1", "an address for doc")),
        *(("198.18.0.1", "an address for bench"), ("192.88.99.1", "a 6to4"), ("2002:7f00:1::", "a 6to4")),
        *(
            ("::127.0.0.1", "an IPv4-compatible"),
            ("2001:0:7f00:1::", "a Teredo"),
            ("2001:2::1", "a reserved"),
        ),
        *(
            ("::ffff:127.0.0.1", "a loopback"),
            ("::ffff:7f00:1", "a loopback"),
            ("::ffff:10.0.0.1", "a private"),
        ),
        *(("64:ff9b::7f00:1", "a loopback"), ("64:ff9b::a9fe:a9fe", "a link-local")),
        *(("64:ff9b:1::a00:1", "a reserved"), ("::ffff:0:127.0.0.1", "a reserved"), ("100::1", "a reserved")),
        *(("5f00::1", "a reserved"), ("4000::1", "a reserved")),
    ],
)
def test_nothing_else_may(text: str, kind: str) -> None:
    assert why_not(text).startswith(kind)
    assert why_not(text).endswith("FAIRWAY_EGRESS_ALLOW_NETWORKS can allow")


@given(inner=V4, prefix=st.sampled_from(["::ffff:0:0", "64:ff9b::"]))
def test_what_stands_for_an_ipv4_address_is_judged_as_that(inner: IPv4Address, prefix: str) -> None:
    wrapped = IPv6Address(int(IPv6Address(prefix)) + int(inner))
    assert addresses.why_not(wrapped, 80, ()) == addresses.why_not(inner, 80, ())


@given(address=V4)
def test_what_python_knows_as_special_is_special(address: IPv4Address) -> None:
    if not address.is_global:
        assert addresses.why_not(address, 80, ())


@pytest.mark.parametrize("text", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203"])
def test_what_the_operator_allows_may_be_reached_on_every_port(text: str) -> None:
    assert why_not(text, 6379, "192.168.0.0/16", "10.1.0.0/16") == ""
    assert why_not(text, 443, "10.2.0.0/16", "fd00::/8").startswith("a private address")


@pytest.mark.parametrize("port", [22, 25, 53, 389, 2375, 2379, 3306, 5432, 6379, 10250, 11211, 27017, 0])
def test_ports_where_no_http_is_spoken_are_not_reached(port: int) -> None:
    assert why_not("1.1.1.1", port).startswith(f"port {port}, where other protocols are spoken")
    assert addresses.why_not(None, port, ())


@pytest.mark.parametrize("port", [80, 81, 443, 444, 5000, 8080, 8443, 9000, 30500])
def test_other_ports_are(port: int) -> None:
    assert why_not("1.1.1.1", port) == ""
    assert addresses.why_not(None, port, ()) == ""


@pytest.mark.parametrize(
    "text", ["127.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.0.0.1.", "localhost", "", "1.2.3.4/8"]
)
def test_other_spellings_are_no_address(text: str) -> None:
    assert addresses.read(text) is None
