"""Roles that are made here."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "roles",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_roles"),
        sa.UniqueConstraint("name", name="uq_roles_name"),
        sa.CheckConstraint("id >= 100", name=op.f("ck_roles_custom")),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('roles', 99)")
    else:
        op.execute("ALTER SEQUENCE roles_id_seq RESTART WITH 100")
    op.create_table(
        "role_permissions",
        sa.Column("role_id", ID, nullable=False),
        sa.Column("resource", NAME, nullable=False),
        sa.Column("action", NAME, nullable=False),
        sa.ForeignKeyConstraint(
            ["role_id"], ["roles.id"], name="fk_role_permissions_role_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("role_id", "resource", "action", name="pk_role_permissions"),
    )
    op.create_index(
        "ix_role_permissions_resource_action_role_id", "role_permissions", ["resource", "action", "role_id"]
    )
    custom = sa.text("role >= 100")
    op.create_index(
        "ix_members_custom_role", "members", ["role"], sqlite_where=custom, postgresql_where=custom
    )


def downgrade() -> None:
    op.drop_index("ix_members_custom_role", table_name="members")
    op.execute("DELETE FROM members WHERE role >= 100")
    op.drop_table("role_permissions")
    op.drop_table("roles")
