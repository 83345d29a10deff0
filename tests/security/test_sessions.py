"""A cookie alone changes nothing, wherever it is sent, and no page of somebody else's asks for anything (T17, T33)."""

from pathlib import Path

import pytest
from fastapi.routing import iter_route_contexts

from fairway.app import management_api
from fairway.frame.db.tables import sessions
from fairway.frame.keys import KeyUnusable
from fairway.frame.settings import Settings, SettingsInvalid
from fairway.frame.web.browsers import Browsers
from security.test_api_matrix import ROUTES
from stories.browser import TOKEN, Browser, logged_in
from stories.world import World, replica

CURRENT = "/api/v2.0/users/current"
PROJECTS = "/api/v2.0/projects"
NEW = {"project_name": "new"}
SAFE = {"GET", "HEAD"}
FOREIGN = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "http://hub.example.evil.example"},
    {"origin": "http://hub.example@evil.example"},
    {"origin": "http://hub.example:81"},
    {"origin": "ftp://hub.example"},
    {"origin": "hub.example"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": "http://hub.example"},
]
OURS = [
    {},
    {"origin": "http://hub.example"},
    {"origin": "http://HUB.example:80", "sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
]
HOST = {"host": "hub.example"}


async def changing(world: World) -> list[tuple[str, str]]:
    """Every operation of the app that can change something, but the login: there the form says who."""
    found = {
        (method, context.path)
        for context in iter_route_contexts(management_api(world.parts).routes)
        for method in context.methods or ()
        if method not in SAFE
    }
    return sorted(found - {("POST", "/c/login")})


async def test_a_cookie_without_its_token_is_refused_on_every_route(world: World) -> None:
    asked = await changing(world)
    assert len(asked) >= len({row for row in ROUTES if row.startswith(("PUT:/api", "DELETE:/api"))}) / 2
    browser, other = await logged_in(world, "admin"), await logged_in(world, "admin")
    before = await world.stored()
    for method, path in asked:
        for token in (None, "", "x", other.token, browser.token[:-1], browser.token + "A", "\u00e9"):
            headers = {} if token is None else {TOKEN: token}
            target = path.replace("{", "").replace("}", "")
            answer = await Browser(world, browser.cookie)(method, target, headers=headers)
            assert answer.short == (403, "FORBIDDEN"), (method, path, token)
            assert TOKEN in answer, "so that a client can try again"
            assert "X-Harbor-CSRF-Token" in answer.json["errors"][0]["message"]
    assert await world.stored() == before


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_another_page_is_refused_on_every_route_token_or_not(
    world: World, headers: dict[str, str]
) -> None:
    browser = await logged_in(world, "admin")
    before = await world.stored()
    for method, path in await changing(world):
        target = path.replace("{", "").replace("}", "")
        for cookie, token in ((browser.cookie, browser.token), ("", "")):
            answer = await Browser(world, cookie)(method, target, headers={**HOST, TOKEN: token, **headers})
            assert answer.short == (403, "FORBIDDEN"), (method, path)
            assert "FAIRWAY_EXTERNAL_URL" in answer.json["errors"][0]["message"]
            assert TOKEN not in answer
    assert (await Browser(world).log_in("admin", headers={**HOST, **headers})).short == (403, "FORBIDDEN")
    answer = await Browser(world, browser.cookie)("GET", "/c/log_out", headers={**HOST, **headers})
    assert answer.status == 403
    assert await world.stored() == before


@pytest.mark.parametrize("headers", OURS, ids=str)
async def test_our_own_page_with_its_token_goes_on(world: World, headers: dict[str, str]) -> None:
    browser = Browser(world)
    assert (await browser.log_in("admin", headers={**HOST, **headers})).status == 200
    made = await browser.send("POST", PROJECTS, NEW, headers={**HOST, **headers})
    assert made.status == 201


async def test_the_address_that_the_operator_names_is_ours_and_unencrypted_is_not(
    world: World, database_url: str, tmp_path: Path
) -> None:
    async with replica(database_url, tmp_path, external_url="https://hub.example") as there:
        browser = await logged_in(there, "admin")
        for origin, host, status in (
            ("https://hub.example", "backend:8080", 201),
            ("https://hub.example:443", "hub.example", 409),
            ("http://hub.example", "hub.example", 403),
            ("https://evil.example", "hub.example", 403),
            ("https://backend:8080", "hub.example", 403),
        ):
            answer = await browser.send("POST", PROJECTS, NEW, headers={"origin": origin, "host": host})
            assert answer.status == status, origin


async def test_a_program_with_a_password_needs_no_token(world: World) -> None:
    made = await world.admin(
        "POST",
        PROJECTS,
        b'{"project_name":"new"}',
        headers={"content-type": "application/json", "origin": "https://evil.example"},
    )
    assert made.status == 201


async def test_reading_takes_no_token_and_hands_it_out(world: World) -> None:
    browser = await logged_in(world, "admin")
    for target, status in ((CURRENT, 200), ("/api/v2.0/ping", 200), (f"{PROJECTS}/absent", 404)):
        answer = await Browser(world, browser.cookie)("GET", target)
        assert (answer.status, answer[TOKEN], answer["cache-control"]) == (status, browser.token, "no-store")
    assert TOKEN not in await world.anybody("GET", "/api/v2.0/ping")
    assert TOKEN not in await world.admin("GET", CURRENT)


async def test_two_cookies_of_one_name_are_nobodys(world: World) -> None:
    """The other one was planted by a neighbour in the same domain."""
    browser, other = await logged_in(world, "admin"), await logged_in(world, "admin")
    for cookie in (f"{browser.cookie}; {other.cookie}", f"{other.cookie};{browser.cookie}"):
        assert (await Browser(world, cookie)("GET", CURRENT)).status == 401
    assert (await Browser(world, f"a=b; {browser.cookie}; sidecar=x")("GET", CURRENT)).status == 200
    for cookie in ("sid=", "sid", "sid=" + "x" * 43, "sid=\u00e9", "sid=" + "x" * 10_000, ";;=;"):
        assert (await Browser(world, cookie)("GET", CURRENT)).status == 401


async def test_no_row_and_no_reply_tells_a_secret_that_opens(world: World) -> None:
    browser = await logged_in(world, "admin")
    (row,) = await world.rows(sessions)
    for kept in (row["secret_hash"], row["secret_hash"][:43], browser.token):
        assert (await Browser(world, f"sid={kept}")("GET", CURRENT)).status == 401
    secret = browser.cookie.partition("=")[2]
    listed = await browser("GET", "/api/fairway/users/current/sessions")
    assert secret not in listed.body.decode() + str(listed.headers)


async def test_a_former_secret_key_still_knows_open_pages(
    world: World, database_url: str, tmp_path: Path
) -> None:
    first, second, third = (f"{n}-Quite-random-0123456789-abcdefgh" for n in range(3))
    async with replica(database_url, tmp_path, secret_key=first) as there:
        browser = await logged_in(there, "admin")
    async with replica(database_url, tmp_path, secret_key=second, previous_secret_keys=(first,)) as there:
        assert (await browser.at(there).send("POST", PROJECTS, NEW)).status == 201
        changed = browser.at(there)
        await changed("GET", CURRENT)
        assert changed.token != browser.token
        assert (await changed.send("DELETE", f"{PROJECTS}/new")).status == 200
    async with replica(database_url, tmp_path, secret_key=third) as there:
        assert (await browser.at(there).send("POST", PROJECTS, NEW)).status == 403


async def test_a_short_key_is_an_error_at_the_start(world: World, database_url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="secret_key"):
        Settings(secret_key="x" * 31)
    (file,) = world.settings.keys_dir.glob("secret-*.key")
    file.write_text("short")
    with pytest.raises(KeyUnusable, match="at least 32"):
        async with replica(database_url, tmp_path):
            pass
    for keys in ([], [b"x" * 31], [b"x" * 32, b""]):
        with pytest.raises(ValueError, match="at least 32 bytes"):
            Browsers(keys, lambda _headers, _client: "", world.parts.sessions)
