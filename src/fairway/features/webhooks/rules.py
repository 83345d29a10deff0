"""What becomes of a delivery, and of its target's queue, after it was sent once; whose turn it is; how requests are signed.

A target that cannot be reached, is too slow or answers 5xx, 408 or 429 has *failed*: the delivery is put off, and when that
happens BROKEN_AFTER times in a row the whole queue rests before one delivery probes.  Every other answer but 2xx is a
*refusal* of this delivery: the target is there, and does not want it.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fairway.features.webhooks.model import Answer, Waiting

TAKEN, REFUSED, FAILED = "taken", "refused", "failed"

BROKEN_AFTER: Final = 3
"""Failures in a row after which a queue rests: a second, doubled each time."""
LONGEST_REST: Final = 60.0
LONGEST_ASKED_REST: Final = 3600.0
"""Seconds that a target can ask for with Retry-After."""
LONGEST_PAUSE: Final = 600.0
"""Seconds between two tries of one delivery."""
REFUSED_PAUSES: Final = (10.0, 60.0)
"""Seconds after the first refusals; the one after these is the last."""
ALONE_SECONDS: Final = 24 * 3600.0
"""So long is tried what alone fails, while others are taken; and ALONE_TRIES at least, should it have waited before."""
ALONE_TRIES: Final = 10
OLDEST_SECONDS: Final = 3 * 24 * 3600.0
"""So long a delivery is kept for a target that takes nothing: a long weekend."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a delivery that was sent just now."""

    tries: int
    """This one included, as in `refusals`."""
    refusals: int
    age: float
    """Seconds since it was added."""
    failures: int
    """Of the target in a row; this one included, if it is one."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What follows."""

    ends: bool
    """Whether it ends, taken or not."""
    message: str = ""
    wait: float = 0.0
    """Else: seconds until this delivery is tried again."""
    rest: float = 0.0
    """Seconds for which nothing is sent to the target."""


def verdict(answer: Answer) -> str:
    """Taken, refused or failed."""
    status = answer.status
    if answer.forbidden:
        return REFUSED
    if status is None or status >= 500 or status in (408, 429):
        return FAILED
    return TAKEN if 200 <= status < 300 else REFUSED


def fate(answer: Answer, facts: Facts, chance: float) -> Fate:
    """What follows from an answer.  `chance` is from 0 to 1, drawn anew each time, so that not all come back at once."""
    match verdict(answer):
        case "taken":
            return Fate(ends=True)
        case "refused":
            return _refused(answer, facts, chance)
        case _:
            return _failed(answer, facts, chance)


def _refused(answer: Answer, facts: Facts, chance: float) -> Fate:
    if facts.refusals > len(REFUSED_PAUSES):
        return Fate(True, answer.message)
    return Fate(False, answer.message, wait=_about(REFUSED_PAUSES[facts.refusals - 1], chance))


def _failed(answer: Answer, facts: Facts, chance: float) -> Fate:
    broken = facts.failures >= BROKEN_AFTER
    asked = min(answer.retry_after, LONGEST_ASKED_REST)
    rest = max(asked, rest_after(facts.failures, chance))
    if facts.age > OLDEST_SECONDS:
        return Fate(True, f"given up after {OLDEST_SECONDS / 86_400:.0f} days: {answer.message}", rest=rest)
    if not broken and facts.age > ALONE_SECONDS and facts.tries >= ALONE_TRIES:
        return Fate(True, f"given up after {ALONE_SECONDS / 3600:.0f} hours: {answer.message}", rest=rest)
    # While the target takes nothing it is not this delivery's fault, which is tried again as soon as any other.
    wait = rest if broken else max(asked, _about(min(2.0 ** min(facts.tries - 1, 30), LONGEST_PAUSE), chance))
    return Fate(False, answer.message, wait=wait, rest=rest)


def rest_after(failures: int, chance: float) -> float:
    """Seconds for which a queue rests after so many failures in a row."""
    if failures < BROKEN_AFTER:
        return 0.0
    return _about(min(2.0 ** min(failures - BROKEN_AFTER, 30), LONGEST_REST), chance)


def _about(seconds: float, chance: float) -> float:
    return seconds * (0.75 + chance / 4)


def turns(found: Sequence[Waiting]) -> tuple[list[Waiting], list[Waiting]]:
    """Of deliveries in order: those that may be sent one after the other, and those behind one that is put off."""
    ids = {each.id for each in found}
    may = [each for each in found if each.head in ids]
    return may, [each for each in found if each.head not in ids]


def printable(text: bytes, most: int) -> str:
    """What of bytes can be shown to people, in at most so many characters."""
    shown = (each if each.isprintable() else " " for each in text.decode("utf-8", "replace"))
    return "".join(shown).strip()[:most]


def retry_after(headers_value: str) -> float:
    """The seconds that a Retry-After header asks for; 0 for none, and for a date, which depends on whose clock is right."""
    text = headers_value.strip()
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0.0


_PREFIX = "whsec_"


def signed(secret: str, id: str, at: int, body: bytes) -> dict[str, str]:
    """The headers by which a receiver that knows `secret` sees that a request is from here, new and whole.

    `webhook-signature` is that of https://www.standardwebhooks.com: over the id, the time in seconds and the body, by the
    bytes that follow `whsec_` in base64, or by the secret's own.  `x-signature` is over the body alone, by the secret's own
    bytes, as Flux's receivers of the type generic-hmac want it.
    """
    own = secret.encode()
    content = f"{id}.{at}.".encode() + body
    mac = hmac.new(_key(secret), content, hashlib.sha256).digest()
    return {
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
        "x-signature": f"sha256={hmac.new(own, body, hashlib.sha256).hexdigest()}",
    }


def _key(secret: str) -> bytes:
    if secret.startswith(_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            pass  # a secret that only begins so
    return secret.encode()
