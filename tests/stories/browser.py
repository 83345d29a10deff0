"""A browser with a page of ours in it: keeps the cookie, and sends the token with what changes something."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from stories.asgi import Answer, call
from stories.world import PASSWORD, World

TOKEN = "x-harbor-csrf-token"
FORM = {"content-type": "application/x-www-form-urlencoded"}


class Browser:
    """Called, it sends what it is told and its cookie; `send` is our page's request."""

    def __init__(self, world: World, cookie: str = "", token: str = "") -> None:
        self.world = world
        self.cookie = cookie
        self.token = token

    def at(self, world: World) -> "Browser":
        """The same browser, whose requests reach another process."""
        return Browser(world, self.cookie, self.token)

    async def __call__(
        self, method: str, target: str, body: bytes = b"", *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        own = {"cookie": self.cookie} if self.cookie else {}
        answer = await call(self.world.app, method, target, body, headers={**own, **(headers or {})})
        if answer.all("set-cookie"):
            self.cookie = answer["set-cookie"].partition(";")[0]
        self.token = next(iter(answer.all(TOKEN)), self.token)
        return answer

    async def log_in(
        self, name: str, password: str = PASSWORD, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        form = urlencode({"principal": name, "password": password}).encode()
        return await self("POST", "/c/login", form, headers={**FORM, **(headers or {})})

    async def send(
        self, method: str, target: str, body: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        raw = b"" if body is None else json.dumps(body).encode()
        own = {TOKEN: self.token, "content-type": "application/json"}
        return await self(method, target, raw, headers={**own, **(headers or {})})


async def logged_in(world: World, name: str) -> Browser:
    """Somebody's browser, in which they have just logged in."""
    browser = Browser(world)
    assert (await browser.log_in(name)).status == 200
    return browser
