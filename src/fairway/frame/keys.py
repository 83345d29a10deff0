"""The keys an installation makes for itself at its first start, and finds again at every other.

    <keys_dir>/                 0700
      secret-0001.key           text; seals the secrets in the database (unless FAIRWAY_SECRET_KEY is set)
      token-0001.pem            P-256 private key; signs bearer tokens

Of each kind the highest number is in use, and lower ones still open or verify what was made with them.  To rotate, put a
file with the next number there and restart; remove the old one when nothing it made is in use any more.

Several processes may start at once on an empty folder: each writes a file of its own and links it to the final name,
which succeeds for exactly one, and then all read what is there.  A key is never written half.  Files that others could
read, and folders in which others could put files, are refused (T74).
"""

import base64
import contextlib
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

from fairway.core.oci.errors import FairwayError
from fairway.core.tokens import SigningKeys
from fairway.frame.settings import Settings

_SECRET_BYTES = 48
_MAX_FILE = 65_536


class KeyUnusable(FairwayError):
    """A key file cannot be made, read or trusted.  The message says which and what to do."""

    code = "KEY_UNUSABLE"


def load_or_create_secret(path: Path, nbytes: int) -> bytes:
    """The `nbytes` random bytes kept in `path` as one line of base64url, made now if there is no such file.

    Raises KeyUnusable.
    """
    text = _load_or_create(
        path, lambda: base64.urlsafe_b64encode(secrets.token_bytes(nbytes)) + b"\n"
    ).strip()
    try:
        secret = base64.b64decode(text, altchars=b"-_", validate=True)
    except ValueError:
        secret = b""
    if len(secret) != nbytes:
        raise KeyUnusable(
            f"{path} is damaged: it should hold {nbytes} bytes in base64url. Restore it from a backup."
        )
    return secret


def load_or_create_secret_keys(settings: Settings) -> tuple[bytes, ...]:
    """The secret keys, the one to seal with first: FAIRWAY_SECRET_KEY if set, else the newest file's text.

    The key is the text itself, so that a file's line can be moved into the setting.  Raises KeyUnusable.
    """
    chosen = [key.encode() for key in (settings.secret_key, *settings.previous_secret_keys) if key]
    folder = settings.keys_dir
    if settings.secret_key and not folder.exists():
        return tuple(chosen)
    files = _newest_first(folder, "secret-*.key")
    if not files and not settings.secret_key:
        load_or_create_secret(folder / "secret-0001.key", _SECRET_BYTES)
        files = _newest_first(folder, "secret-*.key")
    kept = [_read(file).strip() for file in files]
    for file, key in zip(files, kept, strict=True):
        if len(key) < 32:
            raise KeyUnusable(
                f"{file} is damaged: it should hold at least 32 characters. Restore it from a backup."
            )
    ordered = [*chosen, *kept] if settings.secret_key else [*kept, *chosen]
    return tuple(dict.fromkeys(ordered))


def load_or_create_signing_keys(folder: Path) -> SigningKeys:
    """The keys of bearer tokens: the newest signs, older ones verify.  Raises KeyUnusable."""
    files = _newest_first(folder, "token-*.pem")
    if not files:
        _load_or_create(folder / "token-0001.pem", lambda: SigningKeys.generate().to_pem()[0])
        files = _newest_first(folder, "token-*.pem")
    try:
        return SigningKeys.from_pem([_read(file) for file in files])
    except ValueError:
        names = ", ".join(file.name for file in files)
        raise KeyUnusable(
            f"The token keys in {folder} ({names}) cannot be used: each must be a P-256 key in PEM, the newest a private "
            "one. `openssl ecparam -name prime256v1 -genkey -noout` makes one."
        ) from None


def exposed(mode: int, owner: int, me: int) -> bool:
    """Whether a key file of this mode and owner could be read or replaced by somebody else than us and root.

    A file of root's that we read through our group is fine: that is how Kubernetes mounts secrets.
    """
    if owner not in (me, 0):
        return True
    forbidden = 0o077 if owner == me else 0o027
    return bool(stat.S_IMODE(mode) & forbidden)


def _newest_first(folder: Path, pattern: str) -> list[Path]:
    """Key files by falling number; in text order, as the numbers have leading zeros."""
    _make_safe(folder)
    return sorted(folder.glob(pattern), reverse=True)


def _make_safe(folder: Path) -> None:
    """Make the folder if it is missing, and refuse it if others could put keys of theirs there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = folder.stat()
        read_only = bool(os.statvfs(folder).f_flag & os.ST_RDONLY)  # a mounted secret: any mode will do
    except OSError as problem:
        raise KeyUnusable(f"The folder of the keys, {folder}, cannot be used: {problem.strerror}.") from None
    if not read_only and (about.st_mode & 0o022 or about.st_uid not in (os.geteuid(), 0)):
        raise KeyUnusable(
            f"Others may put files into {folder}, where the keys are. As the user Fairway runs as, who must own it, "
            f"do: chmod 700 {folder}"
        )


def _load_or_create(path: Path, make: Callable[[], bytes]) -> bytes:
    _make_safe(path.parent)
    if not path.exists():
        try:
            _create(path, make())
        except OSError as problem:
            raise KeyUnusable(
                f"{path} is missing and cannot be made: {problem.strerror}. "
                "Make its folder writable or put the key there."
            ) from None
    return _read(path)


def _create(path: Path, content: bytes) -> None:
    """Put `content` there unless somebody else is first; when this returns, a whole file is there durably."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            about = os.fstat(file.fileno())
            if exposed(about.st_mode, about.st_uid, os.geteuid()):
                raise KeyUnusable(
                    f"{path} can be read or changed by others. As the user Fairway runs as, who must own it, do: "
                    f"chmod 600 {path}   If somebody may have read it, replace the key as well."
                )
            return file.read(_MAX_FILE)
    except OSError as problem:
        raise KeyUnusable(f"The key file {path} cannot be read: {problem.strerror}.") from None
