"""Labels and where they hang; groups of people, and memberships of groups in projects."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")
_MEMBER = ("id", "project_id", "user_id", "role", "created_at")
_BY_GROUP = "fk_members_group_id"


def upgrade() -> None:
    _labels()
    _groups()
    if op.get_bind().dialect.name == "sqlite":
        _members_anew(grouped=True)
        return
    op.alter_column("members", "user_id", existing_type=sa.BigInteger(), nullable=True)
    op.add_column("members", sa.Column("group_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(_BY_GROUP, "members", "user_groups", ["group_id"], ["id"], ondelete="CASCADE")
    op.create_unique_constraint("uq_members_project_id_group_id", "members", ["project_id", "group_id"])
    op.create_check_constraint(
        op.f("ck_members_one_entity"), "members", "(user_id IS NULL) <> (group_id IS NULL)"
    )
    op.create_index("ix_members_group_id", "members", ["group_id"], unique=False)


def downgrade() -> None:
    op.execute("DELETE FROM members WHERE user_id IS NULL")
    if op.get_bind().dialect.name == "sqlite":
        _members_anew(grouped=False)
    else:
        op.drop_column("members", "group_id")
        op.alter_column("members", "user_id", existing_type=sa.BigInteger(), nullable=False)
    for table in ("user_group_members", "user_groups", "artifact_labels", "labels"):
        op.drop_table(table)


def _labels() -> None:
    op.create_table(
        "labels",
        sa.Column("id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=True),
        sa.Column("name", NAME, nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("color", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        _foreign("labels", "project_id", "projects"),
        sa.PrimaryKeyConstraint("id", name="pk_labels"),
        sqlite_autoincrement=True,
    )
    _unique("ix_labels_global", "labels", ["name"], "project_id IS NULL")
    _unique("ix_labels_in_project", "labels", ["project_id", "name"], "project_id IS NOT NULL")
    op.create_table(
        "artifact_labels",
        sa.Column("artifact_id", ID, nullable=False),
        sa.Column("label_id", ID, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        _foreign("artifact_labels", "artifact_id", "artifacts"),
        _foreign("artifact_labels", "label_id", "labels"),
        sa.PrimaryKeyConstraint("artifact_id", "label_id", name="pk_artifact_labels"),
    )
    op.create_index("ix_artifact_labels_label_id_artifact_id", "artifact_labels", ["label_id", "artifact_id"])


def _groups() -> None:
    op.create_table(
        "user_groups",
        sa.Column("id", ID, nullable=False),
        sa.Column("group_name", NAME, nullable=False),
        sa.Column("group_type", sa.SmallInteger(), nullable=False),
        sa.Column("ldap_group_dn", NAME, server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_user_groups"),
        sqlite_autoincrement=True,
    )
    _unique("ix_user_groups_dn", "user_groups", ["ldap_group_dn"], "group_type = 1")
    _unique("ix_user_groups_name", "user_groups", ["group_name", "group_type"], "group_type <> 1")
    op.create_table(
        "user_group_members",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("group_id", ID, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        _foreign("user_group_members", "user_id", "users"),
        _foreign("user_group_members", "group_id", "user_groups"),
        sa.PrimaryKeyConstraint("user_id", "group_id", name="pk_user_group_members"),
    )
    op.create_index("ix_user_group_members_group_id_user_id", "user_group_members", ["group_id", "user_id"])


def _unique(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=True, sqlite_where=condition, postgresql_where=condition)


def _foreign(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=f"fk_{table}_{column}", ondelete="CASCADE")


def _members_anew(*, grouped: bool) -> None:
    """Replace the table of members: SQLite cannot let a column be empty that may not."""
    kept = op.create_table(
        "members_kept",
        *(sa.Column(name, sa.BigInteger()) for name in _MEMBER),
    )
    old = sa.table("members", *map(sa.column, _MEMBER))
    op.execute(kept.insert().from_select(_MEMBER, sa.select(*old.c)))
    op.drop_table("members")
    more: list[Any] = []
    if grouped:
        more = [
            sa.Column("group_id", ID, nullable=True),
            _foreign("members", "group_id", "user_groups"),
            sa.UniqueConstraint("project_id", "group_id", name="uq_members_project_id_group_id"),
            sa.CheckConstraint("(user_id IS NULL) <> (group_id IS NULL)", name=op.f("ck_members_one_entity")),
        ]
    made = op.create_table(
        "members",
        sa.Column("id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=grouped),
        sa.Column("role", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        _foreign("members", "project_id", "projects"),
        _foreign("members", "user_id", "users"),
        sa.PrimaryKeyConstraint("id", name="pk_members"),
        sa.UniqueConstraint("project_id", "user_id", name="uq_members_project_id_user_id"),
        *more,
        sqlite_autoincrement=True,
    )
    op.execute(made.insert().from_select(_MEMBER, sa.select(*kept.c)))
    op.drop_table("members_kept")
    op.create_index("ix_members_user_id", "members", ["user_id"], unique=False)
    if grouped:
        op.create_index("ix_members_group_id", "members", ["group_id"], unique=False)
