"""The deciding half of the code does no I/O, reads no clock and awaits nothing."""

import ast

import pytest

from architecture.source import Module, modules

PURE = (
    "core/oci/**/*.py",
    "core/wire/paths.py",
    "core/wire/ranges.py",
    "core/wire/challenge.py",
    "frame/access/**/*.py",
    "frame/egress/addresses.py",
    "frame/egress/places.py",
    "frame/egress/redirects.py",
    "features/*/model.py",
    "features/*/rules.py",
)
IMPURE_IMPORTS = {
    *("aiohttp", "fastapi", "sqlalchemy", "sqlite3", "asyncpg"),
    *("asyncio", "os", "pathlib", "random", "socket", "subprocess", "threading", "time"),
}
CLOCK_CALLS = {"now", "utcnow", "today"}

pure_modules = pytest.mark.parametrize("module", [m for p in PURE for m in modules(p)], ids=lambda m: m.path)


@pure_modules
def test_a_pure_module_imports_nothing_that_acts(module: Module) -> None:
    assert module.imports().isdisjoint(IMPURE_IMPORTS)


@pure_modules
def test_a_pure_module_is_told_the_time(module: Module) -> None:
    calls = (node.func for node in ast.walk(module.tree) if isinstance(node, ast.Call))
    assert not [module.at(f) for f in calls if isinstance(f, ast.Attribute) and f.attr in CLOCK_CALLS]


@pure_modules
def test_a_pure_module_awaits_nothing(module: Module) -> None:
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert not [module.at(node) for node in ast.walk(module.tree) if isinstance(node, waiting)]
