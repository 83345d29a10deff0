"""Which repository and which artifact a path names.

A repository's name may have slashes, and a path parameter may not: clients encode the name twice, `a/b` as `a%252Fb`,
of which the server takes one layer and we the other.
"""

from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest, ManifestUnknown, NameUnknown
from fairway.core.oci.names import Reference, Repository, parse_reference
from fairway.features.artifacts.changing import Place
from fairway.features.artifacts.model import Periods
from fairway.features.artifacts.store import manifests
from fairway.frame.access.may import ProjectFacts
from fairway.frame.access.principals import Principal
from fairway.frame.db import Conn
from fairway.frame.web.deciding import Caller, repository_of
from fairway.frame.web.errors import NotFound

REPOSITORY: Final = "/projects/{project_name}/repositories/{repository_name}"
ARTIFACT: Final = REPOSITORY + "/artifacts/{reference}"
WRONG_NAME: Final = (BadRequest, NotFound)
"""What routes below a repository raise for its name."""


async def _repository(request: Request) -> Repository:
    name = repository_of(request)  # the name that the caller was let in for
    caller: Caller = request.state.caller
    # What it is called now, whatever name the path has.
    called = caller.project.name if caller.project else ""
    return Repository(f"{called or request.path_params['project_name']}/{name}")


async def _reference(request: Request) -> Reference:
    return parse_reference(str(request.path_params["reference"]))


InRepository = Annotated[Repository, Depends(_repository)]
"""A handler's parameter for the repository of the path, which may not exist; 400 for what cannot be a name."""

Referred = Annotated[Reference, Depends(_reference)]
"""A handler's parameter for the tag or digest of the path; 400 for what can be neither."""


async def repository_id(conn: Conn, project: ProjectFacts, repo: Repository) -> int:
    """The id of a repository.  Raises NotFound."""
    found = await manifests.repository(conn, project.id, repo.rest)
    if found is None:
        raise NotFound(f"repository {repo} not found")
    return found


def place_of(project: ProjectFacts, actor: Principal, periods: Periods) -> Place:
    """Where `actor` changes something."""
    return Place(project.id, actor.name, periods)


def not_found(error: NameUnknown | ManifestUnknown) -> NotFound:
    """The registry's error in the words of this API."""
    return NotFound(error.message)
