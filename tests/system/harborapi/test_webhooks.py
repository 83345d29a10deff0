"""Webhooks, told through harborapi: somebody is told of pushes, stops listening for a while, and is not told any more."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from harborapi import HarborAsyncClient
from harborapi.exceptions import BadRequest, Conflict, NotFound
from harborapi.models import WebhookJob, WebhookPolicy, WebhookTargetObject

from hub import Hub
from system.harborapi.pushing import push
from system.harborapi.steps import WAIT_SECONDS, new_project, number
from system.harborapi.watched import logged_in
from system.wire import Wire

pytestmark = pytest.mark.system


class Listener(ThreadingHTTPServer):
    """Somebody on this machine who is told."""

    def __init__(self) -> None:
        listener = self
        self.heard: list[tuple[str, dict[str, Any]]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                listener.heard.append((self.headers.get("authorization", ""), json.loads(body)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing to say."""

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/harbor"


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as listener:
        thread = Thread(target=listener.serve_forever)
        thread.start()
        yield listener
        listener.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub that may tell somebody on this machine."""
    env = {"FAIRWAY_EGRESS_ALLOW_NETWORKS": "127.0.0.0/8"}
    hub = Hub(tmp_path_factory.mktemp("telling"), env=env)
    try:
        yield hub.start()
    finally:
        hub.kill()


@pytest.fixture
async def harbor(hub: Hub) -> AsyncIterator[HarborAsyncClient]:
    async with logged_in(hub) as api:
        yield api


async def ended(harbor: HarborAsyncClient, project: str, policy: int, count: int) -> list[WebhookJob]:
    """The jobs, when so many have ended."""
    deadline = time.monotonic() + WAIT_SECONDS
    while len(found := await harbor.get_webhook_jobs(project, policy, status=["Success", "Error"])) < count:
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)
    return found


async def test_a_team_is_told_of_its_pushes(hub: Hub, harbor: HarborAsyncClient, listener: Listener) -> None:
    await new_project(harbor, "lighthouse")
    supported = await harbor.get_webhook_supported_events("lighthouse")
    assert supported.event_type
    assert {"PUSH_ARTIFACT", "TAG_RETENTION"} <= {each.root for each in supported.event_type}
    assert supported.notify_type
    assert {"http", "slack"} <= {each.root for each in supported.notify_type}
    target = WebhookTargetObject(type="http", address=listener.url, auth_header="Basic c2VjcmV0")
    wanted = WebhookPolicy(
        name="lamp", description="lights", targets=[target], event_types=["PUSH_ARTIFACT"], enabled=True
    )
    policy = number(await harbor.create_webhook_policy("lighthouse", wanted))
    with pytest.raises(Conflict):
        await harbor.create_webhook_policy("lighthouse", wanted)
    with pytest.raises(BadRequest):
        await harbor.create_webhook_policy(
            "lighthouse", WebhookPolicy(name="none", targets=[], event_types=["PUSH_ARTIFACT"])
        )
    digest = push(Wire(hub), "lighthouse/tower/lamp", "1")
    (job,) = await ended(harbor, "lighthouse", policy, 1)
    assert (job.policy_id, job.event_type, job.notify_type, job.status) == (
        policy,
        "PUSH_ARTIFACT",
        "http",
        "Success",
    )
    ((authorization, told),) = listener.heard
    assert authorization == "Basic c2VjcmV0"
    assert job.job_detail
    assert json.loads(job.job_detail) == told
    assert told["type"] == "PUSH_ARTIFACT"
    (resource,) = told["event_data"]["resources"]
    assert (resource["digest"], resource["tag"]) == (str(digest), "1")
    assert told["event_data"]["repository"]["repo_full_name"] == "lighthouse/tower/lamp"
    (last,) = await harbor.get_webhook_policy_last_trigger("lighthouse")
    assert (last.policy_name, last.event_type, last.enabled) == ("lamp", "PUSH_ARTIFACT", True)
    assert last.last_trigger_time

    # It is read, changed and written back as a whole, and goes on with its secret.
    found = await harbor.get_webhook_policy("lighthouse", policy)
    assert (found.name, found.description, found.creator) == ("lamp", "lights", "admin")
    assert found.targets
    assert found.targets[0].address == listener.url
    found.enabled = False
    await harbor.update_webhook_policy("lighthouse", policy, found)
    push(Wire(hub), "lighthouse/tower/lamp", "2", seed=b"dark")
    found.enabled, found.event_types = True, ["PUSH_ARTIFACT", "DELETE_ARTIFACT"]
    await asyncio.sleep(3)  # what happens while it is off is not told
    await harbor.update_webhook_policy("lighthouse", policy, found)
    push(Wire(hub), "lighthouse/tower/lamp", "3", seed=b"bright")
    await ended(harbor, "lighthouse", policy, 2)
    assert [told["event_data"]["resources"][0]["tag"] for _, told in listener.heard] == ["1", "3"]
    assert {authorization for authorization, _ in listener.heard} == {"Basic c2VjcmV0"}

    assert [each.name for each in await harbor.get_webhook_policies("lighthouse")] == ["lamp"]
    await harbor.delete_webhook_policy("lighthouse", policy)
    with pytest.raises(NotFound):
        await harbor.get_webhook_policy("lighthouse", policy)
    assert await harbor.get_webhook_policies("lighthouse") == []
