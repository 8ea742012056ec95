"""Alerts: a failed run or a red check, posted once per cause and channel.

Belongs here: what an alert says, when two alerts have the same cause, and which were posted already
(``edu_pipeline.alerts``). Does not belong here: Dagster, finding out what has failed, posting (``channels.py``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from edu_pipeline.database.connection import Connection
from edu_pipeline.loading.columns import missing_columns
from edu_pipeline.monitoring.channels import Channel

LONGEST_CAUSE = 300
"""Characters."""

GIST = re.compile(r"([A-Z]\w*): (.+?): ", re.DOTALL)
"""The class and place at the beginning of a failure text (``errors.EduError``)."""


@dataclass(frozen=True)
class Alert:
    """Something that a person should look at.

    Attributes:
        cause: what is wrong; the same text as long as the same thing is wrong.
        title: what is wrong, in one line.
        text: the failure text.
        link: where to look, if the UI's address is known.
    """

    cause: str
    title: str
    text: str
    link: str | None


def from_run(step: str | None, job: str, failure: str, run_id: str, ui_url: str | None) -> Alert:
    """The alert of a failed step of a run, or of the run itself if ``step`` is None.

    The cause is made of the step, the error's class, and its place. The same error at another place, for example with
    another release, is another cause; the same error with other counts is not.

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
    """The alert of a red check.

    The cause is made of the asset and the check. If the description is a failure text, since the load was stopped, it
    is the failed step's cause instead, so that only one of the two is posted.

    Args:
        asset: the asset's key, e.g. ``info_communes`` or ``raw/insee_pcs``.
    """
    path = f"assets/{quote(asset)}?view=checks&checkDetail={quote(check)}"
    return Alert(
        cause=_cause(asset, description) if description and GIST.match(description) else f"{asset}: check {check}",
        title=f"{asset}: check {check} is red",
        text=description or "The check gives no description.",
        link=f"{ui_url.rstrip('/')}/{path}" if ui_url else None,
    )


def from_missing_columns(asset: str, missing: Mapping[str, Collection[str]], ui_url: str | None) -> Alert:
    """The alert of columns that a table's files lack; the cause is the table and the columns.

    Args:
        missing: source and upstream column to the names in the file that are close.
    """
    return Alert(
        cause=f"{asset}: check columns: {', '.join(sorted(missing))}"[:LONGEST_CAUSE],
        title=f"{asset}: its files lack {len(missing)} column{'s' if len(missing) > 1 else ''}",
        text=f"table {asset}: {missing_columns(missing)}",
        link=f"{ui_url.rstrip('/')}/assets/{quote(asset)}?view=checks&checkDetail=columns" if ui_url else None,
    )


def _cause(subject: str, failure: str) -> str:
    match = GIST.match(failure)
    gist = f"{match[1]}: {match[2]}" if match else failure.strip().partition("\n")[0]
    return f"{subject}: {gist}"[:LONGEST_CAUSE]


def send(alert: Alert, channels: Sequence[Channel], connection: Connection | None) -> bool:
    """Post ``alert`` to every channel that was not told its cause before, or not since it was last resolved.

    Args:
        connection: to the database that remembers what was posted; None, as when it is down: nothing is remembered.

    Returns:
        Whether all channels have the alert, from this call or an earlier one. If not, the log says why, and the next
        call with the same cause tries those again that have not.
    """
    if connection is None:
        return sum(channel.post(alert.title, alert.text, alert.link) for channel in channels) == len(channels)
    with connection.transaction():  # locks the cause's row, so that no other process posts it at the same time
        row = connection.execute(
            "INSERT INTO edu_pipeline.alerts AS known (cause) VALUES (%s) ON CONFLICT (cause) DO UPDATE SET "
            "first_at = CASE WHEN known.resolved_at IS NULL THEN known.first_at ELSE clock_timestamp() END, "
            "times = CASE WHEN known.resolved_at IS NULL THEN known.times + 1 ELSE 1 END, "
            "sent_at = CASE WHEN known.resolved_at IS NULL THEN known.sent_at END, "
            "sent_to = CASE WHEN known.resolved_at IS NULL THEN known.sent_to ELSE '{}' END, "
            "last_at = clock_timestamp(), resolved_at = NULL RETURNING sent_to",
            [alert.cause],
        ).fetchone()
        assert row is not None and isinstance(row[0], list)
        untold = [channel for channel in channels if channel.name not in row[0]]
        told = [channel.name for channel in untold if channel.post(alert.title, alert.text, alert.link)]
        if told:
            connection.execute(
                "UPDATE edu_pipeline.alerts SET sent_at = coalesce(sent_at, clock_timestamp()), "
                "sent_to = sent_to || %s WHERE cause = %s",
                [told, alert.cause],
            )
    return len(told) == len(untold)


def resolve(connection: Connection, still_red: Collection[str], channels: Sequence[Channel] = ()) -> list[str]:
    """Mark every unresolved cause but those of ``still_red`` as resolved; if one returns, it is posted again.

    Args:
        still_red: the causes that remain, of runs and of checks.
        channels: where to post once which of the posted causes were fixed; not tried again if one does not answer.

    Returns:
        The causes that this call has resolved.
    """
    with connection.transaction():
        rows = connection.execute(
            "UPDATE edu_pipeline.alerts SET resolved_at = clock_timestamp() "
            "WHERE resolved_at IS NULL AND cause <> ALL (%s) RETURNING cause, sent_at IS NOT NULL",
            [list(still_red)],
        ).fetchall()
        posted = sorted(str(cause) for cause, was_posted in rows if was_posted)
        if posted:
            for channel in channels:
                channel.post("Fixed", "\n".join(posted), None)
    return sorted(str(cause) for cause, _ in rows)


def unresolved(connection: Connection) -> list[str]:
    """The causes that have not been resolved."""
    rows = connection.execute("SELECT cause FROM edu_pipeline.alerts WHERE resolved_at IS NULL ORDER BY cause")
    return [str(cause) for (cause,) in rows]


def is_fixed(cause: str, steps: Collection[str], job: str) -> bool:
    """Whether a successful run of ``job`` with these steps has fixed a cause.

    A check's cause counts as fixed in any case: if the check is still red, it is reported as red anyway.
    """
    subject = cause.partition(": ")[0]
    subjects = {step.replace("__", "/", 1) for step in steps} | {f"job {job}"}
    return subject in subjects or ": check " in cause
