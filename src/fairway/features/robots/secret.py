"""Secrets of robots: those we make, those somebody chose, and how they are kept.

One we made has 190 bits and cannot be guessed, so a plain SHA-256 keeps it and checking it costs microseconds.  One that was
chosen is kept like a password, with argon2id.
"""

import hashlib
import hmac
import secrets
import string
from typing import Final

LENGTH: Final = 32
_LETTERS: Final = string.ascii_letters + string.digits
_GENERATED: Final = "sha256:"


def generate() -> str:
    """A new one, with an upper-case letter, a lower-case letter and a digit; no other characters, so never a colon."""
    while True:
        made = "".join(secrets.choice(_LETTERS) for _ in range(LENGTH))
        if any(map(str.isupper, made)) and any(map(str.islower, made)) and any(map(str.isdigit, made)):
            return made


def kept(generated: str) -> str:
    """A generated secret as it is stored."""
    return _GENERATED + hashlib.sha256(generated.encode()).hexdigest()


def chosen_hash(stored: str) -> str | None:
    """The argon2id hash of a secret that was chosen; None for a generated one."""
    return None if stored.startswith(_GENERATED) else stored


def is_right(stored: str, said: str) -> bool:
    """Whether `said` is the generated secret behind `stored`; never for one that was chosen."""
    return hmac.compare_digest(stored.encode(), kept(said).encode())
