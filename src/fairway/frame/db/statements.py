"""SQLAlchemy Core statements turned into text and positions for a driver, once per statement object.

Hot statements are module-level constants with `bindparam()` names: they compile once per process and then cost a
dictionary look-up.  Statements built per call (listings) compile each time, about 0.3 ms.
"""

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy.engine import Dialect
from sqlalchemy.sql.base import Executable


class Compiled:
    """SQL text for one driver, the order of its parameters, and the values the statement itself carries."""

    __slots__ = ("defaults", "names", "sql")

    def __init__(self, sql: str, names: tuple[str, ...], defaults: Mapping[str, Any]) -> None:
        self.sql = sql
        self.names = names
        self.defaults = dict(defaults)

    def arguments(self, params: Mapping[str, Any]) -> list[Any]:
        """The values in the order of the text.  Raises KeyError for a parameter that nobody gave."""
        defaults = self.defaults
        return [params[name] if name in params else defaults[name] for name in self.names]


class Compiler:
    """Compiles for one dialect and remembers the result as long as the statement object lives."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._known: WeakKeyDictionary[Executable, Compiled] = WeakKeyDictionary()

    def compile(self, statement: Executable, params: Mapping[str, Any]) -> Compiled:
        known = self._known.get(statement)
        if known is None:
            known = self._compile(statement, params)
        return known

    def _compile(self, statement: Any, params: Mapping[str, Any]) -> Compiled:
        compiled = statement.compile(dialect=self._dialect)
        if compiled.post_compile_params:
            # An IN list: its length is part of the text, so this form is not remembered.
            state = compiled.construct_expanded_state(dict(params))
            return Compiled(state.statement, tuple(state.positiontup or ()), state.parameters)
        defaults = {
            name: value
            for name, value in compiled.construct_params(_check=False).items()
            if value is not None
        }
        for name, bind in compiled.binds.items():
            if not bind.required and name not in defaults:
                defaults[name] = None
        result = Compiled(compiled.string, tuple(compiled.positiontup or ()), defaults)
        self._known[statement] = result
        return result
