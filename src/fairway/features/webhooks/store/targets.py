"""Targets of policies, with their secrets sealed.

A sealed secret opens only as that of its own row, "webhook_targets/17/secret", so that a copied one is worth nothing.
"""

import json
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import bindparam, case, delete, insert, null, select, update

from fairway.features.webhooks.model import KnownTarget, Standing, WantedTarget
from fairway.features.webhooks.targets import context
from fairway.frame.db import Conn, Row, now_us
from fairway.frame.db.tables import webhook_targets
from fairway.frame.db.types import within_ids
from fairway.frame.sealing import Sealer

Pair = tuple[WantedTarget, KnownTarget | None]
"""A target as it should be, and the one that it is a change of."""

AUTH_HEADER, SECRET = "auth_header", "secret"

_table = webhook_targets
_OF = (
    select(_table)
    .where(within_ids(_table.c.policy_id, bindparam("policies")))
    .order_by(_table.c.policy_id, _table.c.number)
)
# Out of the way of the numbers that are given anew; those that get none are removed.
_SET_ASIDE = update(_table).where(_table.c.policy_id == bindparam("policy")).values(number=-_table.c.id)
_REMOVE = delete(_table).where(_table.c.policy_id == bindparam("policy"), _table.c.number < 0)
_REMOVE_ALL = delete(_table).where(_table.c.policy_id == bindparam("policy"))
_said: dict[str, Any] = {
    "number": bindparam("place"),
    "type": bindparam("new_type"),
    "address": bindparam("new_address"),
    "payload_format": bindparam("new_format"),
    "fields": bindparam("new_fields"),
    "skip_cert_verify": bindparam("skips"),
}
_ADD = insert(_table).values(policy_id=bindparam("policy"), **_said).returning(_table.c.id)
_CHANGE = update(_table).where(_table.c.id == bindparam("target")).values(**_said)
# Whoever is at its queue knows where it was, and with which secrets: they have lost it, and with it what comes of what they
# are sending now.
_TAKE_AWAY = (
    update(_table)
    .where(_table.c.id == bindparam("target"), _table.c.worker.is_not(None))
    .values(
        worker=null(),
        attempt=_table.c.attempt + 1,
        due_at=case((_table.c.paused_until > now_us(), _table.c.paused_until), else_=now_us()),
    )
)
# Its address is another one, so that what it was like counts no more.
_ANEW = (
    update(_table)
    .where(_table.c.id == bindparam("target"))
    .values(
        failures=0,
        paused_until=0,
        last_error="",
        due_at=case((_table.c.due_at.is_not(None), now_us())),
    )
)
_SEAL = {
    column: update(_table).where(_table.c.id == bindparam("target")).values({column: bindparam("sealed")})
    for column in (AUTH_HEADER, SECRET)
}


def _known(row: Row) -> KnownTarget:
    return KnownTarget(
        id=row["id"],
        policy=row["policy_id"],
        type=row["type"],
        address=row["address"],
        payload_format=row["payload_format"],
        fields=json.loads(row["fields"]) if row["fields"] else None,
        has_auth_header=bool(row[AUTH_HEADER]),
        has_secret=bool(row[SECRET]),
        skip_cert_verify=bool(row["skip_cert_verify"]),
        standing=Standing(
            row["waiting"], row["failures"], row["paused_until"], row["last_error"], row["dropped"]
        ),
    )


async def of(conn: Conn, policies: Collection[int]) -> dict[int, list[KnownTarget]]:
    """The targets of each of these policies, in their order."""
    found: dict[int, list[KnownTarget]] = {policy: [] for policy in policies}
    for row in await conn.all(_OF, policies=json.dumps(sorted(policies))) if policies else ():
        found[row["policy_id"]].append(_known(row))
    return found


async def replace(conn: Conn, policy: int, pairs: Sequence[Pair], sealer: Sealer) -> None:
    """Let a policy that is locked, or new, have these targets and no others; what waits for others goes after them, bit by
    bit.  Needs a transaction."""
    await conn.run(_SET_ASIDE, policy=policy)
    for place, (wanted, before) in enumerate(pairs):
        if before is None:
            target = int(await conn.scalar(_ADD, policy=policy, **_columns(wanted, place)))
        else:
            target = before.id
            await conn.run(_CHANGE, target=target, **_columns(wanted, place))
            if _is_told_otherwise(wanted, before):
                await conn.run(_TAKE_AWAY, target=target)
            if wanted.address != before.address:
                await conn.run(_ANEW, target=target)
        for column, secret in ((AUTH_HEADER, wanted.auth_header), (SECRET, wanted.secret)):
            if secret is not None:
                sealed = sealer.seal(secret.encode(), context(target, column)) if secret else ""
                await conn.run(_SEAL[column], target=target, sealed=sealed)
    await conn.run(_REMOVE, policy=policy)


def _is_told_otherwise(wanted: WantedTarget, before: KnownTarget) -> bool:
    """Whether it is another place, or requests to it are others."""
    return (
        (wanted.address, wanted.skip_cert_verify) != (before.address, before.skip_cert_verify)
        or (wanted.auth_header is not None and bool(wanted.auth_header or before.has_auth_header))
        or (wanted.secret is not None and bool(wanted.secret or before.has_secret))
    )


def _columns(wanted: WantedTarget, place: int) -> dict[str, Any]:
    return {
        "place": place,
        "new_type": wanted.type,
        "new_address": wanted.address,
        "new_format": wanted.payload_format,
        "new_fields": "" if wanted.fields is None else json.dumps(wanted.fields, ensure_ascii=False),
        "skips": wanted.skip_cert_verify,
    }


async def remove_all(conn: Conn, policy: int) -> None:
    """Let a policy have no targets any more.  Needs a transaction."""
    await conn.run(_REMOVE_ALL, policy=policy)
