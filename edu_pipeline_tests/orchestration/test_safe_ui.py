"""The UI in a browser: neither what a publisher writes nor another page operates it. And it ends when it is told to."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import polars as pl
import pytest
import requests
from playwright.sync_api import Page, expect
from pytest_httpserver import HTTPServer

from edu_pipeline.checks import CheckResult
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import Database
from edu_pipeline.database.ledger import Load
from edu_pipeline.database.migrate import migrate
from edu_pipeline.errors import TooManyRefused, UnknownReference
from edu_pipeline.loading.load import Outcome
from edu_pipeline.orchestration.check_results import check_evaluation, columns_check, failed_checks, loaded_checks
from edu_pipeline.orchestration.failures import failure_or_retry
from edu_pipeline.orchestration.home import home
from edu_pipeline.orchestration.metadata import load_metadata
from edu_pipeline.settings import settings
from edu_pipeline.table import tables
from edu_pipeline_tests.browsing import browser_of, page_in
from edu_pipeline_tests.servers import own_server
from edu_pipeline_tests.serving_dagster import STOP_SECONDS, Ui, end, serving_ui
from edu_pipeline_tests.waiting import HANG

TABLE = "ips_lycees"

LOAD = Load(
    target_schema="educational_data",
    table_name=TABLE,
    state="published",
    started_at=datetime(2026, 11, 1, tzinfo=UTC),
    releases={"fr-en-ips-lycees-ap2023": "2026-10-01"},
    inputs_version="",
    code_version="",
    rows=1,
    refused=1,
    strategy="delta",
)

DELETE = 'mutation { deletePipelineRun(runId: "none") { __typename } }'

ELSEWHERE = """
<body><img src="{ui}/graphql?query={{version}}"><script src="{ui}/graphql?query={{version}}"></script>
<form action="{ui}/graphql" method="post" enctype="text/plain" target="frame">
<input name='{{"query": "{{version}}", "x": "' value='"}}'></form><iframe name="frame"></iframe>
<script>
document.forms[0].submit()
const body = '{{"query": "{{version}}"}}'
for (const type of ["text/plain", "application/json", "text/plain; x=application/json"])
  fetch("{ui}/graphql", {{method: "POST", mode: "no-cors", headers: {{"Content-Type": type}}, body}})
fetch("{ui}/report_asset_check/ips_lycees", {{method: "POST", mode: "no-cors", body}})
new WebSocket("{ui}/graphql".replace("http", "ws"), "graphql-ws").onerror = () => document.title = "no web socket"
</script>
"""
"""A page with all that a browser lets a page send elsewhere; the query itself is harmless."""


def reported(markup: str) -> None:
    """Report a load, its checks and a failure to Dagster, with ``markup`` wherever a publisher's file can put it."""
    table = tables()[TABLE]
    rows = pl.DataFrame({"uai": [markup]})
    outcome = Outcome(LOAD, skipped=False, preview=rows, refused=[(markup, f"uai: found {markup}")])
    failure = failure_or_retry(TooManyRefused(TABLE, f"expected codes, found {markup}.", "Look at the file."), 0)
    assert isinstance(failure, dg.Failure)
    failure.__cause__ = UnknownReference("", "", "")
    results = [*loaded_checks(table, outcome), columns_check({"source: UAI": [markup]}), *failed_checks(failure)]
    red = CheckResult(TABLE, "years", False, "warn", f"expected 2025, found {markup}.", {"missing": [markup]})
    with dg.DagsterInstance.from_config(home(settings())) as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization(TABLE, metadata=load_metadata(outcome)))
        for result in results:
            event = dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey(TABLE),
                check_name=str(result.check_name),
                passed=result.passed,
                description=result.description,
                metadata=result.metadata,
            )
            instance.report_runless_asset_event(event)
        instance.report_runless_asset_event(check_evaluation(red))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ui, Cluster]]:
    """A read-only UI on a migrated database, on a server of its own."""
    folder = tmp_path_factory.mktemp("home")
    with own_server() as cluster, pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDU_HOME", str(folder))
        patch.setenv("EDU_DATABASE_URL", cluster.url("postgres"))
        patch.delenv("EDU_UPSTREAM", raising=False)
        settings.cache_clear()
        migrate(Database(cluster.url("postgres"), "educational_data"))
        with serving_ui(folder / "ui.log", "--read-only") as ui:
            yield ui, cluster


@pytest.fixture
def page(served: tuple[Ui, Cluster]) -> Iterator[Page]:
    """A page of the UI in a browser."""
    with browser_of(served[0]) as browser, page_in(browser) as page:
        yield page


def test_what_a_publisher_writes_is_shown_as_it_is(page: Page, httpserver: HTTPServer) -> None:
    address = httpserver.url_for("/img")
    markup = f'![a]({address}) <img src="{address}"> [b]({address}) `c` *d* _e_ &lt;f'
    reported(markup)
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.goto(f"/assets/{TABLE}")
    expect(page.get_by_text(markup[:36]).first).to_be_visible()  # a preview cuts its values
    for check, text in {
        "contract": f"uai: found {markup}",
        "columns": markup,
        "references": f"expected codes, found {markup}.",
        "years": f"expected 2025, found {markup}.",
    }.items():
        page.goto(f"/assets/{TABLE}?view=checks")
        page.get_by_text(check, exact=True).first.click()
        expect(page.get_by_text(text).first).to_be_visible()
    page.goto(f"/assets/{TABLE}?view=events")
    expect(page.get_by_text(markup[:36]).first).to_be_visible()
    assert {url for url in requested if not url.startswith((page.url[:20], "data:", "blob:"))} == set()
    assert httpserver.log == []


def test_another_page_cannot_operate_the_ui(served: tuple[Ui, Cluster], page: Page, httpserver: HTTPServer) -> None:
    url = served[0].url
    httpserver.expect_request("/page").respond_with_data(ELSEWHERE.format(ui=url), content_type="text/html")
    answers: list[tuple[str, int]] = []
    page.on("response", lambda answer: answers.append((answer.url, answer.status)))
    page.goto(httpserver.url_for("/page"))
    page.wait_for_function("document.title == 'no web socket'")
    page.wait_for_load_state("networkidle")
    statuses = sorted(status for address, status in answers if address.startswith(url))
    assert statuses.count(403) == 5, "the form, and four requests of its script"
    assert set(statuses) <= {403, 405}, "405 for the image, which Chromium may keep to itself"


def test_another_host_name_leads_to_no_page(served: tuple[Ui, Cluster]) -> None:
    answer = requests.get(served[0].url, headers={"Host": "rebound.example"}, timeout=HANG)
    assert (answer.status_code, "found rebound.example. Open the UI at" in answer.text) == (421, True)


def test_read_only_takes_no_commands(served: tuple[Ui, Cluster]) -> None:
    assert served[0].ask("{ version }")["version"]
    assert served[0].ask(DELETE)["deletePipelineRun"]["__typename"] == "UnauthorizedError"


def test_it_ends_at_once_when_its_database_has_gone(served: tuple[Ui, Cluster]) -> None:
    """A script has started it in the background, so that it was told to ignore SIGINT; the last test of the file."""
    ui, cluster = served
    cluster.stop()
    with pytest.raises(requests.RequestException), requests.get(f"{ui.url}/assets", timeout=1) as answer:
        answer.raise_for_status()
    seconds = end(ui.process, signal.SIGINT)
    assert seconds < max(STOP_SECONDS, ui.start_seconds / 4)
