"""What is garbage.  Pure: facts in, verdict out."""

from fairway.features.gc.model import CollectionOff, LinkFacts, Switches, Verdict


def require_allowed(switches: Switches) -> None:
    """Raise CollectionOff unless the operator lets the collector run."""
    if switches.read_only:
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
