"""Alembic's entry point: runs the revisions on the connection that frame/db/migrate.py hands over."""

from alembic import context

from fairway.frame.db.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
