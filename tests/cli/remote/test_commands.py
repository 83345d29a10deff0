"""Every command against a running hub: what it does, and what it says when that is not to be had."""

import pytest

from cli.remote.conftest import SECRET, Desk, push
from hub import Hub

pytestmark = pytest.mark.system


class TestProjects:
    def test_from_its_beginning_to_its_end(self, admin: Desk) -> None:
        said = admin.does("project", "create", "p-one", "--storage-limit", "10GiB")
        assert said == "Made p-one; only its members may see it.\n"
        assert admin.json("project", "show", "p-one")["metadata"] == {"public": "false"}
        assert admin.does("project", "set", "p-one", "--public", "auto_scan=false") == (
            "Changed p-one: auto_scan is false, public is true.\n"
        )
        shown = dict(admin.lines("project", "show", "p-one"))
        assert (shown["name"], shown["public"], shown["setting auto_scan"]) == ("p-one", "true", "false")
        assert dict(admin.lines("quota", "show", "p-one"))["limit"] == str(10 * 2**30)
        assert admin.does("project", "delete", "p-one", "--yes") == "Deleted p-one.\n"
        assert admin.refused("project", "show", "p-one") == "project p-one not found"

    def test_lists(self, admin: Desk) -> None:
        admin.does("project", "create", "p-list-a", "--public")
        admin.does("project", "create", "p-list-b")
        names = [line[0] for line in admin.lines("project", "list", "--name", "p-list")]
        assert names == ["p-list-a", "p-list-b"]
        assert [line[0] for line in admin.lines("project", "list", "--name", "p-list", "--public")] == names[
            :1
        ]
        assert [line[0] for line in admin.lines("project", "list", "--name", "p-list", "--private")] == names[
            1:
        ]
        assert [each["name"] for each in admin.json("project", "list", "--name", "p-list")] == names
        down = admin.lines("project", "list", "--name", "p-list", "--sort=-name")
        assert [line[0] for line in down] == names[::-1]
        assert admin.lines("project", "list", "--q", "name=p-list-b")[0][0] == "p-list-b"
        assert admin.json("project", "list", "--name", "no-such") == []
        assert admin.lines("project", "list", "--name", "no-such") == []

    def test_a_list_that_is_cut_says_so(self, admin: Desk) -> None:
        for each in "abc":
            admin.does("project", "create", f"p-cut-{each}")
        done = admin("project", "list", "--name", "p-cut", "--limit", 2)
        assert len(done.stdout.splitlines()) == 2
        assert done.stderr == "These are the first 2 of 3; --all shows all.\n"
        assert len(admin.lines("project", "list", "--name", "p-cut", "--limit", 2, "--all")) == 3

    def test_a_list_of_several_pages(self, admin: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        for each in "abcde":
            admin.does("project", "create", f"p-pages-{each}")
        monkeypatch.setattr("fairway.client.call.MOST_ON_A_PAGE", 2)
        assert len(admin.lines("project", "list", "--name", "p-pages", "--all")) == 5
        assert len(admin.lines("project", "list", "--name", "p-pages", "--limit", 3)) == 3
        assert len(admin.json("project", "list", "--name", "p-pages", "--limit", 5)) == 5

    def test_what_is_in_use_is_not_deleted(self, running: Hub, admin: Desk) -> None:
        admin.does("project", "create", "p-full")
        push(running, "p-full/app", "v1")
        said = admin.refused("project", "delete", "p-full", "--yes")
        assert said.startswith("p-full was not deleted: ")
        assert said.endswith("`fairway repo list p-full` shows what is in it")

    def test_deleting_must_be_meant(self, admin: Desk) -> None:
        admin.does("project", "create", "p-kept")
        said = admin.refused("project", "delete", "p-kept")
        assert said == "nothing was changed; say that you mean it with --yes"
        admin.does("project", "show", "p-kept")

    def test_what_goes_wrong_in_the_middle_stops_it(self, admin: Desk) -> None:
        admin.does("project", "create", "p-first")
        admin.does("project", "create", "p-last")
        done = admin("project", "delete", "p-first", "p-none", "p-last", "--yes")
        assert (done.exit_code, done.stdout) == (1, "Deleted p-first.\n")
        assert done.stderr == "fairway: project p-none not found\n"
        admin.does("project", "show", "p-last")

    def test_the_hubs_words(self, admin: Desk) -> None:
        assert admin.refused("project", "create", "library") == "the project library exists already"
        assert "lower-case letters" in admin.refused("project", "create", "Team")
        assert "metadata.nonsense is not known" in admin.refused("project", "set", "library", "nonsense=1")

    def test_mistakes_of_the_command_line(self, admin: Desk) -> None:
        assert "'10Xi' is no size" in admin.misused("project", "create", "p-x", "--storage-limit", "10Xi")
        assert "say what to change" in admin.misused("project", "set", "library")
        assert "'public' is no setting" in admin.misused("project", "set", "library", "public")
        assert "No such command 'lst'. Did you mean 'list', 'set'?" in admin.misused("project", "lst")
        assert "No such command 'projct'. Did you mean 'project'?" in admin.misused("projct")


class TestWhoMayNot:
    @pytest.fixture
    def team(self, admin: Desk) -> str:
        if admin("project", "show", "forbidden").exit_code:
            admin.does("project", "create", "forbidden", "--public")
        return "forbidden"

    def test_a_stranger_changes_nothing(self, kim: Desk, team: str) -> None:
        for words in (
            ["project", "set", team, "--private"],
            ["project", "delete", team, "--yes"],
            ["member", "add", team, "kim", "--role", "admin"],
            ["quota", "set", team, "1GiB"],
        ):
            said = kim.refused(*words)
            assert said.endswith(
                "; you asked as kim, an administrator of the project or of the hub can let you"
            )

    def test_nobody_is_told_to_log_in(self, running: Hub, nobody: Desk, team: str) -> None:
        said = nobody.refused("project", "delete", team, "--yes", "--hub", running.url)
        assert said == f"{running.url} wants to know who you are; do: fairway login {running.url}"

    def test_what_one_may_not_see_is_not_told_from_what_is_not_there(self, admin: Desk, kim: Desk) -> None:
        admin.does("project", "create", "hidden")
        hidden, missing = kim.refused("project", "show", "hidden"), kim.refused("project", "show", "missing")
        assert hidden.replace("hidden", "missing") == missing


class TestMembers:
    def test_they_come_rise_and_go(self, admin: Desk, kims: str) -> None:
        admin.does("project", "create", "m-team")
        assert admin.does("member", "add", "m-team", kims, "--role", "developer") == (
            "kim is developer in m-team now.\n"
        )
        assert admin.lines("member", "list", "m-team") == [
            ["admin", "admin", "user"],
            ["kim", "developer", "user"],
        ]
        assert admin.does("member", "set", "m-team", kims, "--role", "maintainer") == (
            "kim is maintainer in m-team now.\n"
        )
        assert [each["role_id"] for each in admin.json("member", "list", "m-team")] == [1, 4]
        assert (
            admin.does("member", "set", "m-team", kims, "--role", "developer", "--repository", "apples/**")
            == "kim is developer in apples/** of m-team now.\n"
        )
        assert " ".join(admin.lines("member", "list", "m-team")[-1]) == "kim developer (apples/**) user"
        assert admin.does("member", "set", "m-team", kims, "--role", "guest") == (
            "kim is guest in apples/** of m-team now.\n"
        )
        whole = ("member", "set", "m-team", kims, "--role", "guest", "--all-repositories")
        assert "say one of the two" in admin.misused(*whole, "--repository", "pears/**")
        assert "no pattern of repositories" in admin.refused(*whole[:-1], "--repository", "Pears")
        assert admin.does(*whole) == "kim is guest in m-team now.\n"
        assert admin.json("member", "list", "m-team")[1]["repositories"] == []
        assert admin.does("member", "remove", "m-team", kims) == "kim does not belong to m-team any more.\n"
        assert admin.refused("member", "remove", "m-team", kims) == (
            "m-team has no member kim; `fairway member list m-team` shows them"
        )

    def test_who_has_some_repositories_sees_which(self, admin: Desk, kim: Desk) -> None:
        admin.does("project", "create", "m-some")
        admin.does("member", "add", "m-some", "kim", "--role", "guest", "--repository", "apples/**")
        assert dict(kim.lines("project", "show", "m-some"))["your role"] == "for apples/**"

    def test_part_of_a_name_is_no_name(self, admin: Desk, kims: str) -> None:
        admin.does("project", "create", "m-part")
        admin.does("member", "add", "m-part", kims, "--role", "guest")
        assert "no member ki;" in admin.refused("member", "set", "m-part", "ki", "--role", "admin")

    def test_the_hubs_words(self, admin: Desk, kims: str) -> None:
        admin.does("project", "create", "m-words")
        assert admin.refused("member", "add", "m-words", "none", "--role", "guest") == "there is no user none"
        admin.does("member", "add", "m-words", kims, "--role", "guest")
        assert "is a member already" in admin.refused("member", "add", "m-words", kims, "--role", "guest")
        assert "not found" in admin.refused("member", "list", "m-none")

    def test_a_role_that_there_is_not(self, admin: Desk) -> None:
        said = admin.misused("member", "add", "library", "kim", "--role", "king")
        assert "'king' is not one of 'admin', 'maintainer', 'developer', 'guest', 'limited-guest'" in said


@pytest.fixture(scope="module")
def digest(running: Hub) -> str:
    """Of the last of three images in library/c/deep."""
    for number in range(2):
        push(running, "library/c/deep", f"old-{number}", f"layer {number}".encode())
    return push(running, "library/c/deep", "v1")


class TestContent:
    def test_repositories(self, admin: Desk, digest: str) -> None:
        names = [line[0] for line in admin.lines("repo", "list", "library")]
        assert "library/c/deep" in names
        assert "library/c/deep" in [line[0] for line in admin.lines("repo", "list", "--q", "name=~deep")]
        assert admin.does("repo", "describe", "library/c/deep", "What it is") == "Described library/c/deep.\n"
        shown = admin.json("repo", "show", "library/c/deep")
        assert (shown["description"], shown["artifact_count"]) == ("What it is", 3)

    def test_artifacts(self, admin: Desk, digest: str) -> None:
        found = admin.lines("artifact", "list", "library/c/deep")
        assert [line[1] for line in found] == ["v1", "old-1", "old-0"]
        assert found[0][:3] == [digest, "v1", "IMAGE"]
        for name in (f"library/c/deep@{digest}", "library/c/deep:v1"):
            shown = dict(admin.lines("artifact", "show", name))
            assert (shown["digest"], shown["repository"]) == (digest, "library/c/deep")
        assert admin.json("artifact", "show", "library/c/deep:v1")["tags"][0]["name"] == "v1"

    def test_tags(self, admin: Desk, digest: str) -> None:
        said = admin.does("tag", "create", f"library/c/deep@{digest}", "v1.0", "stable")
        assert said.splitlines()[0] == f"library/c/deep:v1.0 is library/c/deep@{digest} now."
        for words in (["tag", "list"], ["artifact", "tags"]):
            names = {line[0] for line in admin.lines(*words, "library/c/deep:v1")}
            assert {"v1", "v1.0", "stable"} <= names
        assert "has the tag v1 already" in admin.refused("tag", "create", "library/c/deep:stable", "v1")
        assert admin.does("tag", "delete", "library/c/deep:v1.0", "library/c/deep:stable", "--yes") == (
            "Took away library/c/deep:v1.0; the artifact stays.\n"
            "Took away library/c/deep:stable; the artifact stays.\n"
        )
        assert [line[0] for line in admin.lines("tag", "list", "library/c/deep:v1")] == ["v1"]

    def test_deleting(self, running: Hub, admin: Desk) -> None:
        digest = push(running, "library/c/gone", "v1")
        push(running, "library/c/gone", "v2", b"another")
        assert admin.does("artifact", "delete", f"library/c/gone@{digest}", "library/c/gone:v2", "--yes") == (
            f"Deleted library/c/gone@{digest}.\nDeleted library/c/gone:v2.\n"
        )
        push(running, "library/c/gone", "v3")
        assert admin.does("repo", "delete", "library/c/gone", "--yes") == "Deleted library/c/gone.\n"
        assert admin.refused("repo", "show", "library/c/gone") == "repository library/c/gone not found"

    def test_what_is_not_there(self, admin: Desk, digest: str) -> None:
        assert "not found" in admin.refused("artifact", "show", "library/c/deep:none")
        assert "not found" in admin.refused("artifact", "list", "library/c/none")
        assert "there is no repository library/c/none" in admin.refused(
            "tag", "create", "library/c/none:v1", "v2"
        )

    def test_mistakes_of_the_command_line(self, admin: Desk) -> None:
        assert "a repository is written as library/NAME" in admin.misused("repo", "show", "library")
        assert "say which artifact of library/c/deep" in admin.misused("artifact", "show", "library/c/deep")
        assert "has no tag" in admin.misused("tag", "delete", f"library/c/deep@sha256:{'0' * 64}")
        assert "is not a tag" in admin.misused("tag", "create", "library/c/deep:v1", ".v")


class TestQuotas:
    def test_they_are_set_and_shown(self, admin: Desk) -> None:
        admin.does("project", "create", "q-team")
        assert admin.does("quota", "set", "q-team", "10GiB") == "q-team may store 10 GiB now; it has 0 B.\n"
        assert admin.json("quota", "show", "q-team") == {
            "hard": {"storage": 10 * 2**30},
            "used": {"storage": 0},
        }
        assert ["q-team", "0", str(10 * 2**30)] in admin.lines("quota", "list", "--all")
        assert admin.does("quota", "set", "q-team", "unlimited").startswith("q-team may store unlimited")
        assert admin.lines("quota", "list", "--sort=-used.storage")[-1][1] == "0"

    def test_who_may_not_see_one(self, admin: Desk, kim: Desk) -> None:
        admin.does("project", "create", "q-public", "--public")
        assert kim.refused("quota", "show", "q-public") == "only members of q-public may see its quota"


class TestUsers:
    def test_from_their_beginning_to_their_end(self, running: Hub, admin: Desk, nobody: Desk) -> None:
        made = admin("user", "create", "mia", "--email", "mia@example.com", "--password-stdin", stdin=SECRET)
        assert made.stdout == "Made mia.\n"
        assert admin.does("user", "set", "mia", "--name", "Mia", "--admin") == "Changed mia.\n"
        shown = dict(admin.lines("user", "show", "mia"))
        assert (shown["name"], shown["email"], shown["administrator"]) == ("Mia", "mia@example.com", "true")
        assert admin.does("user", "set", "mia", "--no-admin") == "Changed mia.\n"
        assert [line[0] for line in admin.lines("user", "list", "--match", "mi")] == ["admin", "mia"]
        nobody.does("login", running.url, "-u", "mia", "--password-stdin", stdin=SECRET)
        said = nobody.does("user", "change-password", "--password-stdin", stdin=f"{SECRET}\nAnother-12345\n")
        assert said == f"Changed the password of mia; do: fairway login {running.url}.\n"
        assert admin.does("user", "delete", "mia", "--yes") == "Closed the account of mia.\n"
        assert admin.refused("user", "show", "mia") == (
            "there is no user mia; `fairway user list` shows them"
        )

    def test_the_hubs_words(self, admin: Desk, kims: str) -> None:
        create = ("user", "create", kims, "--password-stdin")
        assert admin.refused(*create, stdin=SECRET) == "there is a user kim already"
        assert "password" in admin.refused("user", "create", "weak", "--password-stdin", stdin="weak")
        assert "cannot delete yourself" in admin.refused("user", "delete", "admin", "--yes")

    def test_the_old_password_is_needed_for_ones_own(self, kim: Desk) -> None:
        said = kim.refused("user", "change-password", "--password-stdin", stdin="Wrong-12345\nOther-12345\n")
        assert said == "the old password is not right"

    def test_who_may_not(self, kim: Desk) -> None:
        assert "you asked as kim," in kim.refused("user", "list")
        assert "you asked as kim," in kim.refused("user", "show", "admin")
        assert kim.lines("user", "show")[0] == kim.lines("user", "show", "kim")[0] == ["user", "kim"]
        assert kim.does("user", "set", "kim", "--name", "Kim") == "Changed kim.\n"
        assert dict(kim.lines("user", "show"))["name"] == "Kim"

    def test_those_in_the_database_are_there_too(self, nobody: Desk) -> None:
        shown = nobody.does("user", "--help")
        for name in ("add", "password", "list", "create"):
            assert f"│ {name} " in shown


class TestLog:
    def test_who_did_what(self, admin: Desk) -> None:
        admin.does("project", "create", "l-team")
        admin.does("project", "set", "l-team", "--public")
        found: list[list[str]] = []
        while len(found) < 2:  # it is written in the background
            found = admin.lines("log", "l-team")
        assert [line[1:] for line in found] == [
            ["admin", "update", "project", "l-team", "true"],
            ["admin", "create", "project", "l-team", "true"],
        ]
        assert [line[2] for line in admin.lines("log", "l-team", "--operation", "create")] == ["create"]
        assert admin.lines("log", "--user", "nobody-at-all") == []
        assert admin.lines("log", "l-team", "--what", "member") == []
        assert len(admin.lines("log", "l-team", "--since", "2000-01-01")) == 2
        assert admin.lines("log", "l-team", "--since", "2999-01-01T00:00:00") == []
        assert {each["resource_type"] for each in admin.json("log", "l-team")} == {"project"}


def test_a_project_is_renamed_and_its_former_name_let_go_of(admin: Desk) -> None:
    admin.does("project", "create", "p-before")
    said = admin.does("project", "rename", "p-before", "p-after")
    assert said == (
        "Renamed p-before to p-after; p-before leads there until: fairway project alias drop p-after p-before\n"
    )
    assert admin.json("project", "show", "p-before")["name"] == "p-after"
    assert [line[0] for line in admin.lines("project", "alias", "list", "p-before")] == ["p-before"]
    assert "exists already" in admin.refused("project", "create", "p-before")
    said = admin.does("project", "alias", "drop", "p-after", "p-before", "--yes")
    assert said == "p-before does not lead to p-after any more.\n"
    assert admin.refused("project", "show", "p-before") == "project p-before not found"
    assert "no such former name" in admin.refused("project", "alias", "drop", "p-after", "p-before", "--yes")


def test_a_project_is_deleted_with_all_that_is_in_it(admin: Desk, running: Hub) -> None:
    admin.does("project", "create", "p-brimful")
    for n, name in enumerate(("app", "deep/er/app", "db")):
        push(running, f"p-brimful/{name}", "v1", f"layer {n}".encode())
    assert "contains repositories" in admin.refused("project", "delete", "p-brimful", "--yes")
    assert "say that you mean it with --yes" in admin.refused("project", "delete", "p-brimful", "--force")
    assert len(admin.lines("repo", "list", "p-brimful")) == 3
    assert admin.does("project", "delete", "p-brimful", "--force", "--yes") == "Deleted p-brimful.\n"
    assert admin.refused("project", "show", "p-brimful") == "project p-brimful not found"
    admin.does("project", "create", "p-brimful")
    assert admin.lines("repo", "list", "p-brimful") == []
    assert admin.does("project", "delete", "p-brimful", "--force", "--yes") == "Deleted p-brimful.\n"
