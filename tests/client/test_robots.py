"""What is sent about robots and the configuration, and what of a secret is shown."""

import json

import pytest

from fairway.client import configuration, robots
from fairway.client.call import Reply
from fairway.client.configuration import Choice
from fairway.client.errors import Unreadable
from fairway.client.robots import Access, Granted, Robot

CAN = (Granted("project", "team", (Access("repository", "push"),)),)
TOLD = [
    {
        "kind": "project",
        "namespace": "team",
        "access": [{"resource": "repository", "action": "push", "effect": "allow"}],
    }
]


def test_a_robot_is_made() -> None:
    made = robots.create("ci", level="project", permissions=CAN, days=30)
    assert made.request.path == "/api/v2.0/robots"
    assert json.loads(made.request.body or b"") == {
        "name": "ci",
        "description": "",
        "level": "project",
        "duration": 30,
        "disable": False,
        "permissions": TOLD,
    }
    answer = made.read(Reply(201, {}, b'{"id": 1, "name": "robot$team+ci", "secret": "s3cret"}'))
    assert answer.secret == "s3cret"
    assert "s3cret" not in repr(answer)


def test_what_is_not_changed_is_sent_as_it_was_read() -> None:
    robot = robots.get(7).read(
        Reply(
            200,
            {},
            json.dumps(
                {"id": 7, "name": "robot$x", "level": "system", "duration": 5, "permissions": TOLD}
            ).encode(),
        )
    )
    assert robot == Robot(7, "robot$x", level="system", duration=5, permissions=CAN)
    sent = robots.set_disabled(robot, disabled=True).request
    assert (sent.method, sent.path) == ("PUT", "/api/v2.0/robots/7")
    told = json.loads(sent.body or b"")
    assert (told["permissions"], told["disable"], told["duration"]) == (TOLD, True, 5)


def test_whose_robots() -> None:
    assert "q=Level%253Dsystem&" in robots.listed().first().request.path
    assert "q=Level%253Dproject%252CProjectID%253D5&" in robots.listed(5).first().request.path


def test_a_new_secret() -> None:
    asked = robots.renew(7)
    assert (asked.request.method, asked.request.body) == ("PATCH", b'{"secret": ""}')
    assert asked.read(Reply(200, {}, b'{"secret": "s3cret"}')).secret == "s3cret"


def test_a_configuration() -> None:
    body = b'{"a": {"value": true, "editable": false}, "b": {"value": 3}, "c": null}'
    assert configuration.get().read(Reply(200, {}, body)) == {"a": Choice(True, False), "b": Choice(3)}
    sent = configuration.change({"a": True, "b": 3}).request
    assert (sent.method, sent.path, sent.body) == (
        "PUT",
        "/api/v2.0/configurations",
        b'{"a": true, "b": 3}',
    )
    with pytest.raises(Unreadable):
        configuration.get().read(Reply(200, {}, b"[]"))


def test_repositories_are_sent_as_they_were_read() -> None:
    told = [{**TOLD[0], "repositories": ["apples/**"]}]
    robot = robots.get(7).read(
        Reply(200, {}, json.dumps({"id": 7, "name": "x", "permissions": told}).encode())
    )
    assert robot.permissions[0].repositories == ("apples/**",)
    sent = robots.set_disabled(robot, disabled=True).request
    assert json.loads(sent.body or b"")["permissions"] == told
