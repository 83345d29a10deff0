"""The audit log: who did what."""

from dataclasses import dataclass

from fairway.client.call import API, Listing, filters, reader, segment


@dataclass(frozen=True, slots=True)
class Entry:
    """Harbor's AuditLogExt."""

    id: int
    op_time: str = ""
    username: str = ""
    operation: str = ""
    resource_type: str = ""
    resource: str = ""
    operation_description: str = ""
    operation_result: bool = True


def listed(project: str = "", *, q: str = "", sort: str = "") -> Listing[Entry]:
    """What happened in a project, or in all of which the caller may read the log; the last first."""
    path = f"{API}/projects/{segment(project)}/auditlog-exts" if project else f"{API}/auditlog-exts"
    return Listing(path, reader(Entry), {"q": filters(q), "sort": sort})
