"""Where clients are sent for tokens, and which address their failures count for: no header bends either."""

import socket
from ipaddress import ip_network

import pytest

from fairway.features.registry.origin import Origin

PROXIES = (ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48"))
PROXY, INNER = "10.0.0.1", "10.0.0.2"
CLIENT = "192.0.2.7"


def origin(listen: str = "127.0.0.1:8080", external_url: str = "") -> Origin:
    return Origin(external_url, listen, PROXIES)


class TestTheAddressThatCounts:
    @pytest.mark.parametrize(
        ("forwarded_for", "peer", "counts"),
        [
            ("", CLIENT, CLIENT),
            ("198.51.100.1", CLIENT, CLIENT),
            (CLIENT, PROXY, CLIENT),
            (CLIENT, f"::ffff:{PROXY}", CLIENT),
            (f"198.51.100.1, {CLIENT}", PROXY, CLIENT),
            (f"198.51.100.1, {CLIENT}, {INNER}", PROXY, CLIENT),
            (f"{CLIENT}, 2001:db8:ffff::2", PROXY, CLIENT),
            (f"{INNER}", PROXY, INNER),
        ],
        ids=[
            "nobody forwards",
            "a stranger's word counts for nothing",
            "a proxy's does",
            "in IPv6 clothes, too",
            "what the client says is before what the proxy says",
            "two proxies",
            "two proxies of two families",
            "a client among the proxies",
        ],
    )
    def test_it_is_the_first_one_that_is_no_trusted_proxy(
        self, forwarded_for: str, peer: str, counts: str
    ) -> None:
        assert origin().client(forwarded_for, peer) == counts

    @pytest.mark.parametrize(
        "written", [f"{CLIENT}:40000", f"{CLIENT}:1", f"::ffff:{CLIENT}", f"[::ffff:{CLIENT}]:40000"]
    )
    def test_however_it_is_written_it_counts_as_one(self, written: str) -> None:
        assert origin().client(written, PROXY) == CLIENT

    def test_an_ipv6_address_keeps_its_last_part(self) -> None:
        for written in ("2001:DB8::12", "[2001:db8::12]", "[2001:db8::12]:443"):
            assert origin().client(written, PROXY) == "2001:db8::12"

    @pytest.mark.parametrize(
        "garbage", ["unknown", "_hidden", "a.b.c.d", "1.2.3.4.5", f"{CLIENT}:x", " ", "٣"]
    )
    def test_garbage_counts_for_the_proxy(self, garbage: str) -> None:
        assert origin().client(f"198.51.100.1, {garbage}", PROXY) == PROXY
        assert origin().client(f"198.51.100.1, {garbage}, {INNER}", PROXY) == PROXY


class TestTheRealm:
    def test_a_proxy_on_this_machine_that_nobody_configured_keeps_passwords_encrypted(self) -> None:
        headers = {"host": "hub.example", "x-forwarded-proto": "https", "x-forwarded-for": CLIENT}
        assert origin().realm(headers, "127.0.0.1") == "https://hub.example/service/token"

    def test_a_stranger_does_not_choose_the_scheme(self) -> None:
        headers = {"host": "hub.example", "x-forwarded-proto": "https"}
        assert origin().realm(headers, CLIENT) == "http://127.0.0.1:8080/service/token"

    def test_the_configured_url_always_wins(self) -> None:
        chosen = origin(external_url="https://hub.example/")
        assert chosen.realm({"host": "evil.example"}, "127.0.0.1") == "https://hub.example/service/token"

    @pytest.mark.parametrize("listen", ["0.0.0.0:8080", "[::]:8080"])
    def test_all_addresses_is_not_an_address(self, listen: str) -> None:
        for host in ("", "0.0.0.0:8080", "[::]:8080", "evil.example:8080", "192.0.2.55:8080"):
            assert origin(listen).of({"host": host}, CLIENT) == f"http://{socket.gethostname()}:8080"

    def test_on_all_addresses_it_is_the_one_the_client_came_to(self) -> None:
        assert origin("0.0.0.0:8080").of({"host": "127.0.0.1:8080"}, CLIENT) == "http://127.0.0.1:8080"
        elsewhere = origin("0.0.0.0:8080").of({"host": "127.0.0.1:9090"}, CLIENT)
        assert elsewhere == f"http://{socket.gethostname()}:8080", "that is another program's"
