"""The command `fairway`."""

from typing import Final

import typer

from fairway.cli import lazy
from fairway.cli.lazy import Entry

_SERVER: Final = "On the server"
_LOGIN: Final = "A hub to talk to"
_REGISTRY: Final = "What is in a hub"
_HUB: Final = "The hub itself"

TABLE: Final[lazy.Table] = {
    "login": Entry("fairway.cli.remote.login:login", "Log in to a hub and remember it.", _LOGIN),
    "logout": Entry("fairway.cli.remote.login:logout", "Forget a hub and the login to it.", _LOGIN),
    "whoami": Entry("fairway.cli.remote.login:whoami", "Show which hub is asked, and as whom.", _LOGIN),
    "token": Entry(
        "fairway.cli.remote.token:app",
        "Personal access tokens: to log in as yourself with no more rights than are needed.",
        _LOGIN,
    ),
    "project": Entry("fairway.cli.remote.project:app", "Projects and their settings.", _REGISTRY),
    "member": Entry("fairway.cli.remote.member:app", "Who belongs to a project.", _REGISTRY),
    "repo": Entry("fairway.cli.remote.repo:app", "Repositories.", _REGISTRY),
    "artifact": Entry("fairway.cli.remote.artifact:app", "Images and other artifacts.", _REGISTRY),
    "tag": Entry("fairway.cli.remote.tag:app", "Tags of artifacts.", _REGISTRY),
    "label": Entry("fairway.cli.remote.label:app", "Labels, and the artifacts they are on.", _REGISTRY),
    "retention": Entry(
        "fairway.cli.remote.retention:app", "Which images stay, and deleting the others.", _REGISTRY
    ),
    "search": Entry(
        "fairway.cli.remote.search:find",
        "Look for projects and repositories by a part of their names.",
        _REGISTRY,
    ),
    "robot": Entry(
        "fairway.cli.remote.robot:app", "Accounts of programs, with rights of their own.", _REGISTRY
    ),
    "immutable": Entry(
        "fairway.cli.remote.immutable:app", "Tags that stay what they are, by rules of a project.", _REGISTRY
    ),
    "webhook": Entry(
        "fairway.cli.remote.webhook:app", "Who is told of what happens in a project.", _REGISTRY
    ),
    "quota": Entry("fairway.cli.remote.quota:app", "How much projects may store.", _HUB),
    "user": Entry("fairway.cli.user:app", "Accounts.", _HUB),
    "session": Entry("fairway.cli.remote.session:app", "Browsers in which you are logged in.", _HUB),
    "group": Entry("fairway.cli.remote.group:app", "Groups of people.", _HUB),
    "role": Entry("fairway.cli.remote.role:app", "Roles that members of projects can have.", _HUB),
    "config": Entry("fairway.cli.remote.config:app", "What is chosen while the hub runs.", _HUB),
    "log": Entry("fairway.cli.remote.log:log", "Show who did what, the last first.", _HUB),
    "serve": Entry("fairway.cli.serve:serve", "Start the registry.", _SERVER),
    "worker": Entry(
        "fairway.cli.serve:worker",
        "Run a further background process, on this host or another, against the same database and storage.",
        _SERVER,
    ),
    "migrate": Entry(
        "fairway.cli.maintain:migrate",
        "Bring the database to this version's schema (`serve` does it by itself).",
        _SERVER,
    ),
    "scrub": Entry(
        "fairway.cli.maintain:scrub",
        "Hash every stored blob again; what is damaged is not offered any more, and the next push repairs it.",
        _SERVER,
    ),
    "gc": Entry("fairway.cli.gc:app", "Garbage collection, and undoing deletions.", _SERVER),
    "jobs": Entry("fairway.cli.jobs:app", "Background work: what ran, what runs, what waits.", _SERVER),
    "version": Entry("fairway.cli.version:version", "Print the version.", _SERVER),
}
"""Every command; a test compares the lines with what the commands say themselves."""

app = typer.Typer(
    cls=lazy.group(TABLE),
    help="Fairway, an artifact registry.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _fairway() -> None:
    """Without a command of its own: what is here makes it a group."""
