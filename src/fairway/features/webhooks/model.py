"""Who is told of what happens in the registry, in the docker registry's own format."""

from collections.abc import Mapping
from dataclasses import dataclass, field

MEDIA_TYPE = "application/vnd.docker.distribution.events.v1+json"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A place that is told of every push and deletion, as the docker registry's `notifications.endpoints` has them."""

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold a secret
    timeout: float = 3.0
    """Seconds."""
    backoff: float = 1.0
    """Seconds before what failed is tried again; doubled each time, to a minute at most."""
    verify: bool = True
    """Whether its certificate must be right."""
    ignored_actions: frozenset[str] = frozenset()
    ignored_media_types: frozenset[str] = frozenset()
