"""What is garbage.  Pure: facts in, verdict out."""

from collections.abc import Mapping
from typing import Any, Final

from fairway.core.oci.errors import BadRequest
from fairway.features.gc.model import CollectionOff, LinkFacts, Switches, Verdict

MOST_WORKERS: Final = 10
_SWITCHES: Final = ("delete_untagged", "dry_run", "delete_tag")


def parameters(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What may be asked of a run; other names are ignored, as Harbor ignores them.  Raises BadRequest."""
    asked = {name: value for name, value in asked.items() if value is not None}
    chosen: dict[str, bool | int] = {name: asked.get(name, False) for name in _SWITCHES}
    for name, value in chosen.items():
        if not isinstance(value, bool):
            raise BadRequest(f"{name} is true or false")
    workers = asked.get("workers", 1)
    if isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= MOST_WORKERS:
        raise BadRequest(f"workers is a number from 1 to {MOST_WORKERS}")
    return {**chosen, "workers": workers}


def orphan_parameters(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What may be asked of a search for orphans.  Raises BadRequest."""
    delete = asked.get("delete")
    if not isinstance(delete, bool | None):
        raise BadRequest("delete is true or false")
    return {"delete": bool(delete)}


def require_allowed(switches: Switches) -> None:
    """Raise CollectionOff unless the operator lets the collector run."""
    if switches.read_only or switches.paused():
        raise CollectionOff("this server is read-only at present: nothing is collected")
    if not switches.enabled:
        raise CollectionOff(
            "garbage collection is switched off on this server; set FAIRWAY_GC_ENABLED=true to have it back"
        )


def of_link(facts: LinkFacts) -> Verdict:
    """What becomes of a digest in a project."""
    if facts.leased:
        return Verdict.WAIT
    if facts.manifest:
        # The bytes of a manifest may have been pushed as a blob, too: two claims on one link, given up one by one.
        if facts.readable and not facts.needed:
            return Verdict.HIDE
        return Verdict.LOOSE if facts.loose else Verdict.KEEP
    return Verdict.KEEP if facts.needed else Verdict.RELEASE


def backoff_seconds(tries: int) -> int:
    """How long a review that failed `tries` times rests: a minute, then twice as long each time, a day at most."""
    return min(60 << min(tries, 11), 86_400)
