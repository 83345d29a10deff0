"""The command `fairway`."""

import typer

from fairway.cli import gc, jobs, maintain, serve, users

app = typer.Typer(
    help="Fairway, an artifact registry.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve.serve)
app.command()(serve.worker)
app.command()(maintain.migrate)
app.command()(maintain.scrub)
app.command()(maintain.version)
app.add_typer(gc.app, name="gc")
app.add_typer(jobs.app, name="jobs")
app.add_typer(users.app, name="user")
