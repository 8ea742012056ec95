"""Alerts: what they say, that each cause is posted once, and when a cause is fixed."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.errors import TableShrank
from edu_pipeline.monitoring import alerts
from edu_pipeline.monitoring.alerts import Alert, from_check, from_run, is_fixed, resolve, send, unresolved
from edu_pipeline_tests.monitoring.receiver import Receiver

UI = "https://dagster.example.org/"
SHRANK = str(TableShrank("table info_communes, geo-api-communes 2026-11-20", "expected 30 rows, found 3.", "Look."))
ALERT = Alert("info_communes: TableShrank", "info_communes failed", "A <b> & so on.", f"{UI}runs/1?a=b&c=d")


def known(connection: Connection) -> list[tuple[Any, ...]]:
    """The causes in the database: how often they occurred, whether they were posted, whether they are resolved."""
    return connection.execute(
        "SELECT cause, times, sent_at IS NOT NULL, resolved_at IS NOT NULL FROM edu_pipeline.alerts ORDER BY cause"
    ).fetchall()


def test_alert_is_posted_without_a_database(receiver: Receiver) -> None:
    assert send(ALERT, receiver.channels, None)
    (message,) = receiver.messages
    assert message["text"].startswith("*info_communes failed*\nA &lt;b&gt; &amp; so on.\n<https://dagster.example.org/")


def test_cause_is_posted_once_until_it_returns(receiver: Receiver, connection: Connection) -> None:
    for _ in range(3):
        assert send(ALERT, receiver.channels, connection)
    assert len(receiver.messages) == 1
    assert known(connection) == [(ALERT.cause, 3, True, False)]
    assert resolve(connection, [ALERT.cause], receiver.channels) == []
    assert resolve(connection, [], receiver.channels) == [ALERT.cause]
    assert resolve(connection, [], receiver.channels) == []
    assert receiver.messages[1]["text"] == f"*Fixed*\n{ALERT.cause}"
    assert send(ALERT, receiver.channels, connection)
    assert len(receiver.messages) == 3
    assert known(connection) == [(ALERT.cause, 1, True, False)]


def test_remaining_cause_is_not_resolved_with_another(receiver: Receiver, connection: Connection) -> None:
    other = Alert("other", "other", "other", None)
    for alert in (ALERT, other):
        send(alert, receiver.channels, connection)
    assert resolve(connection, {"other"}) == [ALERT.cause]
    assert len(receiver.messages) == 2
    assert known(connection) == [(ALERT.cause, 1, True, True), ("other", 1, True, False)]


def test_parallel_processes_post_a_cause_once(receiver: Receiver, database: Database) -> None:
    def report() -> None:
        with database.connect() as own:
            assert send(ALERT, receiver.channels, own)

    threads = [threading.Thread(target=report) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receiver.messages) == 1


@pytest.mark.parametrize("statuses", [[500, 500], [404], [302]])
def test_refused_alert_is_posted_next_time(receiver: Receiver, connection: Connection, statuses: list[int]) -> None:
    receiver.answers = [(status, {}) for status in statuses]
    assert not send(ALERT, receiver.channels, connection)
    assert known(connection) == [(ALERT.cause, 1, False, False)]
    assert send(ALERT, receiver.channels, connection)
    assert known(connection) == [(ALERT.cause, 2, True, False)]


def test_unposted_cause_is_resolved_silently(receiver: Receiver, connection: Connection) -> None:
    receiver.answers = [(404, {})]
    send(ALERT, receiver.channels, connection)
    assert resolve(connection, [], receiver.channels) == [ALERT.cause]
    assert len(receiver.messages) == 1


def test_alert_of_a_failed_step() -> None:
    alert = from_run("info_communes", "refresh", SHRANK, "0f3a", UI)
    assert alert == Alert(
        cause="info_communes: TableShrank: table info_communes, geo-api-communes 2026-11-20",
        title="info_communes failed",
        text=SHRANK,
        link="https://dagster.example.org/runs/0f3a",
    )
    assert from_run("raw__insee_pcs", "refresh", "KeyError: 'x'", "0f3a", None) == Alert(
        "raw/insee_pcs: KeyError: 'x'", "raw/insee_pcs failed", "KeyError: 'x'", None
    )
    killed = from_run(None, "full_rebuild", "It was killed.\nBy whom?", "1", None)
    assert killed.cause == "job full_rebuild: It was killed."


def test_cause_depends_on_class_and_place_not_on_counts() -> None:
    def cause(text: str, step: str = "info_communes") -> str:
        return from_run(step, "refresh", text, "1", None).cause

    assert cause(SHRANK) == cause(SHRANK.replace("found 3", "found 4"))
    assert cause(SHRANK) != cause(SHRANK.replace("TableShrank", "NoRows"))
    assert cause(SHRANK) != cause(SHRANK.replace("2026-11-20", "2026-11-21"))
    assert cause(SHRANK) != cause(SHRANK, "departements")
    assert len(cause("X" * 5_000)) == alerts.LONGEST_CAUSE


def test_alert_of_a_red_check() -> None:
    alert = from_check("raw/insee_pcs", "age", "The release is 400 days old.", UI)
    assert alert == Alert(
        cause="raw/insee_pcs: check age",
        title="raw/insee_pcs: check age is red",
        text="The release is 400 days old.",
        link="https://dagster.example.org/assets/raw/insee_pcs?view=checks&checkDetail=age",
    )
    assert from_check("raw/insee_pcs", "age", None, None).cause == alert.cause


def test_stopped_load_has_the_same_cause_as_step_and_check() -> None:
    step = from_run("info_communes", "refresh", SHRANK, "1", UI)
    assert from_check("info_communes", "volume", SHRANK, UI).cause == step.cause


def test_successful_run_fixes_the_causes_of_its_steps(connection: Connection, receiver: Receiver) -> None:
    step, other_step, check = (
        from_run("info_communes", "daily_refresh", SHRANK, "1", UI),
        from_run("raw__insee_pcs", "daily_refresh", "KeyError: 'x'", "1", UI),
        from_check("ips_lycees", "means", "It is wrong.", UI),
    )
    for alert in (step, other_step, check):
        send(alert, receiver.channels, connection)
    assert unresolved(connection) == sorted([step.cause, other_step.cause, check.cause])
    fixed = [cause for cause in unresolved(connection) if is_fixed(cause, {"info_communes"}, "daily_refresh")]
    assert fixed == [step.cause, check.cause], "a check that is still red is reported as red"
    assert is_fixed(from_run(None, "full_rebuild", "It died.", "1", UI).cause, set(), "full_rebuild")
