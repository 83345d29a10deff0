"""Which policies and targets may be had, and which secrets a changed target keeps.  Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from fairway.core.oci.errors import BadRequest
from fairway.features.webhooks import selectors
from fairway.features.webhooks.model import (
    CLOUDEVENTS,
    DEFAULT,
    FIELDS,
    HTTP,
    SLACK,
    TEAMS,
    KnownTarget,
    Wanted,
    WantedTarget,
)
from fairway.features.webhooks.payloads import fields
from fairway.features.webhooks.payloads.notice import EVENT_TYPES

MOST_POLICIES: Final = 100
"""In a project."""
MOST_TARGETS: Final = 10
"""Of a policy."""
MAX_NAME: Final = 255
MAX_DESCRIPTION: Final = 1024
MAX_ADDRESS: Final = 2048
MAX_SECRET: Final = 4096

TARGET_TYPES: Final = (HTTP, SLACK, TEAMS)
FORMATS: Final = (DEFAULT, CLOUDEVENTS, FIELDS)
MASK: Final = "********"
"""Shown in place of a secret; whoever sends it means the one that is kept."""

_LINES: Final = str.maketrans("", "", "\r\n\t")
_UNREADABLE: Final = re.compile(r"[\x00-\x20\x7f\\]")

Facts = Mapping[str, Any]


def wanted(
    *,
    name: str,
    description: str,
    event_types: Sequence[str],
    enabled: bool,
    targets: Sequence[WantedTarget],
    tag_selectors: Sequence[Facts] | None,
    repository_selectors: Sequence[Facts] | None,
) -> Wanted:
    """What a request asks for.  Raises BadRequest."""
    name = name.strip()
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise BadRequest(f"a policy's name has 1 to {MAX_NAME} printable characters")
    if len(description) > MAX_DESCRIPTION or not description.translate(_LINES).isprintable():
        raise BadRequest(f"a policy's description has up to {MAX_DESCRIPTION} printable characters")
    if not targets:
        raise BadRequest(f"the policy {name} has no target; say in targets whom to tell")
    if len(targets) > MOST_TARGETS:
        raise BadRequest(f"a policy has up to {MOST_TARGETS} targets; make another one for more")
    return Wanted(
        name,
        description,
        _event_types(event_types),
        None if tag_selectors is None else selectors.read(tag_selectors, selectors.OF_TAGS, "tag_selectors"),
        None
        if repository_selectors is None
        else selectors.read(repository_selectors, selectors.OF_REPOSITORIES, "scope_selectors.repository"),
        enabled,
        tuple(targets),
    )


def _event_types(given: Sequence[str]) -> tuple[str, ...]:
    if not given:
        raise BadRequest("event_types is empty; GET webhook/events lists what there is")
    if unknown := [each for each in given if each not in EVENT_TYPES]:
        raise BadRequest(
            f"there is no event type {unknown[0][:64]!r}; GET webhook/events lists what there is"
        )
    return tuple(dict.fromkeys(given))


def target(
    *,
    type: str,  # noqa: A002 - as the API calls it
    address: str,
    payload_format: str,
    template: Any,
    auth_header: str | None,
    secret: str | None,
    skip_cert_verify: bool,
) -> WantedTarget:
    """A target that a request asks for; its secrets are the mask, or None, where one is kept.  Raises BadRequest."""
    if type not in TARGET_TYPES:
        raise BadRequest(f"there is no type of target {type[:32]!r}; choose one of {', '.join(TARGET_TYPES)}")
    if type != HTTP and payload_format:
        raise BadRequest(f"payload_format is for targets of type {HTTP}; leave it out for {type}")
    if type == HTTP and payload_format not in ("", *FORMATS):
        raise BadRequest(
            f"there is no payload_format {payload_format[:32]!r}; choose one of {', '.join(FORMATS)}"
        )
    if payload_format != FIELDS and template is not None:
        raise BadRequest(f"fields is for the payload_format {FIELDS}")
    if template is not None:
        try:
            fields.check(template)
        except fields.FieldsInvalid as wrong:
            raise BadRequest(str(wrong)) from None
    return WantedTarget(
        type,
        _address(address),
        payload_format or (DEFAULT if type == HTTP else ""),
        template,
        _secret(auth_header, "auth_header"),
        _secret(secret, "secret"),
        skip_cert_verify,
    )


def _address(given: str) -> str:
    address = given.strip()
    if len(address) > MAX_ADDRESS or _UNREADABLE.search(address) or not address.isprintable():
        raise BadRequest(f"a target's address is a URL of up to {MAX_ADDRESS} characters, without blanks")
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BadRequest("a target's address is a URL such as https://example.com/hook") from None
    if parts.scheme not in ("http", "https") or not host:
        raise BadRequest("a target's address begins with https:// or http:// and a host")
    if "@" in parts.netloc:
        raise BadRequest("a target's address holds no login; put one into auth_header, which is kept sealed")
    if parts.fragment:
        raise BadRequest("a target's address has no part after a #, which would not be sent")
    return address


def _secret(given: str | None, what: str) -> str | None:
    if given is None or given == MASK:
        return given
    # As a header may have it, so that it is known now and not when something is to be sent.
    if len(given) > MAX_SECRET or not (given.isprintable() and given.isascii()):
        raise BadRequest(f"a target's {what} has up to {MAX_SECRET} printable characters of ASCII")
    return given.strip()


def origin(address: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address that was checked."""
    parts = urlsplit(address)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def matched(
    targets: Sequence[WantedTarget], known: Sequence[KnownTarget]
) -> list[tuple[WantedTarget, KnownTarget | None]]:
    """Each wanted target with the one that it is a change of: of the same type and address, else at the same place.

    What waits for a target goes where it leads then, which mends a wrong address; its secrets do not follow to another
    host.  Of what is returned a secret that is None stays as it is.  Raises BadRequest.
    """
    left = dict(enumerate(known))
    found: dict[int, KnownTarget] = {}
    for number, each in enumerate(targets):
        same = next((n for n, other in left.items() if _is(each, other)), None)
        if same is not None:
            found[number] = left.pop(same)
    for number, each in enumerate(targets):
        if number not in found and number in left and left[number].type == each.type:
            found[number] = left.pop(number)
    return [(_settled(each, found.get(number)), found.get(number)) for number, each in enumerate(targets)]


def _is(asked: WantedTarget, known: KnownTarget) -> bool:
    return (asked.type, asked.address) == (known.type, known.address)


def _settled(asked: WantedTarget, before: KnownTarget | None) -> WantedTarget:
    moved = before is not None and origin(asked.address) != origin(before.address)
    template = asked.fields
    if asked.payload_format == FIELDS and template is None:
        template = None if before is None else before.fields
        if template is None:
            raise BadRequest(
                f"the payload_format {FIELDS} needs fields: a JSON object with places such as "
                "${event_data.resources.0.tag}"
            )
    return replace(
        asked,
        fields=template,
        auth_header=_kept(
            "auth_header", asked.auth_header, there=before is not None and before.has_auth_header, moved=moved
        ),
        secret=_kept("secret", asked.secret, there=before is not None and before.has_secret, moved=moved),
    )


def _kept(what: str, asked: str | None, *, there: bool, moved: bool) -> str | None:
    """None to leave the secret as it is."""
    if asked is not None and asked != MASK:
        return asked
    if asked == MASK and not there:
        raise BadRequest(f"{MASK} stands for a target's {what} that is kept, and there is none; write it out")
    if there and moved:
        raise BadRequest(
            f"the {what} of a target is not taken along to another host; write it out again, or make it empty"
        )
    return None if there else ""
