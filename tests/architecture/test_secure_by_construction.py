"""Mistakes that are easier to forbid than to find: leaking comparisons, code from data, SQL from strings (T15, T20, T68)."""

import ast
import re

import pytest

from architecture.source import called, modules, nodes

SECRET_WORDS = ("password", "secret", "token")
CODE_FROM_DATA = {"eval", "exec", "compile", "__import__", "yaml.load", "yaml.unsafe_load"}
SQL_TEXT = {"text", "literal_column"}


def is_secret(node: ast.expr) -> bool:
    """Whether this is a variable or attribute named after a secret.  UPPER_CASE constants are not."""
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return any(word in name for word in SECRET_WORDS)


def is_column(node: ast.expr) -> bool:
    """Whether this is `table.c.name`: comparing it with `==` writes SQL."""
    return (
        isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "c"
    )


def test_secrets_are_never_compared_with_equals() -> None:
    """`==` stops at the first difference, which a patient caller can time: `secrets.compare_digest` does not.

    To ask whether one is set, say `if not password`.
    """
    leaking = [
        module.at(node)
        for module, node in nodes(ast.Compare)
        if any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops)
        and not any(is_column(side) for side in (node.left, *node.comparators))
        and any(is_secret(side) for side in (node.left, *node.comparators))
    ]
    assert not leaking


def test_nothing_from_outside_becomes_code() -> None:
    assert not [m.path for m in modules() if m.imports() & {"pickle", "marshal", "shelve", "dill"}]
    assert not [module.at(call) for module, call in nodes(ast.Call) if called(call) in CODE_FROM_DATA]


def test_no_sql_is_put_together_from_strings() -> None:
    built = [
        module.at(call)
        for module, call in nodes(ast.Call)
        if called(call).rsplit(".", 1)[-1] in SQL_TEXT and call.args and is_built(call.args[0])
    ]
    assert not built


SQL_WORDS = re.compile(
    r"\b(SELECT\b.*\bFROM|INSERT\s+INTO|UPDATE\b.*\bSET|DELETE\s+FROM|WHERE|(CREATE|ALTER|DROP)\s+TABLE)\b",
    re.DOTALL,
)
OUR_OWN_SQL = "frame/db/types.py"
"""Constructs that SQLAlchemy lacks, compiled from its own parts; no value comes near them."""


def test_no_string_that_reads_like_sql_is_put_together() -> None:
    """Whoever would run it: drivers take text, too."""
    built = [
        module.at(node)
        for module, node in nodes(ast.JoinedStr, ast.BinOp, ast.Call)
        if module.path != OUR_OWN_SQL and is_built(node) and SQL_WORDS.search(literal_text(node))
    ]
    assert not built


def literal_text(node: ast.AST) -> str:
    """What stands in quotes somewhere in an expression."""
    texts = (each.value for each in ast.walk(node) if isinstance(each, ast.Constant))
    return " ".join(text for text in texts if isinstance(text, str))


def is_built(argument: ast.expr) -> bool:
    """Whether the string is put together at run time: an f-string, `+`, `%`, `.format` or `.join`."""
    if isinstance(argument, ast.Call):
        return called(argument).rsplit(".", 1)[-1] in {"format", "join"}
    return isinstance(argument, ast.JoinedStr | ast.BinOp)


@pytest.mark.parametrize(
    ("source", "secret"), [("me.password", True), ("token", True), ("TOKEN_PATH", False)]
)
def test_a_secret_is_told_by_its_name(source: str, secret: bool) -> None:
    assert is_secret(ast.parse(source, mode="eval").body) is secret


@pytest.mark.parametrize("source", ['f"a{b}"', '"a" + b', '"a%s" % b', '"a{}".format(b)', '",".join(b)'])
def test_every_way_to_build_a_string_is_recognised(source: str) -> None:
    assert is_built(ast.parse(source, mode="eval").body)


@pytest.mark.parametrize(
    "source", ['f"SELECT x FROM {t}"', '"DELETE FROM users WHERE n = %s" % n', '"UPDATE t SET " + c']
)
def test_sql_is_told_by_its_words(source: str) -> None:
    node = ast.parse(source, mode="eval").body
    assert is_built(node)
    assert SQL_WORDS.search(literal_text(node))
