"""Projects in both databases: making, finding, who sees what, and deleting."""

import asyncio
import json

import pytest
from sqlalchemy import bindparam, insert, select

from fairway.core.oci.errors import PreconditionFailed
from fairway.features.accounts.store import people
from fairway.features.projects.model import Wanted
from fairway.features.projects.store import projects as store
from fairway.frame.access.may import ProjectFacts
from fairway.frame.access.principals import ANONYMOUS, Principal, User
from fairway.frame.access.roles import Role
from fairway.frame.db import SECOND, Database, UniqueViolation, now_us
from fairway.frame.db.listing import Contains, Exact, Filters, Term
from fairway.frame.db.tables import gc_reviews, members, outbox, project_blobs, quotas, repositories

EVERYTHING: Filters = {}


def asking(name: str = "", public: bool | None = None, owner: str = "") -> Filters:
    """Part of a name, visibility, the owner's name."""
    terms: dict[str, Term] = {"name": Contains(name)} if name else {}
    if public is not None:
        terms["public"] = Exact(str(public))
    return terms | ({"owner": Exact(owner)} if owner else {})


async def person(db: Database, name: str, *, sysadmin: bool = False) -> User:
    made = await db.write(lambda conn: people.create(conn, name, "hash", sysadmin=sysadmin))
    return User(made, name, sysadmin)


async def project(db: Database, name: str, owner: User, *, public: bool = False) -> int:
    return await db.write(lambda conn: store.create(conn, Wanted(name, public), owner))


async def join(db: Database, project: int, user: User, role: Role) -> None:
    row = {"project_id": project, "user_id": user.id, "role": int(role), "created_at": 0}
    await db.write(lambda conn: conn.run(insert(members).values(**row)))


async def add_repository(db: Database, project: int, name: str) -> None:
    row = {"project_id": project, "name": name, "created_at": now_us(), "updated_at": now_us()}
    await db.write(lambda conn: conn.run(insert(repositories).values(**row)))


async def names(db: Database, viewer: Principal, filters: Filters = EVERYTHING) -> list[str]:
    found, total = await store.listed(db, viewer, filters, offset=0, limit=100)
    assert total == len(found)
    return [each.name for each in found]


async def test_the_creator_is_the_first_project_administrator(db: Database) -> None:
    alice = await person(db, "alice")
    made = await project(db, "team", alice)
    assert await store.facts(db, alice, made) == ProjectFacts(made, public=False, role=Role.PROJECT_ADMIN)
    assert await store.facts(db, alice, "team") == await store.facts(db, alice, made)


async def test_facts_are_about_the_one_who_asks(db: Database) -> None:
    alice, bob = await person(db, "alice"), await person(db, "bob")
    made = await project(db, "team", alice, public=True)
    await join(db, made, bob, Role.GUEST)
    assert (await store.facts(db, bob, "team")) == ProjectFacts(made, public=True, role=Role.GUEST)
    assert (await store.facts(db, ANONYMOUS, "team")) == ProjectFacts(made, public=True, role=None)
    assert (await store.facts(db, User(99, "carol"), made)) == ProjectFacts(made, public=True, role=None)


@pytest.mark.parametrize(
    "ref", ["nothing", "", "Team", "team\0", "team%", "x" * 300, "'; DROP TABLE projects; --", 0, 4711]
)
async def test_there_are_no_facts_about_what_is_not_there(db: Database, ref: int | str) -> None:
    await project(db, "team", await person(db, "alice"))
    assert await store.facts(db, ANONYMOUS, ref) is None


async def test_a_project_is_seen_whole(db: Database) -> None:
    alice = await person(db, "alice")
    made = await project(db, "team", alice, public=True)
    await add_repository(db, made, "app")
    await add_repository(db, made, "db")
    seen = await store.by_id(db, made, alice)
    assert seen is not None
    assert (seen.name, seen.public, seen.owner_id, seen.owner_name) == ("team", True, alice.id, "alice")
    assert (seen.repositories, seen.role) == (2, Role.PROJECT_ADMIN)
    now = await db.scalar(select(now_us()))
    assert (seen.created_at, seen.updated_at) == pytest.approx((now, now), abs=60 * SECOND)
    assert await store.by_id(db, 4711, alice) is None


async def test_a_name_is_given_once_also_in_a_race(db: Database) -> None:
    alice = await person(db, "alice")
    outcomes = await asyncio.gather(*(project(db, "team", alice) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(outcome, int) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, UniqueViolation) for outcome in outcomes) == 7
    assert len(await db.all(select(members))) == len(await db.all(select(outbox))) == 1


async def test_a_project_starts_with_its_limit_and_nothing_used(db: Database) -> None:
    alice = await person(db, "alice")
    await db.write(lambda conn: store.create(conn, Wanted("team", storage_limit=5000), alice))
    await project(db, "free", alice)
    rows = await db.all(select(quotas.c.hard, quotas.c.used).order_by(quotas.c.hard))
    assert [tuple(row) for row in rows] == [
        (-1, 0),
        (5000, 0),
    ]


async def test_making_and_deleting_are_recorded(db: Database) -> None:
    alice = await person(db, "alice")
    made = await project(db, "team", alice)
    await db.write(lambda conn: store.remove(conn, made, alice, grace_seconds=60))
    rows = await db.all(select(outbox).order_by(outbox.c.id))
    assert [(row["topic"], row["kind"]) for row in rows] == [
        (f"project:{made}", "project.created"),
        (f"project:{made}", "project.deleted"),
    ]
    assert json.loads(rows[0]["payload"]) == {
        "project_id": made,
        "name": "team",
        "public": False,
        "by": "alice",
    }


async def test_the_library_is_there_once(db: Database) -> None:
    admin = await person(db, "admin", sysadmin=True)
    assert await db.write(lambda conn: store.ensure_library(conn, admin))
    assert not await db.write(lambda conn: store.ensure_library(conn, admin))
    library = await store.facts(db, ANONYMOUS, "library")
    assert library is not None
    assert library.public


async def test_who_sees_which_projects(db: Database) -> None:
    alice, bob = await person(db, "alice"), await person(db, "bob")
    root = await person(db, "root", sysadmin=True)
    await project(db, "open", alice, public=True)
    await project(db, "alices", alice)
    shared = await project(db, "shared", alice)
    await project(db, "bobs", bob)
    await join(db, shared, bob, Role.LIMITED_GUEST)
    assert await names(db, ANONYMOUS) == ["open"]
    assert await names(db, User(99, "carol")) == ["open"]
    assert await names(db, alice) == ["alices", "open", "shared"]
    assert await names(db, bob) == ["bobs", "open", "shared"]
    assert await names(db, root) == ["alices", "bobs", "open", "shared"]


async def test_filters_never_show_more_than_one_may_see(db: Database) -> None:
    alice, bob = await person(db, "alice"), await person(db, "bob")
    await project(db, "open-1", alice, public=True)
    await project(db, "closed-1", alice)
    await project(db, "closed-2", bob)
    assert await names(db, alice, asking(public=False)) == ["closed-1"]
    assert await names(db, ANONYMOUS, asking(public=False)) == []
    assert await names(db, ANONYMOUS, asking(owner="alice")) == ["open-1"]
    assert await names(db, alice, asking(owner="bob")) == []
    assert await names(db, alice, asking(name="1")) == ["closed-1", "open-1"]
    assert await names(db, alice, asking(name="CLOSED", public=False, owner="alice")) == ["closed-1"]


@pytest.mark.parametrize(
    "name", ["%", "_", "\\", "/", "/%", "'", "' OR 1=1 --", "a%' --", "pg_sleep(5)", "*", "?"]
)
async def test_a_filter_is_text_and_not_a_pattern(db: Database, name: str) -> None:
    alice = await person(db, "alice")
    await project(db, "team", alice)
    await project(db, "a-b", alice)
    assert await names(db, alice, asking(name=name)) == []
    assert await names(db, alice, asking(owner=name)) == []


async def test_a_filter_with_an_underscore_finds_just_that(db: Database) -> None:
    alice = await person(db, "alice")
    await project(db, "a_b", alice)
    await project(db, "a-b", alice)
    assert await names(db, alice, asking(name="a_b")) == ["a_b"]


async def test_pages_follow_each_other_in_the_order_of_names(db: Database) -> None:
    alice = await person(db, "alice")
    for name in ("b", "a-b", "a.b", "a0", "a_b", "aa"):
        await project(db, name, alice)
    pages = [await store.listed(db, alice, EVERYTHING, offset=offset, limit=4) for offset in (0, 4, 8)]
    assert [total for _, total in pages] == [6, 6, 6]
    assert [[each.name for each in found] for found, _ in pages] == [
        ["a-b", "a.b", "a0", "a_b"],
        ["aa", "b"],
        [],
    ]


async def test_an_empty_project_goes_with_all_that_is_its_own(db: Database) -> None:
    alice = await person(db, "alice")
    made = await project(db, "team", alice)
    link = {"project_id": made, "digest": "sha256:" + "0" * 64, "size": 7, "created_at": 0}
    await db.write(lambda conn: conn.run(insert(project_blobs).values(**link)))
    assert await db.write(lambda conn: store.remove(conn, made, alice, grace_seconds=60))
    assert await store.facts(db, alice, made) is None
    for table in (members, quotas, project_blobs):
        assert await db.all(select(table)) == []
    (review,) = await db.all(select(gc_reviews))
    assert (review["project_id"], review["digest"]) == (0, link["digest"])
    assert review["review_at"] > await db.scalar(select(now_us()))


async def test_a_large_project_is_emptied_in_steps(db: Database) -> None:
    alice = await person(db, "alice")
    made = await project(db, "team", alice)
    rows = [{"digest": f"sha256:{n:064x}"} for n in range(25)]
    link = insert(project_blobs).values(project_id=made, digest=bindparam("digest"), size=1, created_at=0)
    await db.write(lambda conn: conn.many(link, rows))
    steps = [
        await db.write(lambda conn: store.empty(conn, made, grace_seconds=60, limit=10)) for _ in range(3)
    ]
    assert steps == [True, True, False]
    assert await db.all(select(project_blobs)) == []
    assert len(await db.all(select(gc_reviews))) == 25


async def test_a_project_with_repositories_stays(db: Database) -> None:
    alice = await person(db, "alice")
    made = await project(db, "team", alice)
    await add_repository(db, made, "app")
    with pytest.raises(PreconditionFailed, match="repositories"):
        await db.write(lambda conn: store.remove(conn, made, alice, grace_seconds=60))
    assert await store.facts(db, alice, made) is not None


async def test_deleting_twice_finds_nothing_the_second_time(db: Database) -> None:
    alice = await person(db, "alice")
    made = await project(db, "team", alice)
    both = [db.write(lambda conn: store.remove(conn, made, alice, grace_seconds=60)) for _ in range(2)]
    assert sorted(await asyncio.gather(*both)) == [False, True]


async def test_a_new_project_of_an_old_name_is_another_project(db: Database) -> None:
    alice = await person(db, "alice")
    first = await project(db, "team", alice)
    await db.write(lambda conn: store.remove(conn, first, alice, grace_seconds=60))
    assert await project(db, "team", alice) != first
