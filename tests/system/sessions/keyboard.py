"""One person at a keyboard with one client, whose files all lie in one folder."""

from pathlib import Path

from hub import Hub
from system.clients import run
from system.sessions.known import Client, found

USER = "deckhand"
PASSWORD = "Fairway-deckhand-1"


class Keyboard:
    """Calling it runs the client; its standard output comes back.  Nobody has logged in yet."""

    def __init__(self, folder: Path, hub: Hub, client: Client, env: dict[str, str] | None = None) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.hub = hub
        self.client = client
        self.env = {
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "XDG_DATA_HOME": str(folder / "data"),
            "DOCKER_CONFIG": str(folder / "docker"),
            **(env or {}),
        }

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        return run(found(self.client.program), *arguments, env=self.env, stdin=stdin)

    def ref(self, name: str) -> str:
        """`project/app:1` as clients name it."""
        return f"{self.hub.place}/{name}"
