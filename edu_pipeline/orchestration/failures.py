"""What Dagster's events say of a failure.

Belongs here: from an event to the failure text. Does not belong here: what failures there are (``errors.py``), and who
is told (``alerts.py``, ``runs.py``).
"""

from __future__ import annotations

import dagster as dg


def step_failure_text(event: dg.DagsterEvent) -> str:
    """Why a step failed: the failure text, or the message of the error."""
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    return data.error.message.strip() if data.error else "failed"


def run_failure_text(event: dg.DagsterEvent) -> str:
    """Why a run failed before its first step: the text of the error at the bottom."""
    data = event.event_specific_data
    error = getattr(data, "error", None) or getattr(data, "first_step_failure_event", None)
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else str(event.message)
