"""What follows from somebody's doing bears their name, however many do something at once (T08)."""

import asyncio

from sqlalchemy import select

from fairway.frame.access.roles import Role
from fairway.frame.db.tables import audit_log
from fairway.frame.events import hand_over
from fairway.reactions import reactions
from stories.world import World, image

PEOPLE = 20


async def test_twenty_people_at_once(world: World) -> None:
    team = await world.project("team")
    people = [await world.member(team, f"person{n}", Role.MAINTAINER) for n in range(PEOPLE)]
    pushed = await asyncio.gather(
        *(each.push(f"team/app{n}:v{n}", image("base", f"of {n}")) for n, each in enumerate(people))
    )
    assert {answer.status for answer in pushed} == {201}
    gone = await asyncio.gather(*(each.delete(f"team/app{n}:v{n}") for n, each in enumerate(people)))
    assert {answer.status for answer in gone} == {202}
    while await hand_over(world.db, reactions(world.parts.notifications)):
        pass
    lines = await world.db.all(select(audit_log).where(audit_log.c.username.like("person%")))
    by = {
        (row["username"], row["operation"], row["resource"].partition(":")[0].partition("@")[0])
        for row in lines
    }
    for n in range(PEOPLE):
        assert {(f"person{n}", "create", f"team/app{n}"), (f"person{n}", "delete", f"team/app{n}")} <= by
    assert {name.removeprefix("person") for name, _, _ in by} == {
        repository.removeprefix("team/app") for _, _, repository in by
    }
    assert all(
        name.removeprefix("person") == repository.removeprefix("team/app") for name, _, repository in by
    )
