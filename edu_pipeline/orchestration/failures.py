"""From the errors of the project to Dagster's failures, and from Dagster's events back to failure texts.

Belongs here: which errors Dagster retries, and what it shows of the others. Does not belong here: the errors
(``errors.py``), the checks that a failure turns red (``check_results.py``), who is alerted (``automation.py``).
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import sqlalchemy.exc

from edu_pipeline import errors
from edu_pipeline.errors import DatabaseUnreachable, DiskFull, EduError, failure_text, is_transient

RETRIES, RETRY_AFTER = 2, 30
"""How often a step is retried after a transient error, and after how many seconds."""

DISK_FULL = "53100"
"""PostgreSQL's code for it."""

LOST = (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError)
"""What Dagster's storage raises if its server goes away, or has no space left."""

LOST_TEXT = re.compile(
    r"(?:sqlalchemy|psycopg2)[\w.]*\.(?:OperationalError|InterfaceError|DiskFull): (?:\([\w.]+\) )?"
    r"(.+?)(?:\n+\[SQL: .*)?",
    re.S,
)
"""The same in an event, or its cause there; what the server, or its library, says is the group."""


@contextmanager
def dagster_failures(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> Iterator[None]:
    """Raise every error as Dagster's: a retry if that can help, otherwise a final failure with the failure text.

    Raises:
        RetryRequested: the error is transient, and there are retries left.
        Failure: any other error, which is its ``__cause__``.
    """
    try:
        yield
    except Exception as caught:
        error = lost_storage(caught) if isinstance(caught, LOST) else caught
        failure = failure_or_retry(error, context.retry_number)
        if isinstance(failure, dg.RetryRequested):
            context.log.warning(str(error))
        raise failure from error


def lost_storage(error: sqlalchemy.exc.DBAPIError) -> EduError:
    """One of ``LOST`` as an error of the project: DatabaseUnreachable or DiskFull."""
    return _storage_failed(str(error.orig).strip(), is_full=getattr(error.orig, "pgcode", None) == DISK_FULL)


def _storage_failed(found: str, *, is_full: bool) -> EduError:
    remedy = "Free some space" if is_full else "Start the server"
    return (DiskFull if is_full else DatabaseUnreachable)(
        "Dagster's storage",
        f"expected an answer throughout, found: {found}.",
        f"What was not complete was rolled back. {remedy}; then run the same command again.",
    )


def failure_or_retry(error: Exception, retry_number: int) -> dg.Failure | dg.RetryRequested:
    """What Dagster is to make of an error.

    Args:
        retry_number: how often the step has been retried.
    """
    if is_transient(error) and retry_number < RETRIES:
        return dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=RETRY_AFTER)
    if isinstance(error, EduError):
        return dg.Failure(
            description=failure_text(error),
            metadata={"where": error.where, "found": error.problem, "what to do": error.remedy},
            allow_retries=False,
        )
    return dg.Failure(
        description=failure_text(error),
        metadata={"defect": dg.MetadataValue.json("".join(traceback.format_exception(error)).splitlines())},
        allow_retries=False,
    )


def step_failure_text(event: dg.DagsterEvent) -> str:
    """Why a step failed: the failure text, or the message of the error."""
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    return _message(data.error) if data.error else "failed"


def is_of_the_run(event: dg.DagsterEvent) -> bool:
    """Whether a run failed by an error of its own, which no step reports: steps under way were interrupted."""
    data = event.event_specific_data
    return getattr(data, "error", None) is not None and getattr(data, "first_step_failure_event", None) is None


def run_failure_text(event: dg.DagsterEvent) -> str:
    """Why a run failed, other than by a step: the failure text, or the message of the error that caused all others."""
    data = event.event_specific_data
    error = getattr(data, "error", None) or getattr(data, "first_step_failure_event", None)
    while error is not None and error.cause is not None and not hasattr(errors, error.cls_name or ""):
        error = error.cause
    return _message(error) if error is not None else str(event.message)


def _message(error: Any) -> str:
    """The message of an error in an event; the failure text of one that Dagster's storage has met."""
    message = str(error.message).strip()
    found = LOST_TEXT.fullmatch(message)
    return str(_storage_failed(found[1], is_full="errors.DiskFull" in message)) if found else message
