"""Every key of the configuration: what it takes, what it refuses, what it is when nobody chose."""

from pathlib import Path
from typing import Any

import pytest

from fairway.core.oci.errors import BadRequest
from fairway.frame.configuration import Key, checked, settled
from fairway.frame.configuration.declared import KEYS
from fairway.frame.configuration.kinds import Place
from fairway.frame.configuration.reference import reference
from fairway.frame.settings import Settings, SettingsInvalid

ROOT = Path(__file__).parents[3]
BY_KIND: dict[str, tuple[list[Any], list[Any]]] = {
    "bool": ([True, False], ["", "yes", 1, 0, None, [True], {}]),
    "int": ([], ["", "x", 1.5, True, 2**63, -(2**63), "1" * 400, None, [], "٣"]),
    "choice": ([], ["", "nonsense", 1, True, None, []]),
    "str": ([""], [1, True, ["x"], {}, None, "x" * 70_000, "a\0b", "\ud800"]),
    "secret": (["s3cret", ""], [1, True, None, "x" * 2000, "a\nb", "\udfff"]),
}
"""Of each kind some values that every key takes, and some that none takes."""
OF_KEYS: dict[str, tuple[list[Any], list[Any]]] = {
    "auth_mode": (["db_auth"], ["ldap_auth", "oidc_auth"]),
    "primary_auth_mode": ([False], [True]),
    "project_creation_restriction": (["everyone", "adminonly"], ["nobody", "Everyone"]),
    "storage_per_project": ([-1, 1, 2**50], [0, -2, 2**50 + 1]),
    "token_expiration": ([1, 30, 1440], [0, -1, 1441]),
    "robot_token_duration": ([1, 36_600], [0, -1, 36_601]),
    "personal_token_max_days": ([-1, 1, 36_600], [0, -2, 36_601]),
    "session_timeout": ([1, 60], [0, -1]),
    "robot_name_prefix": (["robot$", "ci-", "r" * 64], ["", "a b", "a:b", "a/b", "r" * 65, "ü", "a\n"]),
    "audit_log_forward_endpoint": (
        ["", "log.example.com:514", "tcp://10.0.0.1:6514", "udp://[fd00::1]:514", "localhost:1"],
        ["log.example.com", "log:0", "log:65536", "http://log:514", "log:514/x", "a b:514", "256.1.1.1:514"],
    ),
    "disabled_audit_log_event_types": (
        ["", "create_artifact", "create_artifact,delete_tag", "create_artifact, delete_tag"],
        ["a,", "A", "a;b", "a" * 65, ","],
    ),
    "banner_message": (['{"message":"Ünder\nwork","closable":true}'], ["x" * 8193]),
    "http_authproxy_server_certificate": (["-----BEGIN\nMII\n"], []),
    "ldap_scope": ([0, 2], [3]),
    "ldap_group_search_scope": ([0, 2], [3]),
    "ldap_timeout": ([1, 600], [0, 601]),
}
"""And of keys that are choosy."""
every_key = pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)


def samples(key: Key[Any]) -> tuple[list[Any], list[Any]]:
    taken, refused = BY_KIND[key.kind]
    also, not_those = OF_KEYS.get(key.name, ([], []))
    return [value for value in [*taken, *also] if value not in not_those], [*refused, *not_those]


@every_key
def test_what_it_takes_and_what_it_refuses(key: Key[Any]) -> None:
    taken, refused = samples(key)
    assert taken, "a key of this kind needs samples of its own"
    for value in taken:
        assert key.read(value) == value
        assert type(key.read(value)) is type(value)
    for value in refused:
        with pytest.raises(ValueError, match=r"^[a-z0-9]"):
            key.read(value)
    assert key.read(key.default) == key.default
    assert key.doc.endswith(".")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("read_only", "true", True), ("read_only", "false", False), ("storage_per_project", "-1", -1)],
)
def test_text_is_taken_for_what_it_spells(name: str, text: str, value: Any) -> None:
    assert KEYS[name].read(text) == value


def test_a_request_is_checked_as_a_whole() -> None:
    assert checked({"read_only": True, "nonsense": object(), "banner_message": None}) == {"read_only": True}
    with pytest.raises(BadRequest) as refused:
        checked({"token_expiration": 0, "ldap_search_password": ["geheim"], "read_only": True})
    assert "token_expiration must be a whole number from 1" in refused.value.message
    assert "ldap_search_password must be" in refused.value.message
    assert "geheim" not in refused.value.message


def test_what_the_operator_settles_is_checked_at_the_start() -> None:
    assert settled(Settings()) == {}
    assert settled(Settings(read_only=True)) == {"read_only": True}
    chosen = Settings(config_overwrite_json={"read_only": False, "token_expiration": "45"}, read_only=True)
    assert settled(chosen) == {"read_only": True, "token_expiration": 45}
    with pytest.raises(SettingsInvalid) as refused:
        settled(Settings(config_overwrite_json={"read_onyl": True, "token_expiration": 0, "x1y2": 1}))
    first, second, third = refused.value.message.splitlines()
    assert "Did you mean read_only?" in first
    assert "token_expiration must be a whole number" in second
    assert "docs/reference/configuration.md" in third


def test_where_to_send_lines() -> None:
    assert Place.read("log.example.com:514") == Place("tcp", "log.example.com", 514)
    assert Place.read("udp://[fd00::1]:1") == Place("udp", "fd00::1", 1)
    assert Place.read("[::::]:1") is None


def test_the_manual_lists_exactly_the_keys_there_are() -> None:
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text("utf-8")
    command = "python -m fairway.frame.configuration.reference > docs/reference/configuration.md"
    assert page == reference(), f"the page is out of date; run: {command}"
    assert all(f"| `{name}` |" in page for name in KEYS)


def test_what_is_settled_fits_together() -> None:
    with pytest.raises(SettingsInvalid, match="skip_audit_log_database needs audit_log_forward_endpoint"):
        settled(Settings(config_overwrite_json={"skip_audit_log_database": True}))
