"""How long retention takes to decide about very many images, in one repository and in very many.

    python bench/retention.py [--postgres] [--images 100000] [--tags 1] [--repositories 20000] [--rounds 3] [--work DIR]

The rows are made without anything behind them: a decision reads no manifest and no blob.  A dry run is measured, in this
process, with all that it writes down; and a simulation of what a run of one repository would say.  Prints seconds, the
median of the rounds, and how much memory the process grew by at most.
"""

import argparse
import asyncio
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from sqlalchemy import bindparam, func, insert, select, text

from fairway.core.oci.patterns import Kind
from fairway.features.accounts.store import people
from fairway.features.artifacts.model import Periods
from fairway.features.projects.model import Wanted as Project
from fairway.features.projects.store import projects
from fairway.features.retention import deciding, jobs
from fairway.features.retention.model import RepositorySelector, Rule, TagSelector, Template, Wanted
from fairway.features.retention.rules import Judge
from fairway.features.retention.store import candidates, policies
from fairway.frame.access.principals import User
from fairway.frame.db import Conn, Database, open_database
from fairway.frame.db.migrate import migrate
from fairway.frame.db.tables import artifacts, repositories, tags
from fairway.frame.jobs import queue, records
from fairway.frame.jobs.job import Jobs
from fairway.frame.jobs.runner import Runner
from postgres import Postgres

DAY = 86_400_000_000
AT_ONCE = 2_000
POLICY = Wanted(
    (
        Rule(
            Template.LATEST_PUSHED,
            100,
            (TagSelector(Kind.DOUBLESTAR, "v*", excludes=False, untagged=False),),
            (RepositorySelector(Kind.DOUBLESTAR, "**", excludes=False),),
        ),
        Rule(
            Template.PULLED_WITHIN, 30, (TagSelector(Kind.REGEX, r".*[05]", excludes=False, untagged=True),)
        ),
        Rule(Template.ALWAYS, 0, (TagSelector(Kind.SEMVER, ">=9000", excludes=False, untagged=False),)),
    )
)


def rows(project: int, images: int, of: int, many: int, now: int) -> Iterator[tuple[dict, list[dict]]]:
    """Images of `of` repositories in turn, each with so many tags, of the last two years."""
    for n in range(images):
        pushed = now - (n * 730 * DAY) // images
        image = {
            "project_id": project,
            "repository_id": n % of,
            "digest": f"sha256:{project:08x}{n:056x}",
            "media_type": "application/vnd.oci.image.manifest.v1+json",
            "kind": "image",
            "artifact_type": "",
            "annotations": "{}",
            "size": 500,
            "pushed_at": pushed,
            "created_at": pushed,
            "pulled_at": None if n % 3 else pushed + DAY,
            "type": "IMAGE",
            "payload": b"{}",
        }
        yield image, [{"name": f"v{n}.{t}.0", "pushed_at": pushed, "created_at": pushed} for t in range(many)]


_IMAGE = (
    "id",
    "project_id",
    "repository_id",
    "digest",
    "media_type",
    "kind",
    "artifact_type",
    "annotations",
    "size",
    "pushed_at",
    "created_at",
    "pulled_at",
    "type",
    "payload",
)
_ADD_IMAGE = insert(artifacts).values({name: bindparam(f"{name}_") for name in _IMAGE})
_TAG = ("artifact_id", "repository_id", "name", "pushed_at", "created_at")
_ADD_TAG = insert(tags).values({name: bindparam(f"{name}_") for name in _TAG})
_LAST = select(func.coalesce(func.max(artifacts.c.id), 0))


async def fill(db: Database, name: str, images: int, of: int, many: int, by: User) -> int:
    """A project with so many images in `of` repositories; its id."""
    project = await db.write(lambda conn: projects.create(conn, Project(name, public=False), by))
    now = await candidates.now(db)
    places = await _places(db, project, of, now)
    first = 1 + int(await db.scalar(_LAST))
    made, tagged = [], []
    for n, (image, of_image) in enumerate(rows(project, images, of, many, now)):
        at = {"id": first + n, "repository_id": places[n % of]}
        made.append(_bound({**image, **at}))
        more = {"artifact_id": first + n, "repository_id": places[n % of]}
        tagged += [_bound({**tag, **more}) for tag in of_image]
        if len(made) == AT_ONCE or n == images - 1:
            await db.write(partial(_add, images=made, of_them=tagged))
            made, tagged = [], []
    return project


async def _places(db: Database, project: int, of: int, now: int) -> list[int]:
    ids: list[int] = []

    async def some(conn: Conn, first: int) -> list[int]:
        return [
            await conn.scalar(
                insert(repositories)
                .values(project_id=project, name=f"app-{n:06}", created_at=now, updated_at=now)
                .returning(repositories.c.id)
            )
            for n in range(first, min(first + AT_ONCE, of))
        ]

    for first in range(0, of, AT_ONCE):
        ids += await db.write(partial(some, first=first))
    return ids


async def _add(conn: Conn, images: list[dict], of_them: list[dict]) -> None:
    await conn.many(_ADD_IMAGE, images)
    await conn.many(_ADD_TAG, of_them)


def _bound(values: dict) -> dict:
    return {f"{name}_": value for name, value in values.items()}


async def dry_run(db: Database, policy: int) -> tuple[float, dict]:
    """Seconds, and what came of it."""
    job = jobs.retention(db, Periods(3600, 7200, 3600, 0))
    start = partial(queue.enqueue, job=job, arguments=jobs.RetentionArguments(policy, True), owner=policy)
    runner = Runner(db, Jobs([job]))
    await runner.beat()
    execution = await db.write(start)
    began = time.perf_counter()
    while await runner.take():
        await runner.idle()
    seconds = time.perf_counter() - began
    [task] = await records.tasks_of(db, execution)
    if task.status != "Success":
        raise RuntimeError(f"the run did not succeed: {task.message}")
    return seconds, dict(task.result)


async def only_decide(db: Database, project: int, name: str) -> tuple[float, float]:
    """Seconds, and those of them that this process computed: the rest is the database's, or somebody else's."""
    judge = Judge(POLICY, await candidates.now(db))
    began, computed = time.perf_counter(), time.process_time()
    async for _ in deciding.decide(db, project, name, judge):
        pass
    return time.perf_counter() - began, time.process_time() - computed


def memory() -> float:
    """The most this process had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def measure(url: str, arguments: argparse.Namespace) -> None:
    db = await open_database(url, pool=5)
    admin = User(await db.write(lambda conn: people.create(conn, "admin", "x", sysadmin=True)), "admin")
    for name, of in (("one", 1), ("many", arguments.repositories)):
        project = await fill(db, name, arguments.images, of, arguments.tags, admin)
        if db.dialect == "postgresql":
            await db.all(text("ANALYZE"))
        policy = await db.write(lambda conn, project=project: policies.create(conn, project, POLICY, "admin"))
        before = memory()
        decided, computed, ran = [], [], []
        for _ in range(arguments.rounds):
            seconds, of_cpu = await only_decide(db, project, name)
            decided.append(seconds)
            computed.append(of_cpu)
            seconds, result = await dry_run(db, policy)
            ran.append(seconds)
        print(
            f"{db.dialect:<10} {arguments.images:,} images with {arguments.tags} tags in {of:,} repositories: "
            f"decided in {median(decided):.2f} s ({median(computed):.2f} s of computing), a dry run took {median(ran):.2f} s "
            f"({result['retained']:,} stay), {memory() - before:.0f} MiB more",
            flush=True,
        )
    await db.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--tags", type=int, default=1)
    parser.add_argument("--repositories", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--work", type=Path, default=Path("/var/tmp"))
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fairway-retention-", dir=arguments.work))
    folder.chmod(0o711)  # a database server runs as somebody else
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        url = f"sqlite:///{folder / 'fairway.db'}"
        if arguments.postgres:
            server = Postgres()
            stack.callback(server.close)
            url = server.create("retention")
        migrate(url)
        asyncio.run(measure(url, arguments))


if __name__ == "__main__":
    main()
