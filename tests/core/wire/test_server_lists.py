"""Lists: tags, repositories and referrers, page by page."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from fairway.core.oci.digest import Digest

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
ANYTHING = Digest.of(b"anything")
SUBJECT = {"mediaType": IMAGE, "digest": ANYTHING, "size": 8}


def next_page(answer: Any) -> str:
    """Where the Link header leads: a path on this registry."""
    link = answer["link"]
    assert link.startswith("<")
    assert link.endswith('>; rel="next"')
    target = str(link[1:].partition(">")[0])
    assert not urlsplit(target).netloc
    return target


@pytest.fixture
async def tagged(wire: Any) -> Any:
    _, raw = await wire.push_manifest("team/app", "v1")
    for tag in ("V1", "_x", "v10", "v2"):
        await wire("PUT", f"/v2/team/app/manifests/{tag}", raw, headers={"Content-Type": IMAGE})
    return wire


class TestTags:
    URL = "/v2/team/app/tags/list"
    ALL = ("V1", "_x", "v1", "v10", "v2")

    async def test_all_tags_come_in_ascii_order(self, tagged: Any) -> None:
        answer = await tagged("GET", self.URL)
        assert answer.json == {"name": "team/app", "tags": list(self.ALL)}
        assert answer["content-type"] == "application/json"
        assert "link" not in answer

    async def test_pages_lead_from_one_to_the_next(self, tagged: Any) -> None:
        target, seen = f"{self.URL}?n=2", []
        while target:
            answer = await tagged("GET", target)
            seen.append(answer.json["tags"])
            target = next_page(answer) if "link" in answer else ""
        assert seen == [["V1", "_x"], ["v1", "v10"], ["v2"]]

    async def test_last_is_exclusive_and_need_not_exist(self, tagged: Any) -> None:
        assert (await tagged("GET", f"{self.URL}?last=v1")).json["tags"] == ["v10", "v2"]
        assert (await tagged("GET", f"{self.URL}?last=v11")).json["tags"] == ["v2"]

    async def test_a_page_that_just_fits_is_the_last(self, tagged: Any) -> None:
        assert "link" not in await tagged("GET", f"{self.URL}?n=5")

    async def test_nothing_asked_nothing_given(self, tagged: Any) -> None:
        answer = await tagged("GET", f"{self.URL}?n=0")
        assert (answer.status, answer.json["tags"]) == (200, [])
        assert "link" not in answer

    @pytest.mark.parametrize("n", ["2147483647", "1" + "0" * 30, "1000000"])
    async def test_too_much_asked_is_cut_to_a_page(self, tagged: Any, n: str) -> None:
        assert (await tagged("GET", f"{self.URL}?n={n}")).json["tags"] == list(self.ALL)

    @pytest.mark.parametrize("n", ["-1", "abc", "1e30", "1.5", "", "1&n=2"])
    async def test_what_is_no_number_is_refused(self, tagged: Any, n: str) -> None:
        assert (await tagged("GET", f"{self.URL}?n={n}")).status == 400


async def test_repositories_are_listed_in_pages(wire: Any) -> None:
    for name in ("b", "a/x", "a-b"):
        await wire.push(name, b"content")
    assert (await wire("GET", "/v2/_catalog")).json == {"repositories": ["a-b", "a/x", "b"]}
    first = await wire("GET", "/v2/_catalog?n=2")
    assert first.json["repositories"] == ["a-b", "a/x"]
    rest = await wire("GET", next_page(first))
    assert rest.json["repositories"] == ["b"]
    assert "link" not in rest


class TestReferrers:
    URL = f"/v2/team/app/referrers/{ANYTHING}"

    async def test_nothing_is_an_empty_index_even_where_no_repository_is(self, wire: Any) -> None:
        answer = await wire("GET", self.URL)
        assert answer.status == 200
        assert answer["content-type"] == INDEX
        assert answer.json == {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
        assert "oci-filters-applied" not in answer

    async def test_each_is_described_in_full(self, wire: Any) -> None:
        notes = {"org.example/note": "ünïcode"}
        typed, raw = await wire.push_manifest(
            "team/app", subject=SUBJECT, artifactType="application/x.sbom", annotations=notes
        )
        plain, other = await wire.push_manifest("team/app", subject=SUBJECT)
        await wire.push_manifest("team/app", "unrelated")
        expected = [
            {
                "mediaType": IMAGE,
                "digest": typed,
                "size": len(raw),
                "artifactType": "application/x.sbom",
                "annotations": notes,
            },
            {
                "mediaType": IMAGE,
                "digest": plain,
                "size": len(other),
                "artifactType": "application/vnd.oci.empty.v1+json",
            },
        ]
        found = (await wire("GET", self.URL)).json["manifests"]
        assert found == sorted(expected, key=lambda descriptor: str(descriptor["digest"]))

    async def test_a_filter_is_applied_and_says_so(self, wire: Any) -> None:
        wanted, _ = await wire.push_manifest("team/app", subject=SUBJECT, artifactType="application/a+b")
        await wire.push_manifest("team/app", subject=SUBJECT, artifactType="application/other")
        answer = await wire("GET", f"{self.URL}?artifactType=application/a%2Bb")
        assert [found["digest"] for found in answer.json["manifests"]] == [wanted]
        assert answer["oci-filters-applied"] == "artifactType"
        assert answer["content-type"] == INDEX

    async def test_many_come_in_pages_that_keep_the_filter(self, wire: Any) -> None:
        pushed = [
            (await wire.push_manifest("team/app", subject=SUBJECT, artifactType="application/a", n=n))[0]
            for n in range(25)
        ]
        await wire.push_manifest("team/app", subject=SUBJECT, artifactType="application/b")
        target, seen, pages = f"{self.URL}?artifactType=application/a&n=10", [], 0
        while target:
            answer = await wire("GET", target)
            assert answer["oci-filters-applied"] == "artifactType"
            seen += [found["digest"] for found in answer.json["manifests"]]
            pages += 1
            target = next_page(answer) if "link" in answer else ""
        assert (seen, pages) == (sorted(pushed), 3)

    async def test_large_ones_end_a_page_early(self, wire: Any) -> None:
        notes = {str(n): "x" * 10_000 for n in range(150)}
        pushed = [
            (await wire.push_manifest("team/app", subject=SUBJECT, annotations=notes, n=n))[0]
            for n in range(5)
        ]
        target, seen = self.URL, []
        while target:
            answer = await wire("GET", target)
            assert len(answer.body) < 4 * 2**20
            seen += [found["digest"] for found in answer.json["manifests"]]
            target = next_page(answer) if "link" in answer else ""
        assert seen == sorted(pushed)

    async def test_a_referrer_larger_than_a_page_still_comes(self, wire: Any) -> None:
        notes = {str(n): "x" * 10_000 for n in range(390)}
        for n in range(2):
            await wire.push_manifest("team/app", subject=SUBJECT, annotations=notes, n=n)
        first = await wire("GET", self.URL)
        rest = await wire("GET", next_page(first))
        assert [len(page.json["manifests"]) for page in (first, rest)] == [1, 1]

    async def test_small_ones_first_do_not_lead_to_many_large_ones_at_once(self, wire: Any) -> None:
        asked, ask = [], wire.registry.referrers

        async def referrers(*args: Any, limit: int, **others: Any) -> Any:
            asked.append(limit)
            return await ask(*args, limit=limit, **others)

        wire.registry.referrers = referrers
        for n in range(60):
            await wire.push_manifest("team/app", subject=SUBJECT, n=n)
        assert len((await wire("GET", self.URL)).json["manifests"]) == 60
        assert max(asked) == 8

    async def test_none_asked_none_given(self, wire: Any) -> None:
        await wire.push_manifest("team/app", subject=SUBJECT)
        answer = await wire("GET", f"{self.URL}?n=0")
        assert answer.json["manifests"] == []
        assert "link" not in answer
