"""Targets as whoever sends needs them: with their secrets in the open."""

import json

from fairway.features.webhooks.model import Target
from fairway.frame.db import Row
from fairway.frame.sealing import Sealer


def context(target: int, what: str) -> str:
    """What a secret of a target is sealed for: `auth_header` or `secret`."""
    return f"webhook_targets/{target}/{what}"


def opened(row: Row, sealer: Sealer) -> Target:
    """The target of a row.  Raises SealBroken."""

    def secret(what: str) -> str:
        return sealer.open(row[what], context(row["id"], what)).decode() if row[what] else ""

    return Target(
        row["id"],
        row["policy_id"],
        row["type"],
        row["address"],
        row["payload_format"],
        json.loads(row["fields"]) if row["fields"] else None,
        secret("auth_header"),
        secret("secret"),
        bool(row["skip_cert_verify"]),
    )
