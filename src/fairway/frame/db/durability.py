"""Whether a database keeps what it has committed when the power fails, by its own settings."""

from sqlalchemy import func, select

from fairway.frame.db.database import Database

_SAFE = {
    "fsync": {"on"},
    "full_page_writes": {"on"},
    "synchronous_commit": {"on", "remote_apply", "remote_write", "local"},
}
_ASK = select(*(func.current_setting(name).label(name) for name in _SAFE))


async def weaknesses(db: Database) -> list[str]:
    """What is set so that a power cut may take committed rows; empty when nothing is.  Raises Unavailable.

    SQLite has no such settings of its own: we open it ourselves, and what counts is the file system.
    """
    if db.dialect != "postgresql":
        return []
    found = await db.first(_ASK)
    assert found is not None
    return [f"{name} = {found[name]}" for name, safe in _SAFE.items() if found[name] not in safe]
