"""Tables of operations of Harbor's API, to call each of them and to compare what it answers and what it says it may.

A table is a TSV file: method, path, operation, status, what it returns (`-`, `string`, a shape or `[shape]`), its errors.
"""

import csv
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi.routing import iter_route_contexts

from fairway.app import management_api
from stories.world import World

API = "/api/v2.0"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

Shape = Mapping[str, type]
"""The fields of an object and of which type each is."""


@dataclass(frozen=True)
class Operation:
    """A row of a table."""

    method: str
    path: str
    name: str
    success: int
    returns: str
    errors: frozenset[int]

    @property
    def route(self) -> str:
        """Method and path, whatever the parameters in it are called."""
        return f"{self.method} {anonymous(self.path)}"


def anonymous(path: str) -> str:
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def operations(table: Path) -> list[Operation]:
    """The rows of a table."""
    with table.open(encoding="utf-8") as lines:
        return [
            Operation(
                row["method"],
                row["path"],
                row["operation"],
                int(row["success"]),
                row["returns"],
                frozenset(map(int, row["errors"].split(","))),
            )
            for row in csv.DictReader(lines, delimiter="\t")
        ]


def check_shape(shown: Any, shape: Shape, nullable: Collection[str] = ()) -> None:
    """Exactly these fields, of these types, moments as they are written."""
    assert shown.keys() == shape.keys()
    for name, kind in shape.items():
        assert type(shown[name]) is kind or (shown[name] is None and name in nullable), name
        if name.endswith(("_at", "_time")) and shown[name] is not None:
            assert MOMENT.fullmatch(shown[name]), name


def check_described(world: World, table: Sequence[Operation], never: Mapping[str, set[int]]) -> None:
    """Every operation is served, and its description has its success and its errors; `never`: those it never has."""
    api = management_api(world.parts)
    described = {
        f"{method.upper()} {anonymous(path.removeprefix(API))}": operation["responses"].keys()
        for path, methods in api.openapi()["paths"].items()
        for method, operation in methods.items()
    }
    served = {
        f"{method} {anonymous(context.path.removeprefix(API))}"
        for context in iter_route_contexts(api.routes)
        for method in context.methods or ()
        if context.path
    }
    assert not [each.name for each in table if each.route not in served]
    for each in table:
        expected = {each.success, *each.errors} - never.get(each.name, set())
        assert {str(status) for status in expected} <= described[each.route], each.name
