"""What is known about a project's quota."""

from dataclasses import dataclass

UNLIMITED = -1
"""A limit that is none."""


@dataclass(frozen=True, slots=True)
class Quota:
    """Bytes a project may store (UNLIMITED: any) and does; its id is the project's.  Times in µs since the epoch."""

    project: int
    name: str
    owner_name: str
    hard: int
    used: int
    created_at: int
    changed_at: int
