"""Projects: their settings by name, members with ids of their own, when a limit was last set."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")
_MEMBER = ("project_id", "user_id", "role", "created_at")


def upgrade() -> None:
    op.create_table(
        "project_metadata",
        sa.Column("project_id", ID, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_project_metadata_project_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", "name", name="pk_project_metadata"),
    )
    op.add_column("quotas", sa.Column("changed_at", sa.BigInteger(), nullable=True))
    _made_anew(_members_with_ids)


def downgrade() -> None:
    _made_anew(_members_by_key)
    op.drop_column("quotas", "changed_at")
    op.drop_table("project_metadata")


def _made_anew(make: Callable[[], sa.Table]) -> None:
    """Replace the table of members: SQLite cannot change a primary key."""
    kept = op.create_table(
        "members_kept",
        sa.Column("project_id", sa.BigInteger()),
        sa.Column("user_id", sa.BigInteger()),
        sa.Column("role", sa.Integer()),
        sa.Column("created_at", sa.BigInteger()),
    )
    old = sa.table("members", *map(sa.column, _MEMBER))
    op.execute(kept.insert().from_select(_MEMBER, sa.select(*old.c)))
    op.drop_index("ix_members_user_id", table_name="members")
    op.drop_table("members")
    made = make()
    first_come = sa.select(*kept.c).order_by(kept.c.created_at, kept.c.project_id, kept.c.user_id)
    op.execute(made.insert().from_select(_MEMBER, first_come))
    op.create_index("ix_members_user_id", "members", ["user_id"], unique=False)
    op.drop_table("members_kept")


def _members_with_ids() -> sa.Table:
    return op.create_table(
        "members",
        sa.Column("id", ID, nullable=False),
        *_columns(),
        sa.PrimaryKeyConstraint("id", name="pk_members"),
        sa.UniqueConstraint("project_id", "user_id", name="uq_members_project_id_user_id"),
        sqlite_autoincrement=True,
    )


def _members_by_key() -> sa.Table:
    return op.create_table(
        "members", *_columns(), sa.PrimaryKeyConstraint("project_id", "user_id", name="pk_members")
    )


def _columns() -> tuple[sa.Column[Any] | sa.ForeignKeyConstraint, ...]:
    return (
        sa.Column("project_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("role", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_members_project_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_members_user_id", ondelete="CASCADE"),
    )
