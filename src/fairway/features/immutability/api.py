"""`/projects/{project_name_or_id}/immutabletagrules` of Harbor's API v2.0."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest, PreconditionFailed
from fairway.core.oci.patterns import Selector
from fairway.features.immutability import rules
from fairway.features.immutability.model import Rule, Wanted
from fairway.features.immutability.store import rows
from fairway.frame.access.catalogue import (
    IMMUTABLE_TAG_CREATE,
    IMMUTABLE_TAG_DELETE,
    IMMUTABLE_TAG_LIST,
    IMMUTABLE_TAG_UPDATE,
)
from fairway.frame.db import Conn, Database, ReferenceViolation, UniqueViolation
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict, NotFound
from fairway.frame.web.paging import Paged, page_headers
from fairway.frame.web.query import Filtered, Ordered
from fairway.frame.web.routes import AskedBy, Authoriser, InProject, Routes

Id = Annotated[int, Path(ge=1, le=2**63 - 1)]

ACTION: Final = "immutable"
TEMPLATE: Final = "immutable_template"
_ALL: Final = "/projects/{project_name_or_id}/immutabletagrules"
_ONE: Final = "/projects/{project_name_or_id}/immutabletagrules/{immutable_rule_id}"
_MOST_PRIORITY: Final = 2**31 - 1


class SelectorIn(BaseModel):
    """Harbor's ImmutableSelector.  `kind` is `doublestar`, `regex` or `semver`; `decoration` is `matches` or `excludes`
    for tags, `repoMatches` or `repoExcludes` for repositories, whose names are without the project."""

    kind: str = "doublestar"
    decoration: str = ""
    pattern: str = ""


class RuleIn(BaseModel):
    """What a client may say of Harbor's ImmutableRule; other fields are ignored.  One selector of each."""

    disabled: bool = False
    priority: int = Field(0, ge=-_MOST_PRIORITY, le=_MOST_PRIORITY)
    action: str = ACTION
    template: str = TEMPLATE
    tag_selectors: list[SelectorIn] | None = Field(None, max_length=20)
    scope_selectors: dict[str, list[SelectorIn]] | None = Field(None, max_length=20)


class SelectorOut(BaseModel):
    """Harbor's ImmutableSelector."""

    kind: str
    decoration: str
    pattern: str


class RuleOut(BaseModel):
    """Harbor's ImmutableRule."""

    id: int
    priority: int
    disabled: bool
    action: str = ACTION
    template: str = TEMPLATE
    params: dict[str, Any] = {}
    tag_selectors: list[SelectorOut]
    scope_selectors: dict[str, list[SelectorOut]]


def routes(db: Database, authoriser: Authoriser) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    made = Routes(authoriser, tags=["immutable"])
    _listing(made, db)
    _creating(made, db)
    _one_rule(made, db)
    return made.router


def _listing(made: Routes, db: Database) -> None:
    @made.get(_ALL, permission=IMMUTABLE_TAG_LIST, raises=(BadRequest,))
    async def list_immutable_rules(
        request: Request,
        response: Response,
        project: InProject,
        filters: Filtered,
        order: Ordered,
        page: Paged,
    ) -> list[RuleOut]:
        async def read(conn: Conn) -> tuple[list[Rule], int]:
            return await rows.listed(conn, project.id, filters, order, offset=page.offset, limit=page.size)

        found, total = await db.read(read)
        response.headers.update(page_headers(request, page, total))
        return [_shown(rule) for rule in found]


def _creating(made: Routes, db: Database) -> None:
    @made.post(
        _ALL,
        permission=IMMUTABLE_TAG_CREATE,
        status_code=201,
        response_class=Response,
        raises=(BadRequest, NotFound, Conflict, PreconditionFailed),
    )
    async def create_immutable_rule(
        request: Request, project: InProject, by: AskedBy, asked: Annotated[RuleIn, json_body(RuleIn)]
    ) -> Response:
        """Tags that are there and match are immutable from now on, and those that come, once they are there."""
        wanted = _wanted(asked, None)
        try:
            rule = await db.write(lambda conn: rows.create(conn, project.id, wanted, by))
        except UniqueViolation:
            raise _taken(wanted) from None
        except ReferenceViolation:
            raise NotFound("the project was deleted just now") from None
        location = f"{request.scope['path'].rstrip('/')}/{rule}"
        return Response(status_code=201, headers={"location": location})


def _one_rule(made: Routes, db: Database) -> None:
    @made.put(
        _ONE,
        permission=IMMUTABLE_TAG_UPDATE,
        response_class=Response,
        raises=(BadRequest, NotFound, Conflict),
    )
    async def update_immutable_rule(
        immutable_rule_id: Id,
        project: InProject,
        by: AskedBy,
        asked: Annotated[RuleIn, json_body(RuleIn)],
    ) -> Response:
        """What is not sent stays as it is, so that `disabled` alone can be changed."""

        async def change(conn: Conn) -> Wanted:
            await rows.lock(conn, project.id)
            before = await rows.by_id(conn, project.id, immutable_rule_id)
            if before is None:
                raise _unknown(immutable_rule_id)
            wanted = _wanted(asked, before.says)
            try:
                changed = await rows.change(conn, project.id, immutable_rule_id, wanted, by)
            except UniqueViolation:
                raise _taken(wanted) from None
            if not changed:
                raise _unknown(immutable_rule_id)
            return wanted

        try:
            await db.write(change)
        except ReferenceViolation:
            raise NotFound("the project was deleted just now") from None
        return Response()

    @made.delete(_ONE, permission=IMMUTABLE_TAG_DELETE, response_class=Response, raises=(NotFound,))
    async def delete_immutable_rule(immutable_rule_id: Id, project: InProject, by: AskedBy) -> Response:
        try:
            gone = await db.write(lambda conn: rows.remove(conn, project.id, immutable_rule_id, by))
        except ReferenceViolation:
            raise NotFound("the project was deleted just now") from None
        if not gone:
            raise _unknown(immutable_rule_id)
        return Response()


def _wanted(asked: RuleIn, before: Wanted | None) -> Wanted:
    """What a request asks for; what it does not say is as `before`.  Raises BadRequest."""
    if asked.action != ACTION or asked.template != TEMPLATE:
        raise BadRequest(f"action is {ACTION} and template is {TEMPLATE}, which may both be left out")
    scopes = asked.scope_selectors
    if scopes is not None and scopes.keys() - {"repository"}:
        raise BadRequest("scope_selectors has one member, repository")
    return Wanted(
        tag=_selector(asked.tag_selectors, None if before is None else before.tag, of_tags=True),
        repository=_selector(
            None if scopes is None else scopes.get("repository", []),
            None if before is None else before.repository,
            of_tags=False,
        ),
        disabled=before.disabled if before and "disabled" not in asked.model_fields_set else asked.disabled,
        priority=before.priority if before and "priority" not in asked.model_fields_set else asked.priority,
    )


def _selector(asked: list[SelectorIn] | None, before: Selector | None, *, of_tags: bool) -> Selector:
    if asked is None and before is not None:
        return before
    what = "tag_selectors" if of_tags else "scope_selectors.repository"
    if not asked or len(asked) > 1:
        raise BadRequest(f"{what} has one selector; of several only the first would count")
    [one] = asked
    return rules.selector(one.kind, one.decoration, one.pattern, of_tags=of_tags)


def _shown(rule: Rule) -> RuleOut:
    says = rule.says
    return RuleOut(
        id=rule.id,
        priority=says.priority,
        disabled=says.disabled,
        tag_selectors=[_shown_selector(says.tag, of_tags=True)],
        scope_selectors={"repository": [_shown_selector(says.repository, of_tags=False)]},
    )


def _shown_selector(selector: Selector, *, of_tags: bool) -> SelectorOut:
    return SelectorOut(
        kind=selector.kind, decoration=rules.decoration(selector, of_tags=of_tags), pattern=selector.pattern
    )


def _unknown(rule: int) -> NotFound:
    return NotFound(f"the project has no immutable tag rule {rule}")


def _taken(wanted: Wanted) -> Conflict:
    return Conflict(f"the project has an immutable tag rule for {wanted} already; change that one")
