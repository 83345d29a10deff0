"""What callers filter and sort by becomes SQL in one place: bound values, known columns, a total order."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, select, update

from fairway.core.oci.errors import BadRequest
from fairway.frame.db import Database
from fairway.frame.db.listing import (
    AllOf,
    AnyOf,
    Between,
    Contains,
    Exact,
    Field,
    Filters,
    Listing,
    Order,
    Term,
    walks,
)
from fairway.frame.db.tables import users

LISTING = Listing(
    {
        "username": Field(users.c.username),
        "user_id": Field(users.c.id),
        "sysadmin_flag": Field(users.c.sysadmin),
        "creation_time": Field(users.c.created_at, moment=True),
        "realname": Field(users.c.realname),
    },
    default=[("username", False)],
    tie=users.c.id,
)
SMALL = Listing({"version": Field(users.c.credentials_version)}, default=[("version", False)], tie=users.c.id)
DAY = 86_400 * 1_000_000
PEOPLE = [(3, "Ann", False, 1), (1, "bob", True, 1), (2, "c_d", False, 2), (4, "cxd", False, 3)]


@pytest.fixture
async def people(db: Database) -> Database:
    for id, name, admin, day in PEOPLE:
        made = {"created_at": day * DAY, "updated_at": 1, "password_hash": "", "realname": "same"}
        await db.run(insert(users).values(id=id, username=name, sysadmin=admin, **made))
    return db


async def found(db: Database, filters: dict[str, Term] | None = None, order: Order = ()) -> list[int]:
    statement = select(users.c.id).where(*LISTING.where(filters or {})).order_by(*LISTING.order(order))
    return [row["id"] for row in await db.all(statement)]


@pytest.mark.parametrize(
    ("name", "term", "ids"),
    [
        ("username", Exact("bob"), [1]),
        ("username", Exact("BOB"), []),
        ("username", Exact("x' OR '1'='1"), []),
        ("username", Contains("B"), [1]),
        ("username", Contains("aNn"), [3]),
        ("username", Contains("_"), [2]),
        ("username", Contains("%"), []),
        ("username", AnyOf(("bob", "cxd")), [1, 4]),
        ("username", AllOf(("bob", "cxd")), []),
        ("username", Between("b", "c"), [1]),
        ("user_id", Exact("3"), [3]),
        ("user_id", Between(2, None), [3, 2, 4]),
        ("user_id", Between(None, 2), [1, 2]),
        ("user_id", AnyOf((1, 2)), [1, 2]),
        ("sysadmin_flag", Exact("true"), [1]),
        ("sysadmin_flag", Exact("False"), [3, 2, 4]),
        ("creation_time", Between(datetime(1970, 1, 3, tzinfo=UTC), None), [2, 4]),
        ("creation_time", Exact("1970-01-02T00:00:00"), [3, 1]),
        ("nobody_knows", Exact("1"), [3, 1, 2, 4]),
        ("username; DROP TABLE users", Exact("1"), [3, 1, 2, 4]),
    ],
)
async def test_filters(people: Database, name: str, term: Term, ids: list[int]) -> None:
    assert await found(people, {name: term}) == ids


@pytest.mark.parametrize(
    ("name", "term"),
    [
        ("user_id", Exact("one")),
        ("user_id", Exact("9" * 19)),
        ("user_id", Exact("9" * 400)),
        ("user_id", Exact("--1")),
        ("user_id", Exact("²")),
        ("user_id", AnyOf((datetime(2026, 1, 1, tzinfo=UTC),))),
        ("sysadmin_flag", Exact("perhaps")),
        ("creation_time", Exact("yesterday")),
        ("creation_time", Between(1, None)),
    ],
)
async def test_values_that_a_field_cannot_have_are_refused(people: Database, name: str, term: Term) -> None:
    with pytest.raises(BadRequest):
        await found(people, {name: term})


@pytest.mark.parametrize("text", ["Ö", "Özg", "ÖZG", "ürk", "RK"])
async def test_letters_beyond_ascii_are_found_as_they_are_written(people: Database, text: str) -> None:
    for field in ("username", "realname"):
        await people.run(update(users).where(users.c.id == 4).values({field: "Özgür ÖZGÜRK Türk"}))
        assert await found(people, {field: Contains(text)}) == [4]


@pytest.mark.parametrize(
    ("order", "ids"),
    [
        ([], [3, 1, 2, 4]),  # by code point on both engines
        ([("username", True)], [4, 2, 1, 3]),
        ([("sysadmin_flag", True), ("user_id", False)], [1, 2, 3, 4]),
        ([("realname", False)], [1, 2, 3, 4]),
        ([("realname", True)], [4, 3, 2, 1]),
        ([("password_hash", False)], [3, 1, 2, 4]),
    ],
)
async def test_orders(people: Database, order: Order, ids: list[int]) -> None:
    assert await found(people, {}, order) == ids


@pytest.mark.parametrize("text", ["0" * 30 + "9" * 30, "9" * 19, "-" + "9" * 30, "0" * 5000 + "1" * 20])
async def test_numbers_that_no_column_holds_are_refused(people: Database, text: str) -> None:
    with pytest.raises(BadRequest, match="whole number"):
        await found(people, {"user_id": Exact(text)})
    with pytest.raises(BadRequest, match="whole number"):
        SMALL.where({"version": Exact(text)})


async def test_numbers_may_have_zeros_before_them(people: Database) -> None:
    assert await found(people, {"user_id": Exact("0" * 5000 + "3")}) == [3]


def test_a_small_column_is_asked_for_small_numbers_only() -> None:
    assert SMALL.where({"version": Exact(str(2**31 - 1))})
    with pytest.raises(BadRequest, match="whole number"):
        SMALL.where({"version": Exact(str(2**31))})


@pytest.mark.parametrize(
    ("filters", "order", "slow"),
    [
        ({}, (), False),
        ({"name": Exact("v1")}, (), False),
        ({"name": Exact("v1"), "tags": Exact("v1")}, (), False),
        ({"name": Contains("v1")}, (), True),
        ({"name": AnyOf(("v1", "v2"))}, (), True),
        ({"name": Between("v1", None)}, (), True),
        ({"size": Exact("7")}, (), True),
        ({"name": Exact("v1"), "size": Exact("7")}, (), True),
        ({"tags": Exact("*")}, (), True),
        ({"tags": Exact("nil")}, (), True),
        ({}, [("at", True)], False),
        ({}, [("at", True), ("size", False)], True),
        ({"name": Exact("v1")}, [("size", False)], True),
    ],
)
def test_what_may_look_at_every_row_is_known(filters: Filters, order: Order, slow: bool) -> None:
    assert walks(filters, order, indexed="at", found={"name", "tags"}) is slow


@pytest.mark.parametrize("field", ["username", "user_id"])
async def test_many_values_are_looked_up_in_a_set(people: Database, field: str) -> None:
    [condition] = LISTING.where({field: AnyOf(tuple(range(100)))})
    text = str(condition)
    assert " IN " in text
    assert " OR " not in text
