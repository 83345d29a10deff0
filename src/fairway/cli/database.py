"""For commands that work straight in the database, for whoever may read the data folder."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fairway.cli.options import fail
from fairway.core.oci.errors import FairwayError
from fairway.frame.db import Database, open_database
from fairway.frame.db.migrate import require_schema
from fairway.frame.settings import Settings

T = TypeVar("T")


def with_database(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    """What `work` answers.  What it raises of ours ends the command."""

    async def run() -> T:
        await require_schema(settings.database_url)
        db = await open_database(settings.database_url, pool=1)
        try:
            return await work(db)
        finally:
            await db.close()

    try:
        return asyncio.run(run())
    except FairwayError as error:
        fail(error)
