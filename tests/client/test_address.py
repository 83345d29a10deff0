"""Where a hub is: what people write, and what must not be read into it."""

import pytest

from fairway.client.address import Login, parse_address
from fairway.client.errors import Misaddressed


@pytest.mark.parametrize(
    ("text", "url", "place"),
    [
        ("hub.example", "https://hub.example", "hub.example"),
        ("hub.example:8443", "https://hub.example:8443", "hub.example:8443"),
        ("HTTPS://Hub.Example/", "https://hub.example", "hub.example"),
        ("http://hub.example", "http://hub.example", "hub.example"),
        ("http://hub.example:80", "http://hub.example", "hub.example"),
        ("https://hub.example:80", "https://hub.example:80", "hub.example:80"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080", "127.0.0.1:8080"),
        ("localhost", "http://localhost", "localhost"),
        ("[::1]:8080", "http://[::1]:8080", "[::1]:8080"),
        ("10.0.0.1", "https://10.0.0.1", "10.0.0.1"),
    ],
)
def test_an_address(text: str, url: str, place: str) -> None:
    found = parse_address(text)
    assert (str(found), found.place) == (url, place)
    assert parse_address(str(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://",
        "ftp://hub.example",
        "hub.example/fairway",
        "https://hub.example/?a=b",
        "hub.example#a",
        "hub example",
        "hub.example:port",
        "hub.example:99999",
        "hub.example\r\nHost: other",
        "[::1",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(Misaddressed, match="is no address of a hub; write it as"):
        parse_address(text)


def test_a_login_does_not_belong_into_an_address() -> None:
    with pytest.raises(Misaddressed, match="no user name or password in it") as refused:
        parse_address("https://kim:s3cret@hub.example")
    assert "s3cret" not in refused.value.message


@pytest.mark.parametrize(
    ("text", "secure"),
    [("https://hub.example", True), ("http://127.0.0.1", True), ("http://hub.example", False)],
)
def test_whether_others_can_read_along(text: str, secure: bool) -> None:
    assert parse_address(text).secure is secure


def test_a_secret_is_in_no_text_that_is_made_of_a_login() -> None:
    login = Login("kim", "s3cret")
    assert "s3cret" not in f"{login} {login!r}"
    assert login.header == "Basic a2ltOnMzY3JldA=="
