"""Which labels may be had."""

import re
from typing import Final

from fairway.core.oci.errors import BadRequest
from fairway.features.labels.model import GLOBAL, PROJECT, Wanted

MAX_NAME: Final = 128
MAX_DESCRIPTION: Final = 1024

_COLOR: Final = re.compile(r"#[0-9A-Fa-f]{3,8}|[A-Za-z]{1,16}|", re.ASCII)
_LINES: Final = str.maketrans("", "", "\r\n\t")
_MOST: Final = 2**63 - 1


def wanted(name: str, description: str, color: str) -> Wanted:
    """What a request asks for.  Raises BadRequest."""
    name = name.strip()
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise BadRequest(f"a label's name has 1 to {MAX_NAME} printable characters")
    if len(description) > MAX_DESCRIPTION or not description.translate(_LINES).isprintable():
        raise BadRequest(f"a label's description has up to {MAX_DESCRIPTION} printable characters")
    if not _COLOR.fullmatch(color):
        raise BadRequest("a label's color is such as #61717D, or empty")
    return Wanted(name, description, color)


def place(scope: str, project: int | None) -> int | None:
    """Of which project a label is, None for the whole server.  Raises BadRequest."""
    if scope == GLOBAL:
        return None
    if scope != PROJECT:
        raise BadRequest(
            "scope is g for labels of the whole server, or p with project_id for those of a project"
        )
    if project is None or not 0 < project <= _MOST:
        raise BadRequest("scope p needs the project's number in project_id")
    return project
