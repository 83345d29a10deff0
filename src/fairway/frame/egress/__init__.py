"""The one way out: every HTTP request that the hub sends goes through an `Egress` (T24, T25, T27).

    async with Egress.open(settings) as egress:
        reply = await egress.request("POST", url, body=b"{}", secret_headers={"authorization": key}, limit=65_536)
        async with egress.stream("GET", url, limit=size) as reply:
            async for piece in reply.pieces(): …
        registry = RemoteRegistry(Client(url, egress.session(), login))

addresses.py says which addresses may be reached, places.py reads URLs, redirects.py says what follows a redirect: these
decide and do nothing.  doorway.py sends one request, client.py follows redirects, replies.py has bounded replies.
"""

from fairway.frame.egress.client import Egress
from fairway.frame.egress.doorway import Doorway
from fairway.frame.egress.errors import EgressFailed, EgressRefused, EgressTooLarge
from fairway.frame.egress.replies import Reply, Stream

__all__ = ["Doorway", "Egress", "EgressFailed", "EgressRefused", "EgressTooLarge", "Reply", "Stream"]
