"""What artifacts say about themselves, read from their manifests and configs when somebody looks.

It is found out on the first look and kept in memory by digest, from which alone it follows, instead of being written to
the row at the push: pushes read nothing back, what was pushed before a kind was known is shown like what is pushed today,
and there is nothing to repair.  Of a manifest or config that cannot be read nothing is said; the artifact is shown.
"""

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from fairway.core.oci import json as strict
from fairway.core.oci.digest import Digest, Hasher
from fairway.core.oci.errors import BadRequest, BlobUnknown, FairwayError, ManifestUnknown, Unavailable
from fairway.core.oci.manifest import Descriptor, Limits, Manifest, parse_manifest
from fairway.core.oci.names import Repository
from fairway.core.stores.protocols import Blob
from fairway.features.artifacts import icons
from fairway.features.artifacts.processors.kind import (
    MARKDOWN,
    TEXT,
    Addition,
    Config,
    FromConfig,
    FromManifest,
    InLayer,
    Processor,
    WholeLayer,
)
from fairway.features.artifacts.processors.table import processor_of, processors, safely
from fairway.features.artifacts.store import manifests
from fairway.features.artifacts.together import Together
from fairway.frame.db import Database, Row
from fairway.frame.jobs.apart import Failed, Interrupted, apart_reading

MIB: Final = 2**20
LARGEST_CONFIG: Final = MIB
LARGEST_LAYER: Final = 64 * MIB
"""Of a layer that is searched for a page."""
LARGEST_PAGE: Final = 4 * MIB
LARGEST_SHOWN: Final = 64 * 2**10
"""Bytes of an artifact's attributes as JSON; what is beyond is left out, member by member."""
KEPT: Final = 16 * MIB
"""Bytes of facts, and as many of pages, that one process keeps."""
_QUICK: Final = 2**15
"""Bytes of JSON that are parsed on the event loop: more takes it milliseconds."""
AGAIN_SECONDS: Final = 10.0
"""After which a list looks again at what was damaged or not there: it is not to try each time."""
PATIENCE_SECONDS: Final = 5.0
"""For which a list waits for what its artifacts say."""
_AT_A_TIME: Final = 8
_MOST_LOOKS: Final = 1_000
_MOST_IN_VAIN: Final = 10_000
_MOST_WAITING: Final = 32
_MEMORY, _SECONDS = 256 * MIB, 10
_TEXTS: Final = (TEXT, MARKDOWN)

OpenBlob = Callable[[int, Repository, Digest], Awaitable[Blob]]
"""(project, repository, digest) → a blob of the project.  Raises BlobUnknown and Unavailable."""

T = TypeVar("T")


class Unreadable(Exception):
    """A page that cannot be made of what was pushed.  The message is for people."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What an artifact says: `attributes` is a JSON object, `additions` are the names of its pages, `icon` is the digest
    of a layer that is a picture."""

    attributes: str = "{}"
    additions: tuple[str, ...] = ()
    icon: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """An addition: bytes, or the blob that they are, and the type they are sent as."""

    content_type: str
    content: bytes | Blob


class Kept(Generic[T]):
    """Values by key, up to so many bytes; those used longest ago go first."""

    def __init__(self, capacity: int = KEPT, overhead: int = 512) -> None:
        self._capacity, self._overhead = capacity, overhead
        self._values: OrderedDict[object, tuple[T, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: object) -> T | None:
        """The value, if it is here."""
        if (found := self._values.get(key)) is None:
            return None
        self._values.move_to_end(key)
        return found[0]

    def keep(self, key: object, value: T, size: int) -> T:
        """Remember a value that takes `size` bytes."""
        if key not in self._values:
            self._values[key] = (value, size + self._overhead)
            self._bytes += size + self._overhead
        while self._bytes > self._capacity:
            _, (_, gone) = self._values.popitem(last=False)
            self._bytes -= gone
        return value


class Describer:
    """Finds out what artifacts say.  One per process."""

    def __init__(self, db: Database, open_blob: OpenBlob) -> None:
        self._db = db
        self._open = open_blob
        self._facts: Kept[Facts] = Kept()
        self._pages: Kept[Page | Unreadable] = Kept()
        self._looks: dict[Digest, asyncio.Task[Facts]] = {}
        self._in_vain: dict[Digest, float] = {}
        self._places = asyncio.Semaphore(_AT_A_TIME)
        self._waiting = 0
        processors()  # found now, not by the first push

    async def facts(self, project: int, asked: Sequence[tuple[Repository, Digest]]) -> list[Facts]:
        """What each of these artifacts says, as far as it can be read now and soon.

        Who waits for one that somebody else is looking at already waits for the same look, which goes on when they give
        up: a storage that hangs holds no list up.
        """
        again = len(asked) == 1  # who asks for one has perhaps just repaired it
        together = Together(self._db, project)
        looks = {digest: self._look(project, repo, digest, together, again=again) for repo, digest in asked}
        waiting = [look for look in looks.values() if isinstance(look, asyncio.Task) and not look.done()]
        if waiting:
            await asyncio.wait(waiting, timeout=PATIENCE_SECONDS)
        return [_said(looks[digest]) for _, digest in asked]

    def _look(
        self, project: int, repo: Repository, digest: Digest, together: Together, *, again: bool
    ) -> Facts | asyncio.Task[Facts]:
        if (kept := self._facts.get(digest)) is not None:
            return kept
        if (look := self._looks.get(digest)) is not None:
            return look
        in_vain = not again and time.monotonic() < self._in_vain.get(digest, 0.0)
        if in_vain or len(self._looks) >= _MOST_LOOKS:
            return Facts()
        together.add(repo, digest)
        look = self._looks[digest] = asyncio.create_task(self._find_out(project, repo, digest, together))
        look.add_done_callback(lambda _: self._looks.pop(digest, None))
        return look

    async def _find_out(self, project: int, repo: Repository, digest: Digest, together: Together) -> Facts:
        async with self._places:
            try:
                manifest = await self._manifest(project, repo, digest, await together.get(digest))
                made = await self._read(project, repo, manifest)
            except Unavailable:
                return Facts()
            except FairwayError:  # damaged or gone
                self._remember(digest)
                return Facts()
        return self._facts.keep(digest, made, len(made.attributes))

    def _remember(self, in_vain: Digest) -> None:
        self._in_vain.pop(in_vain, None)
        self._in_vain[in_vain] = time.monotonic() + AGAIN_SECONDS
        if len(self._in_vain) > _MOST_IN_VAIN:
            del self._in_vain[next(iter(self._in_vain))]

    async def _read(self, project: int, repo: Repository, manifest: Manifest) -> Facts:
        processor = processor_of(manifest)
        config, size = await self._config(project, repo, manifest, processor)
        nothing: Mapping[str, Any] = {}
        told = safely(processor, lambda: processor.attributes(manifest, config), nothing)
        attributes = await _aside(size, lambda: _shown(told))
        icon = await self._icon(project, repo, safely(processor, lambda: processor.icon(manifest), None))
        return Facts(attributes, tuple(each.name for each in additions_of(processor, manifest)), icon)

    async def _manifest(
        self, project: int, repo: Repository, digest: Digest, read: Row | None = None
    ) -> Manifest:
        row = read or await manifests.manifest(self._db, project, repo.rest, digest)
        if row is None:
            raise ManifestUnknown(f"{repo} has no manifest {digest}")
        payload: bytes = row["payload"]
        limits = Limits(size=len(payload))
        manifest = await _aside(
            len(payload),
            lambda: parse_manifest(payload, row["media_type"], algorithm=digest.algorithm, limits=limits),
        )
        if manifest.digest != digest:
            raise ManifestUnknown(f"the stored manifest {digest} is damaged; push it again to repair it")
        return manifest

    async def _config(
        self, project: int, repo: Repository, manifest: Manifest, processor: Processor
    ) -> tuple[Config, int]:
        """The config as a JSON object, empty when it is none, and its bytes.  Raises when it cannot be read just now."""
        where = safely(processor, lambda: processor.config(manifest), None)
        if isinstance(where, Digest):
            where = (await self._manifest(project, repo, where)).config
        if where is None:
            return {}, 0
        blob = await self._open(project, repo, where.digest)
        if not 0 < blob.size <= LARGEST_CONFIG:
            return {}, 0
        raw = await whole(blob, where.digest)
        return await _aside(len(raw), lambda: _json_object(raw)), len(raw)

    async def _icon(self, project: int, repo: Repository, layer: Descriptor | None) -> str:
        """The digest of a layer that is a picture; empty for anything else."""
        if layer is None or layer.foreign or not 0 < layer.size <= icons.LARGEST:
            return ""
        blob = await self._open(project, repo, layer.digest)
        if blob.size > icons.LARGEST:
            return ""
        raw = await whole(blob, layer.digest)
        shown = await _aside(len(raw), lambda: icons.picture(raw))
        return layer.digest if shown is not None else ""

    async def page(self, project: int, repo: Repository, digest: Digest, name: str) -> Page:
        """A page about an artifact.

        Raises BadRequest when it has no such page, ManifestUnknown, Unreadable, and Unavailable or BlobUnknown when the
        bytes are not there.
        """
        if (kept := self._pages.get((digest, name))) is not None:
            return _shown_page(kept)
        manifest = await self._manifest(project, repo, digest)
        processor = processor_of(manifest)
        there = {each.name: each for each in additions_of(processor, manifest)}
        if (addition := there.get(name)) is None:
            has = f"it has {', '.join(sorted(there))}" if there else "it has none"
            raise BadRequest(f"this artifact has no addition {name[:80]!r}; {has}")
        if isinstance(addition.source, WholeLayer) and addition.content_type not in _TEXTS:
            layer = addition.source.layer
            return Page(addition.content_type, await self._layer(project, repo, layer, LARGEST_LAYER))
        with self._place():
            content = await self._content(project, repo, manifest, processor, addition)
        if isinstance(content, Unreadable):  # nor will it be next time
            return _shown_page(self._pages.keep((digest, name), content, 0))
        if addition.content_type in _TEXTS:
            content = content.decode("utf-8", "replace").replace("\0", "\ufffd").encode()
        page = Page(addition.content_type, content)
        self._pages.keep((digest, name), page, len(content))
        return page

    async def _content(
        self, project: int, repo: Repository, manifest: Manifest, processor: Processor, addition: Addition
    ) -> bytes | Unreadable:
        match addition.source:
            case FromManifest(content):
                return content
            case FromConfig(make):
                config, _ = await self._config(project, repo, manifest, processor)
                return safely(processor, lambda: make(config), b"")
            case WholeLayer(layer):
                return await whole(await self._layer(project, repo, layer, LARGEST_PAGE), layer.digest)
            case InLayer(layer, find, arguments):
                blob = await self._layer(project, repo, layer, LARGEST_LAYER)
                await _verify(blob, layer.digest)  # what is found is kept
                found = await _found(blob, find, arguments)
                if isinstance(found, bytes):
                    return found
                return Unreadable(str(found or f"there is no {addition.name} in it")[:500])

    async def _layer(self, project: int, repo: Repository, layer: Descriptor, most: int) -> Blob:
        blob = await self._open(project, repo, layer.digest)
        if blob.size > most:
            raise Unreadable(f"the layer has {blob.size} bytes; pages are made of {most} at most")
        return blob

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One of those who wait for a page that is made: each takes memory, and most a child process."""
        if self._waiting >= _MOST_WAITING:
            raise Unavailable("many pages are being made just now; try again in a moment", retry_after=5)
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1


def _said(look: Facts | asyncio.Task[Facts]) -> Facts:
    if isinstance(look, Facts):
        return look
    return look.result() if look.done() else Facts()


def _shown_page(kept: Page | Unreadable) -> Page:
    if isinstance(kept, Unreadable):
        raise Unreadable(str(kept))
    return kept


def additions_of(processor: Processor, manifest: Manifest) -> tuple[Addition, ...]:
    """The pages of an artifact."""
    return safely(processor, lambda: tuple(processor.additions(manifest)), ())


async def _found(
    blob: Blob, find: Callable[..., bytes | str | None], arguments: tuple[Any, ...]
) -> bytes | str | None:
    # In a child with limits, not in a thread: what is read may be made to take memory or time, and the interpreter's lock
    # would hold up every pull of this worker meanwhile.
    async with aclosing(_pieces(blob)) as stream:
        try:
            return await apart_reading(
                stream, find, *arguments, memory=_MEMORY, seconds=_SECONDS, answer=LARGEST_PAGE
            )
        except Interrupted as error:
            raise Unavailable("this machine is too busy to make the page; try again in a moment") from error
        except Failed as failed:
            raise Unreadable(
                "the layer cannot be searched: it needs more time or memory than a page is worth"
            ) from failed


async def _pieces(blob: Blob) -> Any:
    reading = blob.read(0, blob.size)
    async for piece in reading:
        yield piece


async def whole(blob: Blob, digest: Digest) -> bytes:
    """All of a blob, hashed.  Raises BlobUnknown when it is damaged."""
    if blob.content is not None:
        return blob.content
    raw = b"".join([piece async for piece in blob.read(0, blob.size)])
    if await _aside(len(raw), lambda: Digest.of(raw, digest.algorithm)) != digest:
        raise BlobUnknown(f"the stored bytes of {digest} are damaged")
    return raw


async def _verify(blob: Blob, digest: Digest) -> None:
    """Raise BlobUnknown for a blob that is damaged."""
    if blob.content is not None:
        return
    hasher = Hasher(digest.algorithm)
    async for piece in blob.read(0, blob.size):
        hasher.update(piece)
    if hasher.digest() != digest:
        raise BlobUnknown(f"the stored bytes of {digest} are damaged")


async def _aside(size: int, work: Callable[[], T]) -> T:
    """Do what takes as long as `size` bytes are many: beside the event loop when that is noticeable."""
    return work() if size <= _QUICK else await asyncio.to_thread(work)


def _json_object(raw: bytes) -> Config:
    try:
        found = strict.loads(raw, max_bytes=LARGEST_CONFIG, max_depth=64, max_members=50_000)
    except strict.JsonInvalid:
        return {}
    return found if isinstance(found, dict) else {}


def _shown(attributes: Mapping[str, Any]) -> str:
    """Attributes as JSON, as many as there is room for."""
    try:
        return _text(fitting(attributes, LARGEST_SHOWN))
    except (TypeError, ValueError):  # of a processor from elsewhere
        return "{}"


def fitting(members: Mapping[str, Any], room: int, *, deep: int = 2) -> dict[str, Any]:
    """Members of an object, in their order, that fit into `room` bytes of JSON; of objects as many as fit of theirs."""
    kept: dict[str, Any] = {}
    room -= 2
    for name, value in members.items():
        size = len(_text({name: value})) + 1
        if size > room and deep and isinstance(value, dict):
            value = fitting(value, room - len(_text(name)) - 4, deep=deep - 1)  # noqa: PLW2901
            size = len(_text({name: value})) + 1
        if size <= room:
            kept[name] = value
            room -= size
    return kept


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
