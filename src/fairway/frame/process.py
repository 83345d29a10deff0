"""A process that is supervised notices when it is not any more."""

import asyncio
import os
from collections.abc import Callable

_SECONDS = 1.0


async def when_orphaned(then: Callable[[], object]) -> None:
    """Call `then` once the parent process has died without a word (kill -9): nobody would stop or restart us."""
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110 - nothing tells us but the number
        await asyncio.sleep(_SECONDS)
    then()
