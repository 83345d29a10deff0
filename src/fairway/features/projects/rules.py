"""Which projects may be made, as Harbor's API asks for them.

Metadata values are strings.  A setting we know but cannot enforce yet may be sent switched off, as clients do, and is
refused switched on: accepting `prevent_vul: "true"` without preventing anything would be a false promise.
"""

import re
from collections.abc import Mapping

from fairway.core.oci.errors import BadRequest
from fairway.features.projects.model import UNLIMITED, Wanted

MAX_NAME = 255
MAX_STORAGE = 1024 * 2**40

_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", re.ASCII)

# Known keys of Harbor's metadata, and the values that ask for nothing. None: any value, it means nothing by itself.
_ASKS_NOTHING: Mapping[str, frozenset[str] | None] = {
    "enable_content_trust": frozenset({"", "false"}),
    "enable_content_trust_cosign": frozenset({"", "false"}),
    "prevent_vul": frozenset({"", "false"}),
    "auto_scan": frozenset({"", "false"}),
    "auto_sbom_generation": frozenset({"", "false"}),
    "reuse_sys_cve_allowlist": frozenset({"", "true"}),
    "severity": frozenset({"", "none", "low", "medium", "high", "critical"}),
    "retention_id": frozenset({""}),
    # Only a proxy cache reads these; Harbor drops them elsewhere too.
    "proxy_speed_kb": None,
    "max_upstream_conn": None,
    "proxy_cache_filter_pattern": None,
    "proxy_cache_filter_kind": None,
    "proxy_referrer_api": None,
    "proxy_cache_local_on_not_found": None,
}


def is_name(text: str) -> bool:
    """Whether a project can have this name: lower-case letters and digits with single `.`, `_` or `-` between them."""
    return len(text) <= MAX_NAME and _NAME.fullmatch(text) is not None


def check_name(text: str) -> None:
    """Raise BadRequest when no project can have this name."""
    if not is_name(text):
        raise BadRequest(
            f"a project name has 1 to {MAX_NAME} lower-case letters and digits, with single '.', '_' or '-' between them"
        )


def wanted(
    name: str,
    *,
    public: bool | None,
    metadata: Mapping[str, str | None],
    storage_limit: int | None,
    by_sysadmin: bool,
) -> Wanted:
    """What a request asks for; raises BadRequest for what cannot be had.

    `metadata.public` counts before `public`.  A storage limit of 0 means the default, which is none, and only a
    system administrator's limit counts.
    """
    check_name(name)
    said = metadata.get("public") or ("true" if public else "false")
    if said not in ("true", "false"):
        raise BadRequest('metadata.public must be "true" or "false"')
    _check_metadata(metadata)
    limit = UNLIMITED
    if by_sysadmin and storage_limit:
        if storage_limit != UNLIMITED and not 0 < storage_limit <= MAX_STORAGE:
            raise BadRequest(f"storage_limit is -1 for no limit, or 1 to {MAX_STORAGE} bytes")
        limit = storage_limit
    return Wanted(name, said == "true", limit)


def _check_metadata(metadata: Mapping[str, str | None]) -> None:
    for key, value in metadata.items():
        if key == "public" or value is None:
            continue
        if key not in _ASKS_NOTHING:
            raise BadRequest(f"metadata.{key[:64]} is not known")
        allowed = _ASKS_NOTHING[key]
        if allowed is not None and value not in allowed:
            raise BadRequest(f"metadata.{key} cannot be set to this value on this server")
