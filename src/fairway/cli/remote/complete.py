"""Names for the shell to complete.  What takes long or goes wrong completes nothing, and says nothing."""

from typing import Final, TypeVar

import typer

from fairway.cli.remote.asking import target
from fairway.client import artifacts, projects
from fairway.client.call import Listing, matching
from fairway.core.oci.errors import FairwayError

T = TypeVar("T")

_SECONDS: Final = 1.0
_MOST: Final = 50


def project_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Projects that the caller may see."""
    found = _first(ctx, projects.named(incomplete))
    return [each.name for each in found if each.name.startswith(incomplete)]


def repository_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Projects, each with the slash that follows; behind that, the repositories in it."""
    project, slash, rest = incomplete.partition("/")
    if not slash:
        return [f"{name}/" for name in project_names(ctx, incomplete)]
    found = _first(ctx, artifacts.repositories(project, q=matching(name__part=rest)))
    return [each.name for each in found if each.name.startswith(incomplete)]


def _first(ctx: typer.Context, listing: Listing[T]) -> tuple[T, ...]:
    try:
        with target(str(ctx.params.get("hub") or "")).open(seconds=_SECONDS, patient=False) as hub:
            return hub.ask(listing.first(_MOST)).items
    except FairwayError:
        return ()
