"""Projects and who belongs to them, told through harborapi."""

from hashlib import sha256

import pytest
from harborapi import HarborAsyncClient
from harborapi.exceptions import Conflict, Forbidden, PreconditionFailed
from harborapi.models import (
    CVEAllowlist,
    CVEAllowlistItem,
    ProjectMember,
    ProjectMetadata,
    ProjectReq,
    QuotaUpdateReq,
    ResourceList,
    UserEntity,
    UserGroup,
)

from hub import Hub
from system.harborapi.pushing import push
from system.harborapi.steps import SECRET, new_project, new_user, number, told
from system.harborapi.watched import logged_in
from system.wire import Wire

pytestmark = pytest.mark.system

PROJECT_ADMIN, DEVELOPER, GUEST = 1, 2, 3
OIDC = 3


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
        member = ProjectMember(role_id=GUEST, member_user=UserEntity(user_id=bob))
        with pytest.raises(Conflict):
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
