"""A team's life on a running hub, told through harborapi, a client of Harbor's API that other people wrote."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from hashlib import sha256
from typing import Any

import pytest
from harborapi import HarborAsyncClient
from harborapi.exceptions import Conflict, Forbidden, NotFound, PreconditionFailed, Unauthorized
from harborapi.models import (
    Access,
    AuditLog,
    Configurations,
    CVEAllowlist,
    CVEAllowlistItem,
    Label,
    ProjectMember,
    ProjectMetadata,
    ProjectReq,
    QuotaUpdateReq,
    Repository,
    ResourceList,
    RobotCreate,
    RobotCreateV1,
    RobotPermission,
    Schedule,
    ScheduleObj,
    Tag,
    UserCreationReq,
    UserEntity,
    UserGroup,
    UserProfile,
)

from hub import Hub
from postgres import Postgres
from system.harbor_client import logged_in
from system.layouts import CONFIG, INDEX, MANIFEST, PLAIN_LAYER
from system.wire import Wire

pytestmark = pytest.mark.system

PROJECT_ADMIN, DEVELOPER, GUEST = 1, 2, 3
OIDC = 3
SECRET = "Harbour-master-2"
WAIT_SECONDS = 60


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One hub for all chapters, which keep out of each other's way by names."""
    folder = tmp_path_factory.mktemp("hub")
    if request.param == "sqlite":
        hub = Hub(folder)
    else:
        server: Postgres = request.getfixturevalue("postgres")
        hub = Hub(folder, database_url=server.create(f"h_{uuid.uuid4().hex}"), workers=3)
    try:
        yield hub.start()
    finally:
        hub.kill()


@pytest.fixture
async def harbor(hub: Hub) -> AsyncIterator[HarborAsyncClient]:
    """The administrator's client."""
    async with logged_in(hub) as api:
        yield api


def number(location: str) -> int:
    """The id at the end of a Location."""
    return int(location.rpartition("/")[2])


async def told(ask: Callable[[], Awaitable[list[AuditLog]]], lines: int) -> list[AuditLog]:
    """The log, when it has so many lines: they are written in the background."""
    deadline = time.monotonic() + WAIT_SECONDS
    while len(found := await ask()) < lines:
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)
    return found


async def new_user(harbor: HarborAsyncClient, name: str) -> int:
    asked = UserCreationReq(
        username=name, email=f"{name}@example.com", realname=name.title(), password=SECRET, comment=""
    )
    return number(await harbor.create_user(asked))


async def new_project(harbor: HarborAsyncClient, name: str, **more: Any) -> int:
    """Its id."""
    await harbor.create_project(ProjectReq(project_name=name, **more))
    project = await harbor.get_project(name)
    assert project.project_id
    return project.project_id


# Images, by plain HTTP: the client has no part in the registry's own requests.


def put(wire: Wire, repo: str, tag: str, body: dict[str, Any]) -> str:
    """The digest of a manifest, stored."""
    raw = json.dumps(body).encode()
    stored = wire.ask("PUT", f"/v2/{repo}/manifests/{tag}", raw, {"Content-Type": body["mediaType"]})
    assert stored.status == 201, stored
    return f"sha256:{sha256(raw).hexdigest()}"


def described(wire: Wire, repo: str, kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": wire.push_blob(repo, content), "size": len(content)}


def push(wire: Wire, repo: str, tag: str, *, seed: bytes = b"bytes", **more: Any) -> str:
    """An image of one layer; its digest."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(seed).hexdigest()}"]},
        "history": [{"created": "2026-11-01T10:00:00Z", "created_by": "COPY bytes /"}],
    }
    body = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described(wire, repo, CONFIG, json.dumps(config).encode()),
        "layers": [described(wire, repo, PLAIN_LAYER, seed)],
        "annotations": {"org.opencontainers.image.title": "bytes"},
        **more,
    }
    return put(wire, repo, tag or f"sha256:{sha256(json.dumps(body).encode()).hexdigest()}", body)


def push_index(wire: Wire, repo: str, tag: str, child: str) -> str:
    size = len(wire.ask("GET", f"/v2/{repo}/manifests/{child}", headers={"Accept": MANIFEST}).body)
    platform = {"architecture": "amd64", "os": "linux"}
    entry = {"mediaType": MANIFEST, "digest": child, "size": size, "platform": platform}
    return put(wire, repo, tag, {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]})


def push_signature(wire: Wire, repo: str, subject: str) -> str:
    size = len(wire.ask("GET", f"/v2/{repo}/manifests/{subject}", headers={"Accept": MANIFEST}).body)
    about = {"mediaType": MANIFEST, "digest": subject, "size": size}
    kind = "application/vnd.dev.cosign.artifact.sig.v1+json"
    return push(wire, repo, "", seed=b"signature", subject=about, artifactType=kind)


async def test_people(hub: Hub, harbor: HarborAsyncClient) -> None:
    alice = await new_user(harbor, "alice")
    with pytest.raises(Conflict):
        await new_user(harbor, "alice")

    found = await harbor.get_user(alice)
    assert (found.username, found.email, found.realname) == ("alice", "alice@example.com", "Alice")
    assert found.sysadmin_flag is False
    assert (await harbor.get_user_by_username("alice")).user_id == alice
    assert [user.user_id for user in await harbor.search_users_by_username("lic")] == [alice]
    assert [user.username for user in await harbor.get_users(query="username=alice")] == ["alice"]
    assert alice in [user.user_id for user in await harbor.get_users(sort="-creation_time", page_size=1)]

    await harbor.update_user(alice, UserProfile(email="a@example.com", realname="Alice A", comment="builds"))
    assert (await harbor.get_user(alice)).comment == "builds"
    await harbor.set_user_password(alice, "Another-secret-3")
    async with logged_in(hub, "alice", "Another-secret-3") as own:
        me = await own.get_current_user()
        assert (me.user_id, me.realname) == (alice, "Alice A")
        assert isinstance(await own.get_current_user_permissions(), list)
        with pytest.raises(Forbidden):
            await own.set_user_password(alice, SECRET, old_password="Not-my-secret-4")
        await own.set_user_password(alice, SECRET, old_password="Another-secret-3")
        with pytest.raises(Unauthorized):
            await own.get_current_user()
    async with logged_in(hub, "alice", SECRET) as own:
        with pytest.raises(Forbidden):
            await own.get_users()
        await harbor.set_user_admin(alice, True)
        assert (await own.get_current_user()).sysadmin_flag is True
        assert len(await own.get_users()) >= 2
        await harbor.set_user_admin(alice, False)
        with pytest.raises(Forbidden):
            await own.get_users()

    await harbor.delete_user(alice)
    with pytest.raises(NotFound):
        await harbor.get_user(alice)


async def test_groups(harbor: HarborAsyncClient) -> None:
    crew = number(await harbor.create_usergroup(UserGroup(group_name="crew", group_type=OIDC)))
    with pytest.raises(Conflict):
        await harbor.create_usergroup(UserGroup(group_name="crew", group_type=OIDC))

    await harbor.update_usergroup(crew, UserGroup(group_name="deck crew"))

    found = await harbor.get_usergroup(crew)
    assert (found.id, found.group_name, found.group_type) == (crew, "deck crew", OIDC)
    assert [group.id for group in await harbor.get_usergroups(group_name="deck")] == [crew]
    assert [group.id for group in await harbor.search_usergroups("deck")] == [crew]
    await harbor.delete_usergroup(crew)
    assert await harbor.get_usergroups(group_name="deck") == []


async def test_a_project_from_its_first_day_to_its_last(hub: Hub, harbor: HarborAsyncClient) -> None:
    assert not await harbor.project_exists("tools")
    asked = ProjectReq(
        project_name="tools",
        metadata=ProjectMetadata(public="false"),
        storage_limit=10 * 2**20,
    )
    location = await harbor.create_project(asked)
    assert location == "/api/v2.0/projects/tools"
    with pytest.raises(Conflict):
        await harbor.create_project(asked)
    assert await harbor.project_exists("tools")

    project = await harbor.get_project("tools")
    assert project.project_id
    assert await harbor.get_project(project.project_id) == project
    assert (project.name, project.owner_name, project.repo_count) == ("tools", "admin", 0)
    assert project.metadata
    assert project.metadata.public == "false"
    assert [p.name for p in await harbor.get_projects(name="tool")] == ["tools"]
    assert [p.name for p in await harbor.get_projects(query="name=tools", sort="-name", public=False)] == [
        "tools"
    ]
    assert [p.name for p in await harbor.get_projects(owner="admin", name="tools", with_detail=False)] == [
        "tools"
    ]

    await harbor.update_project(
        "tools",
        ProjectReq(
            metadata=ProjectMetadata(public="true", severity="high"),
            cve_allowlist=CVEAllowlist(items=[CVEAllowlistItem(cve_id="CVE-2026-1")]),
        ),
    )
    project = await harbor.get_project("tools")
    assert project.metadata
    assert (project.metadata.public, project.metadata.severity) == ("true", "high")
    assert project.cve_allowlist
    assert [item.cve_id for item in project.cve_allowlist.items or ()] == ["CVE-2026-1"]

    await harbor.delete_project_metadata_entry("tools", "severity")
    await harbor.set_project_metadata("tools", ProjectMetadata(severity="low"))
    await harbor.update_project_metadata_entry("tools", "severity", {"severity": "medium"})
    assert await harbor.get_project_metadata_entry("tools", "severity") == {"severity": "medium"}
    await harbor.delete_project_metadata_entry("tools", "severity")
    left = await harbor.get_project_metadata("tools")
    assert (left.public, left.severity) == ("true", None)

    summary = await harbor.get_project_summary("tools")
    assert (summary.repo_count, summary.project_admin_count) == (0, 1)
    assert summary.quota
    assert summary.quota.hard == ResourceList({"storage": 10 * 2**20})

    push(Wire(hub), "tools/hammer", "1")
    verdict = await harbor.get_project_deletable("tools")
    assert verdict.deletable is False
    assert verdict.message
    with pytest.raises(PreconditionFailed):
        await harbor.delete_project("tools")
    await harbor.delete_repository("tools", "hammer")
    assert (await harbor.get_project_deletable("tools")).deletable is True
    logs = await told(lambda: harbor.get_project_logs("tools", query="operation=create", sort="op_time"), 2)
    assert logs[0].resource == "tools"
    assert ("artifact", "create") in [(log.resource_type, log.operation) for log in logs]
    await harbor.delete_project("tools")
    assert not await harbor.project_exists("tools")


async def test_many_projects_are_followed_over_pages(harbor: HarborAsyncClient) -> None:
    names = [f"fleet-{n}" for n in range(7)]
    for name in names:
        await harbor.create_project(ProjectReq(project_name=name))
    found = await harbor.get_projects(name="fleet-", sort="name", page_size=3)
    assert [project.name for project in found] == names
    assert [
        p.name for p in await harbor.get_projects(name="fleet-", sort="name", page_size=3, limit=4)
    ] == names[:4]


async def test_members(hub: Hub, harbor: HarborAsyncClient) -> None:
    project = await new_project(harbor, "docks")
    bob, carol = await new_user(harbor, "bob"), await new_user(harbor, "carol")
    gang = number(await harbor.create_usergroup(UserGroup(group_name="gang", group_type=OIDC)))
    async with logged_in(hub, "bob", SECRET) as own:
        with pytest.raises(Forbidden):
            await own.get_project("docks")

        as_bob = number(await harbor.add_project_member_user("docks", "bob", GUEST))
        as_carol = number(await harbor.add_project_member_user(project, carol, DEVELOPER))
        as_gang = number(await harbor.add_project_member_group("docks", gang, DEVELOPER))
        with pytest.raises(Conflict):
            member = ProjectMember(role_id=GUEST, member_user=UserEntity(user_id=bob))
            await harbor.add_project_member("docks", member)

        seen = await own.get_project("docks")
        assert seen.current_user_role_id == GUEST
        assert [p.name for p in await own.get_projects(query="name=docks")] == ["docks"]
        members = {m.entity_name: m for m in await own.get_project_members("docks")}
        assert members.keys() == {"admin", "bob", "carol", "gang"}
        kinds = [(members[name].entity_type, members[name].role_id) for name in ("admin", "bob", "gang")]
        assert kinds == [("u", PROJECT_ADMIN), ("u", GUEST), ("g", DEVELOPER)]
        with pytest.raises(Forbidden):
            await own.update_project_member_role("docks", as_bob, PROJECT_ADMIN)

        await harbor.update_project_member_role("docks", as_bob, PROJECT_ADMIN)
        await own.update_project_member_role("docks", as_carol, GUEST)
        one = await own.get_project_member("docks", as_carol)
        assert (one.entity_name, one.entity_id, one.role_id, one.role_name) == (
            "carol",
            carol,
            GUEST,
            "guest",
        )
        assert [m.id for m in await own.get_project_members(project, entity_name="caro")] == [as_carol]
        summary = await own.get_project_summary("docks")
        counts = (summary.project_admin_count, summary.developer_count, summary.guest_count)
        assert counts == (2, 1, 1)
        permissions = await own.get_current_user_permissions(scope=f"/project/{project}", relative=True)
        assert ("member", "delete") in [(p.resource, p.action) for p in permissions]

        await own.remove_project_member("docks", as_gang)
        await harbor.remove_project_member("docks", as_bob)
        with pytest.raises(Forbidden):
            await own.get_project("docks")
    assert {m.entity_name for m in await harbor.get_project_members("docks")} == {"admin", "carol"}


async def test_a_robot_of_a_project(hub: Hub, harbor: HarborAsyncClient) -> None:
    await new_project(harbor, "crane")
    wanted = ("repository", "pull"), ("repository", "push"), ("project", "read")
    access = [Access(resource=resource, action=action) for resource, action in wanted]
    made = await harbor.create_robot(
        RobotCreate(
            name="lifter",
            description="lifts",
            level="project",
            duration=30,
            disable=False,
            permissions=[RobotPermission(kind="project", namespace="crane", access=access)],
        )
    )
    assert (made.name, bool(made.id), bool(made.secret)) == ("robot$crane+lifter", True, True)
    assert made.id
    robot = await harbor.get_robot(made.id)
    assert (robot.level, robot.duration, robot.disable, robot.editable) == ("project", 30, False, True)
    assert robot.permissions
    assert robot.permissions[0].namespace == "crane"
    crane = (await harbor.get_project("crane")).project_id
    listed = await harbor.get_robots(query=f"Level=project,ProjectID={crane}", sort="name")
    assert [r.id for r in listed] == [made.id]
    push(Wire(hub, made.name or "", made.secret or ""), "crane/hook", "1")

    robot.description, robot.disable = "rests", True
    await harbor.update_robot(made.id, robot)
    assert (await harbor.get_robot(made.id)).description == "rests"
    assert Wire(hub, made.name or "", made.secret or "").ask("GET", "/v2/").status == 401
    robot.disable = False
    await harbor.update_robot(made.id, robot)

    assert (await harbor.refresh_robot_secret(made.id, SECRET)).secret in ("", None)
    assert Wire(hub, made.name or "", SECRET).ask("GET", "/v2/").status == 200
    drawn = (await harbor.refresh_robot_secret(made.id, "")).secret
    assert drawn
    assert Wire(hub, made.name or "", SECRET).ask("GET", "/v2/").status == 401
    async with logged_in(hub, made.name or "", drawn) as own:
        assert [p.name for p in await own.get_projects(name="crane")] == ["crane"]
        with pytest.raises(PreconditionFailed):
            await own.get_current_user()

    await harbor.delete_robot(made.id)
    with pytest.raises(NotFound):
        await harbor.get_robot(made.id)


async def test_a_robot_for_the_whole_server(hub: Hub, harbor: HarborAsyncClient) -> None:
    known = await harbor.get_permissions()
    assert ("catalog", "read") in [(p.resource, p.action) for p in known.system or ()]
    assert ("repository", "push") in [(p.resource, p.action) for p in known.project or ()]
    made = await harbor.create_robot(
        RobotCreate(
            name="watch",
            level="system",
            duration=-1,
            permissions=[
                RobotPermission(
                    kind="system", namespace="/", access=[Access(resource="catalog", action="read")]
                ),
                RobotPermission(
                    kind="project", namespace="*", access=[Access(resource="repository", action="list")]
                ),
            ],
        )
    )
    assert (made.name, made.expires_at) == ("robot$watch", -1)
    assert made.id
    assert made.id in [robot.id for robot in await harbor.get_robots(query="Level=system")]
    async with logged_in(hub, "robot$watch", made.secret or "") as own:
        assert isinstance(await own.get_repositories(), list)
        with pytest.raises(Forbidden):
            await own.get_users()
    await harbor.delete_robot(made.id)


async def test_robots_as_older_servers_had_them(hub: Hub, harbor: HarborAsyncClient) -> None:
    project = await new_project(harbor, "barge")
    asked = RobotCreateV1(
        name="tow", description="tows", expires_at=-1, access=[Access(resource="repository", action="pull")]
    )
    made = await harbor.create_robot_v1("barge", asked)
    assert made.id
    assert made.secret
    assert [robot.id for robot in await harbor.get_robots_v1(project)] == [made.id]
    robot = await harbor.get_robot_v1("barge", made.id)
    assert robot.description == "tows"
    robot.description = "tugs"
    await harbor.update_robot_v1("barge", made.id, robot)
    assert (await harbor.get_robot_v1("barge", made.id)).description == "tugs"
    await harbor.delete_robot_v1("barge", made.id)
    assert await harbor.get_robots_v1("barge") == []


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


async def test_quotas(hub: Hub, harbor: HarborAsyncClient) -> None:
    project = await new_project(harbor, "hold", storage_limit=5 * 2**20)
    [quota] = await harbor.get_quotas(reference="project", reference_id=str(project))
    assert quota.id
    assert quota.ref
    assert (quota.ref.root or {})["name"] == "hold"
    assert quota.hard == ResourceList({"storage": 5 * 2**20})
    assert quota.used == ResourceList({"storage": 0})
    await harbor.update_quota(quota.id, QuotaUpdateReq(hard=ResourceList({"storage": 2**20})))

    push(Wire(hub), "hold/crate", "1", seed=b"x" * 2**19)
    used = (await harbor.get_quota(quota.id)).used
    assert used
    assert 2**19 < (used.root or {})["storage"] < 2**20
    full = Wire(hub).ask(
        "PUT",
        f"{Wire(hub).start_upload('hold/crate')}?digest=sha256:{sha256(b'y' * 2**20).hexdigest()}",
        b"y" * 2**20,
    )
    assert (full.status, full.json()["errors"][0]["code"]) == (403, "DENIED")
    fullest = await harbor.get_quotas(sort="-used.storage", page_size=100)
    assert project in [(each.ref.root or {})["id"] for each in fullest if each.ref]


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


async def test_the_server(harbor: HarborAsyncClient) -> None:
    assert await harbor.ping() == "Pong"
    health = await harbor.health_check()
    assert health.status == "healthy"
    assert {"core", "database"} <= {component.name for component in health.components or ()}
    info = await harbor.get_system_info()
    assert (info.auth_mode, info.self_registration, info.read_only) == ("db_auth", False, False)
    assert info.harbor_version
    assert info.registry_url
    [storage] = (await harbor.get_system_volume_info()).storage or ()
    assert 0 < (storage.free or 0) <= (storage.total or 0)

    config = await harbor.get_config()
    assert config.token_expiration
    before = config.token_expiration.value
    assert (before, config.token_expiration.editable) == (5, True)
    await harbor.update_config(Configurations(token_expiration=20, robot_name_prefix="robot$"))
    config = await harbor.get_config()
    assert config.token_expiration
    assert config.token_expiration.value == 20
    await harbor.update_config(Configurations(token_expiration=before))

    items = [CVEAllowlistItem(cve_id="CVE-2026-77")]
    await harbor.update_cve_allowlist(CVEAllowlist(items=items, expires_at=None))
    allowed = await harbor.get_cve_allowlist()
    assert [item.cve_id for item in allowed.items or ()] == ["CVE-2026-77"]
    await harbor.update_cve_allowlist(CVEAllowlist(items=[]))
    assert (await harbor.get_cve_allowlist()).items == []


async def test_what_happened(hub: Hub, harbor: HarborAsyncClient) -> None:
    await new_project(harbor, "logbook")
    push(Wire(hub), "logbook/page", "1")
    logs = await told(lambda: harbor.get_audit_logs(query="resource=~logbook", sort="op_time"), 2)
    assert {(log.username, log.operation) for log in logs} == {("admin", "create")}
    assert {"project", "artifact"} <= {log.resource_type for log in logs}
    assert [log.id for log in await harbor.get_project_logs("logbook", sort="op_time", page_size=1)] == [
        log.id for log in logs
    ]


async def test_schedules_and_runs(harbor: HarborAsyncClient) -> None:
    nightly = Schedule(schedule=ScheduleObj(type="Custom", cron="0 0 3 * * *"), parameters={"dry_run": True})
    await harbor.create_gc_schedule(nightly)
    found = (await harbor.get_gc_schedule()).schedule
    assert found
    assert found.cron == "0 0 3 * * *"
    await harbor.update_gc_schedule(Schedule(schedule=ScheduleObj(type="None", cron="")))
    now = Schedule(
        schedule=ScheduleObj(type="Manual"), parameters={"dry_run": True, "delete_untagged": False}
    )
    run = number(await harbor.create_gc_schedule(now))
    assert (await harbor.get_gc_job(run)).id == run
    assert run in [job.id for job in await harbor.get_gc_jobs(sort="-id")]
    assert isinstance(await harbor.get_gc_log(run), list)

    hours = {"audit_retention_hour": 24, "include_operations": "create", "dry_run": True}
    purge = number(
        await harbor.create_purge_job_schedule(
            Schedule(schedule=ScheduleObj(type="Manual"), parameters=hours)
        )
    )
    assert (await harbor.get_purge_job(purge)).id == purge
    assert purge in [job.id for job in await harbor.get_purge_job_history()]
    assert isinstance(await harbor.get_purge_job_log(purge), str)
