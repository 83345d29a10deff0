"""Which store a folder is: a random id in a file at its root, made with the store and kept for ever.

The mount point of a volume that is not mounted looks like a store that lost everything.  This file tells the two apart.
"""

import os
import re
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from fairway.core.oci.errors import Unavailable
from fairway.core.stores.disk_layout import storage_failures, sync_folder
from fairway.core.stores.protocols import WrongStore

FILE = "store-id"
_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


def recognise(root: Path, known: str) -> None:
    """Make sure that `root` is the store with the id `known`.  Makes nothing; raises WrongStore, naming the folder."""
    with storage_failures("open the storage folder"):
        found = _read(root / FILE)
    if found != known:
        has = "has no file" if found is None else f"is the store {found!r} by its file"
        raise WrongStore(
            f"the storage folder {root} {has} {FILE}, but the database belongs to the store {known}; check that the "
            f"volume is mounted and that storage_url names the right folder.  If the bytes are all there (a restored "
            f"copy without that file), write {known} into {root / FILE}"
        )


def find_or_make(root: Path) -> str:
    """The id of the store in `root`, a new one where there is none; the same for all who start together."""
    path = root / FILE
    with storage_failures("open the storage folder"):
        while (found := _read(path)) is None:
            _make(path)
    if not _ID.fullmatch(found):
        raise WrongStore(f"{path} holds no store id; bring the file back from a backup of this folder")
    return found


def confirm(root: Path, known: str) -> None:
    """Raise Unavailable unless `root` still is the store `known`.  The message reaches clients: it names no folder."""
    with storage_failures("look at the storage"):
        found = _read(root / FILE)
    if found != known:
        raise Unavailable(
            "the storage is not the one it was when this process started; is its volume still mounted?"
        )


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _make(path: Path) -> None:
    draft = path.with_name(f"{FILE}-{uuid4().hex}")
    try:
        with draft.open("x", encoding="ascii") as file:
            file.write(uuid4().hex + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was quicker, and its id counts
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)
