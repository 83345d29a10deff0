"""What was pushed, told through harborapi."""

import pytest
from harborapi import HarborAsyncClient
from harborapi.exceptions import Conflict, NotFound
from harborapi.models import Label, ProjectMetadata, Repository, Tag

from hub import Hub
from system.harborapi.pushing import push, push_index, push_signature
from system.harborapi.steps import new_project, number
from system.layouts import CONFIG, MANIFEST
from system.wire import Wire

pytestmark = pytest.mark.system


async def test_labels(hub: Hub, harbor: HarborAsyncClient) -> None:
    project = await new_project(harbor, "sails")
    push(Wire(hub), "sails/jib", "1")
    everywhere = number(
        await harbor.create_label(Label(name="seaworthy", color="#61717D", scope="g", description="all"))
    )
    here = number(await harbor.create_label(Label(name="patched", scope="p", project_id=project)))
    with pytest.raises(Conflict):
        await harbor.create_label(Label(name="patched", scope="p", project_id=project))

    assert [label.id for label in await harbor.get_labels(scope="g", name="sea")] == [everywhere]
    assert [label.id for label in await harbor.get_labels(scope="p", project_id=project)] == [here]
    await harbor.update_label(here, Label(name="mended", color="#FFFFFF", description="by hand"))
    label = await harbor.get_label(here)
    assert (label.name, label.color, label.scope, label.project_id) == ("mended", "#FFFFFF", "p", project)

    for id in (everywhere, here):
        await harbor.add_artifact_label("sails", "jib", "1", Label(id=id))
    with pytest.raises(Conflict):
        await harbor.add_artifact_label("sails", "jib", "1", Label(id=here))
    artifact = await harbor.get_artifact("sails", "jib", "1", with_label=True)
    assert {each.name for each in artifact.labels or ()} == {"seaworthy", "mended"}
    found = await harbor.get_artifacts("sails", "jib", query=f"labels=({here})", with_label=True)
    assert [each.digest for each in found] == [artifact.digest]
    await harbor.delete_artifact_label("sails", "jib", "1", here)
    artifact = await harbor.get_artifact("sails", "jib", "1", with_label=True)
    assert [each.name for each in artifact.labels or ()] == ["seaworthy"]
    for id in (everywhere, here):
        await harbor.delete_label(id)
    with pytest.raises(NotFound):
        await harbor.get_label(here)


async def test_images(hub: Hub, harbor: HarborAsyncClient) -> None:
    await new_project(harbor, "cargo")
    wire = Wire(hub)
    image = push(wire, "cargo/deep/tea", "1")
    index = push_index(wire, "cargo/deep/tea", "all", image)
    signature = push_signature(wire, "cargo/deep/tea", image)
    other = push(wire, "cargo/rum", "1", seed=b"rum")

    await harbor.update_repository("cargo", "deep/tea", Repository(description="hot"))
    repository = await harbor.get_repository("cargo", "deep/tea")
    assert (repository.name, repository.description, repository.artifact_count) == (
        "cargo/deep/tea",
        "hot",
        2,
    )
    assert [r.base_name for r in await harbor.get_repositories("cargo", sort="name")] == ["deep/tea", "rum"]
    assert [r.base_name for r in await harbor.get_repositories("cargo", query="name=~ru")] == ["rum"]
    assert "cargo/rum" in [r.name for r in await harbor.get_repositories(page_size=1)]

    flags = dict.fromkeys(
        [
            f"with_{what}"
            for what in ("tag", "label", "scan_overview", "sbom_overview", "immutable_status", "accessory")
        ],
        True,
    )
    artifacts = {
        a.digest: a for a in await harbor.get_artifacts("cargo", "deep/tea", sort="push_time", **flags)
    }
    assert artifacts.keys() == {image, index}
    shown = artifacts[image]
    assert (shown.type, shown.media_type, shown.manifest_media_type) == ("IMAGE", CONFIG, MANIFEST)
    assert [(tag.name, tag.immutable) for tag in shown.tags or ()] == [("1", False)]
    assert [(a.digest, a.type) for a in shown.accessories or ()] == [(signature, "signature.cosign")]
    assert shown.extra_attrs
    assert (shown.extra_attrs.root or {})["architecture"] == "amd64"
    assert shown.annotations
    assert shown.annotations.root == {"org.opencontainers.image.title": "bytes"}
    [reference] = artifacts[index].references or ()
    assert (reference.child_digest, reference.child_id) == (image, shown.id)
    assert reference.platform
    assert (reference.platform.os, reference.platform.architecture) == ("linux", "amd64")
    assert [a.digest for a in await harbor.get_artifacts("cargo", "deep/tea", query="tags=all")] == [index]
    assert {a.digest for a in await harbor.get_project_artifacts("cargo", with_tag=True)} == {
        image,
        index,
        other,
    }

    one = await harbor.get_artifact("cargo", "deep/tea", image, with_signature=True, **flags)
    assert (one.id, one.size) == (shown.id, shown.size)
    assert [h.created_by for h in await harbor.get_artifact_build_history("cargo", "deep/tea", "1")] == [
        "COPY bytes /"
    ]
    icon = await harbor.get_icon(one.icon or "")
    assert (icon.content_type, bool(icon.content)) == ("image/svg+xml", True)
    [accessory] = await harbor.get_artifact_accessories("cargo", "deep/tea", image)
    assert (accessory.digest, accessory.subject_artifact_digest) == (signature, image)

    await harbor.create_artifact_tag("cargo", "deep/tea", image, Tag(name="fresh"))
    with pytest.raises(Conflict):
        await harbor.create_artifact_tag("cargo", "deep/tea", image, Tag(name="fresh"))
    tags = await harbor.get_artifact_tags("cargo", "deep/tea", image, sort="name", with_immutable_status=True)
    assert [tag.name for tag in tags] == ["1", "fresh"]
    await harbor.delete_artifact_tag("cargo", "deep/tea", image, "fresh")
    assert [t.name for t in await harbor.get_artifact_tags("cargo", "deep/tea", image)] == ["1"]

    location = await harbor.copy_artifact("cargo", "copies/tea", f"cargo/deep/tea@{index}")
    assert location.endswith(f"/artifacts/{index}")
    assert (await harbor.get_artifact("cargo", "copies/tea", index)).digest == index
    await harbor.delete_artifact("cargo", "copies/tea", index)
    with pytest.raises(NotFound):
        await harbor.get_artifact("cargo", "copies/tea", index)
    await harbor.delete_repository("cargo", "rum")
    with pytest.raises(NotFound):
        await harbor.get_repository("cargo", "rum")


async def test_search_and_statistics(hub: Hub, harbor: HarborAsyncClient) -> None:
    await new_project(harbor, "lighthouse", metadata=ProjectMetadata(public="true"))
    before = await harbor.get_statistics()
    push(Wire(hub), "lighthouse/lamp", "1", seed=b"light")
    found = await harbor.search("lighthouse")
    assert [project.name for project in found.project or ()] == ["lighthouse"]
    assert [r.repository_name for r in found.repository or ()] == ["lighthouse/lamp"]
    assert found.repository
    assert (found.repository[0].project_public, found.repository[0].artifact_count) == (True, 1)
    after = await harbor.get_statistics()
    assert (after.public_repo_count or 0) - (before.public_repo_count or 0) == 1
    assert (after.total_storage_consumption or 0) > (before.total_storage_consumption or 0)
    assert after.total_project_count == (after.public_project_count or 0) + (after.private_project_count or 0)
