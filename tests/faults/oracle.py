"""Debian's docker-registry beside a hub: what other people make of the specification, and where a hub is otherwise.

Compared are classes of status, everything read, and how far uploads have come.  RULES are the differences.  A request
to which one applies is not put to docker-registry as it is, so that both go on holding the same, and all other answers
must agree.  Whether one applies is decided by what docker-registry holds; what the hub holds is what is tested.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from faults.client import Answer, Client, Lost
from faults.images import IMAGE, INDEX
from faults.machine import IMAGES, Answers, Asked, Pair, place_in

_ACCEPT = {"Accept": f"{IMAGE}, {INDEX}"}
_BROKEN_OFF = 0


class Beside(Pair):
    """A hub, and docker-registry through `registry`.  Rules that were needed go to `proven`."""

    def __init__(self, client: Client, registry: Client, proven: "set[Rule]") -> None:
        super().__init__(client)
        self.registry = registry
        self._proven = proven
        self._spared: dict[Rule, Asked] = {}

    def both(self, asked: Asked) -> Answers:
        rule = rule_for(self, asked)
        if rule is None:
            return super().both(asked)
        if rule.instead:
            self._proven.add(rule)
            return self.compared(asked, rule.instead(self, asked))
        self._spared[rule] = asked
        if rule.hub:
            ours = self.ours(asked)
            assert ours.status == rule.hub, f"{rule.why}; but {asked}: {ours.status} {ours.body[:200]!r}"
        return Answers()

    def theirs(self, asked: Asked) -> Answer:
        return self.registry.call(asked.method, asked.there, asked.body, asked.headers)

    def agree(self, asked: Asked, ours: Answer, theirs: Answer) -> None:
        said = f"{asked}: the hub says {ours.status} {ours.body[:200]!r}, docker-registry {theirs.status}"
        assert ours.status // 100 == theirs.status // 100, f"{said} {theirs.body[:200]!r}"
        if ours.status < 300:
            mine, other = _content(asked, ours), _content(asked, theirs)
            assert mine == other, f"{said} {theirs.body[:200]!r}: {_unlike(mine, other)}"

    def settle(self) -> None:
        """At the end, what it was spared: else a rule for a difference that is none any more would stay."""
        for rule, asked in self._spared.items():
            if rule_for(self, asked) == rule:
                try:
                    status = self.theirs(asked).status
                except Lost:
                    status = _BROKEN_OFF
                self.registry.close()  # after a 416 it hangs up without a word
                assert status in rule.theirs, f"not different any more: {rule.why}; {asked}: {status}"
                self._proven.add(rule)

    def has(self, repo: str, what: str) -> Answer | None:
        """What docker-registry says of a blob, a manifest or a list that it has."""
        answer = self.registry.call("GET", f"/v2/{repo}/{what}", headers=_ACCEPT)
        return answer if answer.status == 200 else None

    def held(self, asked: Asked) -> int | None:
        """How many bytes docker-registry has of the upload, if it is there."""
        answer = self.registry.call("GET", asked.there)
        if answer.status != 204:
            return None
        last = int(answer.headers["range"].partition("-")[2])
        return last + 1 if last else 0  # "0-0" is nothing as well as one byte; no upload here has one


def _content(asked: Asked, answer: Answer) -> dict[str, Any]:
    """What must be the same: of a list of tags, not their order."""
    content: dict[str, Any] = {
        name: answer.headers.get(name) for name in ("docker-content-digest", "content-range")
    }
    if "/blobs/uploads/" in asked.path and answer.status in (202, 204):
        content["range"] = answer.headers.get("range")
    if asked.method == "GET":
        content["body"] = answer.body
    if asked.method in ("GET", "HEAD") and "/manifests/" in asked.path:
        content |= {name: answer.headers[name] for name in ("content-type", "content-length")}
    if asked.path.endswith("/tags/list"):
        said = json.loads(answer.body)
        content["body"] = said | {"tags": sorted(said["tags"] or [])}
    return content


def _unlike(mine: dict[str, Any], other: dict[str, Any]) -> str:
    return ", ".join(
        f"{name}: {mine[name]!r:.200} is not {other[name]!r:.200}"
        for name in mine
        if mine[name] != other[name]
    )


# -- the rules


def _always(_registry: Beside, _asked: Asked) -> bool:
    return True


def _never_tagged(registry: Beside, asked: Asked) -> bool:
    return registry.has(asked.repo, "tags/list") is None


def _is_there(registry: Beside, asked: Asked) -> bool:
    return registry.has(asked.repo, f"manifests/{asked.last}") is not None


def _used_by_a_manifest(registry: Beside, asked: Asked) -> bool:
    users = [it.digest for it in IMAGES.values() if asked.last in it.blobs]
    return any(registry.has(asked.repo, f"manifests/{digest}") for digest in users)


def _named_by_an_index(registry: Beside, asked: Asked) -> bool:
    indexes = [it.digest for it in IMAGES.values() if asked.last in it.children]
    return any(registry.has(asked.repo, f"manifests/{digest}") for digest in indexes)


def _elsewhere(registry: Beside, asked: Asked) -> bool:
    begins = asked.headers.get("Content-Range", "").partition("-")[0]
    held = registry.held(asked) if begins else None
    return held is not None and held != int(begins)


def _without_bytes(_registry: Beside, asked: Asked) -> bool:
    return not asked.body


def _of_an_empty_blob(registry: Beside, asked: Asked) -> bool:
    blob = registry.has(asked.repo, f"blobs/{asked.last}") if "Range" in asked.headers else None
    return blob is not None and not blob.body


def _outside(registry: Beside, asked: Asked) -> bool:
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", asked.headers.get("Range", ""))
    blob = registry.has(asked.repo, f"blobs/{asked.last}") if wanted else None
    if wanted is None or blob is None:
        return False
    return int(wanted[1]) >= len(blob.body) or (wanted[2] != "" and int(wanted[2]) < int(wanted[1]))


def _in_two_requests(registry: Beside, asked: Asked) -> Answer:
    """As the specification tells clients to go on after a 202."""
    begun = registry.theirs(asked)
    assert begun.status == 202, f"{asked}: {begun}"
    query = asked.there.partition("?")[2]
    return registry.registry.call("PUT", f"{place_in(begun)}&{query}", asked.body)


def _and_gone_if_refused(registry: Beside, asked: Asked) -> Answer:
    answer = registry.theirs(asked)
    if answer.status == 400:
        cancelled = registry.registry.call("DELETE", asked.there)
        assert cancelled.status == 204, f"gone already: {asked}"
    return answer


def _accepted(registry: Beside, asked: Asked) -> Answer:
    return registry.registry.call(asked.method, asked.there, headers=_ACCEPT)


@dataclass(frozen=True)
class Rule:
    """A difference, and why a hub is right.

    It is about requests like `asked` (method and path below the repository) of which `when` holds.  The hub is asked
    alone and must say `hub`; without a `hub` nobody is asked; with `instead` docker-registry is asked in that way.
    `theirs` is what it says to what it is spared.
    """

    why: str
    asked: str
    when: Callable[[Beside, Asked], bool] = _always
    hub: int = 0
    theirs: tuple[int, ...] = ()
    instead: Callable[[Beside, Asked], Answer] | None = None


_DIGEST = "sha256:[0-9a-f]{64}"
RULES = (
    Rule(
        "a blob may be pushed in one request (docker-registry begins an upload)",
        r"POST blobs/uploads/\?digest=.+",
        instead=_in_two_requests,
    ),
    Rule(
        "a manifest is sent as it is stored, whatever `Accept` says (docker-registry hides OCI's from those who ask for no type)",
        r"(GET|HEAD) manifests/.+",
        instead=_accepted,
    ),
    Rule(
        "what refers to an image is listed by the API for it",
        rf"GET referrers/{_DIGEST}",
        hub=200,
        theirs=(404,),
    ),
    Rule(
        "a repository without tags has an empty list of them (docker-registry knows none that never had one)",
        r"GET tags/list",
        when=_never_tagged,
        hub=200,
        theirs=(404,),
    ),
    Rule(
        "a tag can be deleted (not asked of the hub either: the tag would stay on one side)",
        r"DELETE manifests/\w+",
        when=_is_there,
        theirs=(400,),
    ),
    Rule(
        "a blob that a manifest uses cannot be deleted",
        rf"DELETE blobs/{_DIGEST}",
        when=_used_by_a_manifest,
        hub=405,
        theirs=(202,),
    ),
    Rule(
        "a manifest that an index names cannot be deleted",
        rf"DELETE manifests/{_DIGEST}",
        when=_named_by_an_index,
        hub=412,
        theirs=(202,),
    ),
    Rule(
        "a chunk that starts elsewhere than the upload ends is 416 (docker-registry appends it)",
        r"PATCH blobs/uploads/.+",
        when=_elsewhere,
        hub=416,
        theirs=(202,),
    ),
    Rule(
        "an upload is gone once it was to be what it is not (docker-registry keeps it if that request brought no bytes)",
        r"PUT blobs/uploads/.+",
        when=_without_bytes,
        instead=_and_gone_if_refused,
    ),
    Rule(
        "a range of an empty blob is the whole of it (docker-registry: 416, or bytes 0 to -1)",
        rf"GET blobs/{_DIGEST}",
        when=_of_an_empty_blob,
        hub=200,
        theirs=(206, 416),
    ),
    Rule(
        "a range outside the blob is 416 with an error document (docker-registry's announces the blob's length)",
        rf"GET blobs/{_DIGEST}",
        when=_outside,
        hub=416,
        theirs=(_BROKEN_OFF,),
    ),
)


def rule_for(registry: Beside, asked: Asked) -> Rule | None:
    """The first one that applies."""
    what = f"{asked.method} {asked.path.partition(f'/{asked.repo}/')[2]}"
    return next(
        (rule for rule in RULES if re.fullmatch(rule.asked, what) and rule.when(registry, asked)), None
    )
