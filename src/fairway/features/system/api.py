"""HTTP about the server itself: is it alive, and which API does it speak."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from fairway.frame.web.routes import PUBLIC, Authoriser, Routes


def routes(authoriser: Authoriser) -> APIRouter:
    """The routes, to be mounted at /api."""
    made = Routes(authoriser, tags=["ping"])

    @made.get("/v2.0/ping", permission=PUBLIC, response_class=PlainTextResponse)
    async def ping() -> str:
        return "Pong"

    @made.get("/version", permission=PUBLIC)
    async def version() -> dict[str, str]:
        return {"version": "v2.0"}

    return made.router
