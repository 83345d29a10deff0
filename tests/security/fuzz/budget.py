"""How long a parser is fuzzed: a fixed list of examples by default, or new ones for `FAIRWAY_TEST_FUZZ_SECONDS` each.

An input that once failed stays with its test as an `@example`, so that every run begins with it.
"""

import functools
import os
import time
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

from fairway.core.oci.errors import FairwayError

SECONDS = float(os.environ.get("FAIRWAY_TEST_FUZZ_SECONDS", "0"))
_AT_ONCE = 500


def fuzzed(
    parser: str, *inputs: SearchStrategy[Any], examples: int = 300
) -> Callable[[Callable[..., None]], Callable[[], None]]:
    """Make a test of a check that takes one input of each strategy."""

    def wrap(check: Callable[..., None]) -> Callable[[], None]:
        def test() -> None:
            run(parser, check, *inputs, examples=examples)

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return wrap


def run(parser: str, check: Callable[..., None], *inputs: SearchStrategy[Any], examples: int) -> None:
    """Give `check` one input of each strategy, again and again; prints the parser, examples, seconds, verdict."""
    tried = 0

    @settings(
        max_examples=_AT_ONCE if SECONDS else examples,
        derandomize=not SECONDS,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(*inputs)
    @functools.wraps(check)
    def one(*values: Any, **named: Any) -> None:
        nonlocal tried
        tried += 1
        check(*values, **named)

    started, verdict = time.monotonic(), "FAILED"
    try:
        one()
        while time.monotonic() - started < SECONDS:
            one()
        verdict = "ok"
    finally:
        print(f"{parser:<24} {tried:>9} examples {time.monotonic() - started:>7.1f} s  {verdict}")


def told_briefly(refused: FairwayError) -> None:
    """A refusal does not repeat what may be megabytes."""
    assert len(refused.message) < 1000
