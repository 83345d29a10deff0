"""Endpoints as an operator writes them."""

from typing import Any

import pytest

from fairway.features.webhooks.registry.model import Endpoint, endpoints
from fairway.frame.settings import Settings, SettingsInvalid

GOOD = {"name": "ci", "url": "https://ci.example.com/hook"}


def test_from_the_environment() -> None:
    text = '[{"name":"ci","url":"https://ci/h","headers":{"Authorization":"Bearer s"},"ignore_actions":["pull"]}]'
    settings = Settings.load({"FAIRWAY_NOTIFICATION_ENDPOINTS": text}, None)
    [found] = endpoints(settings.notification_endpoints)
    assert found == Endpoint(
        "ci", "https://ci/h", {"Authorization": "Bearer s"}, ignored_actions=frozenset({"pull"})
    )
    assert "Bearer" not in repr(found)
    assert endpoints(Settings.load({}, None).notification_endpoints) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"url": "ftp://x"},
        {"headers": {"a": 1}},
        {"headers": []},
        {"headers": {"Host": "x"}},
        {"headers": {"X y": "a"}},
        {"headers": {"X-Key": "a\nb"}},
        {"url": "https://user:pw@ci.example.com/hook"},
        {"url": "http://"},
        {"timeout": 0},
        {"timeout": True},
        {"backoff": "1"},
        {"verify": "no"},
        {"ignore_actions": "push"},
        {"ignore_media_types": [1]},
        {"uri": "https://x"},
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalid, match="notification_endpoints"):
        endpoints([{**GOOD, **wrong}])


def test_a_name_is_given_once() -> None:
    with pytest.raises(SettingsInvalid, match="twice"):
        endpoints([GOOD, GOOD])


@pytest.mark.parametrize("text", ["{", '{"name":"x"}', "[1]", "x"])
def test_what_is_no_list_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(SettingsInvalid, match="FAIRWAY_NOTIFICATION_ENDPOINTS"):
        Settings.load({"FAIRWAY_NOTIFICATION_ENDPOINTS": text}, None)
