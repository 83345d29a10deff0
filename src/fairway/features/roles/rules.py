"""Which roles can be made, and who may give which of them.  Pure.

Nobody gets more by a role than whoever made the role could see in it: a role holds nothing that project administrators do
not, none can change robots, and one that can make a project public holds what everybody holds in a public project.
"""

import re
from collections.abc import Collection
from typing import Final

from fairway.core.oci.errors import BadRequest, Denied
from fairway.features.roles.model import ROLE_NAMES, Wanted
from fairway.frame.access.catalogue import (
    METADATA_CREATE,
    METADATA_UPDATE,
    PROJECT_UPDATE,
    ROBOT_UPDATE,
    Permission,
)
from fairway.frame.access.may import ProjectFacts, may
from fairway.frame.access.principals import Principal, User, narrowed_to
from fairway.frame.access.roles import FIRST_CUSTOM, GRANTABLE_IN_ROLES, HELD_BY_ANYONE, Role

MAX_NAME: Final = 64
MAX_DESCRIPTION: Final = 1024
MAX_ROLES: Final = 200
MAX_ASKED: Final = 500

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*", re.ASCII)
_TAKEN = frozenset(
    "".join(filter(str.isalnum, name)).lower()
    for name in (*ROLE_NAMES.values(), "admin", "master", "sysadmin")
)
_CAN_PUBLISH = frozenset({PROJECT_UPDATE, METADATA_CREATE, METADATA_UPDATE})


def wanted(name: str, description: str, asked: Collection[tuple[str, str]]) -> Wanted:
    """What a request asks for, permissions as (resource, action); raises BadRequest for what cannot be had."""
    if len(name) > MAX_NAME or not _NAME.fullmatch(name):
        raise BadRequest(
            f"a role's name has 1 to {MAX_NAME} lower-case letters and digits, with single '.', '_' or '-' between them, "
            "and begins with a letter"
        )
    if "".join(filter(str.isalnum, name)) in _TAKEN:
        raise BadRequest(f"{name} would be taken for a role that every server has; choose another name")
    if len(description) > MAX_DESCRIPTION or any(each < " " or each == "\x7f" for each in description):
        raise BadRequest(
            f"a description has up to {MAX_DESCRIPTION} characters, none of them a control character"
        )
    return Wanted(name, description, _permissions(asked))


def _permissions(asked: Collection[tuple[str, str]]) -> frozenset[Permission]:
    if not asked:
        raise BadRequest(f"a role holds something; it can hold {_words(GRANTABLE_IN_ROLES)}")
    if len(asked) > MAX_ASKED:
        raise BadRequest(f"a role is made of up to {MAX_ASKED} permissions")
    found = frozenset(Permission(*each) for each in asked)
    if ROBOT_UPDATE in found:
        raise BadRequest(
            f"a role cannot hold {ROBOT_UPDATE}: who gives a robot a new secret becomes it, and it may hold more"
        )
    if unknown := sorted(found - GRANTABLE_IN_ROLES):
        raise BadRequest(
            f"a role cannot hold {str(unknown[0])[:64]}; it can hold {_words(GRANTABLE_IN_ROLES)}"
        )
    if found & _CAN_PUBLISH and (missing := HELD_BY_ANYONE - found):
        raise BadRequest(
            f"who can make a project public sees then what everybody does; with {_words(found & _CAN_PUBLISH)} "
            f"the role must hold {_words(missing)}, too"
        )
    return found


def check_id(number: int) -> None:
    """Raise BadRequest for a number that no role has."""
    if not (number in ROLE_NAMES or FIRST_CUSTOM <= number < 2**31):
        raise unknown()


def unknown() -> BadRequest:
    """What to say about a role that there is not."""
    known = ", ".join(f"{each.value} ({name})" for each, name in ROLE_NAMES.items())
    return BadRequest(f"role_id is one of {known}, or of a role that GET /api/fairway/roles lists")


def check_gives(by: Principal, project: ProjectFacts, held: Collection[Permission], role: str) -> None:
    """Raise Denied when a person has to do with a role, as a member of `project`, that holds more than they do.

    Robots that were granted members to change give any role, as in Harbor: that grant is a project administrator's to give.
    """
    if isinstance(by, User) and (missing := [each for each in sorted(held) if not may(by, each, project)]):
        if narrowed_to(by):
            raise Denied(
                f"the role {role} holds {missing[0]}, which you do not hold here with this token: use your password"
            )
        raise Denied(
            f"the role {role} holds {missing[0]}, which you do not hold here: you cannot give it, nor change or remove "
            "who has it; ask a project administrator"
        )


def _words(permissions: Collection[Permission]) -> str:
    return ", ".join(map(str, sorted(permissions)))


def as_role(number: int) -> Role | None:
    """The one of the five with this id."""
    return Role(number) if number in ROLE_NAMES else None
