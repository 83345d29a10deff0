"""Nothing that is read back is run: canaries that would leave a file, wherever bytes or text are kept (T68).

The architecture tests forbid pickle, marshal, eval and their like in the source.
"""

import base64
import os
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import LargeBinary, Text, update

from fairway import worker
from fairway.core.oci.digest import Digest
from fairway.frame.db.tables import metadata
from stories.world import Person, World, image


class Canary:
    """Unpickled, it makes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return os.mknod, (str(self.file),)


def bombs(file: Path) -> dict[str, str]:
    pickled = pickle.dumps(Canary(file), protocol=0).decode("ascii")
    return {
        "pickle": pickled,
        "pickle in base64": base64.b64encode(pickle.dumps(Canary(file))).decode(),
        "yaml": f"!!python/object/apply:os.mknod ['{file}']",
        "python": f"__import__('os').mknod('{file}')",
        "template": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "json of a class": f'{{"py/reduce": [{{"py/function": "os.mknod"}}, ["{file}"]]}}',
    }


async def use_everything(world: World, alice: Person, upload: str) -> list[int]:
    """Reads every table, by requests and by the background process; the statuses."""
    digest = Digest.of(b"{}")
    answers = [
        await alice("GET", upload),
        await alice("PATCH", upload, b"more"),
        await alice("PUT", f"{upload}?digest={digest}"),
        await alice.pull("team/app:v1"),
        await alice.pull(f"team/app@{image('base').digest}"),
        await alice.blob("team/app", digest),
        await alice("GET", f"/v2/team/app/referrers/{digest}"),
        await alice.push("team/app:v3", image("base")),
        await alice("GET", "/api/v2.0/projects/team"),
        await world.admin("GET", "/v2/_catalog"),
        await alice.ask_token("repository:team/app:pull", offline_token="true", client_id="x"),
    ]
    for step in worker.steps(world.parts):
        with suppress(Exception):  # it may well stumble over such a row
            await step.run()
    return [answer.status for answer in answers]


@pytest.mark.parametrize("kind", list(bombs(Path("x"))))
async def test_no_text_in_the_database_is_run(world: World, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "the canary sang"
    bomb = bombs(file)[kind]
    alice = await world.person("alice")
    await world.project("team", alice)
    assert (await alice.push("team/app:v1", image("base"))).status == 201
    upload = await alice.start_upload("team/app")
    assert (await alice("PATCH", upload, b"some")).status == 202
    await alice.ask_token(offline_token="true", client_id="x")
    set_in = 0
    for table in metadata.sorted_tables:
        for column in table.columns:
            free = not column.primary_key and not column.foreign_keys
            if free and column.name in (
                "state",
                "annotations",
                "payload",
                "description",
                "comment",
                "realname",
                "value",
            ):
                if isinstance(column.type, Text):
                    set_in += await world.run(update(table).values(**{column.name: bomb}))
                elif isinstance(column.type, LargeBinary):
                    set_in += await world.run(update(table).values(**{column.name: bomb.encode()}))
    assert set_in > 5
    statuses = await use_everything(world, alice, upload)
    assert not file.exists()
    assert statuses.count(200) > 1, "the rest goes on"


def test_the_canary_can_sing(tmp_path: Path) -> None:
    file = tmp_path / "sung"
    pickle.loads(pickle.dumps(Canary(file)))
    assert file.exists()


async def test_no_file_in_the_storage_is_run(world: World, tmp_path: Path) -> None:
    """A pushed blob and an upload are bytes, whatever they say."""
    file = tmp_path / "the canary sang"
    alice = await world.person("alice")
    await world.project("team", alice)
    for bomb in (pickle.dumps(Canary(file)), *(text.encode() for text in bombs(file).values())):
        assert (await alice.push_blob("team/app", bomb)).status == 201
        assert (await alice.blob("team/app", Digest.of(bomb))).body == bomb
        assert (await alice("PUT", "/v2/team/app/manifests/v9", bomb)).status in (400, 415)
        upload = await alice.start_upload("team/app")
        await alice("PATCH", upload, bomb)
        assert (await alice("GET", upload)).status == 204
    assert not file.exists()
