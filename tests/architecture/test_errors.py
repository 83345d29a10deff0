"""An error that is built is raised."""

import ast
import builtins

from architecture.source import nodes

BUILTIN_ERRORS = {
    name for name, it in vars(builtins).items() if isinstance(it, type) and issubclass(it, BaseException)
}


def our_errors() -> set[str]:
    """The names of all exception classes in the package, found by walking down from the built-in ones."""
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for _, node in nodes(ast.ClassDef)
    }
    found: set[str] = set()
    while more := {name for name, of in bases.items() if of & (found | BUILTIN_ERRORS)} - found:
        found |= more
    return found


def test_our_errors_are_found() -> None:
    assert {"FairwayError", "BlobUnknown", "ManifestUnknown"} <= our_errors()


def test_no_error_is_built_and_then_dropped() -> None:
    errors = our_errors() | BUILTIN_ERRORS
    dropped = [
        module.at(statement)
        for module, statement in nodes(ast.Expr)
        if isinstance(call := statement.value, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in errors
    ]
    assert not dropped
