"""The pages about security and reliability name tests that are there, and no case that tests name is missing."""

import ast
import re
from functools import cache

import pytest

from architecture.source import ROOT

TESTS = ROOT / "tests"
PAGE = (ROOT / "docs" / "concepts" / "security.md").read_text("utf-8")
FAULTS = (ROOT / "docs" / "concepts" / "reliability.md").read_text("utf-8")
ROWS = re.findall(r"^\| (T\d\d) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
FAULT_ROWS = re.findall(r"^\| ([A-Z–][^|]*) \| ([^|]+) \| (`[^|]+) \|$", FAULTS, re.MULTILINE)
NAMED = re.compile(r"`([\w/]+\.py)::([\w:]+)`")


@cache
def names_in(file: str) -> frozenset[str]:
    """`test` and `Class::test` of a file."""
    found = set()
    for node in ast.parse((TESTS / file).read_text("utf-8")).body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        within = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        functions = [each for each in inside if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
        found |= {within + each.name for each in functions if each.name.startswith("test")}
    return frozenset(found)


@pytest.mark.parametrize(("case", "tests"), [(case, tests) for case, _, tests in ROWS + FAULT_ROWS])
def test_every_test_on_the_page_exists(case: str, tests: str) -> None:
    named = NAMED.findall(tests)
    assert named
    assert tests.count("`") == 2 * len(named), "nothing else is named there"
    for file, test in named:
        assert (TESTS / file).is_file(), file
        assert test in names_in(file), f"{file} has no {test}"


def test_cases_are_in_order_and_said_once() -> None:
    cases = [case for case, _, _ in ROWS]
    assert cases == sorted(set(cases))
    assert len(cases) == PAGE.count("\n| T")
    assert len(FAULT_ROWS) == FAULTS.partition("## The faults")[2].count("\n| ") - 1


def test_every_case_that_a_security_test_is_about_is_on_the_page() -> None:
    cases = {case for case, _, _ in ROWS}
    for file in sorted((TESTS / "security").glob("test_*.py")):
        about = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
        first = about.partition("\n")[0]
        for low, high in re.findall(r"T(\d\d)(?: – T(\d\d))?", first):
            if not high:
                assert f"T{low}" in cases, f"{file.name} is about T{low}"
