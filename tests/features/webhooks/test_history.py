"""Lists of what was told, beyond as far as they are counted."""

import pytest

from fairway.features.webhooks.store import history
from fairway.frame.db.listing import Exact
from features.webhooks.telling import Telling


async def test_a_filtered_list_goes_on_beyond_what_is_counted(
    telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "COUNTED", 3)
    target = await telling.target("https://ci.example.com/hook")
    await telling.add(target, *"abcdefg")
    filters = {"event_type": Exact("PUSH_ARTIFACT")}
    found: list[int] = []
    total = 1
    while len(found) < total:  # as whoever follows the links to the next page
        page, total = await history.listed(telling.db, 1, filters, offset=len(found), limit=2)
        found += [each.delivery.id for each in page]
    assert found == [row["id"] for row in reversed(await telling.rows())]
    assert (await history.listed(telling.db, 1, {}, offset=0, limit=2))[1] == 7, "exact without filters"
