"""Alerts: a failed run or a red check, posted to a Slack-compatible webhook, once per cause.

Belongs here: what an alert says, when two of them have one cause, posting, and remembering what was posted
(``edu_pipeline.alerts``). Does not belong here: Dagster, and finding out what has failed.

The webhook's URL is a secret: whoever knows it can post. It is passed around as ``SecretStr`` and shown nowhere, not
even in part. So the standard library posts here: urllib3, below requests, writes the path of every request to its
debug log, and the messages of most exceptions contain the URL; of an exception only its kind is logged.
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
from collections.abc import Collection
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr

from edu_pipeline.database.connection import Connection

log = logging.getLogger(__name__)

TIMEOUT = 10
"""Seconds that the webhook has for an answer."""

BACKOFF, MAX_WAIT = 2.0, 30.0
"""Seconds before the second try, and how many of them a Retry-After can make at most."""

LONGEST_TITLE, LONGEST_TEXT, LONGEST_CAUSE = 150, 2_800, 300
"""Characters; Slack refuses a header of more than 150, and a section of more than 3,000."""

GIST = re.compile(r"([A-Z]\w*): (.+?): ", re.DOTALL)
"""Class and place at the beginning of a failure text (``errors.EduError``)."""


@dataclass(frozen=True)
class Alert:
    """Something that a person should look at.

    Attributes:
        cause: what is wrong, the same text as long as it is the same thing.
        title: what is wrong, in a line.
        text: the failure text.
        link: where to look, if the UI's address is known.
    """

    cause: str
    title: str
    text: str
    link: str | None


def from_run(step: str | None, job: str, failure: str, run_id: str, ui_url: str | None) -> Alert:
    """The alert of a failed step of a run; of the run itself if ``step`` is None.

    The cause is the step, the failure text's class and where it happened. A failure of the same class at another
    place, as with another release, is another cause; other counts in the text are not.

    Args:
        step: key of the failed step, e.g. ``info_communes`` or ``raw__insee_pcs``.
        failure: the failure text.
    """
    subject = step.replace("__", "/", 1) if step else f"job {job}"
    return Alert(
        cause=_cause(subject, failure),
        title=f"{subject} failed",
        text=failure,
        link=f"{ui_url.rstrip('/')}/runs/{quote(run_id)}" if ui_url else None,
    )


def from_check(asset: str, check: str, description: str | None, ui_url: str | None) -> Alert:
    """The alert of a check that is red.

    The cause is asset and check; but where the description is a failure text, as of a load that was stopped, the cause
    is that of the failed step, so that the two are posted once.

    Args:
        asset: the asset's key, e.g. ``info_communes`` or ``raw/insee_pcs``.
    """
    path = f"assets/{quote(asset)}?view=checks&checkDetail={quote(check)}"
    return Alert(
        cause=_cause(asset, description) if description and GIST.match(description) else f"{asset}: check {check}",
        title=f"{asset}: the check {check} is red",
        text=description or "It has no description.",
        link=f"{ui_url.rstrip('/')}/{path}" if ui_url else None,
    )


def _cause(subject: str, failure: str) -> str:
    match = GIST.match(failure)
    gist = f"{match[1]}: {match[2]}" if match else failure.strip().partition("\n")[0]
    return f"{subject}: {gist}"[:LONGEST_CAUSE]


def send(alert: Alert, webhook: SecretStr, connection: Connection | None) -> bool:
    """Post ``alert``, unless its cause was posted before and has lasted since.

    Args:
        connection: where it is remembered; None: it is not, as when the database is down.

    Returns:
        Whether the webhook has the alert, from now or from before. If not, the log says why, and the next call with
        the same cause tries again.
    """
    if connection is None:
        return _post(_message(alert), webhook)
    with connection.transaction():  # holds the cause's row, so that another process does not post it as well
        row = connection.execute(
            "INSERT INTO edu_pipeline.alerts AS known (cause) VALUES (%s) ON CONFLICT (cause) DO UPDATE SET "
            "first_at = CASE WHEN known.resolved_at IS NULL THEN known.first_at ELSE clock_timestamp() END, "
            "times = CASE WHEN known.resolved_at IS NULL THEN known.times + 1 ELSE 1 END, "
            "sent_at = CASE WHEN known.resolved_at IS NULL THEN known.sent_at END, "
            "last_at = clock_timestamp(), resolved_at = NULL RETURNING sent_at",
            [alert.cause],
        ).fetchone()
        if row and row[0] is not None:
            return True
        sent = _post(_message(alert), webhook)
        if sent:
            connection.execute(
                "UPDATE edu_pipeline.alerts SET sent_at = clock_timestamp() WHERE cause = %s", [alert.cause]
            )
    return sent


def resolve(connection: Connection, still_red: Collection[str], webhook: SecretStr | None = None) -> list[str]:
    """Note that every known cause but those of ``still_red`` has gone away; should one return, it is posted again.

    Args:
        still_red: all causes that last, of runs and of checks.
        webhook: told once, of those causes that it was told of; if it does not answer, it is not told.

    Returns:
        The causes that have gone away since the last call.
    """
    with connection.transaction():
        rows = connection.execute(
            "UPDATE edu_pipeline.alerts SET resolved_at = clock_timestamp() "
            "WHERE resolved_at IS NULL AND cause <> ALL (%s) RETURNING cause, sent_at IS NOT NULL",
            [list(still_red)],
        ).fetchall()
        told = sorted(str(cause) for cause, sent in rows if sent)
        if told and webhook is not None:
            _post(_message(Alert("", "Mended", "\n".join(told), None)), webhook)
    return sorted(str(cause) for cause, _ in rows)


def lasting(connection: Connection) -> list[str]:
    """The causes that were noted and have not gone away."""
    rows = connection.execute("SELECT cause FROM edu_pipeline.alerts WHERE resolved_at IS NULL ORDER BY cause")
    return [str(cause) for (cause,) in rows]


def is_mended(cause: str, steps: Collection[str], job: str) -> bool:
    """Whether a run of ``job`` that went well, with these steps, has mended a cause; a check's is mended as soon as it
    is no longer red.
    """
    subject = cause.partition(": ")[0]
    done = {step.replace("__", "/", 1) for step in steps} | {f"job {job}"}
    return subject in done or ": check " in cause


def _message(alert: Alert) -> dict[str, Any]:
    """The body of the post: ``text`` for notifications and for receivers that know no blocks, and the blocks."""
    text = _escaped(alert.text)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(alert.title, LONGEST_TITLE)}},
        {"type": "section", "text": {"type": "mrkdwn", "text": text}},
    ]
    lines = [f"*{_escaped(alert.title)}*", text]
    if alert.link:
        lines.append(f"<{_escaped(alert.link)}|Open in Dagster>")
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": lines[-1]}})
    return {"text": "\n".join(lines), "blocks": blocks}


def _escaped(text: str) -> str:
    """``text`` with Slack's three control characters escaped, and short enough thereafter."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if len(escaped) <= LONGEST_TEXT:
        return escaped
    return re.sub(r"&[a-z]{0,3}$", "", escaped[:LONGEST_TEXT]) + " ..."


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 4]} ..."


def _post(message: dict[str, Any], webhook: SecretStr) -> bool:
    """Whether the webhook has taken the message; a second try after 429 and 5xx. Never raises for what it answers."""
    for last in (False, True):
        problem, wait = _try(message, webhook)
        if problem is None:
            return True
        if last or wait is None:
            break
        time.sleep(wait)
    log.warning("An alert was not posted to EDU_ALERT_WEBHOOK: %s. It is tried again at the next occasion.", problem)
    return False


def _try(message: dict[str, Any], webhook: SecretStr) -> tuple[str | None, float | None]:
    """What went wrong, None if nothing did; and the seconds after which another try makes sense, None if none does."""
    url = webhook.get_secret_value()
    if not url.startswith(("https://", "http://")):
        return "it is no http(s) URL", None
    try:
        request = urllib.request.Request(
            url, json.dumps(message).encode(), {"Content-Type": "application/json; charset=utf-8"}, method="POST"
        )
        authority = ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE"))
        opener = urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=authority))
        with opener.open(request, timeout=TIMEOUT):
            return None, None
    except urllib.error.HTTPError as error:
        passing = error.code == 429 or error.code >= 500
        return f"it answered {error.code}", _wait(error.headers.get("Retry-After")) if passing else None
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        return f"{type(reason if isinstance(reason, Exception) else error).__name__} while connecting or posting", None


def _wait(retry_after: str | None) -> float:
    return min(float(retry_after), MAX_WAIT) if retry_after and retry_after.isdecimal() else BACKOFF


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is a failure: the message is for nobody but the webhook."""

    def redirect_request(self, *_: object) -> None:
        return None
