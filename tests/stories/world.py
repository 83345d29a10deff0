"""A small world: a hub in this process, on either database, with people who log in, push and pull.

```python
alice = await world.person("alice")
await world.project("team", alice)
assert (await alice.push("team/app:v1", image("base", "code"))).status == 201
```
"""

import atexit
import functools
import os
import shutil
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import argon2
from sqlalchemy import Table, func, select

from contract import registry_worlds
from fairway.app import Hub
from fairway.boot import Parts, build
from fairway.core.oci.digest import ALGORITHMS, Digest
from fairway.core.oci.manifest import Manifest
from fairway.features.accounts.store import people
from fairway.features.projects.model import Wanted
from fairway.features.projects.store import projects
from fairway.frame.access.principals import User
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import members, metadata
from fairway.frame.jobs.runner import Runner
from fairway.frame.settings import Settings
from stories.asgi import Answer, Body, call

PASSWORD = "Fairway-tests-1"
"""Everybody's."""

FAILED_LOGINS = "login_failures"


@functools.cache
def _hashed(password: str) -> str:
    return argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(password)


# ------------------------------------------------------------------------------------------- images


@dataclass(frozen=True)
class Image:
    """A manifest with all it needs: its blobs, or for an index its children."""

    manifest: Manifest
    blobs: tuple[bytes, ...] = ()
    children: tuple["Image", ...] = ()

    @property
    def digest(self) -> Digest:
        return self.manifest.digest

    @property
    def size(self) -> int:
        """What a project that has nothing else is charged for it."""
        return self.manifest.size + sum(len(blob) for blob in set(self.blobs))


def layer(name: str) -> bytes:
    """The bytes of the layer with this name."""
    return f"the layer {name}\n".encode() * 10


def image(*layers: str, **members: Any) -> Image:
    """An image of layers that are known by name; `members` are added to its manifest."""
    data = tuple(layer(name) for name in layers)
    return Image(registry_worlds.image(*data, **members), (b"{}", *data))


def index(*children: Image, **members: Any) -> Image:
    """An index of these images."""
    made = registry_worlds.index(*(child.manifest for child in children), **members)
    return Image(made, children=children)


def place(name: str) -> tuple[str, str]:
    """Repository and reference of `team/app:v1` or `team/app@sha256:…`."""
    repo, at, digest = name.partition("@")
    if at:
        return repo, digest
    repo, _, tag = name.partition(":")
    return repo, tag


# ------------------------------------------------------------------------------------------- people


@dataclass(frozen=True)
class Person:
    """Somebody who talks to the hub, with a password or with a token."""

    world: "World"
    name: str
    id: int = 0
    authorization: str = ""

    async def __call__(
        self, method: str, target: str, body: Body = b"", *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        own = {"authorization": self.authorization} if self.authorization else {}
        return await call(self.world.app, method, target, body, headers={**own, **(headers or {})})

    @property
    def user(self) -> User:
        return User(self.id, self.name)

    def bearing(self, token: str) -> "Person":
        """The same person, with a token instead of the password."""
        return replace(self, authorization=f"Bearer {token}")

    def saying(self, password: str) -> "Person":
        """The same person, with another password."""
        return replace(self, authorization=basic(self.name, password))

    async def ask_token(self, *scopes: str, **parameters: str) -> Answer:
        """GET /service/token, each scope as a parameter of its own."""
        query = [("service", "harbor-registry"), *(("scope", scope) for scope in scopes)]
        given = dict(query) | parameters
        query = [pair for pair in query if pair[0] == "scope"]
        query += [(name, value) for name, value in given.items() if name != "scope"]
        return await self("GET", f"/service/token?{urlencode(query)}")

    async def with_token(self, *scopes: str) -> "Person":
        """The same person, with a token for these scopes."""
        answer = await self.ask_token(*scopes)
        assert answer.status == 200, answer.body
        return self.bearing(answer.json["token"])

    async def push(self, name: str, what: Image) -> Answer:
        """All of an image, as clients do it: blobs and children first.  The first refusal, or the last answer."""
        repo, _ = place(name)
        for child in what.children:
            answer = await self.push(f"{repo}@{child.digest}", child)
            if answer.status != 201:
                return answer
        for blob in what.blobs:
            answer = await self.push_blob(repo, blob)
            if answer.status != 201:
                return answer
        return await self.push_manifest(name, what)

    async def push_blob(self, repo: str, data: bytes, digest: str = "") -> Answer:
        return await self("POST", f"/v2/{repo}/blobs/uploads/?digest={digest or Digest.of(data)}", data)

    async def push_manifest(self, name: str, what: Image) -> Answer:
        repo, ref = place(name)
        headers = {"content-type": what.manifest.media_type}
        return await self("PUT", f"/v2/{repo}/manifests/{ref}", what.manifest.raw, headers=headers)

    async def start_upload(self, repo: str) -> str:
        """Where a new upload goes on."""
        answer = await self("POST", f"/v2/{repo}/blobs/uploads/")
        assert answer.status == 202, answer.body
        return answer["location"]

    async def mount(self, repo: str, digest: str, source: str | None = None) -> Answer:
        query = {"mount": digest} | ({"from": source} if source else {})
        return await self("POST", f"/v2/{repo}/blobs/uploads/?{urlencode(query)}")

    async def pull(self, name: str) -> Answer:
        """The manifest."""
        repo, ref = place(name)
        return await self("GET", f"/v2/{repo}/manifests/{ref}")

    async def blob(self, repo: str, digest: str, method: str = "GET") -> Answer:
        return await self(method, f"/v2/{repo}/blobs/{digest}")

    async def delete(self, name: str) -> Answer:
        """A tag, or by digest a manifest."""
        repo, ref = place(name)
        return await self("DELETE", f"/v2/{repo}/manifests/{ref}")

    async def tags(self, repo: str) -> list[str]:
        listed: list[str] = (await self("GET", f"/v2/{repo}/tags/list")).json["tags"]
        return listed


def basic(name: str, password: str) -> str:
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode()


# ------------------------------------------------------------------------------------------ the hub


class World:
    """One hub and everybody who uses it.  `admin` administers it, `anybody` has not logged in."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self.settings = settings
        self.parts = parts
        self.db = parts.db
        self.app = Hub(parts)
        self.app.begin()
        self.anybody = Person(self, "anonymous")
        self.admin = self.anybody

    async def person(self, name: str, *, sysadmin: bool = False) -> Person:
        """Somebody with an account."""

        async def make(conn: Any) -> int:
            return await people.create(conn, name, _hashed(PASSWORD), sysadmin=sysadmin)

        return Person(self, name, await self.db.write(make), basic(name, PASSWORD))

    async def project(
        self, name: str, owner: Person | None = None, *, public: bool = False, limit: int = -1
    ) -> int:
        """A project; `limit` is its quota in bytes."""
        user = (owner or self.admin).user
        wanted = Wanted(name, public, limit)
        return await self.db.write(lambda conn: projects.create(conn, wanted, user))

    async def member(self, project: int, name: str, role: Role) -> Person:
        """Somebody new with this role in a project."""
        person = await self.person(name)
        values = {"project_id": project, "user_id": person.id, "role": int(role), "created_at": 0}
        await self.run(members.insert().values(**values))
        return person

    async def set_password(self, person: Person, password: str) -> None:
        hashed = _hashed(password)
        await self.db.write(lambda conn: people.set_password(conn, person.id, hashed))

    async def run(self, statement: Any) -> int:
        """SQL that no feature offers."""
        return await self.db.write(lambda conn: conn.run(statement))

    async def rows(self, table: Table) -> list[dict[str, Any]]:
        """All of a table, in the order of its key."""
        found = await self.db.all(select(table).order_by(*table.primary_key.columns))
        return [{column.name: row[column.name] for column in table.columns} for row in found]

    async def count(self, table: Table) -> int:
        return int(await self.db.scalar(select(func.count()).select_from(table)))

    async def work(self) -> None:
        """Run every job that is due, as the background process does."""
        runner = Runner(self.db, self.parts.jobs)
        await runner.beat()
        while await runner.take():
            await runner.idle()

    def files(self) -> list[str]:
        """Everything in the storage: finished blobs and uploads on their way."""
        root = self.settings.storage_path
        return sorted(
            os.path.relpath(Path(at, name), root)
            for folder in ("uploads", *ALGORITHMS)
            for at, _, names in os.walk(root / folder)
            for name in names
        )

    async def stored(self) -> dict[str, Any]:
        """All there is, down to the last row and file.  Only failed logins are left out."""
        tables = [table for table in metadata.sorted_tables if table.name != FAILED_LOGINS]
        return {"files": self.files()} | {table.name: await self.rows(table) for table in tables}


_spare: list[Path] = []


@functools.cache
def _storages() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fairway-storages-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@contextmanager
def storage(at: Path) -> Iterator[None]:
    """An empty storage folder, seen at `at`.  Its five hundred folders take longer than most stories, so that they are
    made once and passed on from world to world."""
    root = _spare.pop() if _spare else Path(tempfile.mkdtemp(dir=_storages()))
    root.chmod(0o750)
    at.symlink_to(root)
    yield
    for folder, _, names in os.walk(root):
        for name in names:
            Path(folder, name).unlink()
    _spare.append(root)


@asynccontextmanager
async def open_world(database_url: str, folder: Path, **settings: Any) -> AsyncIterator[World]:
    """A hub on a migrated, empty database, with an administrator called admin."""
    data = folder / "data"
    data.mkdir(mode=0o750)
    with storage(data / "storage"):
        async with replica(database_url, folder, **settings) as world:
            world.admin = await world.person("admin", sysadmin=True)
            yield world


@asynccontextmanager
async def replica(database_url: str, folder: Path, **settings: Any) -> AsyncIterator[World]:
    """Another process of a hub that is there already."""
    given = {"database_pool": 6, "token_database_pool": 2, **settings}
    chosen = Settings(data_dir=folder / "data", database_url=database_url, **given)
    async with build(chosen) as parts:
        yield World(chosen, parts)
