"""A large world, made inside the database by the same statements on SQLite and on PostgreSQL.

    python bench/world.py DATABASE_URL

20,000 projects with 100,000 repositories, 5,000 people, 5,000,000 lines of the audit log; and one repository, big/app,
with 150,000 manifests of which 105,000 are listed (one in seven of them an index with two images and a signature) and
1,045,000 tags, 100,000 of them on one image.  Takes a few minutes.  The database must have its tables and nothing but
what a first start makes; no server may be running on it.
"""

import argparse
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import make_url

PROJECTS = 20_000
REPOSITORIES = 5
"""In each project."""
PEOPLE = 5_000
LINES = 5_000_000
ARTIFACTS = 150_000
TAGS = 9
"""On each artifact that is listed."""
MANY_TAGS = 100_000
"""On the first image."""
MEMBER = "alice"
"""A member of every hundredth project, and of `big`."""
BIG, REPOSITORY = "big", "app"
FIRST = 1_000
"""Ids of what is made begin above this, beyond those of a first start."""


@dataclass(frozen=True)
class Dialect:
    """The few things that the two say differently, as formats of one SQL expression."""

    hex: str
    text: str
    bytes: str


SQLITE = Dialect(
    hex="printf('%0{width}x', {0})", text="printf('%05d', {0})", bytes="CAST(printf('%600s', '') AS BLOB)"
)
POSTGRES = Dialect(
    hex="lpad(to_hex({0}), {width}, '0')",
    text="to_char({0}, 'FM00000')",
    bytes="convert_to(repeat(' ', 600), 'UTF8')",
)


def statements(dialect: Dialect, password_hash: str) -> Iterator[tuple[str, str]]:
    """What is made, and the SQL that makes it."""

    def number(n: str) -> str:
        return dialect.text.format(n)

    def digest(n: str) -> str:
        """Looks random, as digests do: an index that is filled in order would be flattered."""
        front = dialect.hex.format(f"({n}) * 2654435761 % 4294967296", width=8)
        return f"'sha256:' || {front} || {dialect.hex.format(n, width=56)}"

    now = 1_790_000_000_000_000
    second = 1_000_000

    yield (
        "people",
        f"""
        INSERT INTO users (id, username, email, realname, comment, password_hash, sysadmin, created_at, updated_at)
        {series(PEOPLE)}
        SELECT {FIRST} + n, CASE n WHEN 1 THEN '{MEMBER}' ELSE 'user' || {number("n")} END,
               'user' || n || '@example.com', 'User ' || n, '', '{password_hash}', {false(dialect)}, {now}, {now} FROM s""",
    )
    yield (
        "projects",
        f"""
        INSERT INTO projects (id, name, public, owner_id, created_at, updated_at)
        {series(PROJECTS)}
        SELECT {FIRST} + n, CASE n WHEN 1 THEN '{BIG}' ELSE 'team-' || {number("n")} END,
               n % 10 = 0, {FIRST} + 1 + n % {PEOPLE}, {now}, {now} FROM s""",
    )
    yield (
        "quotas",
        f"""
        INSERT INTO quotas (project_id, hard, used)
        {series(PROJECTS)} SELECT {FIRST} + n, CASE n % 2 WHEN 0 THEN -1 ELSE 1000000000000 END, n * 1000 FROM s""",
    )
    yield (
        "members",
        f"""
        INSERT INTO members (project_id, user_id, role, created_at)
        {series(PROJECTS)} SELECT {FIRST} + n, {FIRST} + 2 + n % ({PEOPLE} - 1), 1, {now} FROM s""",
    )
    yield (
        "memberships",
        f"""
        INSERT INTO members (project_id, user_id, role, created_at)
        {series(PROJECTS)} SELECT {FIRST} + n, {FIRST} + 1, 1, {now} FROM s WHERE n % 100 = 1""",
    )
    yield (
        "metadata",
        f"""
        INSERT INTO project_metadata (project_id, name, value)
        {series(PROJECTS)} SELECT {FIRST} + n, 'severity', 'low' FROM s WHERE n % 2 = 0""",
    )
    yield (
        "repositories",
        f"""
        INSERT INTO repositories (id, project_id, name, pull_count, created_at, updated_at)
        {series(PROJECTS * REPOSITORIES)}
        SELECT {FIRST} + n, {FIRST} + (n - 1) / {REPOSITORIES} + 1,
               CASE n WHEN 1 THEN '{REPOSITORY}' ELSE 'service/' || {number("n % 100000")} END, n % 977, {now}, {now} FROM s""",
    )
    yield (
        "lines of the log",
        f"""
        INSERT INTO audit_log (event_id, project_id, username, resource, resource_type, operation, description, at)
        {series(LINES)}
        SELECT {dialect.hex.format("n * 2654435761 % 4294967296", width=8)} || {dialect.hex.format("n", width=24)},
               CASE n % 2 WHEN 0 THEN {FIRST} + 1 ELSE {FIRST} + 1 + n * 7919 % {PROJECTS} END,
               'user' || {number(f"n % {PEOPLE}")}, '{BIG}/{REPOSITORY}:v' || n % 1000, 'artifact',
               CASE n % 4 WHEN 0 THEN 'create' ELSE 'pull' END, '', {now} + n * {second} FROM s""",
    )
    yield (
        "artifacts",
        f"""
        INSERT INTO artifacts (id, project_id, repository_id, digest, media_type, kind, artifact_type, subject, annotations,
                               size, pull_count, pushed_at, created_at, type, config_media_type, total_size, listed, accessory,
                               accessory_of, payload)
        {series(ARTIFACTS)}
        SELECT {FIRST} + n, {FIRST} + 1, {FIRST} + 1, {digest("n")},
               CASE n % 10 WHEN 0 THEN 'application/vnd.oci.image.index.v1+json'
                           ELSE 'application/vnd.oci.image.manifest.v1+json' END,
               CASE n % 10 WHEN 0 THEN 'index' ELSE 'image' END, '', NULL, '{{"org.opencontainers.image.title":"app"}}',
               600, n % 31, {now} + n * {second}, {now} + n * {second}, 'IMAGE',
               'application/vnd.oci.image.config.v1+json', 100000000 + n,
               CASE n % 10 WHEN 3 THEN 'signature.cosign' ELSE '' END,
               CASE n % 10 WHEN 3 THEN {digest("n - 3")} END, {dialect.bytes} FROM s""",
    )
    yield (
        "tags",
        f"""
        INSERT INTO tags (repository_id, name, artifact_id, pushed_at, created_at)
        {series(ARTIFACTS * TAGS)}
        SELECT {FIRST} + 1, 'v' || (n % {ARTIFACTS}) || '.' || (n / {ARTIFACTS}), {FIRST} + 1 + n % {ARTIFACTS},
               {now} + n * {second}, {now} + n * {second}
        FROM (SELECT n FROM s) AS every WHERE (1 + n % {ARTIFACTS}) % 10 = 0 OR (1 + n % {ARTIFACTS}) % 10 > 3""",
    )
    yield (
        "tags of one image",
        f"""
        INSERT INTO tags (repository_id, name, artifact_id, pushed_at, created_at)
        {series(MANY_TAGS)} SELECT {FIRST} + 1, 'build-' || n, {FIRST} + 4, {now} + n, {now} + n FROM s""",
    )
    yield (
        "layers",
        f"""
        INSERT INTO artifact_links (artifact_id, digest, kind, project_id)
        {series(ARTIFACTS * 3)}
        SELECT {FIRST} + 1 + (n - 1) / 3, {digest(f"n + {ARTIFACTS}")}, CASE n % 3 WHEN 0 THEN 'config' ELSE 'layer' END,
               {FIRST} + 1 FROM s WHERE (1 + (n - 1) / 3) % 10 > 0""",
    )
    for child, platform in ((1, "amd64"), (2, "arm64")):
        about = f'{{"platform":{{"architecture":"{platform}","os":"linux"}}}}'
        yield (
            f"images of indexes for {platform}",
            f"""
            INSERT INTO artifact_links (artifact_id, digest, kind, project_id, about)
            {series(ARTIFACTS)}
            SELECT {FIRST} + n, {digest(f"n + {child}")}, 'child', {FIRST} + 1, '{about}' FROM s
            WHERE n % 10 = 0 AND n + {child} <= {ARTIFACTS}""",
        )
    yield (
        "blobs",
        f"""
        INSERT INTO blobs (id, digest, size, key, created_at)
        {series(ARTIFACTS * 3)}
        SELECT {FIRST} + n, {digest(f"n + {ARTIFACTS}")}, 1000000, 'sha256/' || n, {now} FROM s""",
    )
    yield (
        "blobs of the project",
        f"""
        INSERT INTO project_blobs (project_id, digest, size, blob_id, created_at)
        {series(ARTIFACTS * 3)}
        SELECT {FIRST} + 1, {digest(f"n + {ARTIFACTS}")}, 1000000, {FIRST} + n, {now} FROM s""",
    )


def series(count: int) -> str:
    """A common table expression `s` with the numbers `n` from 1 to `count`."""
    return (
        f"WITH RECURSIVE s(n) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM s WHERE n < {count})"
    )


def false(dialect: Dialect) -> str:
    return "0" if dialect is SQLITE else "false"


def fill(url: str, password_hash: str) -> None:
    """Make the world; prints what took how long."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        with sqlite3.connect(str(parsed.database), isolation_level=None) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA cache_size = -500000")
            # Made at the end, in order, an index costs a tenth of what it costs row by row.
            indexes = connection.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql > ''"
            ).fetchall()
            for name, _ in indexes:
                connection.execute(f"DROP INDEX {name}")
            for what, sql in statements(SQLITE, password_hash):
                with timed(what):
                    connection.execute(sql)
            with timed("indexes"):
                for _, sql in indexes:
                    connection.execute(sql)
            with timed("ANALYZE"):
                connection.execute("ANALYZE")
        connection.close()
        return
    plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
    script = "".join(f"\\echo {what}\n{sql};\n" for what, sql in statements(POSTGRES, password_hash))
    sequences = "".join(
        f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}));\n"
        for table in ("users", "projects", "repositories", "artifacts", "blobs")
    )
    drop = (
        "CREATE TEMP TABLE later AS SELECT indexname, indexdef FROM pg_indexes WHERE indexname LIKE 'ix%';\n"
    )
    drop += "SELECT 'DROP INDEX ' || indexname FROM later \\gexec\n"
    create = "\\echo indexes\nSELECT indexdef FROM later \\gexec\n"
    command = ["psql", "-q", "-v", "ON_ERROR_STOP=1", "-c", "SET synchronous_commit = off", "-f", "-", plain]
    subprocess.run(
        command,
        input=f"\\timing on\n{drop}{script}{create}{sequences}VACUUM ANALYZE;\n",
        text=True,
        check=True,
    )


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Says how long its body took."""
    started = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - started:.1f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("database_url")
    arguments = parser.parse_args()
    started = time.perf_counter()
    fill(arguments.database_url, "")
    print(f"all of it: {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
