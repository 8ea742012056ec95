"""Health: what is red, yellow and green, on the terminal, for monitoring and in the UI."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from edu_pipeline.cli.main import app
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import TABLES, VIEWS, Connection, Database, relations
from edu_pipeline.errors import FileInvalid, SchemaMissing
from edu_pipeline.monitoring import status
from edu_pipeline.monitoring.health import UNANSWERED, Health, ages_over_time, health
from edu_pipeline.orchestration.data_freshness import health_metadata
from edu_pipeline_tests.programs import run_here
from edu_pipeline_tests.servers import new_database
from edu_pipeline_tests.stand_in import SALES, StandIn, sale

TABLE = "mutations_immo_latest"
NO_ANSWER = "DownloadFailed: it did not answer"


@pytest.fixture
def loaded(stand_in: StandIn) -> StandIn:
    """Communes and their sales, loaded; no result of any check."""
    codes = stand_in.put_communes()
    stand_in.put_sales([sale(code) for code in codes])
    stand_in.load_communes()
    stand_in.load(TABLE)
    with stand_in.database.connect() as connection:
        connection.execute("DELETE FROM edu_pipeline.check_results")
    return stand_in


def now(stand_in: StandIn) -> Health:
    return health(stand_in.database, stand_in.archive)


def table(state: Health, name: str = TABLE) -> tuple[str, list[str], list[str]]:
    """A table's state, and what is red and yellow about it."""
    (entry,) = [entry for entry in state.tables if entry.table == name]
    return entry.state, entry.red, entry.yellow


def source(state: Health, name: str = SALES) -> tuple[str, str | None]:
    """A source's state, and its problem."""
    (entry,) = [entry for entry in state.sources if entry.source == name]
    return entry.state, entry.problem


def note_answer(connection: Connection, version: str, known: str, error: str | None, errors: int) -> None:
    """Note what the publisher of the sales has answered."""
    connection.execute("DELETE FROM edu_pipeline.probes")
    connection.execute(
        "INSERT INTO edu_pipeline.probes (source, version, known_version, probed_at, error, consecutive_errors) "
        "VALUES (%s, %s, %s, now(), %s, %s)",
        [SALES, version, known, error, errors],
    )


def test_loaded_is_green_and_waiting_is_yellow(loaded: StandIn) -> None:
    state = now(loaded)
    assert table(state) == ("green", [], [])
    assert source(state) == ("green", None)
    assert table(state, "ips_lycees") == ("yellow", [], ["waits for a file of fr-en-ips-lycees-ap2023"])
    assert state.state == "yellow"


def test_check_error_is_red_and_warning_yellow(loaded: StandIn) -> None:
    with loaded.database.connect() as connection:
        for name, severity in {"means": "error", "previous_rows": "warn"}.items():
            connection.execute(
                "INSERT INTO edu_pipeline.check_results VALUES ('educational_data', %s, %s, false, %s, 'It is wrong.')",
                [TABLE, name, severity],
            )
    assert table(now(loaded)) == ("red", ["means: It is wrong."], ["previous_rows: It is wrong."])
    assert now(loaded).state == "red"


def test_failed_load_is_red_until_the_next_succeeds(loaded: StandIn) -> None:
    loaded.put_sales([])
    with pytest.raises(Exception, match="expected rows, found none"):
        loaded.load(TABLE)
    state, (text,), _ = table(now(loaded))
    assert state == "red" and text.startswith("NoRows: ")
    loaded.put_sales([sale(f"01{number:03d}", price="300000") for number in range(1, 31)])
    loaded.load(TABLE)
    assert not [text for text in table(now(loaded))[1] if text.startswith("NoRows: ")]


def test_silent_publisher_is_yellow_then_red(loaded: StandIn) -> None:
    def after(version: str, error: str | None, errors: int) -> tuple[str, str | None]:
        with loaded.database.connect() as connection:
            note_answer(connection, version, "1", error, errors)
        return source(now(loaded))

    assert after("1", NO_ANSWER, 1) == ("yellow", f"no answer to the last request: {NO_ANSWER}")
    assert after("1", NO_ANSWER, UNANSWERED - 1)[0] == "yellow"
    assert after("1", NO_ANSWER, UNANSWERED) == (
        "red",
        f"no answer to the last {UNANSWERED} requests: {NO_ANSWER}",
    )
    assert after("2", None, 0) == ("yellow", "there is a new release, not downloaded yet")


def test_a_refused_file_is_shown_until_a_good_one_comes(loaded: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDU_DATABASE_URL", loaded.database.url)
    monkeypatch.setenv("EDU_ARCHIVE", str(loaded.archive.root))
    file = loaded.folder / SALES / "communesdvf2024.csv"
    for page in ("En maintenance", "Toujours en maintenance"):
        file.write_text(f"<!doctype html><title>{page}</title>\n", encoding="utf-8")
        with pytest.raises(FileInvalid):
            loaded.load(TABLE)
    since = loaded.archive.refusals(SALES)[0].refused_at[:16].replace("T", " ")
    line = f"{SALES}: its file is refused since {since} UTC: file communesdvf2024.csv: "
    for command, code in (("status", 0), ("health", 1), ("sources", 0)):
        outcome = CliRunner().invoke(app, [command])
        assert outcome.exit_code == code, outcome.output
        (shown,) = [text for text in outcome.output.splitlines() if text.startswith(line)]
        assert "expected a csv file, found an HTML page" in shown and len(shown) < 400
    listed = json.loads(CliRunner().invoke(app, ["sources", "--json"]).output)
    assert [entry["source"] for entry in listed if entry["refused_because"]] == [SALES]
    loaded.put_sales([sale(f"01{number:03d}", price="300000") for number in range(1, 31)])
    loaded.load(TABLE)
    assert source(now(loaded)) == ("green", None)


def test_source_ages_until_its_next_release(loaded: StandIn) -> None:
    points = [(moment, age) for moment, name, age in ages_over_time(loaded.archive) if name == SALES]
    assert points and points == sorted(points), "there is one release, which only gets older"
    assert points[-1][0] <= datetime.now(UTC) + timedelta(seconds=1)


def test_dashboard_shows_every_source_and_table(loaded: StandIn) -> None:
    state = now(loaded)
    metadata = health_metadata(state)
    assert metadata["state"] == "🟡 yellow"
    assert metadata["number_red"] == 0
    assert sum(metadata[f"number_{state}"] for state in ("green", "yellow", "red")) == len(state.entries)
    sources = [record.data["source"] for record in metadata["sources"].records]
    assert sources == [entry.source for entry in state.sources]
    (row,) = [record.data for record in metadata["tables"].records if record.data["table"] == TABLE]
    assert (row["state"], row["layer"], row["rows"]) == ("🟢 green", "socio_economic", 30)


def test_monitoring_gets_json_and_an_exit_code(loaded: StandIn) -> None:
    environment = {"EDU_DATABASE_URL": loaded.database.url, "EDU_ARCHIVE": str(loaded.archive.root)}
    yellow = run_here("health", "--json", **environment)
    assert yellow.returncode == 0, yellow.stderr
    state = json.loads(yellow.stdout)
    assert (state["state"], state["invented"]) == ("yellow", False)
    with loaded.database.connect() as connection:
        note_answer(connection, "1", "1", NO_ANSWER, UNANSWERED)
    assert run_here("health", "--json", **environment).returncode == 1
    red = run_here("health", **environment)
    assert red.returncode == 1
    assert f"{SALES}: no answer to the last {UNANSWERED} requests" in red.stdout


def test_status_counts_each_table_once(loaded: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[str] = []
    count = status._count

    def spy(connection: Connection, name: str) -> int:
        counted.append(name)
        return count(connection, name)

    monkeypatch.setattr(status, "_count", spy)
    monkeypatch.setenv("EDU_DATABASE_URL", loaded.database.url)
    monkeypatch.setenv("EDU_ARCHIVE", str(loaded.archive.root))
    outcome = CliRunner().invoke(app, ["status"])
    assert outcome.exit_code == 0, outcome.output
    with loaded.database.connect() as connection:
        assert counted == relations(connection, loaded.database.schema, TABLES + VIEWS)


def test_missing_schema_has_no_tables_and_no_health(stand_in: StandIn) -> None:
    other = Database(stand_in.database.url, "autre_schema")
    assert status.table_status(other, stand_in.archive) == []
    with pytest.raises(SchemaMissing, match=r"schema autre_schema: expected a schema of this name.*migrate"):
        health(other, stand_in.archive)


@pytest.mark.parametrize("command", ["status", "health", "checksum", "refresh", "rebuild --if-empty"])
def test_a_new_database_is_to_be_migrated(command: str, cluster: Cluster) -> None:
    with new_database(cluster, "template1") as name:
        ended = run_here(*command.split(), EDU_DATABASE_URL=cluster.url(name))
    assert ended.returncode == 1
    assert (
        ended.stderr.startswith("SchemaMissing: schema educational_data: ") and "edu-pipeline migrate" in ended.stderr
    )
