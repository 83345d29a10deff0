"""What lists of artifacts show is in columns, also of what was pushed before; the indexes of those lists."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.Text().with_variant(sa.TEXT(collation="C"), "postgresql")
_IN_LISTS = "accessory_of IS NULL AND listed"
_IN_LISTS_SQLITE = "accessory_of IS NULL AND listed = 1"
_ACCESSORIES = sa.text("accessory_of IS NOT NULL")
_SUBJECTS = sa.text("subject IS NOT NULL")


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_artifacts()
    else:
        for column in [*_shown_in_lists(), _listed()]:
            op.add_column("artifacts", column)
    for column in _shown_in_lists():
        op.add_column("deleted_artifacts", column)
    op.add_column("artifact_links", sa.Column("about", sa.Text(), nullable=True))
    op.add_column("deleted_links", sa.Column("about", sa.Text(), nullable=True))
    _fill("artifacts", "artifact_links", "artifact_id")
    _fill("deleted_artifacts", "deleted_links", "deleted_id")
    _index("ix_artifacts_accessory_of", ["repository_id", "accessory_of", "id"], _ACCESSORIES)
    op.execute(_NOT_LISTED)
    in_lists = sa.text(_IN_LISTS if op.get_bind().dialect.name == "postgresql" else _IN_LISTS_SQLITE)
    _index("ix_artifacts_in_repository", ["repository_id", "pushed_at", "id"], in_lists)
    _index("ix_artifacts_in_project", ["project_id", "pushed_at", "id"], in_lists)
    op.drop_index("ix_tags_artifact_id", table_name="tags")
    op.create_index(
        "ix_tags_artifact_id_pushed_at_id", "tags", ["artifact_id", "pushed_at", "id"], unique=False
    )


def downgrade() -> None:
    op.drop_index("ix_tags_artifact_id_pushed_at_id", table_name="tags")
    op.create_index("ix_tags_artifact_id", "tags", ["artifact_id"], unique=False)
    for name in ("ix_artifacts_accessory_of", "ix_artifacts_in_repository", "ix_artifacts_in_project"):
        op.drop_index(name, table_name="artifacts")
    for table in ("artifact_links", "deleted_links"):
        op.drop_column(table, "about")
    op.drop_column("artifacts", "listed")
    for table in ("artifacts", "deleted_artifacts"):
        for column in _shown_in_lists():
            op.drop_column(table, column.name)


def _shown_in_lists() -> list[sa.Column[Any]]:
    return [
        sa.Column("type", sa.Text(), server_default="", nullable=False),
        sa.Column("config_media_type", sa.Text(), server_default="", nullable=False),
        sa.Column("total_size", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("accessory", sa.Text(), server_default="", nullable=False),
        sa.Column("accessory_of", NAME, nullable=True),
    ]


def _listed() -> sa.Column[bool]:
    return sa.Column("listed", sa.Boolean(), server_default=sa.true(), nullable=False)


_NOT_LISTED = """
    UPDATE artifacts SET listed = FALSE
    WHERE NOT EXISTS (SELECT 1 FROM tags WHERE tags.artifact_id = artifacts.id)
    AND EXISTS (
        SELECT 1 FROM artifact_links AS link JOIN artifacts AS parent ON parent.id = link.artifact_id
        WHERE link.project_id = artifacts.project_id AND link.digest = artifacts.digest AND link.kind = 'child'
        AND parent.repository_id = artifacts.repository_id
    )
"""


def _index(name: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, "artifacts", columns, unique=False, sqlite_where=where, postgresql_where=where)


_KEPT = (
    *(
        "id",
        "project_id",
        "repository_id",
        "digest",
        "media_type",
        "kind",
        "artifact_type",
        "subject",
        "annotations",
    ),
    *("size", "pull_count", "pulled_at", "pushed_at", "created_at", "payload"),
)


def _rows_of(name: str, *columns: str) -> sa.TableClause:
    return sa.table(name, *map(sa.column, columns))


def _rebuild_artifacts() -> None:
    """The payload stays last: what stands behind it could only be read through all of its pages."""
    op.create_table(
        "artifacts_new",
        sa.Column("id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("repository_id", ID, nullable=False),
        sa.Column("digest", NAME, nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("artifact_type", sa.Text(), nullable=False),
        sa.Column("subject", NAME, nullable=True),
        sa.Column("annotations", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("pull_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("pulled_at", sa.BigInteger(), nullable=True),
        sa.Column("pushed_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        *_shown_in_lists(),
        _listed(),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_artifacts_project_id"),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name="fk_artifacts_repository_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_artifacts"),
        sa.UniqueConstraint("repository_id", "digest", name="uq_artifacts_repository_id_digest"),
        sqlite_autoincrement=True,
    )
    old, new = _rows_of("artifacts", *_KEPT), _rows_of("artifacts_new", *_KEPT)
    op.execute(sa.insert(new).from_select(list(_KEPT), sa.select(old).order_by(old.c.id)))
    # No id is given twice, not even that of a row that is gone.
    op.execute("DELETE FROM sqlite_sequence WHERE name = 'artifacts_new'")
    op.execute(
        "INSERT INTO sqlite_sequence (name, seq) SELECT 'artifacts_new', seq FROM sqlite_sequence WHERE name = 'artifacts'"
    )
    op.drop_table("artifacts")
    op.rename_table("artifacts_new", "artifacts")
    op.create_index("ix_artifacts_project_id_digest", "artifacts", ["project_id", "digest"], unique=False)
    op.create_index(
        "ix_artifacts_subject",
        "artifacts",
        ["repository_id", "subject", "digest"],
        unique=False,
        sqlite_where=_SUBJECTS,
    )


# ------------------------------------------------------------------- what was pushed before
# Written out here as the rules were at this revision, whatever becomes of them.

_MOST = 2**63 - 1
_PAGE = 500
_INDEX_TYPES = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
}
_IMAGE_CONFIGS = {
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
}
_EMPTY = "application/vnd.oci.empty.v1+json"
_TYPES = {
    **dict.fromkeys([*_INDEX_TYPES, *_IMAGE_CONFIGS], "IMAGE"),
    "application/vnd.cncf.helm.config.v1+json": "CHART",
    "application/vnd.cnab.manifest.v1": "CNAB",
    "application/vnd.wasm.config.v1+json": "WASM",
    "application/vnd.goharbor.harbor.sbom.v1": "SBOM",
    "application/vnd.cncf.model.config.v1+json": "CNAI",
    "application/vnd.cncf.model.manifest.v1+json": "CNAI",
}
_NAMED = re.compile(r"application/vnd\.[^.]*\.(.*)\.config\.[^.]*\+json", re.ASCII)
_COSIGN_LAYER = "application/vnd.dev.cosign.simplesigning.v1+json"
_COSIGN_TAG = re.compile(r"sha256-([0-9a-f]{64})\.sig", re.ASCII)
_BY_SUBJECT = {
    "application/vnd.dev.cosign.artifact.sig.v1+json": "signature.cosign",
    "application/vnd.dev.sigstore.bundle.v0.3+json": "signature.cosign",
    "application/vnd.cncf.notary.signature": "signature.notation",
    "application/vnd.goharbor.harbor.sbom.v1": "sbom.harbor",
}
_NYDUS = "containerd.io/snapshot/nydus-bootstrap"


_FACTS = ("type", "config_media_type", "total_size", "accessory", "accessory_of")


def _fill(name: str, links_name: str, owner: str) -> None:
    """One manifest in memory at a time.  Indexes come last: their size is that of what they name."""
    connection = op.get_bind()
    place = ("repository_id",) if name == "artifacts" else ("repository", "tags")
    table = _rows_of(
        name,
        *("id", "project_id", "digest", "media_type", "kind", "subject", "size", "payload"),
        *place,
        *_FACTS,
    )
    links = _rows_of(links_name, owner, "digest", "kind", "project_id", "about")
    for kind in ("image", "index"):
        for row in _rows(connection, table, kind):
            manifest = json.loads(bytes(row["payload"]))
            facts = _facts(row, manifest, _tags(connection, row))
            if kind == "index":
                children = _children(connection, table, links, owner, place[0], row)
                facts["total_size"] = min(_MOST, row["size"] + children)
                _fill_links(connection, links, owner, row["id"], manifest)
            connection.execute(sa.update(table).where(table.c.id == row["id"]).values(**facts))


def _rows(connection: sa.Connection, table: sa.TableClause, kind: str) -> Iterator[Mapping[str, Any]]:
    after = 0
    while True:
        ids = sa.select(table.c.id).where(table.c.kind == kind, table.c.id > after)
        page = [row.id for row in connection.execute(ids.order_by(table.c.id).limit(_PAGE))]
        if not page:
            return
        for each in page:
            yield dict(connection.execute(sa.select(table).where(table.c.id == each)).mappings().one())
        after = page[-1]


def _tags(connection: sa.Connection, row: Mapping[str, Any]) -> list[str]:
    if "tags" in row:
        return list(json.loads(row["tags"]))
    tags = _rows_of("tags", "name", "artifact_id")
    chosen = sa.select(tags.c.name).where(tags.c.artifact_id == row["id"], tags.c.name.like("sha256-%.sig"))
    return [each.name for each in connection.execute(chosen)]


def _children(
    connection: sa.Connection,
    table: sa.TableClause,
    links: sa.TableClause,
    owner: str,
    place: str,
    row: Mapping[str, Any],
) -> int:
    together = sa.and_(table.c.project_id == links.c.project_id, table.c.digest == links.c.digest)
    sizes = (
        sa.select(sa.func.max(table.c.total_size).label("size"))
        .select_from(links.join(table, together))
        .where(links.c[owner] == row["id"], links.c.kind == "child", table.c[place] == row[place])
        .group_by(table.c.digest)
    )
    return sum(each.size for each in connection.execute(sizes))


def _fill_links(
    connection: sa.Connection, links: sa.TableClause, owner: str, id: int, manifest: Mapping[str, Any]
) -> None:
    told: dict[str, str] = {}
    for child in manifest.get("manifests") or ():
        said = {name: child[name] for name in ("platform", "annotations", "urls") if child.get(name)}
        told.setdefault(child["digest"], json.dumps(said, separators=(",", ":"), ensure_ascii=False))
    for digest, about in told.items():
        row = sa.and_(links.c[owner] == id, links.c.digest == digest, links.c.kind == "child")
        connection.execute(sa.update(links).where(row).values(about=about))


def _facts(row: Mapping[str, Any], manifest: Mapping[str, Any], tags: list[str]) -> dict[str, Any]:
    config = manifest.get("config") or {}
    layers = manifest.get("layers") or []
    media_type = row["media_type"] if row["kind"] == "index" else config.get("mediaType", "")
    own = manifest.get("artifactType") or ""
    accessory, of = _accessory(row["subject"], {media_type, own}, layers, tags)
    return {
        "type": _type(own if own and media_type in ("", _EMPTY) else media_type),
        "config_media_type": media_type,
        "total_size": min(_MOST, row["size"] + config.get("size", 0) + sum(each["size"] for each in layers)),
        "accessory": accessory,
        "accessory_of": of,
    }


def _type(media_type: str) -> str:
    named = _NAMED.fullmatch(media_type)
    return _TYPES.get(media_type) or (named[1].upper() if named else "UNKNOWN")


def _accessory(
    subject: str | None, types: set[str], layers: list[Mapping[str, Any]], tags: list[str]
) -> tuple[str, str | None]:
    if subject is not None:
        known = next((_BY_SUBJECT[each] for each in sorted(types) if each in _BY_SUBJECT), "")
        nydus = bool(layers) and _NYDUS in (layers[-1].get("annotations") or {}) and types & _IMAGE_CONFIGS
        return known or ("accelerator.nydus" if nydus else "subject.accessory"), subject
    if any(each["mediaType"] == _COSIGN_LAYER for each in layers):
        found = [match[1] for tag in sorted(tags) if (match := _COSIGN_TAG.fullmatch(tag))]
        if found:
            return "signature.cosign", f"sha256:{found[0]}"
    return "", None
