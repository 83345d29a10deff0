"""Who a request is from, by its Authorization header."""

from base64 import b64encode
from dataclasses import replace

import pytest

from fairway.core.oci.errors import BadRequest, Unauthorized
from fairway.core.tokens import Access, SigningKeys, Token, sign
from fairway.frame.access.principals import ANONYMOUS, User
from fairway.frame.access.scopes import Scope, Word
from fairway.frame.web import who
from fairway.frame.web.who import NOBODY, Authenticators, Identity

KEYS = SigningKeys.generate()
ALICE = User(7, "alice")
TOKEN = Token(
    subject="alice",
    subject_id=7,
    issuer="fairway",
    audience="registry",
    access=(Access("repository", "team/app", frozenset({"pull"}), 3),),
    issued_at=1000,
    expires_at=1300,
    id="t1",
)


class World:
    """One user with one password, and a clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1100.0
        self.asked: list[tuple[str, str, str]] = []
        self.users: dict[int, User] = {7: ALICE}
        self.authenticators = Authenticators(
            keys=KEYS,
            issuer="fairway",
            audience="registry",
            passwords=self.check,
            users=self.user,
            clock=lambda: self.now,
        )

    async def check(self, username: str, password: str, client: str) -> User:
        self.asked.append((username, password, client))
        if (username, password) != ("alice", "pass:wörd"):
            raise Unauthorized("no")
        return ALICE

    async def user(self, user: int) -> User | None:
        return self.users.get(user)

    async def identify(self, header: str | None) -> Identity:
        headers = {} if header is None else {"authorization": header}
        return await self.authenticators.identify(headers, "192.0.2.7")


@pytest.fixture
def world() -> World:
    return World()


def basic(text: str) -> str:
    return "Basic " + b64encode(text.encode()).decode()


async def test_without_a_header_it_is_nobody(world: World) -> None:
    assert await world.identify(None) == NOBODY
    assert NOBODY.principal == ANONYMOUS


async def test_a_password_may_hold_colons_and_any_letter(world: World) -> None:
    assert await world.identify(basic("alice:pass:wörd")) == Identity(ALICE)
    assert world.asked == [("alice", "pass:wörd", "192.0.2.7")]


@pytest.mark.parametrize("scheme", ["basic", "BASIC", "Basic"])
async def test_the_scheme_is_case_insensitive(world: World, scheme: str) -> None:
    header = basic("alice:pass:wörd").replace("Basic", scheme)
    assert (await world.identify(header)).principal == ALICE


async def test_a_wrong_password_is_refused_and_not_anonymous(world: World) -> None:
    with pytest.raises(Unauthorized):
        await world.identify(basic("alice:wrong"))


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic YWxpY2U",
        "Basic " + b64encode(b"no colon").decode(),
        "Basic " + b64encode(b":password").decode(),
        "Basic " + b64encode(b"alice:").decode(),
        "Basic " + b64encode(b"alice:\xff\xfe").decode(),
        "Bearer",
        "Bearer x",
        "Bearer a.b.c",
        "Digest username=alice",
        "alice",
    ],
)
async def test_a_header_that_makes_no_sense_is_refused_and_not_anonymous(world: World, header: str) -> None:
    with pytest.raises(Unauthorized):
        await world.identify(header)
    assert world.asked == []


async def test_a_password_of_a_megabyte_is_a_bad_request(world: World) -> None:
    with pytest.raises(BadRequest):
        await world.identify(basic("alice:" + "x" * 2**20))
    assert world.asked == []


async def test_a_token_of_ours_says_who_it_is_for(world: World) -> None:
    identity = await world.identify("Bearer " + sign(KEYS, TOKEN))
    assert identity.token == TOKEN
    assert identity.principal == ALICE


async def test_a_token_for_nobody_is_anonymous(world: World) -> None:
    token = replace(TOKEN, subject="", subject_id=0)
    assert (await world.identify("Bearer " + sign(KEYS, token))).principal == ANONYMOUS


async def test_a_remembered_token_still_expires(world: World) -> None:
    text = "Bearer " + sign(KEYS, TOKEN)
    await world.identify(text)
    world.now = 1299
    await world.identify(text)
    world.now = 1400
    with pytest.raises(Unauthorized):
        await world.identify(text)


async def test_a_verified_token_is_verified_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Bearer " + sign(KEYS, TOKEN)
    first = await world.identify(text)
    monkeypatch.setattr(who, "verify", None)
    assert await world.identify(text) is first


async def test_only_so_many_tokens_are_remembered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(who, "_CACHED_TOKENS", 2)
    texts = ["Bearer " + sign(KEYS, replace(TOKEN, id=f"t{n}")) for n in range(3)]
    await world.identify(texts[0])
    second = await world.identify(texts[1])
    await world.identify(texts[0])
    await world.identify(texts[2])
    assert await world.identify(texts[1]) is not second, "the one used longest ago had to go"


@pytest.mark.parametrize(
    "change",
    [
        {"audience": "elsewhere"},
        {"issuer": "elsewhere"},
        {"expires_at": 1050},
        {"issued_at": 2000, "expires_at": 2300},
    ],
)
async def test_a_token_that_does_not_hold_here_and_now_is_refused(
    world: World, change: dict[str, object]
) -> None:
    with pytest.raises(Unauthorized):
        await world.identify("Bearer " + sign(KEYS, replace(TOKEN, **change)))  # type: ignore[arg-type]


async def test_a_token_signed_by_somebody_else_is_refused(world: World) -> None:
    with pytest.raises(Unauthorized):
        await world.identify("Bearer " + sign(SigningKeys.generate(), TOKEN))


async def test_a_token_never_makes_a_system_administrator_until_the_user_is_read_again(world: World) -> None:
    world.users[7] = User(7, "alice", sysadmin=True)
    identity = await world.identify("Bearer " + sign(KEYS, TOKEN))
    assert identity.principal == User(7, "alice", sysadmin=False)
    assert await world.authenticators.current(identity) == User(7, "alice", sysadmin=True)


async def test_a_token_whose_user_is_gone_has_no_current_principal(world: World) -> None:
    identity = await world.identify("Bearer " + sign(KEYS, TOKEN))
    world.users.clear()
    with pytest.raises(Unauthorized):
        await world.authenticators.current(identity)


async def test_the_current_principal_of_a_password_is_the_one_just_checked(world: World) -> None:
    world.users.clear()
    assert await world.authenticators.current(Identity(ALICE)) == ALICE
    assert await world.authenticators.current(NOBODY) == ANONYMOUS


class Personal:
    """One personal access token of alice's."""

    def __init__(self) -> None:
        self.alive = True

    async def opened_by(self, text: str, _client: str) -> User | None:
        if not text.startswith("fwp_"):
            return None
        if not self.alive or text != "fwp_right":
            raise Unauthorized("no")
        return replace(ALICE, scope=Scope(5, frozenset({Word.READ}), None))

    async def current(self, token: int) -> User | None:
        return replace(ALICE, scope=Scope(token, frozenset({Word.READ}), None)) if self.alive else None


async def test_a_personal_token_as_a_bearer_and_what_was_made_of_one(world: World) -> None:
    personal = Personal()
    world.authenticators = Authenticators(
        keys=KEYS,
        issuer="fairway",
        audience="registry",
        passwords=world.check,
        users=world.user,
        clock=lambda: world.now,
        personal=personal,
    )
    with pytest.raises(Unauthorized):
        await world.identify("Bearer fwp_wrong")
    mine = await world.identify("Bearer fwp_right")
    assert mine.token is None
    assert mine.principal == replace(ALICE, scope=Scope(5, frozenset({Word.READ}), None))
    made = await world.identify("Bearer " + sign(KEYS, replace(TOKEN, personal_id=5)))
    assert made.principal == replace(ALICE, scope=Scope(5)), "it covers nothing until it is read"
    assert await world.authenticators.current(made) == mine.principal
    assert await world.authenticators.current(mine, again=True) == mine.principal
    personal.alive = False
    for identity in (made, mine):
        with pytest.raises(Unauthorized):
            await world.authenticators.current(identity, again=True)
