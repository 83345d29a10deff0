"""Which user names and passwords are acceptable."""

import pytest

from fairway.core.oci.errors import BadRequest
from fairway.features.accounts.rules import check_password, check_username, is_username


@pytest.mark.parametrize(
    "name", ["a", "alice", "Alice B", "alice@example.com", "ci-bot_1", "élodie", "x" * 255]
)
def test_an_acceptable_user_name(name: str) -> None:
    check_username(name)
    assert is_username(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        " alice",
        "alice ",
        "a:b",
        "a,b",
        'a"b',
        "a~b",
        "a#b",
        "a%b",
        "robot$ci",
        "a\nb",
        "a\0b",
        "a\u202eb",
        "\u200b",
        "x" * 256,
    ],
)
def test_an_unacceptable_user_name(name: str) -> None:
    with pytest.raises(BadRequest):
        check_username(name)


@pytest.mark.parametrize("password", ["Abcdefg1", "A1" + "a" * 126, "pässWort 9"])
def test_an_acceptable_password(password: str) -> None:
    check_password(password)


@pytest.mark.parametrize(
    ("password", "missing"),
    [
        ("Abcdef1", "8 to 128"),
        ("A1" + "a" * 127, "8 to 128"),
        ("abcdefg1", "upper-case"),
        ("ABCDEFG1", "lower-case"),
        ("Abcdefgh", "digit"),
        ("--------", "upper-case letter and a lower-case letter and a digit"),
        ("Harbor12345", "well-known"),
    ],
)
def test_a_refused_password_hears_why_and_is_not_repeated(password: str, missing: str) -> None:
    with pytest.raises(BadRequest, match=missing) as refused:
        check_password(password)
    assert password not in refused.value.message
