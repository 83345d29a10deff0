"""No other page may read answers with somebody's credentials: nothing is shared across origins (T35)."""

import pytest

from fairway.app import management_api
from stories.world import World

ORIGINS = ["https://evil.example", "null", "http://localhost:3000"]
PATHS = ["/v2/", "/v2/_catalog", "/service/token", "/api/v2.0/users/current", "/api/v2.0/projects", "/readyz"]


@pytest.mark.parametrize("origin", ORIGINS)
async def test_no_answer_is_for_pages_from_elsewhere(world: World, origin: str) -> None:
    described = sorted(path for path in management_api(world.parts).openapi()["paths"] if "{" not in path)
    for path in [*PATHS, *described]:
        for who in (world.anybody, world.admin):
            asked = {"origin": origin, "access-control-request-method": "DELETE"}
            for method in ("GET", "OPTIONS"):
                answer = await who(method, path, headers=asked)
                names = [name for name, _ in answer.headers if name.startswith("access-control-")]
                assert not names, (method, path)
                assert answer.status < 500
