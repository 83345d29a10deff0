"""The processes of `fairway serve`: they start, they answer, they drain."""

import urllib.request

import pytest

from hub import Hub

pytestmark = pytest.mark.system


def test_it_answers_and_stops_cleanly(hub: Hub) -> None:
    with urllib.request.urlopen(f"{hub.url}/api/v2.0/ping") as answer:
        assert answer.read() == b"Pong"
    assert hub.stop() == 0
    assert hub.pids() == []
