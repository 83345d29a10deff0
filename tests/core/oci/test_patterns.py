"""Patterns of rules: what each kind matches, what is refused, and that no pattern can hold a process."""

import contextlib
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairway.core.oci.errors import BadRequest, PatternInvalid
from fairway.core.oci.patterns import MAX_PATTERN, Kind, Selector, any_of, matcher


def matches(kind: str, pattern: str, name: str) -> bool:
    return matcher(Kind(kind), pattern)(name)


DOUBLESTAR = [
    # pattern, names it matches, names it does not
    ("", ["latest", "a/b"], []),
    ("**", ["latest", "a/b/c"], []),
    ("*", ["latest", "v1.0"], ["a/b"]),
    ("latest", ["latest"], ["latest1", "LATEST", "a/latest"]),
    ("v*", ["v", "v1", "v1.2.3"], ["1", "av1", "v/1"]),
    ("*-rc*", ["1-rc1", "-rc"], ["1-r", "rc"]),
    ("v?.?", ["v1.2"], ["v1.", "v12.3", "v1/2"]),
    ("release-**", ["release-1", "release-"], ["release-1/2"]),
    ("{latest,v*}", ["latest", "v7"], ["lates", "beta"]),
    ("{a,b}{1,2}", ["a1", "b2"], ["a", "12"]),
    ("x{,-debug}", ["x", "x-debug"], ["x-"]),
    ("{a{b,c},d}e", ["abe", "ace", "de"], ["ae"]),
    ("[a-c]x", ["ax", "cx"], ["dx", "x"]),
    ("[^a-c]x", ["dx"], ["ax", "/x"]),
    ("[!a]", ["!", "a"], ["b"]),
    (r"[\]\-a]", ["]", "-", "a"], ["b"]),
    ("[+-0]", ["+", ".", "0"], ["/"]),
    ("[/]", [], ["/", "a"]),
    (r"\*", ["*"], ["a"]),
    (r"\{a\}", ["{a}"], ["a"]),
    ("a.b", ["a.b"], ["axb"]),
    ("a,b}", ["a,b}"], ["a"]),
    ("a/*", ["a/b"], ["a", "a/b/c", "b/a"]),
    ("a/**", ["a/b", "a/b/c"], ["a", "ab/c"]),
    ("**/a", ["a", "b/a", "c/b/a"], ["ba", "a/b"]),
    ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a", "b", "ab", "a/xb"]),
    ("**/**", ["a", "a/b"], []),
    ("a/**/**", ["a/b"], ["a"]),
    ("a/***", ["a/b"], ["a/b/c"]),
    ("{a/b,c}/d", ["a/b/d", "c/d"], ["a/d"]),
    ("{a/**,c}", ["a/b/c", "c"], ["a"]),
    ("{a/**,c}/d", ["a/d", "a/b/c/d", "c/d"], ["a/", "ad"]),
    ("{a/**/**,c}/d", ["a/d", "a/b/c/d", "c/d"], ["ad"]),
    ("{**,x/y}", ["a", "x/y"], ["a/b"]),
    ("{,a}**", ["a", "b"], ["a/b"]),
    ("é?", ["éa"], ["é"]),
]


@pytest.mark.parametrize(
    ("pattern", "taken", "left"), DOUBLESTAR, ids=[row[0] or "empty" for row in DOUBLESTAR]
)
def test_path_patterns_match_as_harbor_has_them(pattern: str, taken: list[str], left: list[str]) -> None:
    assert [name for name in taken + left if matches("doublestar", pattern, name)] == taken


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("{a", "never closed"),
        ("{a{b}", "never closed"),
        ("[a", "close it with ']'"),
        ("[]", "holds no character"),
        ("[^]", "holds no character"),
        ("[-a]", "cannot stand there"),
        ("[a-]", "cannot stand there"),
        ("[c-a]", "runs backwards"),
        ("a\\", "ends in a backslash"),
        ("[\\", "never closed|backslash"),
        ("a\nb", "control characters"),
        ("a" * (MAX_PATTERN + 1), "are the most"),
    ],
)
def test_a_bad_path_pattern_is_refused_with_what_is_wrong(pattern: str, says: str) -> None:
    with pytest.raises(PatternInvalid, match=says):
        matcher(Kind.DOUBLESTAR, pattern)


def test_a_bad_pattern_is_a_bad_request() -> None:
    assert issubclass(PatternInvalid, BadRequest)


REGEX = [
    (r"v\d+", ["v1", "v12"], ["v", "av1", "v1a"]),
    ("a|b", ["a", "b"], ["ab"]),
    ("(?i)latest", ["LATEST"], ["latests"]),
    ("^v1$", ["v1"], ["v11"]),
    (r"library/.+", ["library/a/b"], ["library"]),
]


@pytest.mark.parametrize(("pattern", "taken", "left"), REGEX)
def test_regular_expressions_match_the_whole_name(pattern: str, taken: list[str], left: list[str]) -> None:
    assert [name for name in taken + left if matches("regex", pattern, name)] == taken


@pytest.mark.parametrize(
    "pattern", ["", "(", "(?=a)", r"(a)\1", "[[:none:]]", r"\pL{999}", "a{1001}", "*", "\ud800"]
)
def test_a_regular_expression_that_cannot_run_in_linear_time_and_little_memory_is_refused(
    pattern: str,
) -> None:
    with pytest.raises(PatternInvalid):
        matcher(Kind.REGEX, pattern)


SEMVER = [
    (">=1.2 <2 || ^3", ["1.2.0", "v1.9.9", "3.4.5"], ["1.1.9", "2.0.0", "4.0.0", "latest", "1.2", "v"]),
    (">= 1.2   < 2", ["1.2.0"], ["2.0.0"]),
    ("^0.2.3", ["0.2.4"], ["0.3.0"]),
    ("~1.2", ["1.2.9"], ["1.3.0"]),
    ("1.x", ["1.0.0", "v1.5.2"], ["2.0.0", "vv1.0.0", "01.0.0"]),
    ("1.2 - 2.0.0", ["1.5.0", "2.0.0"], ["2.0.1"]),
    ("*", ["0.0.1", "9.9.9"], ["1.0.0-rc.1", "main"]),
    (">=1.0.0-rc.1 <2", ["1.0.0-rc.2", "1.4.0"], ["1.0.0-rc.0", "1.4.0-rc.1"]),
    ("^1", ["1.2.3_build.5", "v1.2.3_build"], ["1_2.3"]),
]


@pytest.mark.parametrize(("pattern", "taken", "left"), SEMVER)
def test_ranges_of_versions_match_as_npm_has_them(pattern: str, taken: list[str], left: list[str]) -> None:
    assert [name for name in taken + left if matches("semver", pattern, name)] == taken


@pytest.mark.parametrize(
    "pattern", ["latest", "foo - bar", "1.2.3.4", ">", "~*", "a || b", "1 - 2 - 3", "1.0-01"]
)
def test_what_is_no_range_of_versions_is_refused(pattern: str) -> None:
    with pytest.raises(PatternInvalid, match="range of versions"):
        matcher(Kind.SEMVER, pattern)


def test_a_selector_selects_what_matches_or_all_the_others() -> None:
    only, others = Selector(Kind.DOUBLESTAR, "v*"), Selector(Kind.DOUBLESTAR, "v*", excludes=True)
    assert [(only.selects(name), others.selects(name)) for name in ("v1", "latest")] == [
        (True, False),
        (False, True),
    ]


def test_a_kind_that_there_is_not_is_no_kind() -> None:
    with pytest.raises(ValueError, match="glob"):
        Kind("glob")


HOSTILE = [
    ("regex", "(a+)+$", "a" * 50_000 + "!"),
    ("regex", "(a|aa)+", "a" * 50_000 + "!"),
    ("regex", "(.*a){20}", "a" * 50_000 + "!"),
    ("doublestar", "*a" * 40 + "*!", "a" * 50_000),
    ("doublestar", "**/" * 40 + "x", "a/" * 25_000),
    ("doublestar", "{a,aa,aaa}" * 30 + "!", "a" * 50_000),
    ("doublestar", "{*,**}" * 40 + "!", "a" * 50_000),
    ("semver", "^1 || " * 100 + "^1", "1." * 25_000),
    ("semver", "*", "1.2." + "9" * 50_000),
]


@pytest.mark.parametrize(("kind", "pattern", "name"), HOSTILE)
def test_a_hostile_pattern_takes_time_in_proportion_to_the_name(kind: str, pattern: str, name: str) -> None:
    matches_it = matcher(Kind(kind), pattern)

    def quickest(text: str) -> float:
        taken = []
        for _ in range(5):
            start = time.perf_counter()
            assert not matches_it(text)
            taken.append(time.perf_counter() - start)
        return min(taken)

    matches_it(name)  # what is made once, at the first use
    short, whole = quickest(name[: len(name) // 10] + name[-1]), quickest(name)
    assert whole < max(40 * short, 0.05)  # ten times the length; a backtracking engine never ends


@pytest.mark.parametrize(
    "pattern",
    ["[" * 1024, "{" * 1024, "{,}" * 341, "\\" * 1024, "[^é]" * 256, "?" * 1024, "{" * 512 + "}" * 512],
)
def test_the_longest_patterns_are_read_or_refused_at_once(pattern: str) -> None:
    start = time.process_time()
    with contextlib.suppress(PatternInvalid):
        matcher(Kind.DOUBLESTAR, pattern)("a" * 255)
    assert time.process_time() - start < 1  # of the processor's time: an exponential expansion would be years


def test_a_process_without_rules_loads_no_matcher() -> None:
    seen = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, fairway.core.oci.patterns; print([m for m in ('re2', 'semantic_version') if m in sys.modules])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout.strip() == "[]"


# ---------------------------------------------------------------------- against a model that backtracks

Token = tuple[str, str]


def tokens(pattern: str) -> list[Token]:
    """The pattern's parts, each with what stands right before it in the text."""
    found: list[Token] = []
    before, at = "/", 0
    while at < len(pattern):
        size = 2 if pattern.startswith("**", at) and not pattern.startswith("***", at) else 1
        if pattern.startswith("***", at):
            size = len(pattern[at:]) - len(pattern[at:].lstrip("*"))
        part = pattern[at : at + size]
        found.append((part, before))
        before, at = part[-1], at + size
    return found


def expanded(rest: list[Token]) -> Iterator[list[Token]]:
    """All sequences without braces."""
    opening = next((i for i, (part, _) in enumerate(rest) if part == "{"), None)
    if opening is None:
        yield rest
        return
    depth, start, options = 0, opening + 1, []
    for at in range(opening, len(rest)):
        part = rest[at][0]
        depth += {"{": 1, "}": -1}.get(part, 0)
        if (part == "," and depth == 1) or (part == "}" and depth == 0):
            options.append(rest[start:at])
            start = at + 1
        if depth == 0:
            for option in options:
                yield from expanded(rest[:opening] + option + rest[at + 1 :])
            return


def fits(sequence: list[Token], name: str) -> bool:
    @cache
    def from_here(i: int, j: int) -> bool:
        if i == len(sequence):
            return j == len(name)
        part, before = sequence[i]
        after = sequence[i + 1][0] if i + 1 < len(sequence) else "end"
        if part == "**" and before == "/" and after in {"/", "end"}:
            if after == "end":
                return True
            starts = [j, *(k + 1 for k in range(j, len(name)) if name[k] == "/")]
            return any(from_here(i + 2, k) for k in starts)
        if part[0] == "*":
            return from_here(i + 1, j) or (j < len(name) and name[j] != "/" and from_here(i, j + 1))
        if j == len(name):
            return False
        return (name[j] != "/" if part == "?" else name[j] == part) and from_here(i + 1, j + 1)

    return from_here(0, 0)


@st.composite
def patterns(draw: st.DrawFn, depth: int = 0) -> str:
    plain = st.text("ab/?*", max_size=4)
    if depth == 2:
        return draw(plain)
    inner = st.lists(patterns(depth + 1), min_size=1, max_size=3).map(lambda some: "{" + ",".join(some) + "}")
    return "".join(draw(st.lists(st.one_of(plain, st.just("**"), st.just("/**/"), inner), max_size=4)))


@given(patterns(), st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=4).map("/".join))
@example("{a/**,b}/a", "a/a")
@example("a/**/**/b", "a/b")
def test_path_patterns_agree_with_a_model_that_tries_everything(pattern: str, name: str) -> None:
    expected = pattern == "" or any(fits(sequence, name) for sequence in expanded(tokens(pattern)))
    assert matches("doublestar", pattern, name) is expected


@given(st.sampled_from(list(Kind)), st.text(max_size=30), st.text("ab1.-_/", max_size=20))
def test_any_text_is_a_pattern_or_refused_as_one(kind: Kind, pattern: str, name: str) -> None:
    with contextlib.suppress(PatternInvalid):
        assert matcher(kind, pattern)(name) in {True, False}


NAMES = ["v1", "v1.2", "1.2.3", "release-1", "a/b", "a/b/c", "", "x", "latest", "sha256-ab.sig"]


@pytest.mark.parametrize("seed", range(40))
def test_any_of_many_says_what_each_says(seed: int) -> None:
    dice = random.Random(seed)
    said = [
        (Kind.DOUBLESTAR, "v*"),
        (Kind.DOUBLESTAR, "a/**"),
        (Kind.DOUBLESTAR, "{release,x}-?"),
        (Kind.DOUBLESTAR, "[a-l]*"),
        (Kind.REGEX, r"\Qv1"),
        (Kind.REGEX, "a|x"),
        (Kind.SEMVER, ">=1.2 <2"),
        (Kind.DOUBLESTAR, "**"),
    ]
    # `**` seldom: it says everything.
    some = dice.sample(said[: 8 if seed % 8 == 0 else 7], dice.randrange(5))
    selectors = tuple(Selector(*each, excludes=dice.random() < 0.2) for each in some)
    for name in NAMES:
        assert any_of(selectors)(name) is any(each.selects(name) for each in selectors), (selectors, name)


def test_too_many_long_patterns_together_are_asked_one_by_one() -> None:
    selectors = tuple(Selector(Kind.DOUBLESTAR, f"{n}" + "[a-z]" * 200) for n in range(400))
    assert any_of(selectors)("7" + "a" * 200)
    assert not any_of(selectors)("x")
