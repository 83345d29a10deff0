"""The rows of rules that keep tags where they are, and the tags they keep.

Whoever moves or removes a tag keeps the project first and reads its rules after that; whoever changes a rule locks the
project, so that the two are never under way together: no rule is made between the look at it and the change.
"""

from typing import Any, Final

from sqlalchemy import bindparam, delete, func, insert, select, update

from fairway.core.oci.errors import NameUnknown, PreconditionFailed
from fairway.core.oci.patterns import Kind, Selector
from fairway.features.immutability import rules
from fairway.features.immutability.model import Rule, Wanted
from fairway.features.projects.store.belonging import LIVE
from fairway.frame import events
from fairway.frame.access.principals import Principal
from fairway.frame.db import Conn, ReferenceViolation, Row, now_us
from fairway.frame.db.listing import Field, Filters, Listing, Order
from fairway.frame.db.tables import immutable_rules, projects

_KEEP_PROJECT = (
    select(projects.c.id)
    .where(projects.c.id == bindparam("project"), LIVE)
    .with_for_update(read=True, key_share=True)
)
_LOCK_PROJECT = select(projects.c.name).where(projects.c.id == bindparam("project"), LIVE).with_for_update()
_IN_PROJECT = select(immutable_rules).where(immutable_rules.c.project_id == bindparam("project"))
_ENABLED = _IN_PROJECT.where(immutable_rules.c.disabled.is_(False)).order_by(immutable_rules.c.id)
_ONE = _IN_PROJECT.where(immutable_rules.c.id == bindparam("rule"))
_COUNT = (
    select(func.count())
    .select_from(immutable_rules)
    .where(immutable_rules.c.project_id == bindparam("project"))
)
_LISTING: Final = Listing(
    {
        "id": Field(immutable_rules.c.id),
        "priority": Field(immutable_rules.c.priority),
        "disabled": Field(immutable_rules.c.disabled),
        "creation_time": Field(immutable_rules.c.created_at, moment=True),
        "update_time": Field(immutable_rules.c.updated_at, moment=True),
    },
    default=[("id", False)],
    tie=immutable_rules.c.id,
)
_said = {
    name: bindparam(f"new_{name}", type_=immutable_rules.c[name].type)
    for name in (
        *("fingerprint", "disabled", "priority"),
        *("tag_kind", "tag_pattern", "tag_excludes"),
        *("repository_kind", "repository_pattern", "repository_excludes"),
    )
}
_CREATE = (
    insert(immutable_rules)
    .values(project_id=bindparam("project"), created_at=now_us(), updated_at=now_us(), **_said)
    .returning(immutable_rules.c.id)
)
_CHANGE = (
    update(immutable_rules)
    .where(immutable_rules.c.project_id == bindparam("project"), immutable_rules.c.id == bindparam("rule"))
    .values(updated_at=now_us(), **_said)
)
_REMOVE = delete(immutable_rules).where(
    immutable_rules.c.project_id == bindparam("project"), immutable_rules.c.id == bindparam("rule")
)


def _rule(row: Row) -> Rule:
    return Rule(
        row["id"],
        row["project_id"],
        Wanted(
            tag=_selector(row, "tag"),
            repository=_selector(row, "repository"),
            disabled=bool(row["disabled"]),
            priority=row["priority"],
        ),
    )


def _selector(row: Row, of: str) -> Selector:
    return Selector(Kind(row[f"{of}_kind"]), row[f"{of}_pattern"], bool(row[f"{of}_excludes"]))


def _columns(wanted: Wanted) -> dict[str, object]:
    said: dict[str, object] = {
        "new_fingerprint": rules.fingerprint(wanted),
        "new_disabled": wanted.disabled,
        "new_priority": wanted.priority,
    }
    for of, selector in (("tag", wanted.tag), ("repository", wanted.repository)):
        said |= {
            f"new_{of}_kind": str(selector.kind),
            f"new_{of}_pattern": selector.pattern,
            f"new_{of}_excludes": selector.excludes,
        }
    return said


async def enabled(conn: Conn, project: int) -> tuple[Rule, ...]:
    """The rules of a project that are in force.

    Who decides by them keeps the project in the same transaction, before this.
    """
    return tuple(_rule(row) for row in await conn.all(_ENABLED, project=project))


async def kept(conn: Conn, project: int) -> tuple[Rule, ...]:
    """The same, and nobody changes them until the transaction ends.  Raises NameUnknown when the project is gone."""
    if await conn.first(_KEEP_PROJECT, project=project) is None:
        raise NameUnknown("the project was deleted just now")
    return await enabled(conn, project)


async def by_id(conn: Conn, project: int, rule: int) -> Rule | None:
    """The rule with this id, if it is the project's."""
    row = await conn.first(_ONE, project=project, rule=rule)
    return None if row is None else _rule(row)


async def listed(
    conn: Conn, project: int, filters: Filters, order: Order = (), *, offset: int, limit: int
) -> tuple[list[Rule], int]:
    """One page of a project's rules, those made first first, and how many there are.  Raises BadRequest."""
    conditions = [immutable_rules.c.project_id == project, *_LISTING.where(filters)]
    total = int(await conn.scalar(select(func.count()).select_from(immutable_rules).where(*conditions)))
    page: Any = (
        select(immutable_rules)
        .where(*conditions)
        .order_by(*_LISTING.order(order))
        .offset(offset)
        .limit(limit)
    )
    return [_rule(row) for row in (await conn.all(page) if offset < total else ())], total


async def create(conn: Conn, project: int, wanted: Wanted, by: Principal) -> int:
    """Make a rule; its id.  It holds for whatever comes after this.  Needs a transaction.

    Raises ReferenceViolation when the project is gone, UniqueViolation when there is a rule that says the same, and
    PreconditionFailed when there are too many.
    """
    name = await lock(conn, project)
    if int(await conn.scalar(_COUNT, project=project)) >= rules.MAX_RULES:
        raise PreconditionFailed(
            f"the project has {rules.MAX_RULES} immutable tag rules already; delete one, or let one say more: "
            "a pattern such as {v*,release-*} has alternatives"
        )
    made = int(await conn.scalar(_CREATE, project=project, **_columns(wanted)))
    await _record(conn, "created", Rule(made, project, wanted), name, by)
    return made


async def change(conn: Conn, project: int, rule: int, wanted: Wanted, by: Principal) -> bool:
    """Let a rule say something else; False when the project has no such rule.  Needs a transaction.

    Raises ReferenceViolation when the project is gone, and UniqueViolation when another rule says the same.
    """
    name = await lock(conn, project)
    if not await conn.run(_CHANGE, project=project, rule=rule, **_columns(wanted)):
        return False
    await _record(conn, "updated", Rule(rule, project, wanted), name, by)
    return True


async def remove(conn: Conn, project: int, rule: int, by: Principal) -> bool:
    """Delete a rule; False when the project has no such rule.  Needs a transaction.  Raises ReferenceViolation."""
    name = await lock(conn, project)
    found = await by_id(conn, project, rule)
    if found is None:
        return False
    await conn.run(_REMOVE, project=project, rule=rule)
    await _record(conn, "deleted", found, name, by)
    return True


async def lock(conn: Conn, project: int) -> str:
    """The project's name.  Who moves or removes a tag in it is waited for, and comes after this transaction if later.

    Raises ReferenceViolation when the project is gone.
    """
    name: str | None = await conn.scalar(_LOCK_PROJECT, project=project)
    if name is None:
        raise ReferenceViolation("the project is gone")
    return name


async def _record(conn: Conn, what: str, rule: Rule, project: str, by: Principal) -> None:
    state = ", disabled" if rule.says.disabled else ""
    payload = {
        "project_id": rule.project,
        "project": project,
        "rule_id": rule.id,
        "name": f"{rule.id} ({rule.says}{state})",
        "by": by.name,
    }
    await events.record(conn, f"project:{rule.project}", f"immutablerule.{what}", payload)
