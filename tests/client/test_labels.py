"""What is sent about labels."""

from fairway.client import labels
from fairway.client.artifacts import parse_named


def test_what_is_sent() -> None:
    named = parse_named("team/a/b:v1")
    made = labels.create("x", 7, color="#fff").request
    assert made.body == b'{"name": "x", "color": "#fff", "description": "", "scope": "p", "project_id": 7}'
    assert labels.listed(7, name="x").first(5).request.path == (
        "/api/v2.0/labels?scope=p&project_id=7&q=name%253Dx&page=1&page_size=5"
    )
    assert labels.listed().first(5).request.path == "/api/v2.0/labels?scope=g&page=1&page_size=5"
    on = "/api/v2.0/projects/team/repositories/a%252Fb/artifacts/v1/labels"
    assert (labels.attach(named, 3).request.path, labels.attach(named, 3).request.body) == (on, b'{"id": 3}')
    assert labels.detach(named, 3).request.path == f"{on}/3"
