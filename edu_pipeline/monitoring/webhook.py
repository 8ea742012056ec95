"""Posting a message to a Slack-compatible webhook.

Belongs here: the message's form, one retry, and what the log says of a failure. Does not belong here: what is posted,
and when (``alerts.py``).

The webhook's URL is a secret: whoever knows it can post. It is passed around as ``SecretStr`` and shown nowhere, not
even in part. That is why the standard library posts here: urllib3, which requests is built on, writes the path of every
request to its debug log. Most exceptions have the URL in their message, so only an exception's class is logged.
"""

from __future__ import annotations

import json
import logging
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

from pydantic import SecretStr

log = logging.getLogger(__name__)

TIMEOUT = 10
"""Seconds to wait for an answer."""

BACKOFF, MAX_WAIT = 2.0, 30.0
"""Seconds before the retry, and the most that a Retry-After can ask for."""

LONGEST_TITLE, LONGEST_TEXT = 150, 2_800
"""Characters; Slack refuses a header of more than 150, and a section of more than 3,000."""


def post(title: str, text: str, link: str | None, webhook: SecretStr) -> bool:
    """Post a message; retry once after 429 and 5xx. Failures are logged, not raised.

    Args:
        link: the address that the message links to.

    Returns:
        Whether the webhook has accepted the message.
    """
    message = _message(title, text, link)
    problem, wait = _try(message, webhook)
    if wait is not None:
        time.sleep(wait)
        problem, _ = _try(message, webhook)
    if problem is not None:
        log.warning("An alert was not posted to EDU_ALERT_WEBHOOK: %s. It will be tried again later.", problem)
    return problem is None


def _message(title: str, text: str, link: str | None) -> dict[str, Any]:
    """The body of the post: ``text`` for notifications and for receivers without blocks, and the blocks."""
    escaped = _escaped(text)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(title, LONGEST_TITLE)}},
        {"type": "section", "text": {"type": "mrkdwn", "text": escaped}},
    ]
    lines = [f"*{_escaped(title)}*", escaped]
    if link:
        lines.append(f"<{_escaped(link)}|Open in Dagster>")
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": lines[-1]}})
    return {"text": "\n".join(lines), "blocks": blocks}


def _escaped(text: str) -> str:
    """``text`` with Slack's three control characters escaped, then cut if it is too long."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if len(escaped) <= LONGEST_TEXT:
        return escaped
    return re.sub(r"&[a-z]{0,3}$", "", escaped[:LONGEST_TEXT]) + " ..."


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 4]} ..."


def _try(message: dict[str, Any], webhook: SecretStr) -> tuple[str | None, float | None]:
    """Post once.

    Returns:
        What went wrong, None if nothing did; and the seconds to wait before a retry, None if that would be pointless.
    """
    url = webhook.get_secret_value()
    if not url.startswith(("https://", "http://")):
        return "it is not an http(s) URL", None
    try:
        request = urllib.request.Request(
            url, json.dumps(message).encode(), {"Content-Type": "application/json; charset=utf-8"}, method="POST"
        )
        authority = ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE"))
        opener = urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=authority))
        with opener.open(request, timeout=TIMEOUT):
            return None, None
    except urllib.error.HTTPError as error:
        is_passing = error.code == 429 or error.code >= 500
        return f"it answered {error.code}", _wait(error.headers.get("Retry-After")) if is_passing else None
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        return f"{type(reason if isinstance(reason, Exception) else error).__name__} while connecting or posting", None


def _wait(retry_after: str | None) -> float:
    return min(float(retry_after), MAX_WAIT) if retry_after and retry_after.isdecimal() else BACKOFF


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is a failure: the message is for the webhook alone."""

    def redirect_request(self, *_: object) -> None:
        return None
