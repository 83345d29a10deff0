"""What commands say of rights that are for some repositories of a project only."""

from collections.abc import Sequence
from typing import Annotated

import typer

Repositories = Annotated[
    list[str] | None,
    typer.Option(
        "--repository",
        help="Only in these repositories of the project, such as 'team-a/**'; can be given several times",
        show_default=False,
    ),
]


def only(patterns: Sequence[str]) -> str:
    """What to add to a right: its repositories, nothing when it is for all."""
    return f" ({', '.join(patterns)})" if patterns else ""
