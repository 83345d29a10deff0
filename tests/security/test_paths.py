"""Paths and queries that try to be something else: the canonical decision, or a refusal (T01, T40, T54)."""

import pytest
from sqlalchemy import insert

from fairway.core.oci.digest import Digest
from fairway.frame.db.tables import artifacts, repositories, tags
from stories.world import Person, World, image, layer

BASE = Digest.of(layer("base"))
REFUSALS = (400, 401, 404, 405)


@pytest.fixture
async def alice(world: World) -> Person:
    """She owns `team`, which is private, and `open`, which is not."""
    alice = await world.person("alice")
    await world.project("team", alice)
    await world.project("open", alice, public=True)
    for name in ("team/app:v1", "open/app:v1"):
        assert (await alice.push(name, image("base"))).status == 201
    return alice


def tricks(path: str) -> set[str]:
    """Other spellings of a path."""
    head, _, last = path.rpartition("/")
    segments = path.split("/")
    found = {
        path + suffix
        for suffix in (
            "/",
            "//",
            "/.",
            "/..",
            "%2f",
            "%2F%2F",
            "%252f",
            "%5c",
            ";x=1",
            "%00",
            "%20",
            "%0a",
            "#",
            "?",
        )
    }
    found |= {
        head + middle + last for middle in ("//", "/./", "/x/../", "/%2e/", "/%2e%2e/", "%2f", "%252f", "%5c")
    }
    for at in range(1, len(segments)):
        for extra in ("", ".", "..", "%2e%2e", "%00", ";"):
            found.add("/".join([*segments[:at], extra, *segments[at:]]))
    found |= {path.replace("a", "%61", 1), path.replace("/", "%2f"), path.upper(), f"/x/..{path}", f"/{path}"}
    found |= {
        path.replace("/v2/", spelt, 1) for spelt in ("/V2/", "//v2/", "/./v2/", "/v2//", "/v2/./", "/v2;/")
    }
    found |= {
        path.replace("/v2/", spelt, 1)
        for spelt in ("/api/v2.0/../../v2/", "/v2/open/../", "/v2/open/app/../../")
    }
    return found - {path}


PROTECTED = (
    ("GET", "/v2/team/app/manifests/v1"),
    ("GET", f"/v2/team/app/blobs/{BASE}"),
    ("GET", "/v2/team/app/tags/list"),
    ("GET", "/v2/_catalog"),
    ("DELETE", "/v2/team/app/manifests/v1"),
    ("DELETE", f"/v2/open/app/blobs/{BASE}"),
    ("PUT", "/v2/open/app/manifests/v1"),
    ("POST", "/v2/open/app/blobs/uploads/"),
)


class TestPathTricks:
    """T01."""

    async def test_no_spelling_opens_what_is_closed(self, world: World, alice: Person) -> None:
        bob = await world.person("bob")
        before = await world.stored()
        for method, path in PROTECTED:
            for spelt in sorted(tricks(path)):
                for who in (world.anybody, bob):
                    answer = await who(method, spelt)
                    assert answer.status in REFUSALS, (who.name, method, spelt)
                    assert layer("base") not in answer.body
                    assert answer.code
        assert await world.stored() == before

    async def test_no_spelling_leads_somewhere_else(self, world: World, alice: Person) -> None:
        """Who may do it finds the thing itself or nothing, never another."""
        expected = {
            ("GET", "/v2/team/app/manifests/v1"): image("base").manifest.raw,
            ("GET", f"/v2/team/app/blobs/{BASE}"): layer("base"),
        }
        for (method, path), content in expected.items():
            for spelt in sorted(tricks(path)):
                answer = await alice(method, spelt)
                assert answer.status in (200, 400, 401, 404), spelt
                assert answer.status != 200 or answer.body == content, spelt

    async def test_the_catalogue_has_one_address(self, world: World, alice: Person) -> None:
        for spelt in (
            "/v2/_catalog/",
            "/v2//_catalog",
            "/v2/./_catalog",
            "/api/v2.0/../v2/_catalog",
            "/v2/_catalog%2f",
        ):
            for who in (world.anybody, world.admin):
                assert (await who("GET", spelt)).status in (400, 404), spelt

    async def test_headers_do_not_move_a_request(self, world: World, alice: Person) -> None:
        for name in (
            "x-original-url",
            "x-rewrite-url",
            "x-forwarded-prefix",
            "x-original-uri",
            "x-forwarded-path",
        ):
            for value in ("/v2/open/app/manifests/v1", "/readyz", "/api/v2.0/ping"):
                answer = await world.anybody("GET", "/v2/team/app/manifests/v1", headers={name: value})
                assert answer.short == (401, "UNAUTHORIZED")
                answer = await world.anybody("GET", "/v2/open/app/manifests/v1", headers={name: "/v2/team/x"})
                assert answer.status == 200

    async def test_methods_are_not_overridden(self, world: World, alice: Person) -> None:
        for name in ("x-http-method-override", "x-method-override", "x-http-method"):
            answer = await alice("GET", "/v2/team/app/manifests/v1", headers={name: "DELETE"})
            assert answer.body == image("base").manifest.raw
            assert (await alice.pull("team/app:v1")).status == 200

    async def test_names_outside_the_grammar_are_none(self, world: World, alice: Person) -> None:
        before = await world.stored()
        for name in (
            "team/App",
            "team/app_",
            "team/-app",
            "team/a..b",
            "team/a___b",
            "team/äpp",
            "team/" + "x" * 251,
            "team/app%0A",
            "team/%E2%80%AEppa",
            "team",
            "",
        ):
            for target in (f"/v2/{name}/tags/list", f"/v2/{name}/manifests/v1"):
                answer = await alice("GET", target)
                assert answer.status in (400, 404), name
            assert (await alice("POST", f"/v2/{name}/blobs/uploads/")).status in (400, 404), name
        assert await world.stored() == before

    async def test_tags_outside_the_grammar_are_none(self, world: World, alice: Person) -> None:
        before = await world.stored()
        for tag in (
            ".v1",
            "-v1",
            "v" * 129,
            "v1%20",
            "v1%0A",
            "v%00",
            "v+1",
            "v,1",
            "%C3%BC",
            "v1@x",
            "%E2%80%8B",
        ):
            for target in (f"/v2/team/app/manifests/{tag}", f"/v2/team/app/manifests/v2?tag=ok&tag={tag}"):
                answer = await alice(
                    "PUT",
                    target,
                    image("base").manifest.raw,
                    headers={"content-type": image("base").manifest.media_type},
                )
                assert answer.short == (400, "TAG_INVALID"), target
        assert await world.stored() == before


COUNTS = {
    "0": 0,
    "1": 1,
    "1000": 1000,
    "1001": 1000,
    "2147483647": 1000,
    "9223372036854775808": 1000,
    "9" * 4000: 1000,
    "007": 7,
}
NO_COUNTS = (
    "-1",
    "+1",
    "%2B1",
    "1e30",
    "1.0",
    "0x10",
    "abc",
    "",
    "%20",
    "1%20",
    "%D9%A1",
    "1_000",
    "1,2",
    "null",
)


class TestPages:
    """T40."""

    @pytest.fixture
    async def many(self, world: World, alice: Person) -> None:
        """More tags and repositories than one page holds."""
        rows = {row["name"]: row for row in await world.rows(repositories)}
        artifact = (await world.rows(artifacts))[0]
        times = {"pushed_at": 0, "created_at": 0}
        tag_rows = [
            {"repository_id": artifact["repository_id"], "artifact_id": artifact["id"], "name": f"t{n}"}
            | times
            for n in range(1500)
        ]
        await world.run(insert(tags).values(tag_rows))
        times = {"updated_at": 0, "created_at": 0}
        made = [{"project_id": rows["app"]["project_id"], "name": f"r{n}"} | times for n in range(1500)]
        await world.run(insert(repositories).values(made))

    async def test_a_page_is_bounded_whatever_is_asked(self, world: World, many: None) -> None:
        for target, key in (("/v2/team/app/tags/list", "tags"), ("/v2/_catalog", "repositories")):
            for count, expected in COUNTS.items():
                answer = await world.admin("GET", f"{target}?n={count}")
                assert (answer.status, len(answer.json[key])) == (200, expected), count
                assert ("link" in answer) == (expected > 0)
            assert len((await world.admin("GET", target)).json[key]) == 1000

    async def test_what_is_no_count_is_refused(self, world: World, alice: Person) -> None:
        for target in ("/v2/team/app/tags/list", "/v2/_catalog", f"/v2/team/app/referrers/{BASE}"):
            for count in NO_COUNTS:
                answer = await world.admin("GET", f"{target}?n={count}")
                assert answer.short == (400, "BAD_REQUEST"), count
            assert (await world.admin("GET", f"{target}?n=1&n=2")).short == (400, "BAD_REQUEST")

    async def test_where_to_go_on_is_no_way_into_the_database(self, world: World, alice: Person) -> None:
        for last in (
            "'",
            "' OR 1=1 --",
            "%25",
            "_",
            "\\",
            "%5C",
            "a%00b",
            "%C3%BC",
            "x" * 256,
            "%",
            "%F0%28",
            "a/b/c",
        ):
            for target in ("/v2/team/app/tags/list", "/v2/_catalog", f"/v2/team/app/referrers/{BASE}"):
                answer = await world.admin("GET", f"{target}?last={last}")
                assert answer.status in (200, 400), (target, last)
            answer = await world.admin("GET", f"/v2/team/app/referrers/{BASE}?artifactType={last}")
            assert answer.status in (200, 400), last


class TestEndlessQueries:
    """T54."""

    async def test_ten_thousand_parameters_are_refused(self, world: World, alice: Person) -> None:
        before = await world.stored()
        many = "&".join(f"tag=t{n}" for n in range(10_000))
        headers = {"content-type": image("base").manifest.media_type}
        answer = await alice(
            "PUT", f"/v2/team/app/manifests/v2?{many}", image("base").manifest.raw, headers=headers
        )
        assert answer.short == (400, "BAD_REQUEST")
        for target in ("/v2/team/app/tags/list", "/v2/_catalog", "/service/token"):
            assert (await alice("GET", f"{target}?{many}")).short == (400, "BAD_REQUEST"), target
        assert (await alice("POST", f"/v2/team/app/blobs/uploads/?{many}")).short == (400, "BAD_REQUEST")
        assert await world.stored() == before

    async def test_semicolons_and_nonsense_are_no_parameters(self, world: World, alice: Person) -> None:
        for query in ("&" * 50, "=" * 50, "n=1;n=2", "%", "%zz", "a" * 60_000, "\x01", "n"):
            answer = await alice("GET", f"/v2/team/app/tags/list?{query}")
            assert answer.status in (200, 400), query

    async def test_a_parameter_that_may_come_once_comes_once(self, world: World, alice: Person) -> None:
        before = await world.stored()
        for query in (
            f"digest={BASE}&digest={BASE}",
            f"mount={BASE}&mount={BASE}",
            f"mount={BASE}&from=open/app&from=team/app",
            "digest-algorithm=sha256&digest-algorithm=sha512",
        ):
            answer = await alice("POST", f"/v2/team/app/blobs/uploads/?{query}", layer("base"))
            assert answer.short == (400, "BAD_REQUEST"), query
        assert await world.stored() == before

    async def test_ten_thousand_headers_are_survived(self, alice: Person) -> None:
        headers = {f"x-{n}": "x" * 100 for n in range(10_000)}
        assert (await alice("GET", "/v2/team/app/tags/list", headers=headers)).status == 200
