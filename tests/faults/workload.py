"""What a crowd of clients does to a registry, drawn by lot from a seed."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

from faults.client import Client, Lost, Refused
from faults.images import Image, digest_of, image, index
from faults.outages import Outages

LAYERS = 50
BIG = 2_000_000

# What the hub may rightly say to a client whose neighbours delete things.
RIGHTLY = {
    "push": {(400, "MANIFEST_BLOB_UNKNOWN")},
    "retag": {(400, "MANIFEST_BLOB_UNKNOWN")},
    "index": {(400, "MANIFEST_BLOB_UNKNOWN")},
    "attach": {(400, "MANIFEST_BLOB_UNKNOWN")},
    "untag": {(404, "MANIFEST_UNKNOWN"), (404, "NAME_UNKNOWN")},
    "delete": {(404, "MANIFEST_UNKNOWN"), (404, "NAME_UNKNOWN"), (412, "PRECONDITION")},
    "delete blob": {(404, "BLOB_UNKNOWN"), (405, "UNSUPPORTED")},
}

# And what it may say of an upload whose last step the database has forgotten in a crash: that was committed softly.
_FORGOTTEN = {(404, "BLOB_UPLOAD_UNKNOWN"), (416, "RANGE_INVALID")}


class Crowd:
    """What all clients of a round share: repositories, layers that many images have in common, and what was pushed.

    `outages` know what a crash of the database may have cost; without them nothing is forgotten.
    """

    def __init__(self, seed: str, repos: list[str], outages: Outages | None = None) -> None:
        self.outages = outages or Outages("")
        rng = random.Random(seed)
        self.repos = repos
        self.tags = [f"v{number}" for number in range(8)]
        sizes = [0, *(rng.choice((100, 5_000, 60_000, 300_000)) for _ in range(LAYERS - 3)), BIG, BIG]
        self.layers = [rng.randbytes(size) for size in sizes]
        self.pushed: list[tuple[str, Image]] = []
        self.stop = threading.Event()

    def wait_until_at_work(self, seconds: float = 60) -> None:
        """Return once a first push was acknowledged: a fault before it proves nothing."""
        deadline = time.monotonic() + seconds
        while not self.pushed:
            assert time.monotonic() < deadline, f"nobody could push anything within {seconds:g} s"
            time.sleep(0.01)


class Member:
    """One of the crowd.  `seen` counts what it did, `rightly` is what it may be told."""

    rightly: Mapping[str, set[tuple[int, str]]] = RIGHTLY

    def __init__(self, crowd: Crowd, client: Client) -> None:
        self.crowd = crowd
        self.client = client
        self.rng = client.rng
        self._wrong: list[str] = []
        self._unknown: list[tuple[float | None, str]] = []
        self.seen: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    @property
    def wrong(self) -> list[str]:
        """What no client should ever see.  To be asked when all faults are over."""
        outages = self.crowd.outages
        unknown = [said for saved, said in self._unknown if not outages.may_have_forgotten(saved)]
        return [*self._wrong, *unknown]

    def _deeds(self) -> list[tuple[str, int, Callable[[], None]]]:
        """What it does, and how often."""
        return [
            ("push", 40, self._push),
            ("retag", 14, self._retag),
            ("pull", 20, self._pull),
            ("untag", 6, self._untag),
            ("delete", 8, self._delete),
            ("delete blob", 2, self._delete_blob),
            ("mount", 5, self._mount),
            ("index", 5, self._index),
            ("attach", 4, self._attach),
        ]

    def _work(self) -> None:
        deeds = self._deeds()
        while not self.crowd.stop.is_set():
            [(name, _, deed)] = self.rng.choices(deeds, [weight for _, weight, _ in deeds])
            try:
                deed()
                self.seen[name] += 1
            except Lost:
                self.seen["lost"] += 1
                self._wait_for_the_hub()
            except Refused as refused:
                self._judge(name, refused)
            except Exception as error:  # a thread's failure must not go unnoticed
                self._wrong.append(f"{name}: {error!r}")

    def _wait_for_the_hub(self) -> None:
        while not self.crowd.stop.is_set():
            try:
                self.client.call("GET", "/v2/")
                return
            except Lost:
                time.sleep(self.rng.uniform(0.02, 0.2))

    def _judge(self, name: str, refused: Refused) -> None:
        answer = refused.answer
        if answer.status == 503 and answer.headers.get("retry-after"):
            self.seen["503"] += 1
        elif (answer.status, answer.code) in _FORGOTTEN:
            self.seen["uploads unknown"] += 1
            self._unknown.append((refused.saved, f"{name}: {refused}"))
        elif (answer.status, answer.code) not in self.rightly.get(name, set()):
            self._wrong.append(f"{name}: {refused}")
        else:
            self.seen[f"{name} refused"] += 1

    # -- deeds

    def _repo(self) -> str:
        return self.rng.choice(self.crowd.repos)

    def _some(self) -> tuple[str, Image]:
        """Something that was pushed before."""
        return self.rng.choice(self.crowd.pushed[-60:]) if self.crowd.pushed else (self._repo(), self._new())

    def _new(self, subject: Image | None = None) -> Image:
        layers = self.rng.sample(self.crowd.layers, self.rng.randint(0, 3))
        return image(self.rng.randbytes(100), layers, subject)

    def _send(self, repo: str, it: Image, tags: list[str]) -> None:
        for digest, data in it.blobs.items():
            # as real clients do: what is there already is not sent again
            if self.rng.random() < 0.3 or self.client.blob(repo, digest, "HEAD").status != 200:
                self.client.push_blob(repo, data)
        self.client.push_manifest(repo, it, tags)
        self.crowd.pushed.append((repo, it))

    def _push(self) -> None:
        self._send(self._repo(), self._new(), self.rng.sample(self.crowd.tags, self.rng.randint(0, 2)))

    def _retag(self) -> None:
        repo, it = self._some()
        self.client.push_manifest(repo, it, [self.rng.choice(self.crowd.tags)])

    def _untag(self) -> None:
        self.client.untag(self._repo(), self.rng.choice(self.crowd.tags))

    def _delete(self) -> None:
        repo, it = self._some()
        self.client.delete(repo, it.digest)

    def _delete_blob(self) -> None:
        self.client.delete_blob(self._repo(), digest_of(self.rng.choice(self.crowd.layers)))

    def _mount(self) -> None:
        source, target = self.rng.sample(self.crowd.repos, 2)
        self.client.mount(target, digest_of(self.rng.choice(self.crowd.layers)), source)

    def _index(self) -> None:
        repo, first = self._some()
        children = {it.digest: it for of, it in self.crowd.pushed[-20:] if of == repo and it.blobs}
        it = index([first, *list(children.values())[:2]], note=str(self.rng.random()))
        self.client.push_manifest(repo, it, [self.rng.choice(self.crowd.tags)])
        self.crowd.pushed.append((repo, it))

    def _attach(self) -> None:
        repo, subject = self._some()
        self._send(repo, self._new(subject), [])

    def _pull(self) -> None:
        """Whatever a tag shows must be right; and complete, as long as it is shown."""
        repo = self._repo()
        answer = self.client.manifest(repo, self.rng.choice(self.crowd.tags))
        if answer.status == 404:
            return
        digest = answer.headers.get("docker-content-digest", "")
        if answer.status != 200 or digest_of(answer.body) != digest:
            raise Refused(answer)
        for it in [it for of, it in self.crowd.pushed[-60:] if (of, it.digest) == (repo, digest)][:1]:
            for blob, data in it.blobs.items():
                self._pull_blob(repo, it, blob, data)

    def _pull_blob(self, repo: str, it: Image, digest: str, data: bytes) -> None:
        statuses: list[int] = []
        while len(statuses) < 3:
            found = self.client.blob(repo, digest)
            if found.status == 200 and found.body == data:
                return
            if found.status == 200:
                raise AssertionError(f"{repo}@{digest} pulled as other bytes")
            if found.status == 503:
                raise Refused(found)
            if self.client.manifest(repo, it.digest).status == 404:
                return  # deleted meanwhile, and then perhaps its blobs
            statuses.append(found.status)
        raise AssertionError(f"{repo}@{it.digest} is shown without its blob {digest}: {statuses}")
