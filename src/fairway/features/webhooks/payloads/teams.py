"""The message for a workflow of Microsoft Teams that posts to a channel: one Adaptive Card.

https://adaptivecards.io/explorer: what comes from elsewhere is in text runs, which know no Markdown and no macros.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from fairway.features.webhooks.payloads import readable
from fairway.features.webhooks.payloads.notice import Notice

_MOST = 6000
"""Characters of data: a message has 28 KB at most."""
_MOST_NAME = 256


def message(notice: Notice) -> dict[str, Any]:
    """What is posted."""
    about = f"{notice.type} {notice.repository}".strip()
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=notice.at // 1_000_000)
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": [
            _line(_run(about, size="Medium", weight="Bolder")),
            _line(_run("Time: ", weight="Bolder"), _run(f"{when:%Y-%m-%d %H:%M:%S} UTC")),
            _line(
                _run("Operator: ", weight="Bolder"), _run(readable.cut(notice.operator, _MOST_NAME) or "-")
            ),
            _line(_run(readable.cut(readable.lines(notice.data), _MOST), fontType="Monospace")),
        ],
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "summary": about, "attachments": [attachment]}


def _line(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **looks: str) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **looks}
