"""Lines of the audit log on their way to a syslog server, and those that are kept or not."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fairway.features.audit import forward, rules, store
from fairway.features.audit.forward import Forwarder
from fairway.features.audit.rules import Entry
from fairway.frame.configuration.declared import KEYS
from fairway.frame.configuration.kinds import Place
from fairway.frame.db.tables import audit_forwards, audit_log, notifications
from fairway.frame.egress import EgressFailed
from fairway.frame.events import hand_over
from fairway.reactions import reactions
from features.system.test_configuration import choose
from stories.world import World, image, open_world

HERE = {"egress_allow_networks": ["127.0.0.0/8"]}
SYSLOG = re.compile(
    r"<110>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([!-~]{1,255}) fairway - ([a-z_]{1,32}) - (\{.*\})",
    re.ASCII,
)


@dataclass
class Syslog:
    """A server that takes lines."""

    port: int = 0
    lines: list[str] = field(default_factory=list)

    async def has(self, count: int) -> list[str]:
        async with asyncio.timeout(10):
            while len(self.lines) < count:  # noqa: ASYNC110 - the other side tells nobody
                await asyncio.sleep(0.01)
        return self.lines


@asynccontextmanager
async def by_tcp() -> AsyncIterator[Syslog]:
    made = Syslog()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            made.lines.append(line.decode().removesuffix("\n"))
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


@asynccontextmanager
async def by_udp() -> AsyncIterator[Syslog]:
    made = Syslog()

    class Taking(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            made.lines.append(data.decode())

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Taking, local_addr=("127.0.0.1", 0))
    made.port = transport.get_extra_info("sockname")[1]
    yield made
    transport.close()


@pytest.fixture
async def open_hub(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """A hub that may send to this machine."""
    async with open_world(database_url, tmp_path, **HERE) as world:
        yield world


async def happen(world: World) -> None:
    await hand_over(world.db, reactions(world.parts.notifications, world.parts.configuration))


def forwarder(world: World) -> Forwarder:
    return Forwarder(world.db, world.parts.configuration, world.parts.send_lines)


def read(line: str) -> dict[str, Any]:
    found = SYSLOG.fullmatch(line)
    assert found is not None, line
    told: dict[str, Any] = json.loads(found[4])
    assert found[3] == f"{told['operation']}_{told['resource_type']}"
    return told


@pytest.mark.parametrize("server", [by_tcp, by_udp])
async def test_lines_are_kept_and_sent(open_hub: World, server: Any) -> None:
    world = open_hub
    async with server() as syslog:
        scheme = "udp://" if server is by_udp else ""
        await choose(world.admin, audit_log_forward_endpoint=f"{scheme}127.0.0.1:{syslog.port}")
        await happen(world)
        assert await forwarder(world).forward() == 1
        alice = await world.person("alice")
        await world.project("team", alice)
        await alice.push("team/app:v1", image("base"))
        await happen(world)
        assert await forwarder(world).forward() == 2
        configured, made, pushed = map(read, await syslog.has(3))
    assert configured["description"] == "update configuration: audit_log_forward_endpoint"
    assert (made["username"], made["resource"], made["result"]) == ("alice", "team", "success")
    assert (pushed["operation"], pushed["resource"]) == ("create", "team/app:v1")
    kept = {row["event_id"] for row in await world.rows(audit_log)}
    assert kept == {configured["event_id"], made["event_id"], pushed["event_id"]}
    assert await world.count(audit_forwards) == 0


async def test_lines_that_are_only_sent(open_hub: World) -> None:
    world = open_hub
    await choose(world.admin, 400, skip_audit_log_database=True)
    async with by_tcp() as syslog:
        place = f"tcp://127.0.0.1:{syslog.port}"
        await choose(world.admin, skip_audit_log_database=True, audit_log_forward_endpoint=place)
        await happen(world)
        assert await world.count(audit_log) == 0
        await forwarder(world).forward()
        assert read((await syslog.has(1))[0])["operation"] == "update"
        await choose(world.admin, 400, audit_log_forward_endpoint="")
        await choose(world.admin, skip_audit_log_database=False, audit_log_forward_endpoint="")
    await world.project("team")
    await happen(world)
    assert {row["operation"] for row in await world.rows(audit_log)} == {"update", "create"}


async def test_events_that_leave_no_line(open_hub: World) -> None:
    world = open_hub
    async with by_tcp() as syslog:
        await choose(
            world.admin,
            audit_log_forward_endpoint=f"127.0.0.1:{syslog.port}",
            disabled_audit_log_event_types="create_project, update_configuration",
        )
        await world.project("team")
        await world.admin.push("team/app:v1", image("base"))
        await happen(world)
        assert [row["resource_type"] for row in await world.rows(audit_log)] == ["artifact"]
        assert await world.count(audit_forwards) == 1


async def test_nobody_is_told_of_pushes_while_that_is_off(database_url: str, tmp_path: Path) -> None:
    endpoint = [{"name": "ci", "url": "https://ci.example.com/hook"}]
    async with open_world(database_url, tmp_path, notification_endpoints=endpoint) as world:
        await world.project("team")
        await choose(world.admin, notification_enable=False)
        await world.admin.push("team/app:v1", image("base"))
        await happen(world)
        assert await world.count(notifications) == 0
        await choose(world.admin, notification_enable=True)
        await world.admin.push("team/app:v2", image("more"))
        await happen(world)
        assert await world.count(notifications) > 0


async def test_where_nobody_is_nothing_is_sent(open_hub: World) -> None:
    world = open_hub
    async with by_tcp() as gone:
        pass
    for place in (f"127.0.0.1:{gone.port}", f"tcp://127.0.0.1:{gone.port}", "name.invalid:514"):
        answer = await choose(world.admin, 400, audit_log_forward_endpoint=place)
        assert "audit_log_forward_endpoint cannot be used" in answer.body.decode()
    assert world.parts.configuration.get(KEYS["audit_log_forward_endpoint"]) == ""


async def test_private_addresses_take_the_operators_leave(world: World) -> None:
    async with by_tcp() as syslog:
        for place in (
            f"127.0.0.1:{syslog.port}",
            f"udp://127.0.0.1:{syslog.port}",
            f"localhost:{syslog.port}",
        ):
            answer = await choose(world.admin, 400, audit_log_forward_endpoint=place)
            assert "FAIRWAY_EGRESS_ALLOW_NETWORKS" in answer.body.decode()


class Broken:
    """Sends nothing as long as it is broken."""

    def __init__(self) -> None:
        self.broken = True
        self.sent: list[bytes] = []
        self.tries = 0

    async def __call__(self, place: Place, lines: Sequence[bytes]) -> None:
        self.tries += 1
        if self.broken:
            raise EgressFailed("nothing answers")
        self.sent += lines


async def queue(world: World, *lines: str) -> None:
    for line in lines:
        await world.db.write(lambda conn, line=line: store.queue_line(conn, line))


async def test_a_server_that_is_away_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.parts.configuration, "_settled", {"audit_log_forward_endpoint": "log:514"})
    monkeypatch.setattr(forward, "BATCH", 2)
    await queue(world, *"abcde")
    syslog = Broken()
    sender = Forwarder(world.db, world.parts.configuration, syslog)
    assert await sender.forward() == 0
    assert await sender.forward() == 0
    assert syslog.tries == 1, "it is not asked again at once"
    assert await world.count(audit_forwards) == 5
    syslog.broken = False
    sender._not_before = 0.0
    assert await sender.forward() == 5
    assert syslog.sent == [b"a", b"b", b"c", b"d", b"e"]
    assert await world.count(audit_forwards) == 0


async def test_two_processes_do_not_send_the_same_lines(world: World) -> None:
    await queue(world, "a", "b", "c")
    first = await world.db.write(lambda conn: store.claim_lines(conn, 2, 60))
    second = await world.db.write(lambda conn: store.claim_lines(conn, 2, 60))
    assert [row["line"] for row in (*first, *second)] == ["a", "b", "c"]
    await world.db.write(lambda conn: store.release_lines(conn, [row["id"] for row in first]))
    again = await world.db.write(lambda conn: store.claim_lines(conn, 9, 0))
    assert [row["line"] for row in again] == ["a", "b"]
    late = await world.db.write(lambda conn: store.claim_lines(conn, 9, 60))
    assert [row["line"] for row in late] == ["a", "b"], "whoever claimed them is gone"


async def test_what_waits_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.parts.configuration, "_settled", {"audit_log_forward_endpoint": "log:514"})
    monkeypatch.setattr(forward, "MOST", 3)
    monkeypatch.setattr(forward, "_FORGOTTEN_AT_ONCE", 2)
    await queue(world, *"abcdefgh")
    await Forwarder(world.db, world.parts.configuration, Broken()).forward()
    assert [row["line"] for row in await world.rows(audit_forwards)] == ["f", "g", "h"]
    monkeypatch.setattr(world.parts.configuration, "_settled", {})
    assert await Forwarder(world.db, world.parts.configuration, Broken()).forward() == 3
    assert await world.count(audit_forwards) == 0


def test_a_line_is_one_line_whatever_it_tells_of() -> None:
    entry = Entry("eve\n<0>1", "a\r\nb\x00ü", "tag", "create", "x" * 10)
    line = rules.syslog(entry, "id", 1_795_817_876_504_001, "höst name\n")
    assert line.isascii()
    assert line.isprintable()
    assert read(line)["username"] == "eve\n<0>1"
    assert line.startswith("<110>1 2026-11-27T22:17:56.504001Z hstname fairway - create_tag - {")
    assert SYSLOG.fullmatch(rules.syslog(entry, "id", 0, ""))
