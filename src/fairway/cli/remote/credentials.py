"""Which hubs this person uses, and as whom: a file that nobody else may read, and what docker keeps beside it.

```text
$XDG_CONFIG_HOME/fairway/hubs.json, else ~/.config/fairway/hubs.json      mode 0600 in a folder of mode 0700
{"default": "https://hub.example", "hubs": {"https://hub.example": {"username": …, "secret": …, "ca_file": …}}}
```
"""

import json
import os
import stat
import tempfile
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairway.client.address import Address, Login
from fairway.client.errors import ClientError


class CredentialsUnusable(ClientError):
    """The file with the logins cannot be read, or others can read it."""


@dataclass(frozen=True, slots=True)
class Known:
    """A hub that was logged in to; `ca_file` is "" for the authorities of this machine."""

    login: Login
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class Hubs:
    """All that are known by their addresses, and which one is meant when none is named."""

    default: str = ""
    known: Mapping[str, Known] = field(default_factory=dict)

    def with_hub(self, address: Address, known: Known) -> "Hubs":
        """And this one, which is meant from now on."""
        return Hubs(str(address), {**self.known, str(address): known})

    def without(self, address: str) -> "Hubs":
        """But this one; another one is meant then, if there is only one."""
        left = {name: each for name, each in self.known.items() if name != address}
        only = next(iter(left)) if len(left) == 1 else ""
        return Hubs(only if self.default == address else self.default, left)


def file() -> Path:
    """Where the logins are."""
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(folder) if folder else Path.home() / ".config") / "fairway" / "hubs.json"


def load() -> Hubs:
    """What is known; nothing where there is no file.  Raises CredentialsUnusable."""
    path = file()
    try:
        with path.open("rb") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            if mode & 0o077:
                raise CredentialsUnusable(f"others may read your logins in {path}; do: chmod 600 {path}")
            told: Any = json.load(opened)
    except FileNotFoundError:
        return Hubs()
    except OSError as error:
        raise CredentialsUnusable(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise _broken(path) from None
    try:
        return Hubs(
            str(told.get("default", "")), {str(name): _known(each) for name, each in told["hubs"].items()}
        )
    except (AttributeError, KeyError, TypeError):
        raise _broken(path) from None


def _known(told: Any) -> Known:
    return Known(Login(str(told["username"]), str(told["secret"])), str(told.get("ca_file", "")))


def _broken(path: Path) -> CredentialsUnusable:
    return CredentialsUnusable(f"{path} is not what `fairway login` wrote; remove it and log in again")


def save(hubs: Hubs) -> None:
    """Replace the file in one step.  Raises CredentialsUnusable."""
    path = file()
    told = {
        "default": hubs.default,
        "hubs": {
            name: {"username": each.login.username, "secret": each.login.secret, "ca_file": each.ca_file}
            for name, each in hubs.known.items()
        },
    }
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd, beside = tempfile.mkstemp(dir=path.parent, prefix=".hubs-")  # mode 0600 from the start
        try:
            with os.fdopen(fd, "w") as written:
                json.dump(told, written, indent=2)
                written.flush()
                os.fsync(written.fileno())
            Path(beside).replace(path)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CredentialsUnusable(f"{path} cannot be written: {error.strerror}") from None


def of_docker(address: Address) -> Login | None:
    """The login that `docker login` left for a hub as plain text; what a credential helper keeps is not asked for."""
    folder = os.environ.get("DOCKER_CONFIG", "")
    path = (Path(folder) if folder else Path.home() / ".docker") / "config.json"
    try:
        told: Any = json.loads(path.read_bytes())
        auths = told["auths"]
        found = auths.get(address.place) or auths.get(str(address))
        username, colon, secret = b64decode(found["auth"]).decode().partition(":")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return Login(username, secret) if colon and username and secret else None
