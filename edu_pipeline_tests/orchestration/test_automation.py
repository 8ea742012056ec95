"""What runs without being asked: the run that the sensor requests, what a run fetches, when the schedules tick."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg
import pytest

from edu_pipeline.catalogue import catalogue
from edu_pipeline.database.views import views
from edu_pipeline.definitions import defs
from edu_pipeline.errors import FileInvalid
from edu_pipeline.loading.lineage import downstream_of, used_sources
from edu_pipeline.loading.releases import ask_publishers, fetch_if_new
from edu_pipeline.monitoring import alerts
from edu_pipeline.orchestration import alerting, automation
from edu_pipeline.orchestration.automation import release_sensor
from edu_pipeline.settings import Settings, settings
from edu_pipeline.sources.archive import Archive
from edu_pipeline.table import tables
from edu_pipeline_tests.stand_in import SALES, SALES_HEADER, StandIn, sale

COMMUNES = {"geo-api-communes", "geo-api-departements", "departement-academie", "insee-table-passage"}


@pytest.fixture
def here(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that name the stand-in, its archive and its database."""
    stand_in.put_communes()
    monkeypatch.setenv("EDU_UPSTREAM", str(stand_in.folder))
    monkeypatch.setenv("EDU_ARCHIVE", str(stand_in.archive.root))
    monkeypatch.setenv("EDU_DATABASE_URL", stand_in.database.url)
    settings.cache_clear()
    return settings()


def tick(cursor: str | None) -> dg.SensorResult | dg.SkipReason:
    """What the sensor answers."""
    with dg.DagsterInstance.ephemeral() as instance:
        answer = release_sensor(dg.build_sensor_context(instance, cursor=cursor))
    assert isinstance(answer, dg.SensorResult | dg.SkipReason)
    return answer


def selected(answer: dg.SensorResult | dg.SkipReason) -> list[str]:
    """The assets of the one run that is requested."""
    assert isinstance(answer, dg.SensorResult) and answer.run_requests
    (run,) = answer.run_requests
    return [key.to_user_string() for key in run.asset_selection or []]


@dataclass
class Recorder:
    """A channel that keeps what is posted."""

    name: str = "recorder"
    posted: list[tuple[str, str]] = field(default_factory=list)

    def post(self, title: str, text: str, link: str | None) -> bool:
        self.posted.append((title, text))
        return True


def raw(sources: Iterable[str]) -> set[str]:
    """The raw assets of sources."""
    return {f"raw/{catalogue()[source].slug}" for source in sources}


def test_new_releases_make_one_run_of_all_that_depends_on_them(here: Settings, stand_in: StandIn) -> None:
    first = tick(None)
    assets = selected(first)
    assert {name for name in assets if name.startswith("raw/")} == raw(COMMUNES)
    assert len(assets) == len(set(assets)), "what depends on several sources is there once"
    assert {"info_communes", "ips_lycees", "commune_context_cache", "lycee_context_cache"} <= set(assets)
    assert isinstance(first, dg.SensorResult)
    assert isinstance(tick(first.cursor), dg.SkipReason), "the run is requested once, even if it fails"

    stand_in.put_sales([sale("01001")])
    second = tick(first.cursor)
    assert {name for name in selected(second) if name.startswith("raw/")} == raw({SALES})
    assert "mutations_immo_latest" in selected(second) and "info_communes" not in selected(second)
    assert isinstance(second, dg.SensorResult) and first.run_requests and second.run_requests
    assert first.run_requests[0].run_key != second.run_requests[0].run_key


def test_a_withdrawn_release_has_its_own_run(here: Settings, stand_in: StandIn) -> None:
    file = stand_in.folder / SALES / "communesdvf2024.csv"
    cursor: str | None = None
    keys: list[str | None] = []
    for prices in ("290575", "2905750", "290575"):
        stand_in.put_sales([sale("01001", price=prices)])
        os.utime(file, (0, len(prices)))
        answer = tick(cursor)
        assert isinstance(answer, dg.SensorResult) and answer.run_requests
        cursor, keys = answer.cursor, [*keys, answer.run_requests[0].run_key]
    assert len(set(keys)) == 3, "Dagster starts no second run with the key of the first"


def test_a_release_whose_load_would_stop_is_not_requested(
    here: Settings, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDU_ALERT_WEBHOOK", "https://example.org/hook")
    settings.cache_clear()
    posted: list[alerts.Alert] = []
    monkeypatch.setattr(automation, "post_alerts", posted.extend)
    first = tick(None)
    assert isinstance(first, dg.SensorResult)
    cursor = first.cursor
    stand_in.put_sales([sale("01001")], SALES_HEADER.replace("INSEE_COM", "COMMUNE"))
    for _ in range(2):
        assert isinstance(tick(cursor), dg.SkipReason)
    assert len(posted) == 2, "alerts.send posts a cause once"
    assert {alert.cause for alert in posted} == {
        f"raw/{catalogue()[SALES].slug}: ColumnMissing: {SALES}, communesdvf2024.csv"
    }
    stand_in.put_sales([sale("01001")])
    assert {name for name in selected(tick(cursor)) if name.startswith("raw/")} == raw({SALES})


def test_a_refused_file_is_fixed_when_a_run_takes_the_next(
    here: Settings, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by a run that meets the refused one again, and not by one that has nothing to do with the source."""
    archive, channel, step = Archive(here.archive_root), Recorder(), "raw__dvf_indicateurs_communes"
    monkeypatch.setattr(alerting, "channels", lambda _: [channel])

    def fetch() -> None:
        fetch_if_new(catalogue()[SALES], here, stand_in.database, archive, datetime.now(UTC))

    stand_in.put(SALES, "communesdvf2024.csv", "<html>Maintenance</html>")
    with pytest.raises(FileInvalid) as refused:
        fetch()
    alert = alerts.from_run(step, "daily_refresh", str(refused.value), "1", None)
    alerting.post_alerts([alert])
    alerting.post_red_checks({step}, "daily_refresh")
    stand_in.put_sales([sale("01001")])
    fetch()
    alerting.post_red_checks({"raw__insee_pcs", "info_communes"}, "daily_refresh")
    assert channel.posted == [(alert.title, alert.text)]
    for _ in range(2):
        alerting.post_red_checks({step}, "daily_refresh")
    assert channel.posted[1:] == [("Fixed", alert.cause)]


def test_what_was_fetched_is_no_longer_new(here: Settings, stand_in: StandIn) -> None:
    archive = Archive(here.archive_root)
    answers = ask_publishers(here, stand_in.database, archive)
    assert {source for source, answer in answers.items() if answer.changed} == COMMUNES
    for source in COMMUNES:
        assert fetch_if_new(catalogue()[source], here, stand_in.database, archive, datetime.now(UTC))
    assert isinstance(tick(None), dg.SkipReason)


def test_a_run_fetches_what_its_own_probes_found(here: Settings, stand_in: StandIn) -> None:
    stand_in.put_sales([sale("01001")])
    archive, began = Archive(here.archive_root), datetime.now(UTC)
    fetch_if_new(catalogue()[SALES], here, stand_in.database, archive, began)
    ask_publishers(here, stand_in.database, archive)
    stand_in.put_sales([sale("01001"), sale("01002")])
    in_the_run = fetch_if_new(catalogue()[SALES], here, stand_in.database, archive, began)
    assert in_the_run and not in_the_run.new, "the probes of this run found nothing new"
    without_probes = fetch_if_new(catalogue()[SALES], here, stand_in.database, archive, datetime.now(UTC))
    assert without_probes and without_probes.new, "a raw asset without probes in its run always asks"


def test_what_depends_on_a_source_is_in_loading_order() -> None:
    assets = downstream_of(["geo-api-communes", SALES])
    assert assets.index("info_communes") < assets.index("mutations_immo_latest") < assets.index("commune_context_cache")
    assert len(assets) == len(set(assets))
    assert downstream_of([]) == []


def test_the_daily_refresh_runs_at_two_in_paris() -> None:
    schedule = defs.resolve_schedule_def("every_night")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 2 * * *", "Europe/Paris")
    assert schedule.job_name == "daily_refresh"
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING


def test_the_daily_refresh_loads_everything_in_place() -> None:
    job = defs.resolve_job_def("daily_refresh")
    names = {key.to_user_string() for key in job.asset_layer.executable_asset_keys}
    assert names == {"probes", *raw(used_sources()), *tables(), *views()}, "all but live_schema and the dashboard"
    assert "raw/dvf_indicateurs_communes" in names
    assert job.run_config is None or "rebuild" not in str(job.run_config), "in the live schema"
