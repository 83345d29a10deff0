"""Platforms: reading them, writing them, and which one answers a wish."""

import pytest

from fairway.core.oci.platform import Platform


@pytest.mark.parametrize("text", ["linux/amd64", "linux/arm64/v8", "windows/amd64"])
def test_a_platform_is_written_as_it_is_read(text: str) -> None:
    assert str(Platform.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "linux", "/", "linux/", "/amd64", "linux/arm64/", "linux/arm64/v8/x", "//"]
)
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a platform"):
        Platform.parse(text)


@pytest.mark.parametrize(
    ("have", "wanted", "matches"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/amd64", "linux/arm64", False),
        ("linux/amd64", "windows/amd64", False),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm64/v8", "linux/arm64", True),
        ("linux/arm/v6", "linux/arm/v7", False),
        ("linux/arm/v6", "linux/arm", False),
        ("linux/arm", "linux/arm/v7", True),
        ("linux/amd64/v3", "linux/amd64", True),
        ("linux/amd64", "linux/amd64/v3", False),
    ],
)
def test_a_platform_answers_a_wish(have: str, wanted: str, matches: bool) -> None:
    assert Platform.parse(have).matches(Platform.parse(wanted)) is matches


def test_a_wanted_version_must_be_the_same() -> None:
    have = Platform("windows", "amd64", os_version="10.0.17763.1")
    assert have.matches(Platform("windows", "amd64"))
    assert have.matches(Platform("windows", "amd64", os_version="10.0.17763.1"))
    assert not have.matches(Platform("windows", "amd64", os_version="10.0.20348.1"))


def test_wanted_features_must_all_be_there() -> None:
    have = Platform("windows", "amd64", os_features=("win32k", "other"))
    assert have.matches(Platform("windows", "amd64", os_features=("win32k",)))
    assert not have.matches(Platform("windows", "amd64", os_features=("missing",)))
