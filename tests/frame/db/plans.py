"""How a database answers a statement: by which indexes."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.expression import ClauseElement

from fairway.frame.db import Conn, Database


class _Explain(Executable, ClauseElement):
    inherit_cache = False

    def __init__(self, statement: Any) -> None:
        self.statement = statement


@compiles(_Explain, "sqlite")
def _explain_sqlite(element: _Explain, compiler: Any, **kw: Any) -> str:
    return f"EXPLAIN QUERY PLAN {compiler.process(element.statement, **kw)}"


@compiles(_Explain, "postgresql")
def _explain_postgresql(element: _Explain, compiler: Any, **kw: Any) -> str:
    return f"EXPLAIN {compiler.process(element.statement, **kw)}"


async def plan(db: Database, statement: Any, **params: Any) -> str:
    """The plan as text.  PostgreSQL is told that tables are large, which these here are not."""

    async def body(conn: Conn) -> str:
        if db.dialect == "postgresql":
            await conn.all(text("SELECT set_config('enable_seqscan', 'off', true)"))
        return "\n".join(str(tuple(row)) for row in await conn.all(_Explain(statement), **params))

    return await db.read(body)
