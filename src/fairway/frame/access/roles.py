"""The five roles that every server has, what each of them holds, and what a role that is made here can hold.

Ids are the values of Harbor's API and stored as they are; they are not ordered by power.  The table is read into
`HELD` and `HELD_BY_ANYONE` when this module is imported; a word in it that the catalogue does not know is an error.
"""

from collections.abc import Collection
from enum import IntEnum
from typing import Final

from fairway.frame.access.catalogue import IN_PROJECT, ROBOT_UPDATE, Permission


class Role(IntEnum):
    """A member's role; the values are Harbor's role ids."""

    PROJECT_ADMIN = 1
    DEVELOPER = 2
    GUEST = 3
    MAINTAINER = 4
    LIMITED_GUEST = 5


# C create, R read, U update, D delete, L list, P pull, S push, O operate. "anyone" is everybody, logged in or not, on a public
# project; a member holds that too.
_TABLE = """
                     project_admin  maintainer  developer  guest  limited_guest  anyone
project              RUD            R           R          R      R              R
log                  L              -           -          -      -              -
member               CRUDL          RL          RL         RL     -              -
metadata             CRUD           R           -          -      -              -
quota                R              R           R          R      R              -
label                CRUDL          CRUDL       RL         RL     -              RL
repository           CRUDLPS        CRUDLPS     CRULPS     RLP    RLP            LP
artifact             CRDL           CRDL        CRL        RL     RL             RL
artifact-addition    R              R           R          R      R              R
artifact-label       CD             CD          CD         -      -              -
accessory            L              L           L          L      L              L
tag                  CDL            CDL         CL         L      L              L
tag-retention        CRUDLO         CRUDLO      CRUDLO     -      -              -
immutable-tag        CUDL           CUDL        -          -      -              -
notification-policy  CRUDL          RL          -          -      -              -
robot                CRUDL          RL          RL         RL     -              -
"""

_ACTIONS = {
    "C": "create",
    "R": "read",
    "U": "update",
    "D": "delete",
    "L": "list",
    "P": "pull",
    "S": "push",
    "O": "operate",
}


def _columns(table: str) -> dict[str, frozenset[Permission]]:
    heads, *rows = [line.split() for line in table.strip().splitlines()]
    held: dict[str, set[Permission]] = {head: set() for head in heads}
    for resource, *cells in rows:
        for head, cell in zip(heads, cells, strict=True):
            held[head] |= {Permission(resource, _ACTIONS[letter]) for letter in cell if letter != "-"}
    if unknown := set().union(*held.values()) - IN_PROJECT:
        raise ValueError(f"not in the permission catalogue: {', '.join(sorted(map(str, unknown)))}")
    return {head: frozenset(permissions) for head, permissions in held.items()}


_HELD = _columns(_TABLE)

STRONGEST_FIRST: Final = (
    Role.PROJECT_ADMIN,
    Role.MAINTAINER,
    Role.DEVELOPER,
    Role.GUEST,
    Role.LIMITED_GUEST,
)
"""Each holds all that those after it hold."""


def strongest(roles: Collection[int]) -> Role | None:
    """The strongest of the five for who has these, by themselves and by groups; None for who has none of the five."""
    return next((role for role in STRONGEST_FIRST if role in roles), None)


HELD: Final = {role: _HELD[role.name.lower()] for role in Role}
"""What each role holds in its project."""

HELD_BY_ANYONE: Final = _HELD["anyone"]
"""What everybody holds in a public project."""

FIRST_CUSTOM: Final = 100
"""Roles that are made here have ids from this one on."""

GRANTABLE_IN_ROLES: Final = HELD[Role.PROJECT_ADMIN] - {ROBOT_UPDATE}
"""What a role that is made here can hold: what a project administrator holds, so that nobody in a project is above them.

Not the right to change robots: who gives a robot a new secret becomes it, and it may hold more.
"""
