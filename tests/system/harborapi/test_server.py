"""The server itself, told through harborapi."""

import pytest
from harborapi import HarborAsyncClient
from harborapi.models import Configurations, CVEAllowlist, CVEAllowlistItem, Schedule, ScheduleObj

from hub import Hub
from system.harborapi.pushing import push
from system.harborapi.steps import new_project, number, told
from system.wire import Wire

pytestmark = pytest.mark.system


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
