"""What clients may do to one repository, sensible or not, drawn by Hypothesis and asked of two registries at once.

The first is always a hub; what the other one is, and where the two must agree, a `Pair` says.
"""

import json
import random
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, multiple, rule

from faults.client import Answer, Client
from faults.images import digest_of, image, index

BLOBS = {size: random.Random(size).randbytes(size) for size in (0, 2, 700, 70_000)}
_IMAGE = image(BLOBS[2], [BLOBS[700]])
_OTHER = image(BLOBS[700], [BLOBS[70_000], BLOBS[0]])
IMAGES = {
    "image": _IMAGE,
    "other": _OTHER,
    "about image": image(BLOBS[2], [], subject=_IMAGE),
    "index of image": index([_IMAGE]),
    "index of both": index([_IMAGE, _OTHER], note="both"),
}
TAGS = ["one", "two"]
"""A failing sequence is told in these names and sizes."""

_sizes = st.sampled_from([*BLOBS])
_images = st.sampled_from([*IMAGES])
_no_tag_or_one = st.sampled_from(["", *TAGS])


@dataclass(frozen=True)
class Asked:
    """One request: to the hub for `path`, to the other for `there`.  `show`: what is read must be the same."""

    method: str
    path: str
    there: str
    body: bytes
    headers: Mapping[str, str]
    show: bool

    @property
    def repo(self) -> str:
        """Which repository it is about."""
        return "/".join(self.path.split("/")[2:4])

    @property
    def last(self) -> str:
        """The tag or digest at the end of its path."""
        return self.path.rpartition("/")[2]

    def __str__(self) -> str:
        return f"{self.method} {self.path} {dict(self.headers)}"


@dataclass
class Answers:
    """What both said to the same request: the hub's status, 0 if it was not asked, and where each says to go on."""

    status: int = 0
    here: str = ""
    there: str = ""


@dataclass
class Session:
    """An upload, by where to go on here and there, and what it holds."""

    here: str
    there: str
    held: bytes = b""

    def go_on(self, answers: Answers) -> None:
        """As the last answer says."""
        self.here, self.there = answers.here or self.here, answers.there or self.there


class Pair(ABC):
    """A hub and something else, asked the same."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        there: str = "",
        query: str = "",
        headers: Mapping[str, str] | None = None,
        show: bool = False,
    ) -> Answers:
        """Ask the hub for `path` and the other for `there` (else the same)."""
        there = _with(there or path, query)
        return self.both(Asked(method, _with(path, query), there, body, headers or {}, show))

    def both(self, asked: Asked) -> Answers:
        """Ask both, whose answers must agree."""
        return self.compared(asked, self.theirs(asked))

    def compared(self, asked: Asked, theirs: Answer) -> Answers:
        """Ask the hub what the other has answered."""
        ours = self.ours(asked)
        self.agree(asked, ours, theirs)
        return Answers(ours.status, place_in(ours), place_in(theirs))

    def ours(self, asked: Asked) -> Answer:
        """What the hub says; an error has a code."""
        answer = self.client.call(asked.method, asked.path, asked.body, asked.headers)
        assert answer.status < 400 or asked.method == "HEAD" or answer.code
        return answer

    @abstractmethod
    def theirs(self, asked: Asked) -> Answer:
        """What the other says."""

    @abstractmethod
    def agree(self, asked: Asked, ours: Answer, theirs: Answer) -> None:
        """Raises AssertionError if they do not."""


class Machine(RuleBasedStateMachine):
    """The steps, each sequence in a repository of its own."""

    client: Client
    uploads = Bundle("uploads")

    def pair(self) -> Pair:
        """Who is asked, anew for each sequence."""
        raise NotImplementedError

    @initialize(full=st.booleans())
    def begin(self, full: bool) -> None:
        # a project of its own: the hub shares blobs within one, and the others have none
        project = f"m{uuid.uuid4().hex}"
        self.repo = f"{project}/app"
        self.has_had_a_manifest = False
        self.both = self.pair()
        self.begun: list[Session] = []
        made = json.dumps({"project_name": project}).encode()
        kind = {"Content-Type": "application/json"}
        assert self.client.call("POST", "/api/v2.0/projects", made, kind).status == 201
        self._push(BLOBS[2])
        if full:
            for name in IMAGES:
                self.push_all_of_it(name, "")

    def _push(self, data: bytes, digest: str = "") -> None:
        where = f"/v2/{self.repo}/blobs/uploads/?digest={digest or digest_of(data)}"
        self.both.ask("POST", where, data)

    @rule(target=uploads, first=_sizes)
    def start(self, first: int) -> Any:
        answers = self.both.ask("POST", f"/v2/{self.repo}/blobs/uploads/")
        if answers.status != 202:
            return multiple()
        upload = Session(answers.here, answers.there)
        self.begun.append(upload)
        if first:
            self.append(upload, first, "unsaid")
        return upload

    @rule(upload=uploads, size=_sizes, start=st.sampled_from(["right", "wrong", "unsaid"]))
    def append(self, upload: Session, size: int, start: str) -> None:
        headers = {}
        if size and start != "unsaid":
            at = len(upload.held) + (7 if start == "wrong" else 0)
            headers["Content-Range"] = f"{at}-{at + size - 1}"
        answers = self.both.ask("PATCH", upload.here, BLOBS[size], there=upload.there, headers=headers)
        if answers.status == 202:
            upload.held += BLOBS[size]
            upload.go_on(answers)

    @rule(upload=uploads)
    def ask_how_far(self, upload: Session) -> None:
        self.both.ask("GET", upload.here, there=upload.there)

    @rule(upload=uploads, last=_sizes, right=st.booleans())
    def finish(self, upload: Session, last: int, right: bool) -> None:
        """A finished one is finished again, too."""
        digest = digest_of(upload.held + BLOBS[last] if right else b"other")
        self.both.ask("PUT", upload.here, BLOBS[last], there=upload.there, query=f"digest={digest}")

    @rule(upload=consumes(uploads))
    def cancel(self, upload: Session) -> None:
        self.both.ask("DELETE", upload.here, there=upload.there)

    @rule(size=_sizes, right=st.integers(0, 5))
    def push_blob(self, size: int, right: int) -> None:
        self._push(BLOBS[size], "" if right else digest_of(b"other"))

    @rule(name=_images, tag=_no_tag_or_one)
    def push_manifest(self, name: str, tag: str) -> None:
        it = IMAGES[name]
        path = f"/v2/{self.repo}/manifests/{tag or it.digest}"
        put = self.both.ask("PUT", path, it.raw, headers={"Content-Type": it.media_type})
        self.has_had_a_manifest |= put.status == 201

    @rule(name=_images, tag=_no_tag_or_one)
    def push_all_of_it(self, name: str, tag: str) -> None:
        for data in IMAGES[name].blobs.values():
            self._push(data)
        self.push_manifest(name, tag)

    @rule(name=st.sampled_from([*TAGS, *IMAGES]))
    def delete_manifest(self, name: str) -> None:
        self.both.ask("DELETE", f"/v2/{self.repo}/manifests/{_ref(name)}")

    @rule(size=_sizes)
    def delete_blob(self, size: int) -> None:
        self.both.ask("DELETE", f"/v2/{self.repo}/blobs/{digest_of(BLOBS[size])}")

    @rule(size=_sizes, wanted=st.sampled_from(["0-", "1-9", "-5", "9-1"]))
    def read_a_part(self, size: int, wanted: str) -> None:
        path = f"/v2/{self.repo}/blobs/{digest_of(BLOBS[size])}"
        self.both.ask("GET", path, headers={"Range": f"bytes={wanted}"})

    def teardown(self) -> None:
        """Everything that can be read is the same; and no upload is left, of which one user may have so many."""
        for upload in self.begun:
            self.client.call("DELETE", upload.here)
        for ref in map(_ref, [*TAGS, *IMAGES]):
            self.both.ask("GET", f"/v2/{self.repo}/manifests/{ref}", show=True)
            self.both.ask("HEAD", f"/v2/{self.repo}/manifests/{ref}")
        for data in BLOBS.values():
            self.both.ask("GET", f"/v2/{self.repo}/blobs/{digest_of(data)}", show=True)
        for it in IMAGES.values():
            self.both.ask("GET", f"/v2/{self.repo}/referrers/{it.digest}", show=True)
        if self.has_had_a_manifest:  # the first one makes the repository; in the model a blob does
            self.both.ask("GET", f"/v2/{self.repo}/tags/list", show=True)


def _ref(name: str) -> str:
    """A tag as it is, an image's name as its digest."""
    return IMAGES[name].digest if name in IMAGES else name


def _with(path: str, query: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}{query}" if query else path


def place_in(answer: Answer) -> str:
    """Where an answer says to go on, without the host."""
    where = urlsplit(answer.headers.get("location", ""))
    return _with(where.path, where.query)
