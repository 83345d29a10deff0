"""Secrets of personal access tokens that we make: what they look like and how they are kept.

`fwp_`, 32 random letters and digits (190 bits), and six that are a checksum of them: what scans repositories and logs for
secrets knows one from any other text, and a mistyped one is known as such without asking anybody.
"""

import hashlib
import re
import secrets
import string
import zlib
from typing import Final

PREFIX: Final = "fwp_"
_RANDOM: Final = 32
_CHECK: Final = 6
_LETTERS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_LOOKS: Final = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM + _CHECK}}}", re.ASCII)
_GENERATED: Final = "sha256:"


def generate() -> str:
    """A new one; there is never a colon in it."""
    made = "".join(secrets.choice(_LETTERS) for _ in range(_RANDOM))
    return f"{PREFIX}{made}{_checksum(made)}"


def looks_like_one(text: str) -> bool:
    """Whether nobody can mean anything else with this text, right or wrong."""
    return _LOOKS.fullmatch(text) is not None


def is_whole(text: str) -> bool:
    """Whether its checksum is right."""
    made = text[len(PREFIX) : len(PREFIX) + _RANDOM]
    return looks_like_one(text) and text.endswith(_checksum(made))


def kept(generated: str) -> str:
    """As it is stored."""
    return _GENERATED + hashlib.sha256(generated.encode()).hexdigest()


def chosen_hash(stored: str) -> str | None:
    """The argon2id hash of a secret that was chosen; None for a generated one."""
    return None if stored.startswith(_GENERATED) else stored


def _checksum(text: str) -> str:
    number = zlib.crc32(text.encode())
    digits = ""
    for _ in range(_CHECK):
        number, digit = divmod(number, len(_LETTERS))
        digits = _LETTERS[digit] + digits
    return digits
