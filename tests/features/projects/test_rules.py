"""Which projects may be made."""

import pytest

from fairway.core.oci.errors import BadRequest
from fairway.core.oci.names import Repository
from fairway.features.projects.model import UNLIMITED, Change, Wanted
from fairway.features.projects.rules import change, is_name, only_setting, person, setting, wanted


@pytest.mark.parametrize("name", ["a", "0", "library", "my-team", "a.b_c-d", "x" * 240, "123"])
def test_a_project_name(name: str) -> None:
    assert is_name(name)
    Repository(f"{name}/app")  # every project can hold a repository


@pytest.mark.parametrize(
    "name",
    [
        "",
        "A",
        "a/b",
        "-a",
        "a-",
        "a..b",
        "a__b",
        "a--b",
        "a b",
        "ä",
        "a\n",
        "\n",
        "a\0",
        "٣",
        "x" * 256,
        "..",
        "a%2fb",
    ],
)
def test_no_project_name(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(BadRequest):
        ask(name=name)


def ask(
    *,
    name: str = "team",
    public: bool | None = None,
    metadata: dict[str, str | None] | None = None,
    storage_limit: int | None = None,
    by_sysadmin: bool = False,
) -> Wanted:
    return wanted(
        name, public=public, metadata=metadata or {}, storage_limit=storage_limit, by_sysadmin=by_sysadmin
    )


def test_a_project_is_private_unless_asked_otherwise() -> None:
    assert not ask().public
    assert ask(public=True).public
    assert ask(metadata={"public": "true"}).public


def test_the_metadata_counts_before_the_old_field() -> None:
    assert not ask(public=True, metadata={"public": "false"}).public


@pytest.mark.parametrize("value", ["yes", "True", "1", " true"])
def test_public_is_true_or_false_and_nothing_else(value: str) -> None:
    with pytest.raises(BadRequest, match=r"metadata\.public"):
        ask(metadata={"public": value})


def test_settings_sent_switched_off_are_taken() -> None:
    off = {"auto_scan": "false", "prevent_vul": "false", "severity": "low", "reuse_sys_cve_allowlist": "true"}
    ask(metadata={**off, "enable_content_trust": None, "retention_id": ""})


@pytest.mark.parametrize(
    "metadata",
    [
        {"prevent_vul": "true"},
        {"enable_content_trust_cosign": "true"},
        {"severity": "dire"},
    ],
)
def test_a_protection_that_would_not_be_enforced_is_refused(metadata: dict[str, str | None]) -> None:
    with pytest.raises(BadRequest):
        ask(metadata=metadata)


def test_the_policy_of_retention_is_never_set_as_a_setting() -> None:
    """Clients send back what they got."""
    for value in ("7", "", None):
        assert change(public=None, metadata={"retention_id": value}).settings == {}
        assert ask(metadata={"retention_id": value}).settings == {}


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(BadRequest, match="not known"):
        ask(metadata={"colour": "blue"})


def test_only_a_system_administrator_sets_a_limit() -> None:
    assert ask(storage_limit=5000).storage_limit == UNLIMITED
    assert ask(storage_limit=5000, by_sysadmin=True).storage_limit == 5000


@pytest.mark.parametrize("limit", [None, 0, -1])
def test_no_limit(limit: int | None) -> None:
    assert ask(storage_limit=limit, by_sysadmin=True).storage_limit == UNLIMITED


@pytest.mark.parametrize("limit", [-2, 1024 * 2**40 + 1, 10**400])
def test_a_limit_that_makes_no_sense(limit: int) -> None:
    with pytest.raises(BadRequest, match="storage_limit"):
        ask(storage_limit=limit, by_sysadmin=True)


def test_a_change_is_what_was_said_and_nothing_more() -> None:
    assert change(public=None, metadata={}) == Change()
    metadata = {
        "severity": "LOW",
        "auto_scan": "",
        "prevent_vul": None,
        "retention_id": "",
        "proxy_speed_kb": "x",
    }
    assert change(public=True, metadata=metadata) == Change(True, {"severity": "low", "auto_scan": None})
    assert change(public=True, metadata={"public": "false"}).public is False
    assert change(public=True, metadata={"public": ""}).public is True


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("public", "1", "true"),
        ("public", "F", "false"),
        ("auto_scan", "False", "false"),
        ("reuse_sys_cve_allowlist", "T", "true"),
        ("severity", "Critical", "critical"),
        ("proxy_speed_kb", "-1", "-1"),
        ("proxy_speed_kb", "007", "7"),
        ("max_upstream_conn", "3", "3"),
        ("max_upstream_conn", "-1", "-1"),
        ("proxy_cache_filter_kind", "regex", "regex"),
        ("proxy_cache_filter_pattern", "a/**", "a/**"),
        ("proxy_referrer_api", "true", "true"),
    ],
)
def test_a_setting_is_kept_in_one_way(key: str, value: str, kept: str) -> None:
    assert setting(key, value) == kept
    assert only_setting({key: value}) == (key, kept)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("public", ""),
        ("public", "yes"),
        ("auto_scan", "true"),
        ("reuse_sys_cve_allowlist", "false"),
        ("severity", "severe"),
        ("proxy_speed_kb", "2147483648"),
        ("proxy_speed_kb", "1.5"),
        ("proxy_speed_kb", "\u0663"),
        ("max_upstream_conn", "0"),
        ("max_upstream_conn", "-2"),
        ("proxy_cache_filter_kind", "glob"),
        ("proxy_cache_filter_pattern", "a\n"),
        ("proxy_cache_filter_pattern", "x" * 1025),
        ("retention_id", "1"),
        ("retention_id", ""),
        ("colour", "blue"),
        ("", ""),
    ],
)
def test_what_a_setting_cannot_be(key: str, value: str) -> None:
    with pytest.raises(BadRequest, match="metadata"):
        setting(key, value)


@pytest.mark.parametrize("metadata", [{}, {"severity": "low", "public": "true"}])
def test_settings_one_by_one_are_one_at_a_time(metadata: dict[str, str]) -> None:
    with pytest.raises(BadRequest, match="exactly one"):
        only_setting(metadata)


def test_a_person_is_meant_by_id_before_by_name() -> None:
    assert person(7, "alice") == 7
    assert person(0, "alice") == "alice"
    for user, username in ((0, ""), (-1, "alice"), (2**63, ""), (0, "a\0"), (0, "x" * 256)):
        with pytest.raises(BadRequest, match="member_user"):
            person(user, username)
