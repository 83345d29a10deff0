"""What SQLite's errors mean to features."""

import sqlite3

from fairway.core.oci.errors import Unavailable
from fairway.frame.db.database import ReferenceViolation, TooBroad, UniqueViolation


def translated(error: sqlite3.Error) -> Exception:
    name = getattr(error, "sqlite_errorname", "")
    if name in ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"):
        return UniqueViolation(str(error))
    if name == "SQLITE_CONSTRAINT_FOREIGNKEY":
        return ReferenceViolation(str(error))
    if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
        return error
    if name == "SQLITE_INTERRUPT":
        return TooBroad()
    # Locked by others, disk full, I/O error: the caller may try again later.
    return Unavailable(f"the database cannot answer now ({name or 'SQLITE_ERROR'}); try again", retry_after=2)
