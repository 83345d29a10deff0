"""What administrators have chosen, as one process knows it.

A process looks every second whether anything was changed anywhere, and reads it all when it was, so that asking costs
nothing and nobody is more than a second or two behind.  What an operator has settled at the start cannot be changed.
"""

import asyncio
import difflib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeVar, cast

from fairway.core.oci.errors import BadRequest
from fairway.frame.configuration import store
from fairway.frame.configuration.declared import (
    FORWARD,
    KEYS,
    READ_ONLY,
    ROBOT_PREFIX,
    SKIP_DATABASE,
    TOKEN_MINUTES,
)
from fairway.frame.configuration.kinds import Key, Value
from fairway.frame.db import Conn, Database
from fairway.frame.log import get_logger
from fairway.frame.sealing import Sealer
from fairway.frame.settings import Settings, SettingsInvalid

_log = get_logger(__name__)

LOOK_SECONDS: Final = 1.0
T = TypeVar("T", bool, int, str)


class Configuration:
    """What counts now.  Asking is a look into a dictionary, from any thread."""

    def __init__(self, db: Database, sealer: Sealer, settings: Settings) -> None:
        """Raises SettingsInvalid for what the operator has settled and cannot be."""
        self._db = db
        self._sealer = sealer
        self._settled = settled(settings)
        # Harbor's default is longer than what the operator wants a right to outlive its loss.
        self._defaults: dict[str, Value] = {TOKEN_MINUTES.name: -(-settings.token_seconds // 60)}
        self._chosen: Mapping[str, Value] = {}
        self._generation = -1
        self._looking = asyncio.Lock()

    def get(self, key: Key[T]) -> T:
        """Its value.  Raises SealBroken for a secret that does not open."""
        chosen = self.chosen(key)
        return cast(T, self._defaults.get(key.name, key.default)) if chosen is None else chosen

    def chosen(self, key: Key[T]) -> T | None:
        """What somebody chose; None for the default."""
        if key.name in self._settled:
            return cast(T, self._settled[key.name])
        value = self._chosen.get(key.name)
        if key.secret and value:
            value = self._sealer.open(str(value), _context(key)).decode()
        return cast(T | None, value)

    def editable(self, key: Key[Any]) -> bool:
        """Whether an administrator may change it."""
        return key.name not in self._settled

    async def shown(self, conn: Conn) -> dict[str, Value]:
        """Every value but the secrets, as they are in the database now."""
        values = self._values(await store.kept(conn))
        return {name: values[name] for name, key in KEYS.items() if not key.secret}

    async def change(self, conn: Conn, asked: Mapping[str, Value]) -> None:
        """Keep what was `checked`.  Needs a transaction; `look` after it.  Raises BadRequest for what does not fit together."""
        await store.begin(conn)
        values = {**self._values(await store.kept(conn)), **asked}
        if values[SKIP_DATABASE.name] and not values[FORWARD.name]:
            raise BadRequest(
                f"{SKIP_DATABASE.name} needs {FORWARD.name}: without it the audit log would be nowhere; set both, "
                f"or {SKIP_DATABASE.name} to false"
            )
        await store.keep(conn, {name: self._written(KEYS[name], value) for name, value in asked.items()})

    async def look(self) -> bool:
        """Learn what was changed, if anything was.  Raises Unavailable."""
        async with self._looking:
            if await store.generation(self._db) == self._generation:
                return False

            async def read(conn: Conn) -> tuple[int, dict[str, str]]:
                return await store.generation(conn), await store.kept(conn)

            generation, rows = await self._db.read(read)
            self._chosen, self._generation = _readable(rows), generation
            return True

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Look now, and every second until the end."""
        await self.look()
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                if await self.look():
                    _log.info("the configuration was changed")
            except Exception as error:  # noqa: BLE001 - what is known stays true until the database answers again
                _log.warning("the configuration cannot be looked at", error=str(error))

    def _values(self, rows: Mapping[str, str]) -> dict[str, Value]:
        """What counts, with these rows; of secrets the sealed text."""
        defaults = {name: key.default for name, key in KEYS.items()}
        return {**defaults, **self._defaults, **_readable(rows), **self._settled}

    def _written(self, key: Key[Any], value: Value) -> str:
        if key.secret and value:
            value = self._sealer.seal(str(value).encode(), _context(key))
        return json.dumps(value)


def checked(asked: Mapping[str, object]) -> dict[str, Value]:
    """The values of a request.  Other names are ignored, and null is as it is; raises BadRequest with every mistake."""
    values: dict[str, Value] = {}
    mistakes = []
    for name, raw in asked.items():
        if raw is None or name not in KEYS:
            continue
        try:
            values[name] = KEYS[name].read(raw)
        except ValueError as must_be:
            mistakes.append(f"{name} must be {must_be}")
    if mistakes:
        raise BadRequest("; ".join(mistakes))
    return values


def settled(settings: Settings) -> dict[str, Value]:
    """What the operator has settled for good.  Raises SettingsInvalid with every mistake, one per line."""
    found: dict[str, Value] = {}
    mistakes = []
    for name, raw in settings.config_overwrite_json.items():
        if name not in KEYS:
            close = difflib.get_close_matches(name, KEYS, n=1)
            hint = f"Did you mean {close[0]}?" if close else "docs/reference/configuration.md lists them all."
            mistakes.append(f"config_overwrite_json: there is no key {name[:64]!r}. {hint}")
            continue
        if name == ROBOT_PREFIX.name:
            mistakes.append(
                f"config_overwrite_json: {name} is read from the database only; set it with PUT /api/v2.0/configurations."
            )
            continue
        try:
            found[name] = KEYS[name].read(raw)
        except ValueError as must_be:
            mistakes.append(f"config_overwrite_json: {name} must be {must_be}.")
    if found.get(SKIP_DATABASE.name) and not found.get(FORWARD.name):
        mistakes.append(
            f"config_overwrite_json: {SKIP_DATABASE.name} needs {FORWARD.name} beside it: without it the audit log would "
            "be nowhere."
        )
    if mistakes:
        raise SettingsInvalid("\n".join(mistakes))
    return {**found, READ_ONLY.name: True} if settings.read_only else found


def _readable(rows: Mapping[str, str]) -> dict[str, Value]:
    """What these rows say.  What a newer version has kept and this one cannot read counts as not chosen."""
    values: dict[str, Value] = {}
    for name, text in rows.items():
        key = KEYS.get(name)
        if key is None:
            continue
        try:
            value = json.loads(text)
            values[name] = str(value) if key.secret else key.read(value)
        except ValueError:
            _log.warning("a kept value is not readable and counts as not chosen", key=name)
    return values


def _context(key: Key[Any]) -> str:
    return f"configuration/{key.name}"
