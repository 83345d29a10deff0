"""What lists show of manifests that were pushed before it was in columns: the migration finds what a push would have."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config

from fairway.frame.db import migrate as migrating
from fairway.frame.db import migrations, open_database, sqlite_path
from fairway.frame.db.tables import artifact_links, artifacts, deleted_artifacts, deleted_links
from features.artifacts.test_artifacts_api import about, image, index, platform, remade, typed
from stories.world import Image, World

TABLES = (artifacts, artifact_links, deleted_artifacts, deleted_links)
NYDUS = {"containerd.io/snapshot/nydus-bootstrap": "true"}


def with_layer(of: Image, **members: Any) -> Image:
    """The same with other words about its only layer."""
    [only] = json.loads(of.manifest.raw)["layers"]
    return remade(of, layers=[{**only, **members}])


def all_kinds() -> dict[str, Image]:
    """Manifests by the reference they are pushed under; "" is by digest."""
    oci = "application/vnd.oci.image.config.v1+json"
    one, two = typed(image("one"), oci), image("two")
    listed = [
        {**platform(one, "amd64"), "annotations": {"a": "ü"}},
        {**platform(two, "arm64"), "urls": ["https://example.org/two"]},
        platform(one, "arm"),
    ]
    both = remade(index(one, two), manifests=listed)
    nydus = typed(with_layer(remade(image("nydus"), subject=platform(one, "any")), annotations=NYDUS), oci)
    signing = with_layer(image("signing"), mediaType="application/vnd.dev.cosign.simplesigning.v1+json")
    chart = typed(image("chart"), "application/vnd.cncf.helm.config.v1+json")
    return {
        "both": both,
        "nested": index(both),
        "chart": chart,
        f"sha256-{one.digest.hex}.sig": signing,
        "notation": about(both, "notation"),
        "nydus": nydus,
        "other": about(chart, "other", "application/vnd.acme.rocket.config.v1+json"),
        "declared": remade(image("declared"), artifactType="application/vnd.acme.rocket.config.v1+json"),
        "large": with_layer(image("large"), size=2**63 - 1, urls=["https://example.org/large"]),
    }


async def rows(url: str) -> dict[str, list[dict[str, Any]]]:
    db = await open_database(url, pool=1)
    try:
        return {
            table.name: [
                dict(row) for row in await db.all(table.select().order_by(*table.primary_key.columns))
            ]
            for table in TABLES
        }
    finally:
        await db.close()


def back(connection: Any) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    command.downgrade(config, "0003")
    connection.commit()


async def test_it_is_as_if_everything_had_been_pushed_today(
    world: World, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.project("team")
    for name, what in all_kinds().items():
        assert (await world.admin.push(f"team/app:{name}", what)).status == 201, name
        assert (await world.admin.push(f"team/gone:{name}", what)).status == 201, name
    answer = await world.admin("DELETE", "/api/v2.0/projects/team/repositories/gone")
    assert answer.status == 200, answer.body
    before = await rows(database_url)
    assert len(before["deleted_artifacts"]) == len(before["artifacts"]) == 11
    assert {row["accessory"] for row in before["artifacts"]} == {
        *("", "signature.cosign", "signature.notation", "accelerator.nydus", "subject.accessory")
    }
    await asyncio.to_thread(_down_and_up, database_url, monkeypatch)
    assert await rows(database_url) == before


def _down_and_up(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sqlite_path(url)
    with monkeypatch.context() as patched:
        patched.setattr(migrating, "_upgrade", back)
        if path is not None:
            migrating._migrate_sqlite(path)
        else:
            asyncio.run(migrating._upgrade_postgres(url))
    assert migrating.migrate(url)
