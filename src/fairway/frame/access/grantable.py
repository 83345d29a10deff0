"""What a robot can be granted: Harbor's catalogue, as (resource, action) for the whole server and for a project.

It is wider than catalogue.py, which has what there are routes for: a client may grant all there is in Harbor, and what has
no route yet is kept and opens nothing.  Nobody can grant the right to change robots, or a robot could widen itself.
"""

from typing import Final

from fairway.frame.access.catalogue import Permission

# C create, R read, U update, D delete, L list, P pull, S push, X stop.
_ON_SERVER = """
audit-log            L
preheat-instance     RCDLU
project              LC
replication-policy   RCDLU
replication          RCL
replication-adapter  L
registry             RCDLU
scan-all             RUXC
system-volumes       R
garbage-collection   RCLUX
purge-audit          RCLUX
jobservice-monitor   LX
scanner              RCDLU
label                RCDU
security-hub         RL
catalog              R
quota                RLU
robot                CRLD
user                 CRULD
user-group           CRULD
ldap-user            CL
"""
_IN_PROJECT = """
log                  L
project              RDU
metadata             RCDLU
repository           RUDLPS
artifact             RCLD
scan                 CRX
sbom                 CRX
tag                  CLD
accessory            L
artifact-addition    R
artifact-label       CD
scanner              CR
preheat-policy       RCDLU
immutable-tag        CDLU
notification-policy  RCDLU
tag-retention        RCDLU
label                RCDLU
quota                R
robot                CRLD
export-cve           CR
member               CRULD
"""
_ACTIONS = {
    "C": "create",
    "R": "read",
    "U": "update",
    "D": "delete",
    "L": "list",
    "P": "pull",
    "S": "push",
    "X": "stop",
}


def _pairs(table: str) -> frozenset[Permission]:
    rows = [line.split() for line in table.strip().splitlines()]
    return frozenset(Permission(resource, _ACTIONS[each]) for resource, letters in rows for each in letters)


GRANTABLE_ON_SERVER: Final = _pairs(_ON_SERVER)
"""Of kind `system`."""

GRANTABLE_IN_PROJECT: Final = _pairs(_IN_PROJECT)
"""Of kind `project`, in one project or in every one."""
