"""Which limits there can be."""

from collections.abc import Mapping

from fairway.core.oci.errors import BadRequest
from fairway.features.projects.rules import MAX_STORAGE
from fairway.features.quotas.model import UNLIMITED


def limit(hard: Mapping[str, int]) -> int:
    """The bytes that a request allows, or UNLIMITED; raises BadRequest."""
    if hard.keys() != {"storage"}:
        raise BadRequest('send one limit, for storage: {"hard": {"storage": 10737418240}}')
    storage = hard["storage"]
    if storage != UNLIMITED and not 0 < storage <= MAX_STORAGE:
        raise BadRequest(f"hard.storage is -1 for no limit, or 1 to {MAX_STORAGE} bytes")
    return storage
