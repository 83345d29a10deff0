"""The manual of the API: a page that loads nothing from elsewhere and has all that it loads."""

import re

import pytest

from fairway.frame.web.manual import PATH, manual_pages
from stories.world import World

PAGES = sorted(manual_pages())


@pytest.mark.parametrize("path", PAGES)
async def test_the_browser_is_told_to_load_nothing_else(world: World, path: str) -> None:
    answer = await world.anybody("GET", path)
    assert answer.status == 200
    headers = dict(answer.headers)
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; ")
    assert headers["x-content-type-options"] == "nosniff"
    assert "unsafe" not in headers["content-security-policy"]
    head = await world.anybody("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert dict(head.headers)["content-length"] == str(len(answer.body))


async def test_it_has_all_that_it_loads(world: World) -> None:
    page = (await world.anybody("GET", PATH)).body.decode()
    for link in re.findall(r'(?:href|src)="([^"]+)"', page):
        assert link.startswith("/"), link
        assert (await world.anybody("GET", link)).status == 200, link
    assert "<script>" not in page
    assert not re.search(r"\son\w+=", page), "handlers in attributes would not run"


async def test_its_script_makes_no_markup_of_text(world: World) -> None:
    script = (await world.anybody("GET", f"{PATH}/page.js")).body.decode()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", script)
