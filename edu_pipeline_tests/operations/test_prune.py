"""Pruning the archive and the ledger: what goes, what stays, and that nobody reads meanwhile."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from edu_pipeline.database import ledger, locks, probe_memory
from edu_pipeline.errors import SchemaMissing, SettingInvalid, WaitTooLong
from edu_pipeline.operations.prune import Keep, Pruned, prune
from edu_pipeline.settings import Settings
from edu_pipeline_tests.operations.generations import LIVE, fill, publish
from edu_pipeline_tests.stand_in import StandIn

SALES = "dvf-indicateurs-communes"
NO_PATIENCE = timedelta(0)


def held(live: StandIn) -> list[str]:
    """The archive's releases of one source, oldest first."""
    return [release.id for release in live.archive.releases(SALES)]


def pruned(live: StandIn, keep: Keep, after_days: int, dry_run: bool = False) -> Pruned:
    """Prune as if so many days had passed."""
    now = datetime.now(UTC) + timedelta(days=after_days)
    return prune(live.database, live.archive, keep, now, dry_run=dry_run, patience=NO_PATIENCE)


@pytest.fixture
def generations(live: StandIn) -> StandIn:
    """A live schema that was loaded from four releases, one after the other."""
    for generation in (2, 3, 4):
        publish(live, generation)
        fill(live)
    assert len(held(live)) == 4
    return live


def test_releases_of_the_last_loads_stay(generations: StandIn) -> None:
    before = held(generations)
    assert pruned(generations, Keep(loads=4, days=1), 400).releases == 0
    assert pruned(generations, Keep(loads=2, days=1), 400).releases == 4  # two of the sales, two of the communes
    assert held(generations) == before[2:]
    assert pruned(generations, Keep(loads=1, days=1), 400).releases == 2
    assert held(generations) == before[3:]


def test_releases_of_a_promised_time_stay(generations: StandIn) -> None:
    assert pruned(generations, Keep(loads=1, days=30), 29).releases == 0
    today = datetime.now(UTC).date()
    assert pruned(generations, Keep(loads=1, days=30, as_of=(today,)), 400).releases == 6
    assert pruned(generations, Keep(loads=1, days=30, as_of=(today - timedelta(days=1),)), 400).releases == 0


def test_a_dry_run_says_the_same_and_removes_nothing(generations: StandIn) -> None:
    before = held(generations)
    foretold = pruned(generations, Keep(loads=1, days=1), 400, dry_run=True)
    assert foretold.bytes > 0 and held(generations) == before
    assert pruned(generations, Keep(loads=1, days=1), 400) == foretold
    assert held(generations) == before[3:]


def test_old_failures_and_refused_rows_go_but_the_newest(live: StandIn) -> None:
    with live.database.connect() as connection:
        connection.execute(
            "INSERT INTO edu_pipeline.loads (target_schema, table_name, state, started_at, finished_at, releases, "
            "inputs_version, code_version) SELECT %s, 'a_table', state, at, at, '{}', '', '' FROM (VALUES "
            "('failed', now() - interval '3 days'), ('failed', now() - interval '2 days'), "
            "('published', now() - interval '3 days'), ('published', now() - interval '2 days')) AS t (state, at)",
            [LIVE],
        )
        connection.execute(
            "INSERT INTO edu_pipeline.refused_rows (load_id, key, reasons, row) "
            "SELECT id, 'k', '{r}', '{}' FROM edu_pipeline.loads WHERE table_name = 'a_table'"
        )
    outcome = pruned(live, Keep(refused_days=5), 0)
    assert (outcome.failed_loads, outcome.refused_rows) == (0, 0)
    outcome = pruned(live, Keep(refused_days=1), 0)
    assert (outcome.failed_loads, outcome.refused_rows) == (1, 2)
    with live.database.connect() as connection:
        assert {"a_table"} <= ledger.newest(connection, LIVE, "failed").keys()
        rows = connection.execute(
            "SELECT state, count(*), count(load_id) FROM edu_pipeline.loads LEFT JOIN edu_pipeline.refused_rows "
            "ON load_id = id WHERE table_name = 'a_table' GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert rows == [("failed", 1, 1), ("published", 2, 1)]


def test_what_a_fetch_or_a_run_uses_is_not_pruned(generations: StandIn) -> None:
    before = held(generations)
    with (
        probe_memory.fetching(generations.database, SALES),
        pytest.raises(WaitTooLong, match=r"runs and fetches .* found process \d+ of edu \(edu_pipeline\), connected"),
    ):
        pruned(generations, Keep(loads=1, days=1), 400)
    assert held(generations) == before


def test_a_fetch_waits_for_the_end_of_a_pruning(live: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "PATIENCE", timedelta(milliseconds=50))
    with (
        locks.archive_pruned(live.database, NO_PATIENCE),
        pytest.raises(WaitTooLong, match="the pruning of the archive to end within"),
        probe_memory.fetching(live.database, SALES),
    ):
        pass


def test_without_a_ledger_nothing_is_pruned(stand_in: StandIn) -> None:
    with stand_in.database.connect() as connection:
        connection.execute("DROP SCHEMA edu_pipeline CASCADE")
    with pytest.raises(SchemaMissing):
        pruned(stand_in, Keep(), 400)


def test_the_promised_days_in_the_settings() -> None:
    assert Keep.of(Settings()) == Keep()
    promised = Settings(keep_as_of="2026-05-01, 2026-09-01", keep_loads=2)
    assert Keep.of(promised) == Keep(loads=2, as_of=(date(2026, 5, 1), date(2026, 9, 1)))
    with pytest.raises(SettingInvalid, match="EDU_KEEP_AS_OF"):
        Keep.of(Settings(keep_as_of="last spring"))
