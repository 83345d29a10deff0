"""Hubs that are nodes of one installation: one PostgreSQL, one storage folder and one set of keys between them."""

from pathlib import Path

from hub import Hub


def node(folder: Path, name: str, database_url: str, shared: Path, *, workers: int = 1, **env: str) -> Hub:
    """A further node, not started.  `shared` is the folder that all of them see; `env` is for this one."""
    own = folder / name
    own.mkdir()
    common = {
        "FAIRWAY_STORAGE_URL": (shared / "storage").as_uri(),
        "FAIRWAY_KEYS_DIR": str(shared / "keys"),
    }
    return Hub(own, workers=workers, database_url=database_url, env={**common, **env})
