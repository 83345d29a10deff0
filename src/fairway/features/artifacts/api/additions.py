"""What artifacts say about themselves: their attributes and links in JSON, their pages, and their icons."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import BadRequest, BlobUnknown, ManifestUnknown, Unavailable
from fairway.core.oci.names import Repository
from fairway.features.artifacts import icons, rules
from fairway.features.artifacts.api.places import (
    ARTIFACT,
    WRONG_NAME,
    InRepository,
    Referred,
    repository_id,
)
from fairway.features.artifacts.api.shown import AdditionOut, ArtifactOut
from fairway.features.artifacts.facts import Describer, OpenBlob, Unreadable, whole
from fairway.features.artifacts.icons import Icon
from fairway.features.artifacts.store import blobs, details, listed
from fairway.frame.access.catalogue import ARTIFACT_ADDITION_READ
from fairway.frame.access.principals import Principal
from fairway.frame.db import Conn, Database
from fairway.frame.web.errors import NotFound, Unprocessable
from fairway.frame.web.routes import PUBLIC, AskedBy, Authoriser, InProject, Routes

# Whoever opens a page in a browser: it is no document of ours.
_HARMLESS: Final = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
}


class IconOut(BaseModel):
    """Harbor's Icon; `content` is base64."""

    content_type: str = Field(serialization_alias="content-type")
    content: str


async def describe(
    db: Database, describer: Describer, project: int, found: Sequence[ArtifactOut]
) -> list[ArtifactOut]:
    """The same artifacts of a project with what they say about themselves, and links to what there is."""
    ids = [each.id for each in found]
    sboms = await details.newest_of(db, ids, rules.SBOM) if ids else {}
    places = [(Repository(each.repository_name), Digest(each.digest)) for each in found]
    for artifact, (repo, digest), facts in zip(
        found, places, await describer.facts(project, places), strict=True
    ):
        artifact.extra_attrs = json.loads(facts.attributes)
        artifact.icon = facts.icon or icons.of_type(artifact.type)
        artifact.addition_links = {name: _link(repo, digest, name) for name in facts.additions}
        if artifact.id in sboms:
            artifact.addition_links["sboms"] = _link(repo, sboms[artifact.id], "sbom")
    return list(found)


def _link(repo: Repository, digest: str, name: str) -> AdditionOut:
    """Where a page is: slashes in the repository's name are encoded twice, as everywhere in this API."""
    rest = quote(quote(repo.rest, safe=""), safe="")
    at = f"/api/v2.0/projects/{repo.project}/repositories/{rest}/artifacts/{digest}/additions/{name}"
    return AdditionOut(href=at, absolute=False)


def routes(db: Database, authoriser: Authoriser, describer: Describer, open_blob: OpenBlob) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    made = Routes(authoriser, tags=["artifact"])

    @made.get(
        ARTIFACT + "/additions/{addition}",
        permission=ARTIFACT_ADDITION_READ,
        response_class=Response,
        raises=(*WRONG_NAME, Unprocessable, Unavailable),
    )
    async def get_addition(project: InProject, repo: InRepository, ref: Referred, addition: str) -> Response:
        async def read(conn: Conn) -> Digest:
            row = await listed.one(conn, await repository_id(conn, project, repo), ref)
            if row is None:
                raise NotFound(f"artifact {repo}{'@' if ':' in ref else ':'}{ref} not found")
            return Digest(row["digest"])

        digest = await db.read(read)
        try:
            page = await describer.page(project.id, repo, digest, addition.lower())
        except (ManifestUnknown, BlobUnknown) as error:
            raise NotFound(error.message) from None
        except Unreadable as error:
            raise Unprocessable(f"the addition {addition.lower()} cannot be shown: {error}") from None
        return Response(page.content, headers={**_HARMLESS, "content-type": page.content_type})

    _icons(made, db, open_blob)
    return made.router


def _icons(made: Routes, db: Database, open_blob: OpenBlob) -> None:
    async def pushed(viewer: Principal, digest: Digest) -> Icon | None:
        """A layer that the viewer may see, if it is a picture."""
        place = await db.read(lambda conn: blobs.where_seen(conn, viewer, digest))
        if place is None:
            return None
        repo = Repository(f"{place['project']}/{place['name']}")
        blob = await open_blob(place["project_id"], repo, digest)
        if blob.size > icons.LARGEST:
            return None
        return await asyncio.to_thread(icons.picture, await whole(blob, digest))

    @made.get("/icons/{digest}", permission=PUBLIC, raises=(BadRequest, NotFound, Unavailable))
    async def get_icon(viewer: AskedBy, digest: str) -> IconOut:
        asked = Digest(digest)
        try:
            icon = icons.OURS.get(asked) or await pushed(viewer, asked)
        except BlobUnknown:
            icon = None
        if icon is None:
            raise NotFound(f"icon {asked} not found")
        return IconOut(content_type=icon.content_type, content=b64encode(icon.content).decode())
