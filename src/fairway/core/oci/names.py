"""Repository names, tags and references (OCI distribution specification, "Pulling manifests").

Like digests they are strings that were checked once, when they were made.
"""

import re
from typing import Self

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import NameInvalid, TagInvalid

MAX_NAME = 255

_COMPONENT = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_SHOWN = 80


class Repository(str):
    """A full repository name such as `library/app`, at most 255 characters.  Raises NameInvalid."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if len(text) > MAX_NAME or _NAME.fullmatch(text) is None:
            raise NameInvalid(
                f"{text[:_SHOWN]!r} is not a repository name: use lower-case letters and digits, joined by "
                f"single '.', '_', '__' or '-' and separated by '/', {MAX_NAME} characters at most"
            )
        return super().__new__(cls, text)

    @property
    def project(self) -> str:
        """The first path component."""
        return self.partition("/")[0]

    @property
    def rest(self) -> str:
        """What follows the first path component, or ""."""
        return self.partition("/")[2]


class Tag(str):
    """A tag, at most 128 characters.  Raises TagInvalid."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if _TAG.fullmatch(text) is None:
            raise TagInvalid(
                f"{text[:_SHOWN]!r} is not a tag: use letters, digits, '_', '.' and '-', "
                "not starting with '.' or '-', 128 characters at most"
            )
        return super().__new__(cls, text)


Reference = Tag | Digest


def parse_reference(text: str) -> Reference:
    """The tag or digest that `text` spells: a colon makes it a digest, valid or not, never a tag.

    Raises DigestInvalid or TagInvalid.
    """
    return Digest(text) if ":" in text else Tag(text)
