"""Small manifests that are wanted at about the same time, read together."""

import asyncio
from collections.abc import Mapping
from typing import Final

from fairway.core.oci.digest import Digest
from fairway.core.oci.names import Repository
from fairway.features.artifacts.store import manifests
from fairway.frame.db import Database, Row

LARGEST: Final = 2**15
"""Bytes of a manifest that is read with others; what is larger is read when its turn has come."""


class Together:
    """Manifests of a project that one statement reads as soon as the first of them is wanted."""

    def __init__(self, db: Database, project: int) -> None:
        self._db, self._project = db, project
        self._places: dict[Digest, Repository] = {}
        self._reading: asyncio.Task[Mapping[Digest, Row]] | None = None

    def add(self, repo: Repository, digest: Digest) -> None:
        """There will be somebody to `get` this."""
        self._places[digest] = repo

    async def get(self, digest: Digest) -> Row | None:
        """digest, media_type and payload; None for one that is large or gone, or when nothing else is read."""
        if len(self._places) < 2:
            return None
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        # Shielded: whoever stops waiting does not stop the others.
        return (await asyncio.shield(self._reading)).get(digest)

    async def _read(self) -> Mapping[Digest, Row]:
        places = [(repo.rest, digest) for digest, repo in self._places.items()]
        return await manifests.small(self._db, self._project, places, LARGEST)
