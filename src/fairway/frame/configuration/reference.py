"""The manual's page about the configuration, rendered from its keys.

`python -m fairway.frame.configuration.reference > docs/reference/configuration.md` writes it; a test compares the two.
"""

import sys
from typing import Any

from fairway.frame.configuration.declared import SECTIONS
from fairway.frame.configuration.kinds import Key

_PREAMBLE = """# Configuration

<!-- Generated from the keys themselves; a test compares this page with them. -->

System administrators change these while the server runs, with `PUT /api/v2.0/configurations`, and read them with `GET`:

```sh
curl -u admin -X PUT https://registry.example.com/api/v2.0/configurations \\
    -H 'Content-Type: application/json' -d '{"project_creation_restriction": "adminonly"}'
```

Only the keys that are sent are changed; names that are not in this list are ignored. Every process heeds a change within
two seconds. Each change leaves a line in the audit log that names the keys and no values. Secrets are sealed and never
shown.

What `FAIRWAY_CONFIG_OVERWRITE_JSON` ([settings](settings.md)) has is settled for good: it is shown as not editable, and
an attempt to change it is refused with 403.

Keys that are marked **kept only** are stored and read back, for clients that manage all of Harbor's, and change nothing.
"""

_TABLE_HEAD = "| key | default | it must be | meaning |\n|---|---|---|---|\n"
_DEFAULTS = {"token_expiration": "what `FAIRWAY_TOKEN_SECONDS` says"}


def reference() -> str:
    """The page, in Markdown."""
    page = _PREAMBLE
    for title, keys in SECTIONS.items():
        page += f"\n## {title}\n\n{_TABLE_HEAD}"
        for key in keys:
            doc = key.doc if key.takes_effect else f"{key.doc} **Kept only.**"
            page += f"| `{key.name}` | {_default(key)} | {key.must_be} | {doc} |\n"
    return page


def _default(key: Key[Any]) -> str:
    if key.name in _DEFAULTS:
        return _DEFAULTS[key.name]
    default = str(key.default).lower() if isinstance(key.default, bool) else str(key.default)
    return f"`{default}`" if default else "nothing"


if __name__ == "__main__":
    sys.stdout.write(reference())
