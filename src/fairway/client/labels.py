"""Labels: of the whole hub or of a project, and on artifacts."""

from dataclasses import dataclass

from fairway.client.artifacts import Named, path_of
from fairway.client.call import API, Call, Listing, asking, changing, filters, making, matching, reader


@dataclass(frozen=True, slots=True)
class Label:
    """Harbor's Label: `scope` is g for the whole hub, p for a project."""

    id: int
    name: str
    description: str = ""
    color: str = ""
    scope: str = ""
    project_id: int = 0
    creation_time: str = ""
    update_time: str = ""


def listed(project_id: int | None = None, *, name: str = "", sort: str = "") -> Listing[Label]:
    """Labels of the whole hub, or of the project with this id; `name` is exactly theirs."""
    query = {**_place(project_id), "q": filters(matching(name=name)), "sort": sort}
    return Listing(f"{API}/labels", reader(Label), query)


def get(label: int) -> Call[Label]:
    """One label by its id."""
    return asking(reader(Label), f"{API}/labels/{label}")


def create(name: str, project_id: int | None = None, *, color: str = "", description: str = "") -> Call[int]:
    """Make a label; its id."""
    body = {"name": name, "color": color, "description": description, **_place(project_id)}
    return making(f"{API}/labels", body)


def change(label: int, *, name: str, color: str, description: str) -> Call[None]:
    """Replace what a label says."""
    body = {"name": name, "color": color, "description": description}
    return changing("PUT", f"{API}/labels/{label}", body)


def delete(label: int) -> Call[None]:
    """Delete a label, and take it off everything that has it."""
    return changing("DELETE", f"{API}/labels/{label}")


def attach(named: Named, label: int) -> Call[None]:
    """Hang a label on an artifact."""
    return changing("POST", f"{path_of(named)}/labels", {"id": label})


def detach(named: Named, label: int) -> Call[None]:
    """Take a label off an artifact."""
    return changing("DELETE", f"{path_of(named)}/labels/{label}")


def _place(project_id: int | None) -> dict[str, str | int]:
    return {"scope": "g"} if project_id is None else {"scope": "p", "project_id": project_id}
