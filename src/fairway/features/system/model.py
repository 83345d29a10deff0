"""What is said about the whole server."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts of what somebody may see; `used` is bytes, as charged to all projects."""

    public_projects: int
    private_projects: int
    public_repositories: int
    private_repositories: int
    used: int


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the server and what is wrong with it, "" for nothing."""

    name: str
    error: str = ""

    @property
    def status(self) -> str:
        """Harbor's word."""
        return "unhealthy" if self.error else "healthy"
