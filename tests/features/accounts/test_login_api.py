"""`/c/login` and `/c/log_out` as browsers use them."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fairway.features.audit import store as audit
from fairway.frame.db.tables import audit_log, sessions
from fairway.frame.events import hand_over
from fairway.reactions import reactions
from stories.asgi import Answer, call
from stories.world import PASSWORD, World

TOKEN = "x-harbor-csrf-token"
FORM = {"content-type": "application/x-www-form-urlencoded"}
CURRENT = "/api/v2.0/users/current"


class Browser:
    """Keeps the cookie and the token, as a browser and our page in it do."""

    def __init__(self, world: World, **headers: str) -> None:
        self.world = world
        self.headers = headers
        self.cookie = ""
        self.token = ""

    async def __call__(
        self, method: str, target: str, body: bytes = b"", *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        sent = {**self.headers, **({"cookie": self.cookie} if self.cookie else {})}
        answer = await call(self.world.app, method, target, body, headers={**sent, **(headers or {})})
        if answer.all("set-cookie"):
            self.cookie = answer["set-cookie"].partition(";")[0]
        self.token = answer[TOKEN] if TOKEN in answer else self.token
        return answer

    async def log_in(self, name: str, password: str = PASSWORD, **headers: str) -> Answer:
        form = urlencode({"principal": name, "password": password}).encode()
        return await self("POST", "/c/login", form, headers={**FORM, **headers})

    async def send(self, method: str, target: str, body: Any = None, **headers: str) -> Answer:
        """A request of our page: with the token."""
        raw = b"" if body is None else json.dumps(body).encode()
        own = {TOKEN: self.token, "content-type": "application/json"}
        return await self(method, target, raw, headers={**own, **headers})


async def test_one_logs_in_is_known_and_logs_out(world: World) -> None:
    alice = await world.person("alice")
    browser = Browser(world)
    made = await browser.log_in("alice")
    assert (made.status, made.body) == (200, b"")
    name, _, attributes = made["set-cookie"].partition("=")
    secret, *attributes = attributes.split("; ")
    assert (name, len(secret), attributes) == ("sid", 43, ["Path=/", "HttpOnly", "SameSite=Lax"])
    answer = await browser("GET", CURRENT)
    assert (answer.status, answer.json["user_id"], answer["cache-control"]) == (200, alice.id, "no-store")
    cookie = browser.cookie
    assert (await browser("GET", "/c/log_out")).status == 200
    assert browser.cookie == "sid="
    browser.cookie = cookie
    assert (await browser("GET", CURRENT)).status == 401
    assert await world.rows(sessions) == []
