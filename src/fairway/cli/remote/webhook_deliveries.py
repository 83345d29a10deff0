"""`fairway webhook ping | deliveries | delivery | redeliver`: trying webhooks out, and what was told."""

import time
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from fairway.cli.remote.asking import HubName, asking
from fairway.cli.remote.complete import project_names
from fairway.cli.remote.shown import (
    All,
    AsJson,
    Column,
    Limit,
    Sort,
    moment,
    one,
    print_json_list,
    print_line,
    rows,
)
from fairway.client import webhooks
from fairway.client.sync import Hub
from fairway.client.webhooks import Delivery, Policy

Project = Annotated[str, typer.Argument(help="The project's name", autocompletion=project_names)]
Name = Annotated[str, typer.Argument(help="The webhook's name", metavar="WEBHOOK")]
Number = Annotated[int, typer.Argument(help="The delivery's number", min=1, metavar="DELIVERY")]
Numbers = Annotated[list[int], typer.Argument(help="The deliveries' numbers", min=1, metavar="DELIVERY…")]
Wait = Annotated[float, typer.Option("--wait", help="Seconds to wait for what becomes of it", min=0, max=600)]
Find = Callable[[Hub, str, str], Policy]

_PAUSE = 0.3

_COLUMNS: list[Column[Delivery]] = [
    Column("number", lambda found: found.id),
    Column("event", lambda found: found.extra_attrs.event_type),
    Column("status", lambda found: found.status),
    Column("made", lambda found: found.start_time, moment),
    Column("ended", lambda found: found.end_time, moment),
    Column("message", lambda found: found.status_message),
]
_DETAILS: list[Column[Delivery]] = [
    Column("event id", lambda found: found.event_id),
    Column("tries", lambda found: found.tries),
    Column("address", lambda found: found.request.address if found.request else ""),
    Column(
        "headers",
        lambda found: (
            [f"{name}: {value}" for name, value in found.request.headers.items()] if found.request else []
        ),
        ", ".join,
    ),
    Column("body", lambda found: found.request.body if found.request else found.extra_attrs.payload),
    Column("answered", lambda found: found.answer.status if found.answer else ""),
    Column("answer", lambda found: found.answer.body if found.answer else ""),
]


def add_commands(app: typer.Typer, find: Find) -> None:
    """Add these commands to a group; `find` knows webhooks by their names."""
    _ping(app, find)
    _deliveries(app, find)
    _redeliver(app, find)


def _ping(app: typer.Typer, find: Find) -> None:
    @app.command()
    def ping(
        project: Project,
        webhook: Name,
        event: Annotated[
            str, typer.Option(help="The type of event; default: its first", show_default=False)
        ] = "",
        wait: Wait = 15.0,
        as_json: AsJson = False,
        hub: HubName = "",
    ) -> None:
        """Tell a webhook's targets a sample of an event, and show what becomes of it."""
        with asking(hub) as opened:
            policy = find(opened, project, webhook).id
            made = opened.ask(webhooks.ping(project, policy, event))
            _follow(opened, project, policy, made, wait, as_json=as_json)


def _deliveries(app: typer.Typer, find: Find) -> None:
    @app.command()
    def deliveries(
        project: Project,
        webhook: Name,
        status: Annotated[
            str, typer.Option(help="Only those: Running, Success, Error or Stopped", show_default=False)
        ] = "",
        limit: Limit = 20,
        all_: All = False,
        sort: Sort = "",
        as_json: AsJson = False,
        hub: HubName = "",
    ) -> None:
        """List what was told by a webhook, the last first."""
        with asking(hub) as opened:
            policy = find(opened, project, webhook).id
            listing = webhooks.deliveries(project, policy, status=status, sort=sort)
            rows(opened, listing, _COLUMNS, as_json=as_json, all_=all_, limit=limit)

    @app.command()
    def delivery(
        project: Project, webhook: Name, number: Number, as_json: AsJson = False, hub: HubName = ""
    ) -> None:
        """Show one delivery: what is sent, and what was answered."""
        with asking(hub) as opened:
            policy = find(opened, project, webhook).id
            found = opened.ask(webhooks.delivery(project, policy, number))
            one(found, [*_COLUMNS, *_DETAILS], as_json=as_json)


def _redeliver(app: typer.Typer, find: Find) -> None:
    @app.command()
    def redeliver(
        project: Project,
        webhook: Name,
        numbers: Numbers,
        wait: Wait = 15.0,
        as_json: AsJson = False,
        hub: HubName = "",
    ) -> None:
        """Tell something once more, with the same event id, and show what becomes of it."""
        with asking(hub) as opened:
            policy = find(opened, project, webhook).id
            made = [opened.ask(webhooks.redeliver(project, policy, each)) for each in numbers]
            _follow(opened, project, policy, made, wait, as_json=as_json)


def _follow(
    hub: Hub, project: str, policy: int, made: Sequence[Delivery], wait: float, *, as_json: bool
) -> None:
    """Show how deliveries stand when they have ended, or after `wait` seconds; status 1 unless all were taken."""
    until = time.monotonic() + wait
    found = [hub.ask(webhooks.delivery(project, policy, each.id)) for each in made]
    while not all(each.ended for each in found) and time.monotonic() < until:
        time.sleep(_PAUSE)
        found = [
            each if each.ended else hub.ask(webhooks.delivery(project, policy, each.id)) for each in found
        ]
    if as_json:
        print_json_list(found)
    else:
        for each in found:
            print_line(_COLUMNS, each)
    if wait and not all(each.status == "Success" for each in found):
        if not all(each.ended for each in found):
            typer.echo("Not all were taken yet; the hub goes on trying.", err=True)
        raise typer.Exit(1)
