"""Whose requests these are, and how long what they are told stays true."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Periods:
    """How long promises last, in seconds."""

    lease: int
    grace: int
    trash: int
    undo: int = 0
    """For which a deleted manifest may be had back; 0: it is gone at once."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose requests these are: `key` binds uploads to a principal, `name` is told in events."""

    key: str
    name: str
    may_push: bool
    """Positive answers leave a lease."""
