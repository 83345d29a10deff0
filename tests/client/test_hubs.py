"""Both shells, the one that waits and the one that does not, against a running hub and against servers that misbehave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from fairway.client import artifacts, projects, quotas, users
from fairway.client.address import Login
from fairway.client.asynchronous import AsyncHub
from fairway.client.call import Listing
from fairway.client.errors import ApiError, NotTrusted, SentElsewhere, Unreachable, Unreadable
from fairway.client.projects import ROLES
from fairway.client.sync import Hub
from fairway.core.oci.names import Repository
from frame.egress.elsewhere import Authority, Elsewhere, listening, up
from hub import PASSWORD
from hub import Hub as RunningHub
from postgres import free_port

ADMIN = Login("admin", PASSWORD)
GET = projects.get("team")
TEAM = b'{"project_id": 1, "name": "team"}'
PATH = "/api/v2.0/projects/team"

Ask = Callable[[Any], Awaitable[Any]]


class Shell:
    """One of the two, used alike."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    @asynccontextmanager
    async def open(self, address: str, login: Login | None = ADMIN, **options: Any) -> AsyncIterator[Ask]:
        if self.kind == "asynchronous":
            async with AsyncHub(address, login, **options) as hub:
                yield hub.ask
        else:
            with Hub(address, login, **options) as waiting:
                yield lambda call: asyncio.to_thread(waiting.ask, call)

    async def each(self, address: str, listing: Listing[Any]) -> list[Any]:
        if self.kind == "asynchronous":
            async with AsyncHub(address, ADMIN) as hub:
                return [each async for each in hub.each(listing)]
        with Hub(address, ADMIN) as waiting:
            return await asyncio.to_thread(lambda: list(waiting.each(listing)))


@pytest.fixture(params=["sync", "asynchronous"])
def shell(request: pytest.FixtureRequest) -> Shell:
    return Shell(request.param)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    hub = RunningHub(tmp_path_factory.mktemp("hub")).start()
    yield hub
    hub.kill()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def there() -> AsyncIterator[Elsewhere]:
    async with up() as server:
        server.script[PATH] = (200, {}, TEAM)
        yield server


@pytest.fixture
async def stranger() -> AsyncIterator[Elsewhere]:
    async with up() as server:
        yield server


@asynccontextmanager
async def saying(answer: Callable[..., Awaitable[None]]) -> AsyncIterator[str]:
    """The address of a server that answers by hand, and hangs up then."""
    talks: set[asyncio.Task[Any]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            with suppress(asyncio.IncompleteReadError):
                await answer(reader, writer)
        finally:
            writer.close()
            await writer.wait_closed()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.wait_for(asyncio.gather(*talks), 60)


@pytest.mark.system
class TestARunningHub:
    async def test_a_project_from_its_beginning_to_its_end(self, running: RunningHub, shell: Shell) -> None:
        name, person = f"team-{shell.kind}", f"kim-{shell.kind}"
        async with shell.open(running.url) as ask:
            assert (await ask(users.current())).sysadmin_flag
            id = await ask(projects.create(name))
            assert id == (await ask(projects.get(name))).project_id
            kim = await ask(users.create(person, "Secret-12345", email=f"{person}@example.com"))
            membership = await ask(projects.add_member(name, person, ROLES["developer"]))
            await ask(projects.set_role(name, membership, ROLES["guest"]))
            [me, guest] = (await ask(projects.members(name).first())).items
            assert (me.role, guest.role, guest.entity_id) == ("admin", "guest", kim)
            await ask(quotas.set_limit(id, 10**9))
            summary = await ask(projects.summary(name))
            assert summary.quota is not None
            assert (summary.guest_count, summary.quota.hard.storage) == (1, 10**9)
            await ask(projects.change(name, {"public": "true"}))
            assert (await ask(projects.get(name))).public
            await ask(projects.remove_member(name, membership))
            assert (await ask(projects.deletable(name))).deletable
            await ask(projects.delete(name))
            with pytest.raises(ApiError) as gone:
                await ask(projects.get(name))
            assert (gone.value.status, gone.value.code) == (404, "NOT_FOUND")
            assert gone.value.request_id

    async def test_a_list_is_read_page_by_page(self, running: RunningHub, shell: Shell) -> None:
        names = {f"many-{shell.kind}-{number:02}" for number in range(11)}
        async with shell.open(running.url) as ask:
            for name in names:
                await ask(projects.create(name))
            first = await ask(projects.listed(name=f"many-{shell.kind}").first(3))
        assert (len(first.items), first.total) == (3, 11)
        assert first.next
        found = await shell.each(running.url, projects.listed(name=f"many-{shell.kind}"))
        assert {each.name for each in found} == names
        small = projects.listed(name=f"many-{shell.kind}")
        assert await self.in_threes(running.url, small) == sorted(names)

    async def in_threes(self, address: str, listing: Listing[projects.Project]) -> list[str]:
        async with AsyncHub(address, ADMIN) as hub:
            pages = [page async for page in hub.pages(listing, 3)]
        with Hub(address, ADMIN) as waiting:
            same = await asyncio.to_thread(lambda: list(waiting.pages(listing, 3)))
        assert same == pages
        assert [len(page.items) for page in pages] == [3, 3, 3, 2]
        return [each.name for page in pages for each in page.items]

    async def test_a_wrong_password_is_told(self, running: RunningHub, shell: Shell) -> None:
        async with shell.open(running.url, Login("admin", "Wrong-12345")) as ask:
            with pytest.raises(ApiError) as refused:
                await ask(users.current())
        assert refused.value.status == 401
        assert "Wrong-12345" not in str(refused.value)

    async def test_nobody_sees_what_is_public(self, running: RunningHub, shell: Shell) -> None:
        async with shell.open(running.url, None) as ask:
            assert (await ask(projects.get("library"))).public
            with pytest.raises(ApiError) as refused:
                await ask(users.current())
        assert refused.value.status == 401

    async def test_what_is_missing_is_told_in_the_words_of_the_hub(
        self, running: RunningHub, shell: Shell
    ) -> None:
        async with shell.open(running.url) as ask:
            with pytest.raises(ApiError, match="repository library/a/b not found"):
                await ask(artifacts.repository(Repository("library/a/b")))


class TestServersThatMisbehave:
    async def test_another_host_gets_neither_the_request_nor_the_login(
        self, there: Elsewhere, stranger: Elsewhere, shell: Shell
    ) -> None:
        stranger.script[PATH] = (200, {}, TEAM)
        there.script[PATH] = (307, {"location": f"{stranger.url}{PATH}"}, b"")
        async with shell.open(there.url) as ask:
            with pytest.raises(SentElsewhere, match=f"redirects to {stranger.url}, where neither"):
                await ask(GET)
        assert not stranger.asked
        assert there.asked[0].headers["authorization"] == ADMIN.header

    async def test_a_get_is_sent_again(self, there: Elsewhere, shell: Shell) -> None:
        answers = iter([(503, {"retry-after": "0"}, b""), (502, {"retry-after": "0"}, b""), (200, {}, TEAM)])
        there.script[PATH] = self.in_turn(answers)
        async with shell.open(there.url) as ask:
            assert (await ask(GET)).name == "team"
        assert there.story == [f"GET {PATH}"] * 3

    def in_turn(self, answers: Iterator[tuple[int, dict[str, str], bytes]]) -> Any:
        from aiohttp import web

        async def handler(_request: web.BaseRequest) -> web.StreamResponse:
            status, headers, body = next(answers)
            return web.Response(status=status, headers=headers, body=body)

        return handler

    async def test_a_cookie_is_not_kept(self, there: Elsewhere, shell: Shell) -> None:
        there.script[PATH] = (200, {"set-cookie": "sid=1; Path=/"}, TEAM)
        async with shell.open(there.url) as ask:
            await ask(GET)
            await ask(GET)
        assert "cookie" not in there.asked[1].headers

    async def test_a_reply_without_end_is_not_read(
        self, there: Elsewhere, shell: Shell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for module in ("sync", "asynchronous"):
            monkeypatch.setattr(f"fairway.client.{module}.MOST_BYTES", 1000)
        there.script[PATH] = (200, {}, b"x" * 5000)
        async with shell.open(there.url) as ask:
            with pytest.raises(Unreadable, match="longer than 1000 bytes"):
                await ask(GET)

    async def test_nobody_listens(self, shell: Shell) -> None:
        address = f"http://127.0.0.1:{free_port()}"
        async with shell.open(address) as ask:
            with pytest.raises(Unreachable, match=f"nothing listens at {address}; is the hub running"):
                await ask(GET)

    async def test_a_name_that_nobody_has(self, shell: Shell) -> None:
        async with shell.open("https://hub.invalid") as ask:
            with pytest.raises(Unreachable, match=r"https://hub.invalid cannot be reached"):
                await ask(GET)

    async def test_a_hub_that_says_nothing(self, shell: Shell) -> None:
        async with listening() as mute, shell.open(mute.url, seconds=0.2) as ask:
            with pytest.raises(Unreachable, match="does not answer; try again later"):
                await ask(GET)

    @pytest.mark.parametrize(
        "says", [b"", b"\r\n", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"]
    )
    async def test_a_reply_that_is_none(self, shell: Shell, says: bytes) -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(says)

        async with saying(answer) as address, shell.open(address) as ask:
            with pytest.raises(Unreachable, match=f"{address} "):
                await ask(GET)

    async def test_a_change_whose_answer_is_lost_is_not_sent_again(self, shell: Shell) -> None:
        """Also on a connection that was used before, where a GET is."""
        heard: list[bytes] = []

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(TEAM), TEAM))
            heard.append(await reader.readuntil(b"\r\n\r\n"))

        async with saying(answer) as address:
            async with shell.open(address) as ask:
                await ask(GET)
                with pytest.raises(Unreachable):
                    await ask(projects.delete("team"))
                assert [each.split()[0] for each in heard] == [b"GET", b"DELETE"]
                heard.clear()
                await ask(GET)
                assert (await ask(GET)).name == "team"
            assert [each.split()[0] for each in heard] == [b"GET"] * 3


class TestCertificates:
    async def test_one_that_nobody_vouches_for_gets_nothing(self, authority: Authority, shell: Shell) -> None:
        async with up(tls=authority.server("127.0.0.1")) as there, shell.open(there.url) as ask:
            with pytest.raises(NotTrusted, match=r"certificate that is not trusted here .*--ca-file"):
                await ask(GET)
            assert not there.asked

    async def test_an_authority_in_a_file_is_trusted(self, authority: Authority, shell: Shell) -> None:
        async with up(tls=authority.server("127.0.0.1")) as there:
            there.script[PATH] = (200, {}, TEAM)
            async with shell.open(there.url, ca_file=authority.file) as ask:
                assert (await ask(GET)).name == "team"

    async def test_for_its_own_names_only(self, authority: Authority, shell: Shell) -> None:
        async with up(tls=authority.server("other.example")) as there:
            async with shell.open(there.url, ca_file=authority.file) as ask:
                with pytest.raises(NotTrusted):
                    await ask(GET)
            assert not there.asked

    async def test_a_file_that_is_not_there(self, tmp_path: Path, shell: Shell) -> None:
        with pytest.raises(NotTrusted, match=r"ca.pem cannot be read: No such file"):
            async with shell.open("https://hub.example", ca_file=tmp_path / "ca.pem"):
                pass

    async def test_a_hub_without_tls(self, there: Elsewhere, shell: Shell) -> None:
        address = there.url.replace("http:", "https:")
        async with shell.open(address) as ask:
            with pytest.raises(Unreachable, match="does not speak TLS as it should"):
                await ask(GET)


class TestProxies:
    async def test_the_machines_proxy_is_used(
        self, there: Elsewhere, shell: Shell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", there.url)
        monkeypatch.setenv("no_proxy", "")
        async with shell.open("http://hub.example") as ask:
            assert (await ask(GET)).name == "team"
        assert there.asked[0].headers["host"] == "hub.example"

    async def test_but_not_for_what_is_near(
        self, there: Elsewhere, stranger: Elsewhere, shell: Shell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", stranger.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        async with shell.open(there.url) as ask:
            assert (await ask(GET)).name == "team"
        assert not stranger.asked
