"""What every blob store does with uploads, whatever it is made of: memory, a disk, or something with S3's limits."""

import asyncio
import random
import re

import pytest

from contract.blob_worlds import (
    PATIENCE,
    World,
    append,
    body,
    broken_body,
    content,
    endless_body,
    finish,
    keys,
    push,
    some_bytes,
)
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import BlobUploadInvalid, BlobUploadUnknown, DigestInvalid
from fairway.core.stores.protocols import BodyCut

MIB = 1024 * 1024


# ---------------------------------------------------------------- pushing


@pytest.mark.parametrize("size", [0, 1, 65_535, 512 * 1024, 512 * 1024 + 1, 3 * MIB, 11 * MIB])
async def test_what_was_pushed_is_read_back(world: World, size: int) -> None:
    data = some_bytes(size)
    stored = await push(world.store, data)
    assert stored.size == size
    assert await world.store.size(stored.key) == size
    assert await content(world.store, stored) == data


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_both_algorithms_are_checked(world: World, algorithm: str) -> None:
    data = some_bytes(100_000)
    assert await content(world.store, await push(world.store, data, algorithm)) == data

    session = await append(world.store, await world.store.uploads.begin(), body(data))
    with pytest.raises(DigestInvalid):
        await finish(world.store, session, Digest.of(b"promised something else", algorithm))


async def test_an_upload_grows_chunk_by_chunk(world: World) -> None:
    session = await world.store.uploads.begin()
    assert session.offset == 0
    for chunk in (b"one ", b"", b"two ", b"three"):
        before = session.offset
        session = await append(world.store, session, body(chunk))
        assert session.offset == before + len(chunk)
    stored = await finish(world.store, session, Digest.of(b"one two three"))
    assert await content(world.store, stored) == b"one two three"


async def test_each_chunk_may_land_in_another_process(world: World) -> None:
    data = some_bytes(6 * MIB)
    session = await world.store.uploads.begin()
    for start in range(0, len(data), MIB):
        session = await append(world.another_process(), session, body(data[start : start + MIB]))
    stored = await finish(world.another_process(), session, Digest.of(data))
    assert await content(world.store, stored) == data


async def test_processes_may_take_turns(world: World) -> None:
    data = some_bytes(60_000)
    stores = [world.store, world.another_process(), world.store, world.another_process()]
    session = await world.store.uploads.begin()
    for number, store in enumerate(stores):
        session = await append(store, session, body(data[number * 15_000 : (number + 1) * 15_000]))
    assert await content(world.store, await finish(world.store, session, Digest.of(data))) == data


async def test_a_session_is_plain_text_of_a_bounded_size(world: World) -> None:
    session = await append(world.store, await world.store.uploads.begin(), body(some_bytes(11 * MIB)))
    assert re.fullmatch("[0-9a-f]{32}", session.id)
    assert len(session.state) < 500
    assert session.state.isprintable()


async def test_any_way_to_cut_a_body_into_chunks_gives_the_same_blob(world: World) -> None:
    dice = random.Random(7)
    for _ in range(10):
        data = some_bytes(dice.randrange(200_000), seed=dice.randrange(1000))
        session = await world.store.uploads.begin()
        while session.offset < len(data):
            store = dice.choice([world.store, world.another_process()])
            chunk = data[session.offset : session.offset + dice.randrange(1, 50_000)]
            match dice.choice(["arrives", "breaks", "is forgotten"]):
                case "arrives":
                    session = await append(
                        store, session, body(*(chunk[i : i + 4096] for i in range(0, len(chunk), 4096)))
                    )
                case "breaks":
                    with pytest.raises(BodyCut) as cut:
                        await append(store, session, broken_body(chunk))
                    session = cut.value.session
                case _:
                    await append(store, session, body(chunk, b"and more that the owner never heard of"))
        stored = await finish(world.another_process(), session, Digest.of(data))
        assert await content(world.store, stored) == data


# ---------------------------------------------------------------- wrong bytes


async def test_bytes_that_do_not_match_their_digest_leave_nothing_behind(world: World) -> None:
    session = await append(world.store, await world.store.uploads.begin(), body(b"delivered"))
    with pytest.raises(DigestInvalid):
        await finish(world.store, session, Digest.of(b"promised"))
    assert await keys(world.store) == []
    with pytest.raises(BlobUploadUnknown):
        await finish(world.store, session, Digest.of(b"delivered"))


async def test_wrong_bytes_are_found_by_a_process_that_never_hashed_them(world: World) -> None:
    session = await append(world.store, await world.store.uploads.begin(), body(b"some"))
    session = await append(world.another_process(), session, body(b"thing"))
    with pytest.raises(DigestInvalid):
        await finish(world.another_process(), session, Digest.of(b"some thing else"))
    assert await keys(world.store) == []


async def test_a_digest_already_stored_does_not_excuse_wrong_bytes(world: World) -> None:
    known = await push(world.store, b"known")
    session = await append(world.store, await world.store.uploads.begin(), body(b"wrong"))
    with pytest.raises(DigestInvalid):
        await finish(world.store, session, Digest.of(b"known"))
    assert await content(world.store, known) == b"known"


# ---------------------------------------------------------------- interruptions


async def test_a_body_that_breaks_off_keeps_what_had_arrived(world: World) -> None:
    session = await append(world.store, await world.store.uploads.begin(), body(b"first "))
    with pytest.raises(BodyCut) as cut:
        await append(world.store, session, broken_body(b"second ", b"third "))
    assert isinstance(cut.value.__cause__, ConnectionResetError)

    session = cut.value.session
    assert session.offset == len(b"first second third ")
    session = await append(world.store, session, body(b"fourth"))
    stored = await finish(world.store, session, Digest.of(b"first second third fourth"))
    assert await content(world.store, stored) == b"first second third fourth"


async def test_a_body_that_breaks_off_at_once_changes_nothing(world: World) -> None:
    session = await append(world.store, await world.store.uploads.begin(), body(b"all"))
    with pytest.raises(BodyCut) as cut:
        await append(world.store, session, broken_body())
    assert cut.value.session.offset == 3
    assert (
        await content(world.store, await finish(world.store, cut.value.session, Digest.of(b"all"))) == b"all"
    )


async def test_a_cancelled_writer_lets_go_and_the_upload_goes_on_where_its_owner_knows(world: World) -> None:
    session = await append(world.store, await world.store.uploads.begin(), body(b"kept "))
    arrived = asyncio.Event()
    writer = asyncio.create_task(append(world.store, session, endless_body(some_bytes(MIB), arrived)))
    await arrived.wait()
    writer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writer

    session = await append(world.store, session, body(b"rest"))
    stored = await finish(world.store, session, Digest.of(b"kept rest"))
    assert await content(world.store, stored) == b"kept rest"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_bytes_of_a_crashed_writer_are_cut_off(world: World, algorithm: str) -> None:
    session = await append(world.store, await world.store.uploads.begin(), body(b"acknowledged"))
    await append(world.store, session, body(b" but this the owner never learned"))

    stored = await finish(world.another_process(), session, Digest.of(b"acknowledged", algorithm))
    assert await content(world.store, stored) == b"acknowledged"


async def test_an_upload_that_lost_bytes_is_unknown(world: World) -> None:
    session = await append(world.store, await world.store.uploads.begin(), body(b"not all of it survives"))
    await world.lose_bytes_of(session)
    with pytest.raises(BlobUploadUnknown):
        await append(world.another_process(), session, body(b"more"))
    with pytest.raises(BlobUploadUnknown):
        await finish(world.another_process(), session, Digest.of(b"not all of it survives"))
    assert await keys(world.store) == []


# ---------------------------------------------------------------- sessions


@pytest.mark.parametrize(
    "session_id", ["", "0" * 32, "A" * 32, "../storage", "..%2f" + "0" * 27, "0" * 31 + "/", "\0"]
)
async def test_an_upload_nobody_began_is_unknown(world: World, session_id: str) -> None:
    with pytest.raises(BlobUploadUnknown):
        async with world.store.uploads.hold(session_id):
            pytest.fail("there is nothing to hold")


async def test_a_finished_upload_is_unknown(world: World) -> None:
    session = await append(world.store, await world.store.uploads.begin(), body(b"x"))
    await finish(world.store, session, Digest.of(b"x"))
    with pytest.raises(BlobUploadUnknown):
        await finish(world.store, session, Digest.of(b"x"))


async def test_an_aborted_upload_is_unknown_and_may_be_aborted_again(world: World) -> None:
    session = await append(world.store, await world.store.uploads.begin(), body(b"x"))
    await world.store.uploads.abort(session)
    await world.store.uploads.abort(session)
    with pytest.raises(BlobUploadUnknown):
        await append(world.store, session, body(b"y"))


async def test_a_second_writer_is_told_that_the_upload_is_busy(world: World) -> None:
    session = await world.store.uploads.begin()
    async with world.store.uploads.hold(session.id):
        with pytest.raises(BlobUploadInvalid, match="another request"):
            await append(world.store, session, body(b"x"))
    assert (await append(world.store, session, body(b"x"))).offset == 1


async def test_a_second_writer_gets_its_turn_when_the_first_is_done(world: World) -> None:
    session = await world.store.uploads.begin()
    async with world.store.uploads.hold(session.id):
        waiting = asyncio.create_task(append(world.store, session, body(b"second")))
        await asyncio.sleep(PATIENCE / 4)
        assert not waiting.done()
    assert (await waiting).offset == 6


async def test_a_writer_that_waited_for_the_last_one_finds_the_upload_gone(world: World) -> None:
    session = await append(world.store, await world.store.uploads.begin(), body(b"x"))
    async with world.store.uploads.hold(session.id):
        waiting = asyncio.create_task(append(world.store, session, body(b"y")))
        await asyncio.sleep(PATIENCE / 4)
        stored = await world.store.uploads.finish(session, Digest.of(b"x"))
    with pytest.raises(BlobUploadUnknown):
        await waiting
    assert await content(world.store, stored) == b"x"


async def test_there_is_nothing_to_hold_once_the_last_holder_has_finished(world: World) -> None:
    async def hold_only(session_id: str) -> None:
        async with world.store.uploads.hold(session_id):
            pytest.fail("there is nothing to hold")

    session = await world.store.uploads.begin()
    async with world.store.uploads.hold(session.id):
        waiting = asyncio.create_task(hold_only(session.id))
        await asyncio.sleep(PATIENCE / 4)
        await world.store.uploads.finish(session, Digest.of(b""))
    with pytest.raises(BlobUploadUnknown):
        await waiting


async def test_an_error_while_holding_lets_the_next_one_in(world: World) -> None:
    session = await world.store.uploads.begin()
    with pytest.raises(ZeroDivisionError):
        async with world.store.uploads.hold(session.id):
            raise ZeroDivisionError
    assert (await append(world.store, session, body(b"x"))).offset == 1


async def test_abandoned_uploads_expire_and_held_ones_do_not(world: World) -> None:
    abandoned = await append(world.store, await world.store.uploads.begin(), body(b"x"))
    held = await append(world.store, await world.store.uploads.begin(), body(b"y"))
    async with world.store.uploads.hold(held.id):
        assert await world.store.uploads.expire(older_than=3600) == 0
        assert await world.store.uploads.expire(older_than=0) == 1
    with pytest.raises(BlobUploadUnknown):
        await append(world.store, abandoned, body(b"x"))
    assert await content(world.store, await finish(world.store, held, Digest.of(b"y"))) == b"y"


async def test_somebody_who_does_not_want_to_wait_is_told_at_once(world: World) -> None:
    session = await world.store.uploads.begin()
    async with world.store.uploads.hold(session.id, wait=False):
        with pytest.raises(BlobUploadInvalid, match="another request"):
            async with world.store.uploads.hold(session.id, wait=False):
                pytest.fail("it is held")
    assert (await append(world.store, session, body(b"x"))).offset == 1


async def test_an_upload_is_idle_since_its_last_byte(world: World) -> None:
    session = await append(world.store, await world.store.uploads.begin(), body(b"x"))
    async with world.store.uploads.hold(session.id):
        assert 0 <= await world.another_process().uploads.idle(session) < 60
    assert (await append(world.store, session, body(b"y"))).offset == 2


async def test_an_upload_whose_bytes_are_gone_is_unknown_to_who_looks_at_it(world: World) -> None:
    lost = await append(world.store, await world.store.uploads.begin(), body(b"not all of it survives"))
    await world.lose_bytes_of(lost)
    finished = await append(world.store, await world.store.uploads.begin(), body(b"x"))
    await finish(world.store, finished, Digest.of(b"x"))
    for session in (lost, finished):
        with pytest.raises(BlobUploadUnknown):
            await world.store.uploads.idle(session)
