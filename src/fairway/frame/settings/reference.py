"""The manual's page about settings, rendered from the settings themselves.

`python -m fairway.frame.settings.reference > docs/reference/settings.md` writes it; a test compares the two.
"""

import sys
from dataclasses import fields

from fairway.frame.settings.declared import PREFIX, UNSET, Settings

_PREAMBLE = """# Settings

<!-- Generated from the settings themselves; a test compares this page with them. -->

Every setting can be given as an environment variable or as a key in `fairway.toml`; some have an option on the command
line too. When one is given several times, the command line wins over the environment, and the environment over the
file. An empty environment variable counts as not given.

Lists are separated by commas or blanks in the environment and are arrays in the file. A name that starts with
`FAIRWAY_` but is no setting, or a value that makes no sense, stops Fairway at the start with a message that says what
is wrong.
"""

_TABLE_HEAD = "| setting | environment | default | meaning |\n|---|---|---|---|\n"


def reference() -> str:
    """The page, in Markdown."""
    page = _PREAMBLE
    for f in fields(Settings):
        about = f.metadata
        if about["section"]:
            page += f"\n## {about['section']}\n\n{_TABLE_HEAD}"
        default = about["shown"] or _plain(f.default)
        cell = " ".join((f"`{default}`", about["unit"])).strip() if default else "unset"
        page += f"| `{f.name}` | `{PREFIX}{f.name.upper()}` | {cell} | {about['doc']} |\n"
    return page


def _plain(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default in ("", (), UNSET) else str(default)


if __name__ == "__main__":
    sys.stdout.write(reference())
