"""Errors as Dagster shows them: which are retried, which checks they turn red, and their text."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
import sqlalchemy.exc

from edu_pipeline import errors
from edu_pipeline.orchestration.check_results import failed_check_names, failed_checks
from edu_pipeline.orchestration.failures import (
    RETRIES,
    dagster_failures,
    failure_or_retry,
    is_of_the_run,
    run_failure_text,
    step_failure_text,
)

BUSY = errors.TableBusy("table ips_lycees", "expected no other load, found one.", "Wait for it.")
EMPTY = errors.NoRows("table ips_lycees", "expected rows, found none.", "Check the file.")


def test_a_transient_error_is_retried_a_few_times() -> None:
    assert isinstance(failure_or_retry(BUSY, 0), dg.RetryRequested)
    assert isinstance(failure_or_retry(BUSY, RETRIES - 1), dg.RetryRequested)
    assert isinstance(failure_or_retry(BUSY, RETRIES), dg.Failure)


def test_any_other_error_fails_at_once_with_its_text() -> None:
    failure = failure_or_retry(EMPTY, 0)
    assert isinstance(failure, dg.Failure) and failure.allow_retries is False
    assert failure.description == "NoRows: table ips_lycees: expected rows, found none. Check the file."
    shown = {name: value.value for name, value in failure.metadata.items()}
    assert shown == {"where": EMPTY.where, "found": EMPTY.problem, "what to do": EMPTY.remedy}


def test_a_defect_fails_with_its_traceback() -> None:
    try:
        raise KeyError("code_postal")
    except KeyError as error:
        failure = failure_or_retry(error, 0)
    assert isinstance(failure, dg.Failure) and failure.allow_retries is False
    assert failure.description == "KeyError: 'code_postal'"
    assert "test_failures.py" in str(failure.metadata["defect"].value)


@pytest.mark.parametrize(
    ("error", "names"),
    [
        (errors.UnknownReference("", "", ""), ["references"]),
        (EMPTY, ["volume"]),
        (errors.TableShrank("", "", ""), ["volume"]),
        (errors.CheckRed("", "", "", ["years", "benchmark"]), ["years", "benchmark"]),
        (errors.TooManyRefused("", "", ""), ["contract"]),
        (KeyError("a defect"), ["contract"]),
    ],
)
def test_a_failure_turns_its_checks_red(error: Exception, names: list[str]) -> None:
    assert failed_check_names(error) == names
    failure = dg.Failure("the text")
    failure.__cause__ = error
    results = list(failed_checks(failure))
    assert [result.check_name for result in results] == names
    assert all(not result.passed and result.description == "the text" for result in results)


def failed_step(description: str | None, message: str | None) -> Any:
    """An event of a failed step."""
    user_failure = SimpleNamespace(description=description) if description else None
    error = SimpleNamespace(message=message) if message else None
    return SimpleNamespace(step_failure_data=SimpleNamespace(user_failure_data=user_failure, error=error))


def test_the_text_of_a_failed_step() -> None:
    assert step_failure_text(failed_step("NoRows: ...", "dagster.Failure\n")) == "NoRows: ..."
    assert step_failure_text(failed_step(None, "ValueError: no\n")) == "ValueError: no"
    assert step_failure_text(failed_step(None, None)) == "failed"


@pytest.mark.parametrize(
    ("error", "step", "is_own"), [(None, None, False), ("lost", None, True), ("no", "load", False)]
)
def test_a_run_that_fails_by_itself(error: str | None, step: str | None, is_own: bool) -> None:
    """Dagster repeats the error of the first failed step as that of the run."""
    data = SimpleNamespace(error=error, first_step_failure_event=step)
    event: Any = SimpleNamespace(event_specific_data=data)
    assert is_of_the_run(event) == is_own


def test_the_text_of_a_failed_run_is_our_own_or_the_first_cause() -> None:
    def failed_by(*errors: tuple[str, str]) -> Any:
        """The event of a failure that each error was caused by the next one."""
        error = None
        for name, message in reversed(errors):
            error = SimpleNamespace(cls_name=name, message=message, cause=error)
        return SimpleNamespace(event_specific_data=SimpleNamespace(error=error), message="run failed")

    loading = ("DagsterResourceFunctionError", "Error loading resources")
    reset = ("OperationalError", "psycopg.OperationalError: reset\n")
    assert run_failure_text(failed_by(loading, reset)) == "psycopg.OperationalError: reset"
    assert run_failure_text(failed_by(loading, ("WaitTooLong", "WaitTooLong: ...\n"), reset)) == "WaitTooLong: ..."
    assert run_failure_text(failed_by()) == "run failed"
    without_error: Any = SimpleNamespace(event_specific_data=None, message="run failed")
    assert run_failure_text(without_error) == "run failed"


LOST = (
    "sqlalchemy.exc.OperationalError: (psycopg2.OperationalError) server closed the connection unexpectedly\n"
    "\tbefore or while processing the request.\n\n[SQL: SELECT 1]\n[parameters: {}]\n(Background on this error ...)\n"
)


def test_a_lost_storage_is_one_text_in_events_too() -> None:
    text = step_failure_text(failed_step(None, LOST))
    assert text.startswith(
        "DatabaseUnreachable: Dagster's storage: expected an answer throughout, found: server closed"
    )
    assert "SQL" not in text and "Start the server; then run the same command again." in text
    full = "sqlalchemy.exc.OperationalError: (psycopg2.errors.DiskFull) aucun espace disponible\n"
    assert step_failure_text(failed_step(None, full)).startswith("DiskFull: Dagster's storage")


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("psycopg2.OperationalError: server closed the connection unexpectedly\n", "DatabaseUnreachable"),
        ("psycopg2.InterfaceError: connection already closed\n", "DatabaseUnreachable"),
        ("psycopg2.errors.DiskFull: aucun espace disponible\n", "DiskFull"),
        ("psycopg2.errors.UndefinedTable: no such table\n", "psycopg2.errors.UndefinedTable"),
    ],
)
def test_a_run_that_loses_the_storage_names_the_cause(message: str, kind: str) -> None:
    """The cause of SQLAlchemy's error is that of the library below it."""
    cause = SimpleNamespace(cls_name="Error", message=message, cause=None)
    error = SimpleNamespace(cls_name="OperationalError", message="sqlalchemy.exc.OperationalError: ...", cause=cause)
    event: Any = SimpleNamespace(event_specific_data=SimpleNamespace(error=error), message="run failed")
    assert run_failure_text(event).startswith(f"{kind}: ")


def test_a_step_that_loses_the_storage_is_retried_then_fails() -> None:
    context: Any = SimpleNamespace(retry_number=0, log=SimpleNamespace(warning=lambda text: None))
    lost = sqlalchemy.exc.OperationalError("SELECT 1", {}, Exception("server closed the connection"))
    with pytest.raises(dg.RetryRequested), dagster_failures(context):
        raise lost
    context.retry_number = RETRIES
    with pytest.raises(dg.Failure) as failed, dagster_failures(context):
        raise lost
    assert isinstance(failed.value.__cause__, errors.DatabaseUnreachable)
    assert str(failed.value.description).startswith("DatabaseUnreachable: Dagster's storage: ")
