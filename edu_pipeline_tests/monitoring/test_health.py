"""Health: what is red, yellow and green, in the terminal, for monitoring and in the UI."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from edu_pipeline.database.connection import Connection
from edu_pipeline.monitoring.health import GIVEN_UP, Health, ages_over_time, health
from edu_pipeline.orchestration.data_freshness import health_metadata
from edu_pipeline_tests.programs import run
from edu_pipeline_tests.stand_in import SALES, StandIn, sale

TABLE = "mutations_immo_latest"


@pytest.fixture
def loaded(stand_in: StandIn) -> StandIn:
    """Communes and their sales, loaded."""
    codes = stand_in.put_communes()
    stand_in.put_sales([sale(code) for code in codes])
    stand_in.load_communes()
    stand_in.load(TABLE)
    with stand_in.database.connect() as connection:
        connection.execute("DELETE FROM edu_pipeline.check_results")
    return stand_in


def now(stand_in: StandIn) -> Health:
    return health(stand_in.database, stand_in.archive)


def table(found: Health, name: str = TABLE) -> tuple[str, list[str], list[str]]:
    (entry,) = [entry for entry in found.tables if entry.table == name]
    return entry.state, entry.red, entry.yellow


def source(found: Health, name: str = SALES) -> tuple[str, str | None]:
    (entry,) = [entry for entry in found.sources if entry.source == name]
    return entry.state, entry.problem


def asked(connection: Connection, version: str, known: str, error: str | None, errors: int) -> None:
    """Note what a probe of the sales said."""
    connection.execute("DELETE FROM edu_pipeline.probes")
    connection.execute(
        "INSERT INTO edu_pipeline.probes (source, version, known_version, probed_at, error, consecutive_errors) "
        "VALUES (%s, %s, %s, now(), %s, %s)",
        [SALES, version, known, error, errors],
    )


def test_what_was_loaded_and_checked_is_green_and_what_waits_is_yellow(loaded: StandIn) -> None:
    found = now(loaded)
    assert table(found) == ("green", [], [])
    assert source(found) == ("green", None)
    assert table(found, "ips_lycees")[0] == "yellow"
    assert found.state == "yellow"


def test_a_check_that_is_an_error_is_red_and_a_warning_yellow(loaded: StandIn) -> None:
    with loaded.database.connect() as connection:
        for name, severity in {"means": "error", "previous_rows": "warn"}.items():
            connection.execute(
                "INSERT INTO edu_pipeline.check_results VALUES ('educational_data', %s, %s, false, %s, 'It is wrong.')",
                [TABLE, name, severity],
            )
    assert table(now(loaded)) == ("red", ["means: It is wrong."], ["previous_rows: It is wrong."])
    assert now(loaded).state == "red"


def test_a_failed_load_is_red_until_the_next_succeeds(loaded: StandIn) -> None:
    loaded.put_sales([])
    with pytest.raises(Exception, match="expected rows, found none"):
        loaded.load(TABLE)
    state, (text,), _ = table(now(loaded))
    assert state == "red" and text.startswith("NoRows: ")
    loaded.put_sales([sale(f"01{number:03d}", price="300000") for number in range(1, 31)])
    loaded.load(TABLE)
    assert not [text for text in table(now(loaded))[1] if text.startswith("NoRows: ")]


def test_a_publisher_that_does_not_answer_is_yellow_then_red(loaded: StandIn) -> None:
    with loaded.database.connect() as connection:
        asked(connection, "1", "1", "DownloadFailed: it did not answer", GIVEN_UP - 1)
    assert source(now(loaded))[0] == "yellow"
    with loaded.database.connect() as connection:
        asked(connection, "1", "1", "DownloadFailed: it did not answer", GIVEN_UP)
    assert source(now(loaded)) == ("red", f"asked {GIVEN_UP} times in vain: DownloadFailed: it did not answer")
    with loaded.database.connect() as connection:
        asked(connection, "2", "1", None, 0)
    assert source(now(loaded)) == ("yellow", "there is a new release, not fetched yet")


def test_ages_over_time_grow_until_the_next_release(loaded: StandIn) -> None:
    points = [(moment, age) for moment, name, age in ages_over_time(loaded.archive) if name == SALES]
    assert points and points == sorted(points), "there was one release: it has only aged"
    assert points[-1][0] <= datetime.now(UTC) + timedelta(seconds=1)


def test_the_dashboard_shows_every_source_and_table(loaded: StandIn) -> None:
    found = now(loaded)
    metadata = health_metadata(found)
    assert metadata["state"] == "🟡 yellow"
    assert metadata["number_red"] == 0
    assert sum(metadata[f"number_{state}"] for state in ("green", "yellow", "red")) == len(found.entries)
    for entry in found.sources:
        assert f"| {entry.source} |" in metadata["sources"].value
    assert f"| 🟢 | {TABLE} | socio_economic | 30 |" in metadata["tables"].value


def test_monitoring_gets_json_and_an_exit_code(loaded: StandIn) -> None:
    environment = {"EDU_DATABASE_URL": loaded.database.url, "EDU_ARCHIVE": str(loaded.archive.root)}
    done = run("edu-pipeline", "health", "--json", **environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["state"], found["invented"]) == ("yellow", False)
    with loaded.database.connect() as connection:
        asked(connection, "1", "1", "DownloadFailed: it did not answer", GIVEN_UP)
    assert run("edu-pipeline", "health", "--json", **environment).returncode == 1
    shown_to_people = run("edu-pipeline", "health", **environment)
    assert shown_to_people.returncode == 1
    assert f"{SALES}: asked {GIVEN_UP} times in vain" in shown_to_people.stdout
