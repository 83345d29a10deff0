"""What a request may make of a robot: the decisions about it, in the transaction that makes it."""

from typing import Final

from fairway.core.oci.errors import Denied
from fairway.features.accounts.passwords import Hasher
from fairway.features.robots import rules, secret, store
from fairway.features.robots.model import ALL_PROJECTS, WHOLE_SERVER, RobotAccount, Wanted
from fairway.frame.access.may import ProjectFacts
from fairway.frame.access.principals import (
    EVERY_PROJECT,
    SERVER,
    Grant,
    Narrowed,
    Principal,
    Robot,
    narrowed_to,
)
from fairway.frame.db import Conn
from fairway.frame.web.errors import NotFound

_NO_PROJECT: Final = -2
"""Stands for a project that does not exist, in what somebody asks to be granted."""


async def granted(
    conn: Conn, wanted: Wanted, by: Principal, home: ProjectFacts | None
) -> frozenset[Grant | Narrowed]:
    """What a robot will hold; raises Denied for what `by` cannot give, NotFound for a project that is not there."""
    named = {access.namespace for access in wanted.access} - {ALL_PROJECTS, WHOLE_SERVER}
    ids = await store.project_ids(conn, named)
    places = {WHOLE_SERVER: SERVER, ALL_PROJECTS: EVERY_PROJECT, **ids}
    held = frozenset(
        Narrowed(places.get(access.namespace, _NO_PROJECT), permission, access.only)
        if access.only
        else Grant(places.get(access.namespace, _NO_PROJECT), permission)
        for access in wanted.access
        for permission in access.permissions
    )
    if (too_much := rules.beyond(by, held, home)) is not None:
        raise Denied(f"you cannot grant {too_much.permission} there: it is more than you hold yourself")
    if missing := sorted(named - ids.keys()):
        raise NotFound(f"project {missing[0]} not found")
    return held


async def end_for(conn: Conn, wanted: Wanted, by: Principal, end: int | None = None) -> int | None:
    """When a robot that `by` makes expires, `end` if that is given; None for what its duration says.

    One that a robot makes expires with its maker at the latest; raises Denied when it is to live for more days, or longer
    than the personal access token with which it is made.
    """
    if (scope := narrowed_to(by)) is not None and scope.until is not None:
        own = end or rules.end(await store.now(conn), wanted.duration, store.DAY)
        if own is None or own > scope.until:
            raise Denied(
                "a token cannot make a robot that outlives it; ask for a shorter duration, or use your password"
            )
    if not isinstance(by, Robot):
        return end
    maker = await store.by_id(conn, by.id)
    if maker is not None and maker.expires_at is None:
        return end
    own = end or rules.end(await store.now(conn), wanted.duration, store.DAY)
    if maker is None or maker.expires_at is None or own is None or wanted.duration > maker.duration:
        raise Denied("a robot cannot make one that outlives it; ask for a shorter duration")
    return min(own, maker.expires_at)


async def new_secret(hasher: Hasher, chosen: str | None) -> tuple[str, str]:
    """A secret as it is shown, empty when it was chosen, and as it is stored."""
    if chosen:
        rules.check_secret(chosen)
        with hasher.turn():
            return "", await hasher.hash(chosen)
    made = secret.generate()
    return made, secret.kept(made)


async def present(conn: Conn, robot: int, home: int | None, *, lock: bool = False) -> RobotAccount:
    """The robot with this id, of the project `home` or with None of the system level.  Raises NotFound."""
    found = await store.by_id(conn, robot, lock=lock)
    if found is None or found.project != home:
        raise NotFound(f"there is no robot {robot}")
    return found
