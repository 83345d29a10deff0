"""Which projects, settings and members may be had, as Harbor's API asks for them.

Settings are text.  One that we know but cannot enforce yet may be sent switched off, as clients do, and is refused
switched on: accepting `prevent_vul: "true"` without preventing anything would be a false promise.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from fairway.core.oci.errors import BadRequest
from fairway.features.accounts import rules as accounts
from fairway.features.accounts.model import HTTP, LDAP, OIDC
from fairway.features.projects.model import UNLIMITED, Allowlist, Change, GroupRef, Wanted
from fairway.frame.access import narrowing
from fairway.frame.access.catalogue import Permission

MAX_NAME = 255
MAX_ALIASES = 20
"""Former names that lead to one project: nobody shall keep the good ones from everybody."""
MAX_STORAGE = 1024 * 2**40
PUBLIC: Final = "public"

MAX_ALLOWED = 5000
_LAST_SECOND = 253_402_300_799
"""Of the year 9999."""
_VULNERABILITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{1,127}", re.ASCII)
_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", re.ASCII)

Said = Mapping[str, str | None]
"""Settings as a client sends them."""


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
    metadata: Said,
    storage_limit: int | None,
    by_sysadmin: bool,
    usual: int = UNLIMITED,
    allowlist: Allowlist | None = None,
) -> Wanted:
    """What a request asks for; raises BadRequest for what cannot be had.

    `metadata.public` counts before `public`.  A storage limit of 0 means the `usual` one, and only a system
    administrator's limit counts.
    """
    check_name(name)
    asked = change(public=public, metadata=metadata)
    limit = usual
    if by_sysadmin and storage_limit:
        if storage_limit != UNLIMITED and not 0 < storage_limit <= MAX_STORAGE:
            raise BadRequest(f"storage_limit is -1 for no limit, or 1 to {MAX_STORAGE} bytes")
        limit = storage_limit
    settings = {key: value for key, value in asked.settings.items() if value is not None}
    return Wanted(name, bool(asked.public), limit, settings, allowlist)


def usual_limit(*, enabled: bool, storage: int) -> int:
    """What a project may store whose limit nobody chose."""
    return storage if enabled else UNLIMITED


def change(*, public: bool | None, metadata: Said, allowlist: Allowlist | None = None) -> Change:
    """What a whole project should become; raises BadRequest.

    `metadata.public` counts before `public`.  A setting sent empty is removed.  What only a proxy cache reads is
    dropped, as Harbor drops it, and so is the id of the retention policy, which clients send back as they got it.
    """
    said = metadata.get(PUBLIC) or None
    if said not in (None, "true", "false"):
        raise BadRequest('metadata.public must be "true" or "false"')
    settings = {
        key: setting(key, value) if value else None
        for key, value in metadata.items()
        if key not in (PUBLIC, _RETENTION) and value is not None and _known(key) and key not in _OF_PROXIES
    }
    return Change(public if said is None else said == "true", settings, allowlist)


def only_setting(metadata: Said) -> tuple[str, str]:
    """The one setting of a request that is about one; raises BadRequest."""
    if len(metadata) != 1:
        raise BadRequest('send exactly one setting, such as {"severity": "high"}')
    ((key, value),) = metadata.items()
    return key, setting(key, value or "")


def setting(key: str, value: str) -> str:
    """The value as it is kept: truths as true or false, levels in lower case.  Raises BadRequest."""
    if key == PUBLIC:
        return _truth(key, value)
    _known(key)
    if key == _RETENTION:
        raise BadRequest("metadata.retention_id is set by making a retention policy, not here")
    return _KINDS[key](key, value)


def check_removable(key: str) -> None:
    """Raise BadRequest for a setting that is not removed as such."""
    if key == _RETENTION:
        raise BadRequest("metadata.retention_id goes with its policy: DELETE /retentions/{id}")


def allowlist(ids: Sequence[str], expires_at: int | None) -> Allowlist:
    """Vulnerabilities that may pass, until `expires_at` (seconds since the epoch); raises BadRequest."""
    if len(ids) > MAX_ALLOWED:
        raise BadRequest(f"a list has up to {MAX_ALLOWED} vulnerabilities")
    for each in ids:
        if not _VULNERABILITY.fullmatch(each):
            raise BadRequest(f"{each[:64]!r} is no id of a vulnerability; write one such as CVE-2026-1234")
    twice, count = Counter(ids).most_common(1)[0] if ids else ("", 0)
    if count > 1:
        raise BadRequest(f"{twice} is in the list twice")
    if expires_at is not None and not 0 <= expires_at <= _LAST_SECOND:
        raise BadRequest("expires_at is seconds since 1970, or left out for a list that does not expire")
    return Allowlist(tuple(ids), expires_at)


def person(user: int, username: str) -> int | str:
    """Who is meant, by id if there is one; raises BadRequest for nobody."""
    how = 'say who: {"role_id": 2, "member_user": {"username": "alice"}}'
    return accounts.person(user, username, how=how)


def group(asked: GroupRef) -> GroupRef:
    """Which group is meant; raises BadRequest for none."""
    if 0 < asked.id < 2**63:
        return GroupRef(id=asked.id)
    dn = accounts.dn_of(asked.dn)
    named = len(asked.name) <= MAX_NAME and asked.name.isprintable()
    if asked.id or not (dn or asked.name) or len(dn) > accounts.MAX_DN or not dn.isprintable() or not named:
        raise BadRequest(
            'say which group: {"role_id": 2, "member_group": {"group_name": "devs", "group_type": 3}}, '
            "or its id, or its ldap_group_dn"
        )
    if not dn and asked.type not in (LDAP, HTTP, OIDC):
        raise BadRequest("member_group.group_type is 1 (LDAP), 2 (HTTP) or 3 (OIDC)")
    return GroupRef(dn=dn, name=asked.name, type=asked.type)


def only(patterns: Sequence[str]) -> tuple[str, ...]:
    """The patterns of the repositories that a member is for; none for all.  Raises BadRequest."""
    try:
        return narrowing.checked(patterns)
    except ValueError as error:
        raise BadRequest(str(error)) from None


def check_narrowable(held: Iterable[Permission], role: str) -> None:
    """Raise BadRequest for a role of which nothing would be left for some repositories only."""
    if not any(map(narrowing.is_narrowable, held)):
        raise BadRequest(
            f"the role {role} holds nothing about repositories; leave out repositories, or choose another role"
        )


def _known(key: str) -> bool:
    if key not in _KINDS and key != _RETENTION:
        raise BadRequest(
            f"metadata.{key[:64]} is not known; known are {', '.join(sorted(_KINDS))} and public"
        )
    return True


def _truth(key: str, value: str) -> str:
    if value in ("1", "t", "T", "TRUE", "true", "True"):
        return "true"
    if value in ("0", "f", "F", "FALSE", "false", "False"):
        return "false"
    raise BadRequest(f'metadata.{key} must be "true" or "false"')


def _off(key: str, value: str) -> str:
    return _as_it_must_be("false", key, value)


def _on(key: str, value: str) -> str:
    return _as_it_must_be("true", key, value)


def _as_it_must_be(only: str, key: str, value: str) -> str:
    if _truth(key, value) != only:
        raise BadRequest(
            f'metadata.{key} cannot be "{value}" on this server yet; leave it out or send "{only}"'
        )
    return only


_LEVELS = ("none", "low", "medium", "high", "critical")


def _level(key: str, value: str) -> str:
    if value.lower() not in _LEVELS:
        raise BadRequest(f"metadata.{key} is one of {', '.join(_LEVELS)}")
    return value.lower()


def _number(key: str, value: str) -> str:
    if not re.fullmatch(r"-?[0-9]{1,10}", value, re.ASCII) or not -(2**31) <= int(value) < 2**31:
        raise BadRequest(f"metadata.{key} is a whole number, -1 for no limit")
    return str(int(value))


def _connections(key: str, value: str) -> str:
    text = _number(key, value)
    if text != "-1" and int(text) <= 0:
        raise BadRequest(f"metadata.{key} is 1 or more, or -1 for no limit")
    return text


def _pattern(key: str, value: str) -> str:
    if len(value) > 1024 or not value.isprintable():
        raise BadRequest(f"metadata.{key} has up to 1024 printable characters")
    return value


def _pattern_kind(key: str, value: str) -> str:
    if value not in ("doublestar", "regex"):
        raise BadRequest(f"metadata.{key} is doublestar or regex")
    return value


_RETENTION: Final = "retention_id"
_KINDS: Final[Mapping[str, Callable[[str, str], str]]] = {
    "enable_content_trust": _off,
    "enable_content_trust_cosign": _off,
    "prevent_vul": _off,
    "auto_scan": _off,
    "auto_sbom_generation": _off,
    "reuse_sys_cve_allowlist": _on,
    "severity": _level,  # which means nothing without prevent_vul
    "proxy_speed_kb": _number,
    "max_upstream_conn": _connections,
    "proxy_cache_filter_pattern": _pattern,
    "proxy_cache_filter_kind": _pattern_kind,
    "proxy_referrer_api": _truth,
    "proxy_cache_local_on_not_found": _truth,
}
"""What each setting can be."""

_OF_PROXIES: Final = frozenset(key for key in _KINDS if key.startswith(("proxy_", "max_upstream")))
