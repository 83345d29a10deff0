"""The manual's page about commands, made from the commands: `python -m fairway.cli.reference > docs/reference/commands.md`."""

from collections.abc import Iterator
from typing import Any

from fairway.cli import TABLE, lazy, user

_HEAD = """# Commands

Made from the commands themselves; `fairway COMMAND --help` says the same. Every command that asks a hub takes `--hub`, else
asks the hub of `FAIRWAY_HUB`, else the one that was logged in to last. The exit status is 0 when it went well, 1 when it was
refused or nobody answered, 2 when the command was written wrongly. [Teams](../guides/teams.md) shows them at work.
"""
_TABLES = {"user": user.TABLE}
"""Groups whose commands are loaded one by one."""
_SAID_ABOVE = ("help", "hub")


def page() -> str:
    """The whole page, in Markdown."""
    panels: dict[str, list[str]] = {}
    for name, entry in TABLE.items():
        panels.setdefault(entry.panel or "", []).append(name)
    parts = [_HEAD]
    for panel, names in panels.items():
        parts.append(f"## {panel}\n")
        for name in names:
            parts += _about(name)
    return "\n".join(parts)


def _about(name: str) -> Iterator[str]:
    if name in _TABLES:
        for sub, entry in _TABLES[name].items():
            yield from _command(f"{name} {sub}", lazy.load(sub, entry))
        return
    made = lazy.load(name, TABLE[name])
    commands = getattr(made, "commands", None)
    if commands is None:
        yield from _command(name, made)
    for sub, command in (commands or {}).items():
        yield from _command(f"{name} {sub}", command)


def _command(name: str, command: Any) -> Iterator[str]:
    yield f"### `fairway {name}{_arguments(command)}`\n"
    yield " ".join(_line(part) for part in command.help.split("\n") if part) + "\n"
    told = [_parameter(each) for each in command.params if each.name not in _SAID_ABOVE and each.help]
    if told:
        yield "\n".join(told) + "\n"


def _arguments(command: Any) -> str:
    names = [_metavar(each) for each in command.params if each.param_type_name == "argument"]
    return "".join(f" {name}" for name in names)


def _metavar(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    plain: str = name.strip("[]")
    return plain if parameter.required else f"[{plain}]"


def _parameter(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"- `{_metavar(parameter)}`: {_line(parameter.help)}"
    names = [f"`{each}`" for each in (*parameter.opts, *parameter.secondary_opts)]
    needed = "; must be given" if parameter.required else ""
    return f"- {', '.join(names)}: {_line(parameter.help)}{needed}{_default(parameter)}"


def _default(parameter: Any) -> str:
    value = parameter.default
    shown = isinstance(value, int | str) and not isinstance(value, bool) and value != ""
    return f"; default {value}" if shown and parameter.show_default else ""


def _line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    print(page(), end="")
