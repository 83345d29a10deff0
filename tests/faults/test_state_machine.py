"""Uploads, tags, manifests and deletions in any order: a real hub answers as the registry in memory does.

Hypothesis draws the steps and shortens a sequence that shows a difference.  FAIRWAY_TEST_STATES says how many sequences
(each engine).  Compared are statuses, and the content of everything that can be read.
"""

import asyncio
import json
import os
import random
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    multiple,
    rule,
    run_state_machine_as_test,
)

from fairway.core.content.memory import Memory
from fairway.core.content.protocols import Registry
from fairway.core.wire.server import Request, registry_app
from faults.client import Client
from faults.images import Image, digest_of, image, index
from faults.journal import Journal
from hub import Hub
from stories.asgi import call

pytestmark = [pytest.mark.system, pytest.mark.slow]

SEQUENCES = int(os.environ.get("FAIRWAY_TEST_STATES", "20"))
STEPS = 25
BLOBS = [random.Random(size).randbytes(size) for size in (0, 2, 700, 70_000)]
IMAGES = [image(BLOBS[1], [BLOBS[2]]), image(BLOBS[2], [BLOBS[3], BLOBS[0]])]
IMAGES += [image(BLOBS[1], [], IMAGES[0]), index(IMAGES[:1]), index(IMAGES[:2], note="both")]
TAGS = ["one", "two"]
REFS = [*TAGS, *(each.digest for each in IMAGES)]


@dataclass
class Answers:
    """What both said to the same request; they agree on `status`."""

    status: int
    hub_path: str = ""
    model_path: str = ""


@dataclass
class Session:
    """An upload, by its names here and there, and what it holds."""

    hub_path: str
    model_path: str
    held: bytes = b""


class Both:
    """A hub and the model, asked the same."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._memory = Memory()
        self._app = registry_app(self._open)

    async def _open(self, _request: Request) -> Registry:
        return self._memory

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        model: str = "",
        show: bool = False,
        **headers: str,
    ) -> Answers:
        """Ask the hub for `path` and the model for `model` (else the same); `show`: the bodies must agree, too."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        ours = self._client.call(method, path, body, sent)
        theirs = asyncio.run(call(self._app, method, model or path, body, headers=sent))
        said = f"{method} {path} {headers}: the hub says {ours.status} {ours.body[:200]!r}, the model {theirs.status}"
        assert ours.status == theirs.status, f"{said} {theirs.body[:200]!r}"
        if show and ours.status == 200:
            assert ours.body == theirs.body, f"{said}: other content"
        for name in ("range", "docker-content-digest"):
            assert ours.headers.get(name, "") == "".join(theirs.all(name)), f"{said}: {name}"
        if ours.status >= 400 and method != "HEAD":
            assert json.loads(ours.body)["errors"][0]["code"]
        where = "".join(theirs.all("location"))
        return Answers(ours.status, urlsplit(ours.headers.get("location", "")).path, urlsplit(where).path)


class Machine(RuleBasedStateMachine):
    """What clients may do, sensible or not, to one repository."""

    client: Client
    uploads = Bundle("uploads")

    @initialize()
    def begin(self) -> None:
        # a project of its own: the hub shares blobs within one, and the model has none
        project = f"m{uuid.uuid4().hex}"
        self.repo = f"{project}/app"
        self.has_had_a_manifest = False
        self.both = Both(self.client)
        made = json.dumps({"project_name": project}).encode()
        kind = {"Content-Type": "application/json"}
        assert self.client.call("POST", "/api/v2.0/projects", made, kind).status == 201
        self.both.ask("POST", f"/v2/{self.repo}/blobs/uploads/?digest={digest_of(BLOBS[1])}", BLOBS[1])

    def _at(self, upload: Session, start: str, data: bytes) -> dict[str, str]:
        """The header that says where a chunk begins: nowhere, where it should, or elsewhere."""
        if start == "unsaid" or not data:
            return {}
        at = len(upload.held) + (7 if start == "wrong" else 0)
        return {"Content_Range": f"{at}-{at + len(data) - 1}"}

    @rule(target=uploads)
    def start(self) -> Any:
        answers = self.both.ask("POST", f"/v2/{self.repo}/blobs/uploads/")
        return Session(answers.hub_path, answers.model_path) if answers.status == 202 else multiple()

    @rule(upload=uploads, data=st.sampled_from(BLOBS), start=st.sampled_from(["right", "wrong", "unsaid"]))
    def append(self, upload: Session, data: bytes, start: str) -> None:
        headers = self._at(upload, start, data)
        if self.both.ask("PATCH", upload.hub_path, data, model=upload.model_path, **headers).status == 202:
            upload.held += data

    @rule(upload=uploads)
    def ask_how_far(self, upload: Session) -> None:
        self.both.ask("GET", upload.hub_path, model=upload.model_path)

    @rule(upload=uploads, last=st.sampled_from(BLOBS), right=st.booleans())
    def finish(self, upload: Session, last: bytes, right: bool) -> None:
        """A finished one is finished again, too."""
        query = f"?digest={digest_of(upload.held + last) if right else digest_of(b'other')}"
        self.both.ask("PUT", upload.hub_path + query, last, model=upload.model_path + query)

    @rule(upload=consumes(uploads))
    def cancel(self, upload: Session) -> None:
        self.both.ask("DELETE", upload.hub_path, model=upload.model_path)

    @rule(data=st.sampled_from(BLOBS), right=st.integers(0, 5))
    def push_blob(self, data: bytes, right: int) -> None:
        digest = digest_of(data if right else b"other")
        self.both.ask("POST", f"/v2/{self.repo}/blobs/uploads/?digest={digest}", data)

    @rule(it=st.sampled_from(IMAGES), tag=st.sampled_from(["", *TAGS]))
    def push_manifest(self, it: Image, tag: str) -> None:
        path = f"/v2/{self.repo}/manifests/{tag or it.digest}"
        put = self.both.ask("PUT", path, it.raw, Content_Type=it.media_type)
        self.has_had_a_manifest |= put.status == 201

    @rule(it=st.sampled_from(IMAGES[:3]), tag=st.sampled_from(TAGS))
    def push_all_of_it(self, it: Image, tag: str) -> None:
        for digest, data in it.blobs.items():
            self.both.ask("POST", f"/v2/{self.repo}/blobs/uploads/?digest={digest}", data)
        self.push_manifest(it, tag)

    @rule(ref=st.sampled_from(REFS))
    def delete_manifest(self, ref: str) -> None:
        self.both.ask("DELETE", f"/v2/{self.repo}/manifests/{ref}")

    @rule(data=st.sampled_from(BLOBS))
    def delete_blob(self, data: bytes) -> None:
        self.both.ask("DELETE", f"/v2/{self.repo}/blobs/{digest_of(data)}")

    @rule(
        data=st.sampled_from(BLOBS),
        wanted=st.sampled_from(["bytes=0-", "bytes=1-9", "bytes=-5", "bytes=9-1"]),
    )
    def read_a_part(self, data: bytes, wanted: str) -> None:
        self.both.ask("GET", f"/v2/{self.repo}/blobs/{digest_of(data)}", Range=wanted)

    def teardown(self) -> None:
        """Everything that can be read is the same."""
        for ref in REFS:
            self.both.ask("GET", f"/v2/{self.repo}/manifests/{ref}", show=True)
            self.both.ask("HEAD", f"/v2/{self.repo}/manifests/{ref}")
        for data in BLOBS:
            self.both.ask("GET", f"/v2/{self.repo}/blobs/{digest_of(data)}", show=True)
        for it in IMAGES:
            self.both.ask("GET", f"/v2/{self.repo}/referrers/{it.digest}", show=True)
        if self.has_had_a_manifest:  # the first one makes the repository; in the model a blob does
            self.both.ask("GET", f"/v2/{self.repo}/tags/list", show=True)


def test_a_hub_is_what_the_model_is(hub: Hub, tmp_path: Path) -> None:
    client = Client(hub.place, Journal(tmp_path, "machine"), random.Random(0))

    class OfThisHub(Machine):
        pass

    OfThisHub.client = client
    bounds = settings(
        max_examples=SEQUENCES,
        derandomize="FAIRWAY_TEST_STATES" not in os.environ,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(OfThisHub, settings=bounds)
    finally:
        client.close()
        client.journal.close()
