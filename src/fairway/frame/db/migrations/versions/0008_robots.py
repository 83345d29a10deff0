"""Robots, and what they were granted."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")
OF_SYSTEM = sa.text("project_id IS NULL")


def upgrade() -> None:
    op.create_table(
        "robots",
        sa.Column("id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=True),
        sa.Column("name", NAME, nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("duration", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("creator_type", NAME, nullable=False),
        sa.Column("creator_ref", ID, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_robots_project_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_robots"),
        sa.UniqueConstraint("project_id", "name", name="uq_robots_project_id_name"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_robots_name",
        "robots",
        ["name"],
        unique=True,
        sqlite_where=OF_SYSTEM,
        postgresql_where=OF_SYSTEM,
    )
    op.create_table(
        "robot_permissions",
        sa.Column("id", ID, nullable=False),
        sa.Column("robot_id", ID, nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("project_id", ID, nullable=True),
        sa.Column("resource", NAME, nullable=False),
        sa.Column("action", NAME, nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_robot_permissions_project_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["robot_id"], ["robots.id"], name="fk_robot_permissions_robot_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_robot_permissions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_robot_permissions_robot_id", "robot_permissions", ["robot_id"], unique=False)
    op.create_index("ix_robot_permissions_project_id", "robot_permissions", ["project_id"], unique=False)


def downgrade() -> None:
    op.drop_table("robot_permissions")
    op.drop_table("robots")
