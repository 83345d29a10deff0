"""`/retentions` of Harbor's API v2.0: what rules can say, and the policies of projects."""

from typing import Annotated, Final

from fastapi import Response
from pydantic import BaseModel
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest, Unauthorized
from fairway.core.oci.patterns import Kind
from fairway.features.projects.store import projects
from fairway.features.retention.api.shown import HomeOfPolicy, Id, PolicyIn, PolicyOut, present, shown
from fairway.features.retention.model import Template
from fairway.features.retention.store import policies
from fairway.frame.access.catalogue import (
    TAG_RETENTION_CREATE,
    TAG_RETENTION_DELETE,
    TAG_RETENTION_READ,
    TAG_RETENTION_UPDATE,
    Permission,
)
from fairway.frame.access.may import ABSENT, may
from fairway.frame.access.principals import Anonymous, Principal
from fairway.frame.db import Conn, Database, ReferenceViolation, UniqueViolation
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict, Forbidden, NotFound
from fairway.frame.web.routes import AUTHENTICATED, AskedBy, Routes

_PROJECT: Final = "project"


class ParamOut(BaseModel):
    """Harbor's RetentionRuleParamMetadata."""

    type: str = "int"
    unit: str
    required: bool = True


class TemplateOut(BaseModel):
    """Harbor's RetentionRuleMetadata."""

    rule_template: str
    display_text: str
    action: str = "retain"
    params: list[ParamOut]


class SelectorsOut(BaseModel):
    """Harbor's RetentionSelectorMetadata."""

    display_text: str
    kind: str
    decorations: list[str]


class MetadataOut(BaseModel):
    """Harbor's RetentionMetadata."""

    templates: list[TemplateOut]
    scope_selectors: list[SelectorsOut]
    tag_selectors: list[SelectorsOut]


_COUNT, _DAYS = [ParamOut(unit="COUNT")], [ParamOut(unit="DAYS")]
_TEMPLATES: Final = [
    (Template.LATEST_PUSHED, "the most recently pushed # artifacts", _COUNT),
    (Template.LATEST_PULLED, "the most recently pulled # artifacts", _COUNT),
    (Template.PUSHED_WITHIN, "pushed within the last # days", _DAYS),
    (Template.PULLED_WITHIN, "pulled within the last # days", _DAYS),
    (Template.ALWAYS, "always", []),
]
"""Those that Harbor tells of; the two others are taken as well."""


def add_routes(made: Routes, db: Database) -> None:
    """Add the routes of this page."""
    _metadata(made)
    _creating(made, db)
    _one_policy(made, db)


def _metadata(made: Routes) -> None:
    @made.get("/retentions/metadatas", permission=AUTHENTICATED)
    async def get_retention_metadata() -> MetadataOut:
        return MetadataOut(
            templates=[
                TemplateOut(rule_template=template, display_text=text, params=params)
                for template, text, params in _TEMPLATES
            ],
            scope_selectors=[
                SelectorsOut(
                    display_text="Repositories", kind=kind, decorations=["repoMatches", "repoExcludes"]
                )
                for kind in Kind
            ],
            tag_selectors=[
                SelectorsOut(display_text="Tags", kind=kind, decorations=["matches", "excludes"])
                for kind in Kind
            ],
        )


def _creating(made: Routes, db: Database) -> None:
    @made.post(
        "/retentions",
        permission=AUTHENTICATED,
        status_code=201,
        response_class=Response,
        raises=(BadRequest, Forbidden, Conflict),
    )
    async def create_retention(
        request: Request, by: AskedBy, asked: Annotated[PolicyIn, json_body(PolicyIn)]
    ) -> Response:
        if asked.scope is None or asked.scope.level != _PROJECT or not asked.scope.ref:
            raise BadRequest('say of which project: {"scope": {"level": "project", "ref": 1}}')
        project = asked.scope.ref
        if not await _admitted(db, by, TAG_RETENTION_CREATE, project):
            raise BadRequest(f"there is no project {project}")
        wanted = asked.wanted()
        try:
            policy = await db.write(lambda conn: policies.create(conn, project, wanted, by.name))
        except UniqueViolation:
            raise BadRequest(
                f"project {project} has a retention policy already; its metadata names it as retention_id: change that with PUT"
            ) from None
        except ReferenceViolation:
            raise BadRequest(f"project {project} was deleted just now") from None
        location = f"{request.scope['path'].rstrip('/')}/{policy}"
        return Response(status_code=201, headers={"location": location})


def _one_policy(made: Routes, db: Database) -> None:
    home = HomeOfPolicy(db)

    @made.get("/retentions/{id}", permission=TAG_RETENTION_READ, project=home)
    async def get_retention(id: Id) -> PolicyOut:
        async def read(conn: Conn) -> PolicyOut:
            return await shown(conn, await present(conn, id))

        return await db.read(read)

    @made.put(
        "/retentions/{id}",
        permission=TAG_RETENTION_UPDATE,
        project=home,
        response_class=Response,
        raises=(BadRequest, Conflict),
    )
    async def update_retention(
        id: Id, by: AskedBy, asked: Annotated[PolicyIn, json_body(PolicyIn)]
    ) -> Response:
        """A run that is under way ends, so that nothing goes any more that the new rules may keep.

        Without `mode` that stays as it is: clients of Harbor do not know it.
        """
        policy = await present(db, id)
        scope = asked.scope
        if scope is not None and scope.ref and scope.ref != policy.project:
            await _admitted(db, by, TAG_RETENTION_UPDATE, scope.ref)
            raise NotFound(
                f"retention policy {id} is not of project {scope.ref}; a policy stays where it was made"
            )
        wanted = asked.wanted(before=policy.wanted)
        if not await db.write(lambda conn: policies.change(conn, id, wanted, by.name)):
            raise NotFound(f"retention policy {id} was deleted just now")
        return Response()

    @made.delete("/retentions/{id}", permission=TAG_RETENTION_DELETE, project=home, response_class=Response)
    async def delete_retention(id: Id) -> Response:
        """With its schedule and history; what runs is stopped."""
        policy = await present(db, id)
        if not await db.write(lambda conn: policies.remove(conn, policy)):
            raise NotFound(f"retention policy {id} was deleted just now")
        return Response()


async def _admitted(conn: Conn, by: Principal, permission: Permission, project: int) -> bool:
    """Whether the project is there, for who may do this.  Raises Unauthorized and Forbidden."""
    facts = await projects.facts(conn, by, project)
    if not may(by, permission, facts or ABSENT):
        if isinstance(by, Anonymous):
            raise Unauthorized("log in first")
        raise Forbidden(f"this needs the permission {permission}, which you do not have here")
    return facts is not None
