"""Calls as they go over the wire, and pages as they come back."""

import json
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from fairway.client import artifacts, groups, logs, projects, quotas, roles, search, sessions, users
from fairway.client.artifacts import Named, parse_named, parse_repository
from fairway.client.call import Call, Listing, Page, Reply, filters, matching, reader
from fairway.client.errors import Unreadable
from fairway.client.users import User
from fairway.core.oci.errors import FairwayError
from fairway.core.oci.names import Repository
from fairway.frame.db.listing import Contains, Exact
from fairway.frame.web.query import parse_filters

APP = Repository("team/a/b")
TAGGED = Named(APP, "v1")


def line(call: Call[object]) -> str:
    """Method, path and body."""
    body = call.request.body
    return f"{call.request.method} {call.request.path}" + (f" {body.decode()}" if body else "")


@pytest.mark.parametrize(
    ("call", "sent"),
    [
        (projects.get("team"), "GET /api/v2.0/projects/team"),
        (projects.get("../x y"), "GET /api/v2.0/projects/..%2Fx%20y"),
        (
            projects.create("team", storage_limit=5),
            'POST /api/v2.0/projects {"project_name": "team", "metadata": {"public": "false"}, "storage_limit": 5}',
        ),
        (
            projects.change("team", {"public": "true"}),
            'PUT /api/v2.0/projects/team {"metadata": {"public": "true"}}',
        ),
        (projects.delete("team"), "DELETE /api/v2.0/projects/team"),
        (
            projects.add_member("team", "kim", 2),
            'POST /api/v2.0/projects/team/members {"role_id": 2, "member_user": {"username": "kim"}}',
        ),
        (
            projects.add_group("team", 5, 3),
            'POST /api/v2.0/projects/team/members {"role_id": 3, "member_group": {"id": 5}}',
        ),
        (
            groups.create("staff", 3),
            'POST /api/v2.0/usergroups {"group_name": "staff", "group_type": 3, "ldap_group_dn": ""}',
        ),
        (groups.add(5, "kim"), 'POST /api/fairway/usergroups/5/members {"username": "kim"}'),
        (groups.remove(5, 7), "DELETE /api/fairway/usergroups/5/members/7"),
        (groups.found("a b").first(9), "GET /api/v2.0/usergroups/search?groupname=a%20b&page=1&page_size=9"),
        (
            roles.create("auditor", ["log:list"], description="reads"),
            (
                'POST /api/fairway/roles {"name": "auditor", "description": "reads", '
                '"permissions": [{"resource": "log", "action": "list"}]}'
            ),
        ),
        (
            roles.change(100, "auditor", ["tag:list", "no"]),
            (
                'PUT /api/fairway/roles/100 {"name": "auditor", "description": "", '
                '"permissions": [{"resource": "tag", "action": "list"}, {"resource": "no", "action": ""}]}'
            ),
        ),
        (roles.delete(100), "DELETE /api/fairway/roles/100"),
        (roles.listed(name="a b").first(9), "GET /api/fairway/roles?name=a%20b&page=1&page_size=9"),
        (projects.set_role("team", 7, 1), 'PUT /api/v2.0/projects/team/members/7 {"role_id": 1}'),
        (projects.remove_member("team", 7), "DELETE /api/v2.0/projects/team/members/7"),
        (artifacts.repository(APP), "GET /api/v2.0/projects/team/repositories/a%252Fb"),
        (
            artifacts.describe(APP, "é"),
            'PUT /api/v2.0/projects/team/repositories/a%252Fb {"description": "\\u00e9"}',
        ),
        (artifacts.delete(TAGGED), "DELETE /api/v2.0/projects/team/repositories/a%252Fb/artifacts/v1"),
        (
            artifacts.add_tag(TAGGED, "v2"),
            'POST /api/v2.0/projects/team/repositories/a%252Fb/artifacts/v1/tags {"name": "v2"}',
        ),
        (
            artifacts.delete_tag(TAGGED, "v1"),
            "DELETE /api/v2.0/projects/team/repositories/a%252Fb/artifacts/v1/tags/v1",
        ),
        (
            artifacts.copy(TAGGED, Repository("shop/x/y")),
            "POST /api/v2.0/projects/shop/repositories/x%252Fy/artifacts?from=team%2Fa%2Fb%3Av1",
        ),
        (search.search("a b"), "GET /api/v2.0/search?q=a%20b"),
        (sessions.end(7), "DELETE /api/fairway/users/current/sessions/7"),
        (quotas.set_limit(3, -1), 'PUT /api/v2.0/quotas/3 {"hard": {"storage": -1}}'),
        (users.set_sysadmin(3, sysadmin=True), 'PUT /api/v2.0/users/3/sysadmin {"sysadmin_flag": true}'),
        (
            logs.listed("team", q="username=kim").first(5),
            "GET /api/v2.0/projects/team/auditlog-exts?q=username%253Dkim&page=1&page_size=5",
        ),
    ],
)
def test_what_is_sent(call: Call[object], sent: str) -> None:
    assert line(call) == sent
    assert ("content-type" in call.request.headers) is (call.request.body is not None)


def test_a_name_that_is_all_digits_is_told_from_an_id() -> None:
    for call in (projects.get("123"), projects.delete("123"), projects.members("123").first()):
        assert call.request.headers["x-is-resource-name"] == "true"


def test_a_body_with_a_secret_is_in_no_text_that_is_made_of_a_call() -> None:
    call = users.create("kim", "s3cret")
    assert b"s3cret" in (call.request.body or b"")
    assert "s3cret" not in repr(call)


def test_a_digest_stays_as_it_is_in_a_path() -> None:
    digest = "sha256:" + "0" * 64
    assert artifacts.get(Named(APP, digest)).request.path.startswith(
        f"/api/v2.0/projects/team/repositories/a%252Fb/artifacts/{digest}?"
    )


@pytest.mark.parametrize("text", ["a&b", "50%", "1+1", "\\x", "~x", "é", "[", "{", "(x"])
def test_the_hub_reads_filters_as_they_were_meant(text: str) -> None:
    """Through the hub's own parser: it takes two layers of encoding off, and some first letters mean something."""
    sent = users.listed(q=matching(username=text, comment__part=text)).first().request.path
    [q] = parse_qs(urlsplit(sent).query)["q"]
    assert parse_filters(q) == {"username": Exact(text), "comment": Contains(text)}


def test_no_filter_is_none() -> None:
    assert filters(matching(name="", other=None)) is None
    assert "q=" not in projects.listed().first().request.path


def pages(*bodies: object, **headers: str) -> list[Page[User]]:
    listing = Listing("/x", reader(User))
    return [
        listing.first().read(
            Reply(200, {n.replace("_", "-"): v for n, v in headers.items()}, json.dumps(b).encode())
        )
        for b in bodies
    ]


KIM = {"user_id": 1, "username": "kim"}


@pytest.mark.parametrize(
    ("link", "following"),
    [
        ("", ""),
        ('</x?page=1&page_size=1>; rel="prev"', ""),
        ('</x?page=1>; rel="prev" , </x?page=3>; rel="next"', "/x?page=3"),
        ('</x?q=name={a b}&page=2>; rel="next"', "/x?q=name=%7Ba%20b%7D&page=2"),
        ('</x?q=a%2Cb&page=2>; rel="next"', "/x?q=a%2Cb&page=2"),
    ],
)
def test_a_page_names_the_one_that_follows(link: str, following: str) -> None:
    [page] = pages([KIM], link=link, x_total_count="7")
    assert (page.total, page.next, page.items) == (7, following, (User(1, "kim"),))


@pytest.mark.parametrize("link", ["https://other.example/x", "//other.example/x", "x"])
def test_a_list_does_not_go_on_elsewhere(link: str) -> None:
    with pytest.raises(Unreadable, match="goes on elsewhere"):
        pages([KIM], link=f'<{link}>; rel="next"')


def test_an_empty_page_is_the_last_one_whatever_it_says() -> None:
    for empty in ([], None):
        [page] = pages(empty, link='</x?page=2>; rel="next"')
        assert (page.items, page.next, page.total) == ((), "", None)


@pytest.mark.parametrize("body", [{}, "x", 1])
def test_what_is_no_list_is_an_error(body: object) -> None:
    with pytest.raises(Unreadable, match="no list"):
        pages(body)


def test_a_page_that_is_no_json_is_an_error() -> None:
    with pytest.raises(Unreadable, match="is this the address of a hub"):
        Reply(200, {}, b"<html>").json()


@pytest.mark.parametrize(
    ("location", "id"), [("/api/v2.0/users/7", 7), ("/api/v2.0/users/7/", 7), ("/users/kim", 0), ("", 0)]
)
def test_what_was_made_has_an_id(location: str, id: int) -> None:
    assert users.create("kim", "x").read(Reply(201, {"location": location})) == id


@pytest.mark.parametrize(
    ("text", "repository", "reference"),
    [
        ("team/app:v1", "team/app", "v1"),
        ("team/a/b:1.0", "team/a/b", "1.0"),
        (f"team/app@sha256:{'0' * 64}", "team/app", f"sha256:{'0' * 64}"),
        (f"team/app:v1@sha256:{'0' * 64}", "team/app", f"sha256:{'0' * 64}"),
    ],
)
def test_an_artifact_by_its_name(text: str, repository: str, reference: str) -> None:
    found = parse_named(text)
    assert found == Named(Repository(repository), reference)
    assert unquote(str(found)) == f"{repository}{'@' if ':' in reference else ':'}{reference}"


@pytest.mark.parametrize(
    "text", ["team", "team/app", "team/app:", "team/app@sha256:1", "Team/app:v1", "team:v1", ""]
)
def test_what_names_no_artifact(text: str) -> None:
    with pytest.raises(FairwayError):
        parse_named(text)


def test_a_project_is_no_repository() -> None:
    with pytest.raises(FairwayError, match="'team' is a project; a repository is written as team/NAME"):
        parse_repository("team")
