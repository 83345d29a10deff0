"""The source tree as syntax trees, for the tests that read the code instead of running it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "fairway"

Node = TypeVar("Node", bound=ast.AST)


@dataclass(frozen=True, slots=True)
class Module:
    """One source file: where it is, what it says, and its syntax tree."""

    path: str  # relative to the package, such as "core/oci/digest.py"
    text: str
    tree: ast.Module

    def at(self, node: ast.stmt | ast.expr) -> str:
        return f"{self.path}:{node.lineno}"

    def imports(self) -> set[str]:
        """The top-level names of everything imported, also inside functions."""
        found = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
        return found


@cache
def modules(pattern: str = "**/*.py") -> tuple[Module, ...]:
    """All modules of the package whose path fits the glob."""
    return tuple(
        Module(str(file.relative_to(PACKAGE)), text := file.read_text("utf-8"), ast.parse(text))
        for file in sorted(PACKAGE.glob(pattern))
    )


def nodes(*kinds: type[Node]) -> Iterator[tuple[Module, Node]]:
    """Every node of these kinds, with its module."""
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, kinds):
                yield module, node


def called(call: ast.Call) -> str:
    """The dotted name of what is called, as far as it is one: "yaml.load", "text", "".join → "join"."""
    parts = []
    node = call.func
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(node.id)
    return ".".join(reversed(parts))
