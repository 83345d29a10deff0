"""How many walks through very many rows one process has patience for, and how many of them for one caller."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from fairway.core.oci.errors import Unavailable

MOST_WALKS = 64
"""Walks of one process that run or wait for their turn; more are refused with 503."""
MOST_OF_ONE = 32
"""Those among them that one caller may have, so that nobody alone keeps the others from their lists."""

asker: Final[ContextVar[str]] = ContextVar("asker", default="")
"""For whom this task works: a name, or the address of who has none; empty for the server itself."""


class TooManyWalks(Unavailable):
    """As many walk as there is patience for."""

    def __init__(self, of_one: bool = False) -> None:
        what = "you are filtering many lists at once" if of_one else "many lists are being filtered just now"
        super().__init__(f"{what}; try again in a moment", retry_after=2)


class Line:
    """Who walks in this process or waits for it."""

    def __init__(self) -> None:
        self._of: Counter[str] = Counter()

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the line.  Raises TooManyWalks."""
        by = asker.get()
        if self._of.total() >= MOST_WALKS:
            raise TooManyWalks
        if by and self._of[by] >= MOST_OF_ONE:
            raise TooManyWalks(of_one=True)
        self._of[by] += 1
        try:
            yield
        finally:
            self._of[by] -= 1
            if not self._of[by]:
                del self._of[by]
