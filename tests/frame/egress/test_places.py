"""URLs are read in one way or not at all (T24)."""

from contextlib import suppress
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from fairway.frame.egress import places


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("https://registry.example/v2/?a=%2F&b=%20#part", "registry.example", 443),
        ("http://Registry.Example:5000", "registry.example", 5000),
        ("HTTPS://registry.example.", "registry.example.", 443),
        ("http://1.1.1.1:80/", "1.1.1.1", 80),
        ("http://[2606:4700::1111]:8080/", "2606:4700::1111", 8080),
        ("https://bücher.example/ä", "xn--bcher-kva.example", 443),
        ("https://registry.example/a@b", "registry.example", 443),
    ],
)
def test_places_that_are_read(text: str, host: str, port: int) -> None:
    url = places.read(text, ())
    assert (str(url.raw_host).lower(), url.port) == (host, port)
    assert not url.raw_fragment


def test_a_signed_url_is_left_as_it_is() -> None:
    text = "https://store.example/a%2Fb+c?X-Sig=%2f%2F~*'()&empty="
    assert str(places.read(text, ())) == text


LOGIN = "a URL with a login in it"
NO_URL = "what is no URL"
NEITHER = "a URL that is neither http nor https"
SPELLING = "an address in an unusual spelling"
STRANGE = "a host that is neither a name nor an address"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        *(("http://who:secret@registry.example/", LOGIN), ("http://who@registry.example", LOGIN)),
        *(("http://@registry.example/", LOGIN), ("http://:@registry.example/", LOGIN)),
        ("http://registry.example:80@127.0.0.1/", LOGIN),
        *(("", NO_URL), ("registry.example", NO_URL), ("//registry.example/", NO_URL), ("http:/a", NO_URL)),
        *(("http://registry.example\\@127.0.0.1/", NO_URL), ("http://a b/", NO_URL), ("http://a\n/", NO_URL)),
        *(
            ("http://[::1", NO_URL),
            ("http://a:99999/", NO_URL),
            ("http://a:b/", NO_URL),
            ("http://[1.1.1.1]/", NO_URL),
        ),
        *(("http://a/\r\nX: y", NO_URL), (" http://a/", NO_URL), ("http://a/" + "x" * 9000, NO_URL)),
        *(
            ("file:///etc/passwd", NEITHER),
            ("gopher://a/", NEITHER),
            ("ftp://a/", NEITHER),
            ("unix://a/", NEITHER),
        ),
        *(("javascript://a/", NEITHER), ("ws://a/", NEITHER), ("http+unix://a/", NEITHER)),
        *(
            ("http://2130706433/", SPELLING),
            ("http://0x7f000001/", SPELLING),
            ("http://0177.0.0.1/", SPELLING),
        ),
        *(("http://127.1/", SPELLING), ("http://0x7f.1/", SPELLING), ("http://127.0.0.1./", SPELLING)),
        *(("http://1.1.1.1./", SPELLING), ("http://017700000001/", SPELLING), ("http://0x/", SPELLING)),
        *(
            ("http://%31%32%37.0.0.1/", STRANGE),
            ("http:///a", STRANGE),
            ("http://[fe80::1%25eth0]/", STRANGE),
        ),
        *(
            ("http://[v1.x]/", NO_URL),
            ("http://a,b/", STRANGE),
            ("http://a;b/", STRANGE),
            ("http://a'b/", STRANGE),
        ),
        *(("http://localhost/", "a loopback"), ("http://LOCALHOST.:8080/", "a loopback")),
        *(("http://a.localhost/", "a loopback"), ("http://[::ffff:127.0.0.1]/", "a loopback")),
        *(("http://10.0.0.1/", "a private"), ("http://registry.example:6379/", "port 6379")),
        *(
            ("http://１２７.0.0.1/", ""),
            ("http://127。0。0。1/", ""),
            ("http://①②⑦.0.0.1/", ""),
            ("http://a＠b/", ""),
        ),
    ],
)
def test_places_where_nothing_is_sent(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{why}"):
        places.read(text, ())


def test_localhost_is_one_name_of_what_may_be_allowed() -> None:
    assert places.read("http://localhost:5432/", [ip_network("127.0.0.0/8")]).port == 5432


@given(st.text(max_size=60).map(lambda rest: f"http://{rest}") | st.text(max_size=60))
def test_no_text_gets_another_error(text: str) -> None:
    with suppress(ValueError):
        url = places.read(text, ())
        assert url.scheme in {"http", "https"}
        assert url.raw_user is None
        assert url.raw_host
    assert "\n" not in places.shown(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://who:secret@registry.example:444/secret?secret#secret", "https://registry.example:444"),
        ("http://[::1]/secret", "http://[::1]"),
        *(("http://[::1", "the URL"), ("secret", "the URL"), ("http://se cret/", "the URL"), ("", "the URL")),
    ],
)
def test_what_is_said_of_a_place_is_no_secret(text: str, shown: str) -> None:
    assert places.shown(text) == shown


@pytest.mark.parametrize(
    ("other", "same"),
    [
        *(("https://a.example:443/b", True), ("HTTPS://A.example", True), ("https://a.example.", False)),
        *(
            ("http://a.example:443/", False),
            ("https://a.example:444/", False),
            ("https://b.a.example/", False),
        ),
    ],
)
def test_an_origin_is_scheme_host_and_port(other: str, same: bool) -> None:
    assert places.same_origin(URL("https://a.example/x"), places.read(other, ())) is same
