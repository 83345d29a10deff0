"""A crowd whose blobs are collected under its feet: it forgives nothing within its leases."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar

from faults.client import Client, Lost, Refused
from faults.images import Image, image, index
from faults.workload import RIGHTLY, Crowd, Member

LIVING = 4
"""Images a repository keeps at most, about: what is older is deleted, so that layers are needed, and then are not."""
IN_FASHION, FASHION_SECONDS = 10, 3.0
"""So many layers are used at a time, and for so long."""
_UNKNOWN = (400, "MANIFEST_BLOB_UNKNOWN")


class Tended(Crowd):
    """A crowd that also knows which blobs were pushed before, and for how long they are promised to stay."""

    def __init__(self, seed: str, repos: list[str], lease: float) -> None:
        super().__init__(seed, repos)
        self.lease = lease
        self.known: set[tuple[str, str]] = set()


class Tenant(Member):
    """What is told to be there must be there when the manifest comes, if that comes in time."""

    # A manifest pushed again without its blobs may find them gone: nobody promised them any more.
    rightly: ClassVar = {**RIGHTLY, "push": set(), "attach": set()}
    crowd: Tended

    def _deeds(self) -> list[tuple[str, int, Callable[[], None]]]:
        return [
            ("push", 40, self._push),
            ("retag", 8, self._retag),
            ("pull", 15, self._pull),
            ("untag", 4, self._untag),
            ("delete", 25, self._delete),
            ("mount", 6, self._mount_and_use),
            ("index", 6, self._index_anew),
            ("attach", 4, self._attach),
        ]

    def _new(self, subject: Image | None = None) -> Image:
        """Of the layers that are in fashion: the others are collected before their turn comes again."""
        layers, turn = self.crowd.layers, int(time.monotonic() / FASHION_SECONDS)
        start = turn * IN_FASHION % len(layers)
        some = (layers * 2)[start : start + IN_FASHION]
        return image(self.rng.randbytes(100), self.rng.sample(some, self.rng.randint(0, 3)), subject)

    def _send(self, repo: str, it: Image, tags: list[str]) -> None:
        began = time.monotonic()
        for digest, data in it.blobs.items():
            key = repo.partition("/")[0], digest
            if self.client.blob(repo, digest, "HEAD").status != 200:
                if key in self.crowd.known:
                    self.seen["pushed again"] += 1
                self.client.push_blob(repo, data)
                self.crowd.known.add(key)
        self._promised(repo, it, tags, began)
        self.crowd.pushed.append((repo, it))

    def _promised(self, repo: str, it: Image, tags: list[str], began: float) -> None:
        """All that the manifest needs was told to be there after `began`."""
        try:
            self.client.push_manifest(repo, it, tags)
        except Refused as refused:
            late = time.monotonic() - began > self.crowd.lease * 0.9
            answer = refused.answer
            if not late or answer.status == 503 or (answer.status, answer.code) != _UNKNOWN:
                raise
            self.seen["too late"] += 1

    def _delete(self) -> None:
        """The oldest of what there is too much of: as many as were pushed meanwhile."""
        living = self.crowd.pushed
        for _ in range(len(living) - LIVING * len(self.crowd.repos)):
            try:
                repo, it = living.pop(0)
            except IndexError:  # others delete as well
                return
            self._delete_one(repo, it)

    def _delete_one(self, repo: str, it: Image) -> None:
        try:
            self.client.delete(repo, it.digest)
        except Lost:
            self.crowd.pushed.append((repo, it))
            raise
        except Refused as refused:
            if refused.answer.status not in (404, 412, 503):
                raise
            if refused.answer.status != 404:  # again when its index is gone, or a process is back
                self.crowd.pushed.append((repo, it))

    def _mount_and_use(self) -> None:
        """A layer that another repository has, mounted and used at once."""
        source, target = self.rng.sample(self.crowd.repos, 2)
        it = self._new()
        began = time.monotonic()
        for digest, data in it.blobs.items():
            if not self.client.mount(target, digest, source):
                self.client.push_blob(target, data)
        self._promised(target, it, [self.rng.choice(self.crowd.tags)], began)
        self.crowd.pushed.append((target, it))

    def _index_anew(self) -> None:
        """Children without a tag first, then the index that names them."""
        repo = self._repo()
        began = time.monotonic()
        children = [self._new(), self._new()]
        for child in children:
            self._send(repo, child, [])
        it = index(children, note=str(self.rng.random()))
        self._promised(repo, it, [self.rng.choice(self.crowd.tags)], began)
        self.crowd.pushed.append((repo, it))


class Collector(threading.Thread):
    """Asks for a run of the collector every so many seconds, and adds up what came of them."""

    def __init__(self, client: Client, every: float) -> None:
        super().__init__(daemon=True)
        self._client = client
        self._every = every
        self._stop_asked = threading.Event()
        self._places: list[str] = []
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []

    def run(self) -> None:
        while not self._stop_asked.wait(self._every):
            try:
                self._ask()
            except Lost:
                continue

    def _ask(self) -> None:
        body = json.dumps({"schedule": {"type": "Manual"}, "parameters": {"workers": 2}}).encode()
        kind = {"Content-Type": "application/json"}
        answer = self._client.call("POST", "/api/v2.0/system/gc/schedule", body, kind)
        if answer.status == 201:
            self.done["runs"] += 1
            self._places.append(answer.headers["location"])
        elif answer.status not in (409, 503):
            self.wrong.append(f"collecting: {answer}")

    def end(self) -> None:
        """No more runs; what the ones there were did."""
        self._stop_asked.set()
        self.join()
        self._client.patience = 60
        for place in self._places[-40:]:  # so many are kept
            self._add_up(place)

    def _look(self, place: str) -> dict[str, Any]:
        """A run as the API shows it; nothing while a process is being replaced."""
        with suppress(Lost):
            answer = self._client.call("GET", place)
            if answer.status == 200:
                return dict(json.loads(answer.body))
        return {}

    def _add_up(self, place: str) -> None:
        deadline = time.monotonic() + 120
        while (run := self._look(place)).get("job_status", "Running") == "Running":
            if time.monotonic() > deadline:
                self.wrong.append(f"a run of the collector does not end: {run}")
                return
            time.sleep(0.2)
        if run["job_status"] == "Error":
            self.wrong.append(f"a run of the collector failed: {run}")
        result = json.loads(run["job_parameters"])
        for name in ("purged_blobs", "released_links", "failed"):
            self.done[name] += result.get(name, 0)
