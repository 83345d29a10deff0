"""The message for an incoming webhook of Slack: the blocks that Harbor sends.

https://docs.slack.dev/messaging/formatting-message-text: `&`, `<` and `>` are escaped, so that no name becomes a link or
calls a whole channel.
"""

import re
from typing import Any

from fairway.features.webhooks.payloads import readable
from fairway.features.webhooks.payloads.notice import Notice

_MOST = 2900
"""Of the 3000 characters that Slack takes in one block."""
_TORN = re.compile(r"&[a-z]{0,3}\Z")


def message(notice: Notice) -> dict[str, Any]:
    """What is posted."""
    seconds = notice.at // 1_000_000
    # Slack shows the time of who reads it; what follows the bar is for clients that cannot.
    when = f"<!date^{seconds}^{{date}} at {{time}}|{seconds} seconds since 1970>"
    data = escaped(readable.lines(notice.data).replace("```", "`\u200b`\u200b`"), _MOST - 6)
    texts = (
        "*Fairway webhook events*",
        f"*event_type:* {escaped(notice.type, _MOST)}",
        f"*occur_at:* {when}",
        f"*operator:* {escaped(notice.operator, 256)}",
        "*event_data:*",
        f"```{data}```",
    )
    return {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}} for text in texts]}


def escaped(text: str, most: int) -> str:
    """A text as it is to be read, at most `most` UTF-16 code units long when it is escaped."""
    whole = _escape(text)
    if readable.cut(whole, most) == whole:
        return whole
    # What is escaped must not be cut in the middle.
    return _TORN.sub("", readable.cut(whole, most).removesuffix(readable.CUT)) + readable.CUT


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
