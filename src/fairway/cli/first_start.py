"""What happens once before anything serves: folders, schema, keys, the first administrator, the first words."""

import asyncio
import multiprocessing
import os
import secrets
import shlex
import string
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from fairway.boot import open_store, store_of
from fairway.core.oci.errors import FairwayError
from fairway.core.stores import disk_promises
from fairway.features.accounts.passwords import Hasher
from fairway.features.accounts.store import people
from fairway.features.projects.store import projects
from fairway.frame import log
from fairway.frame.configuration import settled
from fairway.frame.db import Conn, Database, UniqueViolation, durability, open_database, sqlite_path
from fairway.frame.db.migrate import migrate
from fairway.frame.keys import load_or_create_secret_keys, load_or_create_signing_keys
from fairway.frame.settings import Settings

_log = log.get_logger(__name__)
ADMIN = people.ADMIN
_ALPHABET = string.ascii_letters + string.digits


class DataFolderUnusable(FairwayError):
    """The data folder cannot be made or is open to others."""


class NotDurable(FairwayError):
    """A power cut could take what was acknowledged, and the operator does not want that."""


def prepare(settings: Settings) -> None:
    """Make what is missing.  Raises FairwayError with words for the operator."""
    settled(settings)
    try:
        settings.data_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise DataFolderUnusable(
            f"the data folder {settings.data_dir} cannot be made: {error.strerror}; choose another with --data-dir"
        ) from error
    found = settings.data_dir.stat()
    if found.st_mode & 0o002:
        raise DataFolderUnusable(
            f"anybody may write to the data folder {settings.data_dir}; do: chmod o-w {settings.data_dir}"
        )
    if found.st_uid not in (os.geteuid(), 0):  # root's is how Kubernetes mounts volumes
        raise DataFolderUnusable(
            f"the data folder {settings.data_dir} belongs to user {found.st_uid}; run as that user, or chown it"
        )
    load_or_create_secret_keys(settings)
    load_or_create_signing_keys(settings.keys_dir)
    # In a process of its own: what a first start leaves in memory would stay with every process forked later.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as elsewhere:
        password = elsewhere.submit(_prepare_data, settings).result()
    if password:
        # Now, not when we listen: it is in the database, and nobody could find it out any more.
        _say("", "  The first administrator:", "", f"    user      {ADMIN}", f"    password  {password}")
        _say("    (generated; it is not shown again)")


def _prepare_data(settings: Settings) -> str:
    """The schema, the storage and the first administrator; its password if it was generated."""
    if migrate(settings.database_url):
        _log.info("the database has this version's schema now")
    return asyncio.run(_storage_and_administrator(settings))


async def _storage_and_administrator(settings: Settings) -> str:
    db = await open_database(settings.database_url, pool=1)
    try:
        await _durability(settings, db)
        store = store_of(settings)
        await open_store(store, db)
        store.close()
        return await _first_administrator(settings, db)
    finally:
        await db.close()


async def _durability(settings: Settings, db: Database) -> None:
    """Say what a power cut could take.  Raises NotDurable where that is not to be risked."""
    file = sqlite_path(settings.database_url)
    folders = [settings.storage_path, *([file.parent] if file else [])]
    found = [f"the database has {weakness}" for weakness in await durability.weaknesses(db)]
    found += filter(None, map(disk_promises.weakness, dict.fromkeys(folders)))
    for reason in found:
        _log.warning("a power cut may take what was acknowledged", reason=reason)
    if found and settings.require_durable:
        raise NotDurable(
            f"a power cut may take what was acknowledged: {'; '.join(found)}.  Mend that, or unset FAIRWAY_REQUIRE_DURABLE"
        )


async def _first_administrator(settings: Settings, db: Database) -> str:
    if await people.by_name(db, ADMIN) is not None:
        return ""
    chosen = settings.admin_password
    password = chosen or _generated()
    hasher = Hasher()
    password_hash = await hasher.hash(password)
    hasher.close()

    async def body(conn: Conn) -> bool:
        made = await people.ensure_admin(conn, password_hash)
        admin = await people.by_name(conn, ADMIN)
        assert admin is not None
        await projects.ensure_library(conn, admin.user)
        return made

    try:
        made = await db.write(body)
    except UniqueViolation:  # another replica's first start was quicker
        made = False
    return password if made and not chosen else ""


def _generated() -> str:
    """20 characters, about 119 bits, with an upper-case and a lower-case letter and a digit."""
    while True:
        password = "".join(secrets.choice(_ALPHABET) for _ in range(20))
        if (
            any(c.isupper() for c in password)
            and any(c.islower() for c in password)
            and any(c.isdigit() for c in password)
        ):
            return password


def announce(settings: Settings) -> None:
    """Tell a person where the hub is and what to try first."""
    wide = settings.host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
    host = f"127.0.0.1:{settings.port}" if wide else settings.listen
    if wide and not settings.external_url:
        _log.warning("set FAIRWAY_EXTERNAL_URL to the address clients use: they are sent there to log in")
    url = settings.external_url or f"http://{host}"
    place = url.partition("://")[2]
    _say(
        "",
        f"  Fairway is at {url}",
        "",
        "  Try, with podman (docker: the same without --tls-verify=false):",
        f"    podman login --tls-verify=false -u {ADMIN} {place}",
        f"    printf 'FROM scratch\\nLABEL hello=fairway\\n' | podman build -t {place}/library/hello -f - .",
        f"    podman push --tls-verify=false {place}/library/hello",
        f"    curl -u {ADMIN} {url}/v2/library/hello/tags/list",
        "",
        "  Garbage collection runs by itself once it has a schedule, such as every night:",
        f"    {_command()} gc schedule --daily --data-dir {shlex.quote(str(settings.data_dir))}",
        "",
    )


def _command() -> str:
    """How this program was started, which need not be on the PATH."""
    started = Path(sys.argv[0])
    return shlex.quote(str(started)) if started.name == "fairway" else "fairway"


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join((*lines, "")))
    sys.stdout.flush()
