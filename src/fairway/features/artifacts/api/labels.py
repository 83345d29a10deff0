"""Labels of an artifact: hanging one on it, taking one off."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import BadRequest, ManifestUnknown, NameUnknown
from fairway.core.oci.names import Reference, Repository
from fairway.features.artifacts import changing
from fairway.features.artifacts.api.places import (
    ARTIFACT,
    WRONG_NAME,
    InRepository,
    Referred,
    not_found,
    place_of,
)
from fairway.features.artifacts.changing import Place
from fairway.features.artifacts.model import Periods
from fairway.features.labels import store
from fairway.features.labels.model import Label
from fairway.frame.access.catalogue import ARTIFACT_LABEL_CREATE, ARTIFACT_LABEL_DELETE
from fairway.frame.db import Conn, Database, UniqueViolation
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict, NotFound
from fairway.frame.web.routes import AskedBy, Authoriser, InProject, Routes

_MOST = 2**63 - 1
LabelId = Annotated[int, Path(ge=1, le=_MOST)]


class LabelRef(BaseModel):
    """The label to hang on it; other fields of Harbor's Label are ignored."""

    id: int = 0


def routes(db: Database, authoriser: Authoriser, periods: Periods) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    made = Routes(authoriser, tags=["artifact"])

    @made.post(
        ARTIFACT + "/labels",
        permission=ARTIFACT_LABEL_CREATE,
        response_class=Response,
        raises=(*WRONG_NAME, Conflict),
    )
    async def add_label(
        asked_by: AskedBy,
        project: InProject,
        repo: InRepository,
        ref: Referred,
        asked: Annotated[LabelRef, json_body(LabelRef)],
    ) -> Response:
        if not 0 < asked.id <= _MOST:
            raise BadRequest('say which label by its id: {"id": 7}; GET labels lists them')
        place = place_of(project, asked_by, periods)

        async def add(conn: Conn) -> None:
            artifact, digest = await _kept(conn, place, repo, ref)
            label = await store.keep(conn, asked.id, project.id)
            if label is None:
                raise NotFound(f"there is no label {asked.id} for artifacts of this project")
            await store.attach(conn, label.id, artifact)
            await place.record(conn, repo, "artifact.labelled", _facts(digest, label))

        try:
            await db.write(add)
        except UniqueViolation:
            raise Conflict(f"the label {asked.id} is on this artifact already") from None
        return Response()

    @made.delete(
        ARTIFACT + "/labels/{label_id}",
        permission=ARTIFACT_LABEL_DELETE,
        response_class=Response,
        raises=WRONG_NAME,
    )
    async def remove_label(
        asked_by: AskedBy, project: InProject, repo: InRepository, ref: Referred, label_id: LabelId
    ) -> Response:
        place = place_of(project, asked_by, periods)

        async def remove(conn: Conn) -> None:
            artifact, digest = await _kept(conn, place, repo, ref)
            label = await store.keep(conn, label_id, project.id)
            if label is None or not await store.detach(conn, label.id, artifact):
                raise NotFound(f"the label {label_id} is not on this artifact")
            await place.record(conn, repo, "artifact.unlabelled", _facts(digest, label))

        await db.write(remove)
        return Response()

    return made.router


async def _kept(conn: Conn, place: Place, repo: Repository, ref: Reference) -> tuple[int, Digest]:
    """An artifact's id and digest; nobody deletes it until the transaction ends.  Raises NotFound."""
    try:
        return await changing.keep(conn, place, repo, ref)
    except (NameUnknown, ManifestUnknown) as error:
        raise not_found(error) from None


def _facts(digest: Digest, label: Label) -> dict[str, object]:
    return {"digest": digest, "label_id": label.id, "label": label.name}
