"""Checks that stop a publication: only for an error that the published rows do not have."""

from __future__ import annotations

from typing import Any

import pytest

from edu_pipeline import checks
from edu_pipeline.checks import figures, subject
from edu_pipeline.checks.expectations import Expectation, Expectations
from edu_pipeline.database.migrate import migrate
from edu_pipeline.errors import CheckRed
from edu_pipeline.loading.load import Options, Outcome, load
from edu_pipeline.table import tables
from edu_pipeline_tests.stand_in import StandIn, sale

TABLE = "mutations_immo_latest"


@pytest.fixture
def communes(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Communes are loaded, and the mean price of a sale is expected to be 100,000 to 400,000 euros."""
    codes = stand_in.put_communes()
    stand_in.load_communes()
    means = {"prix_moyen": (100_000.0, 400_000.0)}
    file = Expectations(sets={}, tables={TABLE: Expectation(means=means)})
    for module in (figures, subject):
        monkeypatch.setattr(module, "expectations", lambda: file)
    return codes


def publish(stand_in: StandIn, codes: list[str], price: str) -> None:
    stand_in.put_sales([sale(code, price=price) for code in codes])


def prices(stand_in: StandIn) -> set[Any]:
    return {int(price) for (price,) in stand_in.rows("SELECT DISTINCT prix_moyen FROM mutations_immo_latest")}


def passed(outcome: Outcome) -> dict[str, bool]:
    """Which checks have passed, by name."""
    return {result.name: result.passed for result in outcome.checks}


def last_passed(stand_in: StandIn) -> bool:
    """The stored result of the check of means."""
    ((is_passed,),) = stand_in.rows(
        "SELECT passed FROM edu_pipeline.check_results WHERE table_name = 'mutations_immo_latest' "
        "AND check_name = 'means'"
    )
    return bool(is_passed)


def test_new_error_stops_the_publication(stand_in: StandIn, communes: list[str]) -> None:
    publish(stand_in, communes, "290575")
    outcome = stand_in.load(TABLE)
    assert passed(outcome)["means"]
    publish(stand_in, communes, "2905750")
    with pytest.raises(CheckRed) as caught:
        stand_in.load(TABLE)
    assert caught.value.checks == ["means"]
    assert "prix_moyen 2905750.0 (100000 to 400000)" in str(caught.value)
    assert f"--accept-red {TABLE}" in str(caught.value)
    assert prices(stand_in) == {290_575} and last_passed(stand_in), "the results are those of the published rows"
    failed = stand_in.failed(TABLE)
    assert failed and failed.error == str(caught.value)


def test_accepted_or_old_error_stops_nothing(stand_in: StandIn, communes: list[str]) -> None:
    publish(stand_in, communes, "290575")
    stand_in.load(TABLE)
    publish(stand_in, communes, "2905750")
    with pytest.raises(CheckRed):
        stand_in.load(TABLE)
    load(tables()[TABLE], stand_in.database, stand_in.archive, Options(accept_red=frozenset([TABLE])))
    assert prices(stand_in) == {2_905_750} and not last_passed(stand_in)
    publish(stand_in, communes, "3905750")
    stand_in.load(TABLE)
    assert prices(stand_in) == {3_905_750}
    publish(stand_in, communes, "290576")
    stand_in.load(TABLE)
    assert last_passed(stand_in)


def test_first_rows_are_published_despite_an_error(stand_in: StandIn, communes: list[str]) -> None:
    publish(stand_in, communes, "2905750")
    outcome = stand_in.load(TABLE)
    assert not passed(outcome)["means"]
    with stand_in.database.connect() as connection:
        assert (TABLE, "means") in checks.failing_checks(connection, stand_in.database.schema)


def test_unchanged_table_is_checked_again(stand_in: StandIn, communes: list[str]) -> None:
    publish(stand_in, communes, "290575")
    stand_in.load(TABLE)
    with stand_in.database.connect() as connection:
        connection.execute("UPDATE mutations_immo_latest SET prix_moyen = 1")
    outcome = stand_in.load(TABLE)
    assert outcome.skipped and not passed(outcome)["means"]


def test_new_error_stops_the_swap_of_a_rebuild(stand_in: StandIn, communes: list[str]) -> None:
    upcoming = stand_in.database.next
    migrate(upcoming)
    record = (
        "INSERT INTO edu_pipeline.check_results (target_schema, table_name, check_name, passed, severity, description) "
        "VALUES (%s, %s, %s, %s, 'error', 'table x: expected much, found little.')"
    )
    with stand_in.database.connect() as connection:
        for schema, passed in ((stand_in.database.schema, True), (upcoming.schema, False)):
            connection.execute(record, [schema, "lycee_context_cache", "complete", passed])
    with pytest.raises(CheckRed) as caught:
        checks.before_swap(upcoming, stand_in.archive, ())
    assert "complete: table x: expected much, found little." in str(caught.value)
    results = checks.before_swap(upcoming, stand_in.archive, {"lycee_context_cache"})
    assert {result.name for result in results} >= {"orphans", "age"}, "the checks between tables have run"
