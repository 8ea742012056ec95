"""A run that the command line starts alerts as one of the daemon does: of what failed, once, and of what is fixed."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from edu_pipeline.cli import runs
from edu_pipeline.loading.load import Options
from edu_pipeline.settings import settings
from edu_pipeline_tests.monitoring.receiver import Receiver
from edu_pipeline_tests.stand_in import SALES_HEADER, StandIn, sale

TABLE, SALES = "mutations_immo_latest", "dvf-indicateurs-communes"


@pytest.fixture
def alerted(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """A publisher's stand-in, and the settings of a command line that reads from it."""
    monkeypatch.setenv("EDU_DATABASE_URL", stand_in.database.url)
    monkeypatch.setenv("EDU_ARCHIVE", str(stand_in.archive.root))
    monkeypatch.setenv("EDU_UPSTREAM", str(stand_in.folder))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    stand_in.put_communes()
    stand_in.load("departements", "passage_communes", "info_communes")
    return stand_in


def refreshed(stand_in: StandIn) -> tuple[dict[str, str], str]:
    """What failed, and what was printed."""
    settings.cache_clear()
    output = StringIO()
    console = Console(file=output, width=10_000)
    return runs.refresh(settings(), stand_in.database, [TABLE], Options(), console), output.getvalue()


def test_a_failed_run_alerts_once_until_it_is_fixed(alerted: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Receiver()
    monkeypatch.setenv("EDU_ALERT_WEBHOOK", receiver.url.get_secret_value())
    with receiver.serving():
        alerted.put_sales([sale("01001")], SALES_HEADER.replace("INSEE_COM", "COMMUNE"))
        for _ in range(2):
            failures, _ = refreshed(alerted)
            assert list(failures) == [TABLE]
        texts = [message["text"] for message in receiver.messages]
        assert [text for text in texts if "ColumnMissing" in text] == texts and len(texts) == 1
        alerted.put_sales([sale("01001")])
        failures, _ = refreshed(alerted)
        assert failures == {}
        fixed = [message["text"] for message in receiver.messages if message["text"].startswith("*Fixed*")]
        assert len(fixed) == 1 and TABLE in fixed[0]


def test_a_failed_fetch_alerts_once_until_it_is_fixed(alerted: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Receiver()
    monkeypatch.setenv("EDU_ALERT_WEBHOOK", receiver.url.get_secret_value())
    with receiver.serving():
        for price in ("200000", "300000"):
            alerted.put_sales([], "<!DOCTYPE html><html>")
            for _ in range(2):
                assert SALES in refreshed(alerted)[0]
            alerted.put_sales([sale("01001", price=price)])
            assert refreshed(alerted)[0] == {}
    titles = [message["blocks"][0]["text"]["text"] for message in receiver.messages]
    assert [title for title in titles if title.startswith("raw/") or title == "Fixed"] == [
        "raw/dvf_indicateurs_communes failed",
        "Fixed",
    ] * 2


def test_a_wrong_alert_setting_does_not_hide_the_failure(alerted: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDU_ALERT_URLS", "jsno://127.0.0.1/secret")
    alerted.put_sales([sale("01001")], SALES_HEADER.replace("INSEE_COM", "COMMUNE"))
    failures, output = refreshed(alerted)
    assert list(failures) == [TABLE]
    assert "nobody was alerted: SettingInvalid: EDU_ALERT_URLS" in output and "secret" not in output
