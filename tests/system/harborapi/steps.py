"""Steps that many chapters take."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from harborapi import HarborAsyncClient
from harborapi.models import AuditLog, ProjectReq, UserCreationReq

SECRET = "Harbour-master-2"
WAIT_SECONDS = 60


def number(location: str) -> int:
    """The id at the end of a Location."""
    return int(location.rpartition("/")[2])


async def told(ask: Callable[[], Awaitable[list[AuditLog]]], lines: int) -> list[AuditLog]:
    """The log, when it has so many lines: they are written in the background."""
    deadline = time.monotonic() + WAIT_SECONDS
    while len(found := await ask()) < lines:
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)
    return found


async def new_user(harbor: HarborAsyncClient, name: str) -> int:
    asked = UserCreationReq(
        username=name, email=f"{name}@example.com", realname=name.title(), password=SECRET, comment=""
    )
    return number(await harbor.create_user(asked))


async def new_project(harbor: HarborAsyncClient, name: str, **more: Any) -> int:
    """Its id."""
    await harbor.create_project(ProjectReq(project_name=name, **more))
    project = await harbor.get_project(name)
    assert project.project_id
    return project.project_id
