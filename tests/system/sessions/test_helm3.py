"""Helm 3: charts as artifacts."""

import pytest

from system.sessions import charts
from system.sessions.keyboard import Keyboard
from system.sessions.known import HELM3
from system.wire import Wire

pytestmark = pytest.mark.system
CLIENT = HELM3

only_sqlite = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)


def test_a_chart_is_pushed_shown_rendered_and_pulled(
    keyboard: Keyboard, deckhand: Wire, project: str
) -> None:
    charts.a_chart_is_pushed_shown_rendered_and_pulled(keyboard, deckhand, project)


def test_after_logout_a_public_chart_is_pulled_and_none_pushed(keyboard: Keyboard, open_project: str) -> None:
    charts.after_logout_a_public_chart_is_pulled_and_none_pushed(keyboard, open_project)


@only_sqlite
def test_a_wrong_password_is_called_one(keyboard: Keyboard, guessing: None) -> None:
    charts.a_wrong_password_is_called_one(keyboard)
