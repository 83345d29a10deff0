"""`/configurations` of Harbor's API v2.0: what administrators choose while the server runs."""

from functools import partial
from typing import Annotated, Any

from fastapi import Response
from pydantic import BaseModel, RootModel

from fairway.core.oci.errors import BadRequest, FairwayError
from fairway.features.audit.forward import Send
from fairway.features.system import store
from fairway.frame.access.catalogue import CONFIGURATION_READ, CONFIGURATION_UPDATE
from fairway.frame.configuration import Configuration, checked
from fairway.frame.configuration.declared import FORWARD, KEYS
from fairway.frame.configuration.kinds import Place
from fairway.frame.db import Database
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Forbidden
from fairway.frame.web.routes import AskedBy, Routes


class Asked(RootModel[dict[str, Any]]):
    """Values by key: true or false, a number, or text."""


class ValueOut(BaseModel):
    """Harbor's BoolConfigItem, IntegerConfigItem and StringConfigItem."""

    value: bool | int | str
    editable: bool


def add_routes(made: Routes, db: Database, chosen: Configuration, send_lines: Send) -> None:
    """Add the routes of this page."""

    @made.get("/v2.0/configurations", permission=CONFIGURATION_READ)
    async def get_configurations() -> dict[str, ValueOut]:
        """Secrets are left out."""
        return {
            name: ValueOut(value=value, editable=chosen.editable(KEYS[name]))
            for name, value in (await chosen.shown(db)).items()
        }

    @made.put(
        "/v2.0/configurations",
        permission=CONFIGURATION_UPDATE,
        response_class=Response,
        raises=(BadRequest,),
        resumes=True,
    )
    async def update_configurations(by: AskedBy, asked: Annotated[Asked, json_body(Asked)]) -> Response:
        """What is not sent stays as it is; what nobody knows is ignored."""
        values = checked(asked.root)
        if settled := sorted(name for name in values if not chosen.editable(KEYS[name])):
            raise Forbidden(f"the operator of this server has settled {', '.join(settled)} in its settings")
        place = Place.read(str(values.get(FORWARD.name, "")))
        if place is not None and values[FORWARD.name] != chosen.get(FORWARD):
            await _find(place, send_lines)
        if values:
            await db.write(partial(store.configure, chosen=chosen, values=values, by=by))
            await chosen.look()
        return Response()


async def _find(place: Place, send_lines: Send) -> None:
    """Raises BadRequest when nobody is there."""
    try:
        await send_lines(place, ())
    except FairwayError as error:
        raise BadRequest(f"{FORWARD.name} cannot be used: {error.message}") from None
