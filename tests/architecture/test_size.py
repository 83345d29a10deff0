"""Files and functions stay small enough to be read in one go."""

import ast

from architecture.source import modules, nodes

LINES_PER_FILE = 400
LINES_PER_FUNCTION = 60


def test_no_file_is_too_long() -> None:
    lengths = {m.path: m.text.count("\n") for m in modules() if "/migrations/" not in m.path}
    assert not {path: lines for path, lines in lengths.items() if lines > LINES_PER_FILE}


def test_no_function_is_too_long() -> None:
    too_long = {}
    for module, node in nodes(ast.FunctionDef, ast.AsyncFunctionDef):
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > LINES_PER_FUNCTION and "/migrations/" not in module.path:
            too_long[f"{module.at(node)} {node.name}"] = lines
    assert not too_long


def test_no_file_is_named_after_nothing() -> None:
    vague = {"utils.py", "util.py", "helpers.py", "helper.py", "common.py", "misc.py", "manager.py"}
    assert not [m.path for m in modules() if m.path.rsplit("/", 1)[-1] in vague]
