"""Encryption of the secrets that the database must keep: passwords of other registries, webhook headers, LDAP binds.

A sealed text is `v1.<kid>.<base64url(nonce ‖ ciphertext ‖ tag)>`: AES-256-GCM (NIST SP 800-38D) under a key derived from
the operator's secret key by HKDF-SHA256 (RFC 5869), where `kid` is derived likewise and says which secret it was.  The
context ("registries/17/password") is authenticated with it, so that a sealed text moved to another row does not open.

The first key seals; the others are former keys that still open what they sealed.  What does not open is an error that
says what to check, never garbage passed on (T70).
"""

import base64
import binascii
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fairway.core.oci.errors import FairwayError

_VERSION = "v1"
_NONCE_BYTES = 12
_TAG_BYTES = 16
_MIN_SECRET_BYTES = 32


class SealBroken(FairwayError):
    """A sealed text cannot be opened; the message says what to check and holds neither the text nor a key."""

    code = "SEAL_BROKEN"


class Sealer:
    """Seals and opens.  Cheap to use (microseconds), safe from any thread."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        """`secrets`: at least 32 bytes each, newest first.  Raises ValueError for none or a shorter one."""
        if not secrets or any(len(secret) < _MIN_SECRET_BYTES for secret in secrets):
            raise ValueError(f"sealing needs at least one secret, of at least {_MIN_SECRET_BYTES} bytes")
        self._ciphers = {_kid(secret): AESGCM(_derive(secret, "key", 32)) for secret in reversed(secrets)}
        self._newest = _kid(secrets[0])

    def seal(self, plain: bytes, context: str) -> str:
        """`plain` as text that only opens again with the same `context`: where it is kept, as in "registries/17"."""
        nonce = os.urandom(_NONCE_BYTES)
        head = f"{_VERSION}.{self._newest}."
        sealed = self._ciphers[self._newest].encrypt(nonce, plain, (head + context).encode())
        return head + base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()

    def open(self, text: str, context: str) -> bytes:
        """What `seal` was given.  Raises SealBroken."""
        version, _, rest = text.partition(".")
        kid, _, body = rest.partition(".")
        if version != _VERSION:
            raise SealBroken(f"The secret kept at {context} is not in the form {_VERSION}; enter it again.")
        cipher = self._ciphers.get(kid)
        if cipher is None:
            raise SealBroken(
                f"The secret kept at {context} was sealed with another key ({kid[:16]!r}). Set FAIRWAY_SECRET_KEY to the "
                "key used then, or add that to FAIRWAY_PREVIOUS_SECRET_KEYS; if it is lost, enter the secret again."
            )
        try:
            raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
            if len(raw) < _NONCE_BYTES + _TAG_BYTES:
                raise ValueError("too short")
            return cipher.decrypt(
                raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], f"{version}.{kid}.{context}".encode()
            )
        except (InvalidTag, ValueError, binascii.Error):
            raise SealBroken(
                f"The secret kept at {context} was altered, cut or copied from elsewhere after it was sealed. "
                "Restore that database row from a backup or enter the secret again."
            ) from None


def _derive(secret: bytes, purpose: str, size: int) -> bytes:
    return HKDF(SHA256(), size, salt=None, info=f"fairway sealing {_VERSION} {purpose}".encode()).derive(
        secret
    )


def _kid(secret: bytes) -> str:
    """Names a secret without saying anything about it: 8 hex digits."""
    return _derive(secret, "kid", 4).hex()
