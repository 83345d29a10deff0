"""The rows of roles: two requests at once, and how rights are read."""

import asyncio
from typing import Any

from fairway.core.oci.errors import PreconditionFailed
from fairway.features.accounts.model import OIDC, Group
from fairway.features.accounts.store import groups
from fairway.features.projects.model import GroupRef
from fairway.features.projects.store import members as memberships
from fairway.features.projects.store import projects
from fairway.features.roles import store
from fairway.features.roles.model import Wanted
from fairway.frame.access.catalogue import Permission
from fairway.frame.access.principals import User
from fairway.frame.db import Conn, Database, UniqueViolation
from fairway.frame.db.tables import members, role_permissions, roles
from features.accounts.test_groups import Asked
from features.projects.test_store import person, project
from frame.db.plans import plan


async def made_in(db: Database, name: str, *permissions: str) -> int:
    held = frozenset(Permission(*each.split(":")) for each in permissions)
    return await db.write(lambda conn: store.create(conn, Wanted(name, "", held), "admin"))


async def test_giving_and_deleting_at_once_leaves_no_member_without_a_role(db: Database) -> None:
    alice = await person(db, "alice")
    team = await project(db, "team", alice)
    for turn in range(8):
        who = await person(db, f"bob{turn}")
        number = await made_in(db, f"role{turn}", "log:list")

        async def give(conn: Conn, who: User = who, number: int = number) -> bool:
            if await store.keep(conn, number) is None:
                return False
            await memberships.add(conn, team, who.id, number, alice)
            return True

        removing = db.write(lambda conn, number=number: store.remove(conn, number, "admin"))
        given, removed = await asyncio.gather(db.write(give), removing, return_exceptions=True)
        kept = await store.by_id(db, number)
        assert (kept is not None) == (given is True)
        assert isinstance(removed, PreconditionFailed) == (given is True)
    rows = await db.all(members.select().where(members.c.role >= 100))
    ids = {row["id"] for row in await db.all(roles.select())}
    assert {row["role"] for row in rows} == ids


async def test_two_of_one_name_at_once(db: Database) -> None:
    both = await asyncio.gather(
        *(made_in(db, "auditor", "log:list") for _ in range(2)), return_exceptions=True
    )
    assert sorted(isinstance(each, UniqueViolation) for each in both) == [False, True]
    assert len(await db.all(role_permissions.select())) == 1


async def test_rights_are_read_with_the_project_in_one_statement_by_indexes(db: Database) -> None:
    alice, bob = await person(db, "alice"), await person(db, "bob")
    team = await project(db, "team", alice)
    number = await made_in(db, "auditor", "log:list", "project:read")
    taggers = await made_in(db, "tagger", "tag:create", "log:list")
    await db.write(lambda conn: memberships.add(conn, team, bob.id, number, alice))
    devs = await db.write(lambda conn: groups.create(conn, "devs", OIDC, "", "alice"))
    await db.write(lambda conn: groups.add_member(conn, Group(devs, "devs", OIDC), bob.id, "alice"))
    await db.write(lambda conn: memberships.add_group(conn, team, GroupRef(id=devs), taggers, alice))
    conn: Any = Asked(db)
    facts = await projects.facts(conn, bob, "team")
    assert facts is not None
    assert facts.role is None
    assert set(map(str, facts.more)) == {"log:list", "project:read", "tag:create"}
    [(statement, params)] = conn.asked
    how = await plan(db, statement, **params)
    for table in ("projects", "members", "by_group", "user_group_members", "role_permissions"):
        assert f"SCAN {table}" not in how, how
        assert f"Seq Scan on {table}" not in how, how
