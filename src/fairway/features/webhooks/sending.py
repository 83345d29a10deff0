"""Sends one delivery to its target, once, and says what came of it.

The reply's beginning is read, and nothing more, however much follows: what was taken with 2xx is taken whatever the answer
says.  It is told to people only when it came from an address that anybody can reach: who looks after a policy must not read
what only this hub may reach (T24).
"""

import asyncio
import time
from contextlib import aclosing, suppress
from typing import Final

from fairway import __version__
from fairway.core.oci.errors import FairwayError
from fairway.features.webhooks import rules
from fairway.features.webhooks.model import Answer, Delivery, Target
from fairway.frame.egress import Egress, EgressRefused, Stream

SECONDS: Final = 10.0
"""For all of a request; whoever takes longer has failed."""
_REPLY_SECONDS = 2.0
_REPLY_BYTES = 4096
_REPLY_SHOWN = 1024


async def send(egress: Egress, target: Target, delivery: Delivery, *, seconds: float = SECONDS) -> Answer:
    """Send it; the answer, whatever it is.  Raises nothing that the other side could cause."""
    body = delivery.body.encode()
    at = int(time.time())
    headers = {
        "content-type": delivery.media_type,
        "user-agent": f"Fairway/{__version__}",
        "webhook-id": delivery.event_id,
        "webhook-timestamp": str(at),
        "x-fairway-event": delivery.event_type,
    }
    secrets = rules.signed(target.secret, delivery.event_id, at, body) if target.secret else {}
    if target.auth_header:
        secrets["authorization"] = target.auth_header
    try:
        async with egress.stream(
            "POST",
            target.address,
            body=body,
            headers=headers,
            secret_headers=secrets,
            limit=2**62,  # it is never read to its end
            follow=False,
            verify=not target.skip_cert_verify,
            seconds=seconds,
        ) as reply:
            said = await _beginning(reply) if reply.public else ""
            return _answer(reply, said)
    except EgressRefused as refused:
        return Answer(None, refused.message, forbidden=True)
    except FairwayError as failed:
        return Answer(None, failed.message)


def _answer(reply: Stream, said: str) -> Answer:
    status = reply.status
    if 200 <= status < 300:
        return Answer(status, "", said)
    message = f"answered {status}"
    if 300 <= status < 400:
        message += ": it is elsewhere; redirects are not followed, set the address to where it leads"
    return Answer(status, message, said, rules.retry_after(reply.headers.get("retry-after", "")))


async def _beginning(reply: Stream) -> str:
    """What a reply begins with; less when it is slow, and nothing of what was compressed unasked."""
    if reply.headers.get("content-encoding", "identity").strip().lower() != "identity":
        return ""
    found = b""
    with suppress(FairwayError, TimeoutError):
        async with asyncio.timeout(_REPLY_SECONDS), aclosing(reply.pieces()) as pieces:
            async for piece in pieces:
                found += piece[:_REPLY_BYTES]
                if len(found) >= _REPLY_BYTES:
                    break
    return rules.printable(found[:_REPLY_BYTES], _REPLY_SHOWN)
