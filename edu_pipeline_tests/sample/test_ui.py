"""The UI in a browser; and its daemon, which unasked loads a new release and alerts about a broken one."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import DEVNULL
from typing import Any, LiteralString

import psycopg
import pytest
import requests
from playwright.sync_api import BrowserContext, Page, expect

from edu_pipeline.orchestration.home import home as instance_home
from edu_pipeline.settings import settings
from edu_pipeline.table import LAYERS
from edu_pipeline_tests.browsing import browser_of, page_in
from edu_pipeline_tests.programs import BIN, run
from edu_pipeline_tests.sample.demo import Demo
from edu_pipeline_tests.serving_dagster import Ui, serving_ui
from edu_pipeline_tests.waiting import HANG, Value, awaited

SALES = "dvf-indicateurs-communes"
MATERIALIZATIONS = """
query ($path: [String!]!) {
  assetOrError(assetKey: {path: $path}) { ... on Asset { assetMaterializations(limit: 1) { timestamp } } }
}
"""

RELEASES = {
    "repositoryName": "__repository__",
    "repositoryLocationName": "edu_pipeline",
    "sensorName": "new_releases",
}
SENSOR = """
query ($selector: SensorSelector!) {
  sensorOrError(sensorSelector: $selector) { ... on Sensor { sensorState { id } } }
}
"""
STOP = "mutation ($id: String) { stopSensor(id: $id) { ... on StopSensorMutationResult { __typename } } }"
START = """
mutation ($selector: SensorSelector!) {
  startSensor(sensorSelector: $selector) { ... on Sensor { sensorState { status } } }
}
"""
SECRET = "wooden-horse"
FIXED = "*Fixed*\n"
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}


@dataclass
class Running:
    """A filled database, its publisher, the UI with the daemon, and what was posted to the webhook."""

    url: str
    publisher: str
    shelf: Path
    ui: Ui
    posts: list[dict[str, Any]] = field(default_factory=list)

    def query(self, statement: LiteralString) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, options="-csearch_path=educational_data,postgis") as connection:
            return connection.execute(statement).fetchall()

    def sensor_runs(self) -> dict[str, dict[str, Any]]:
        """The runs that the sensor of new releases has started, by id."""
        return {run["runId"]: run for run in self.ui.runs("edu_pipeline/started_by", "new release")}

    def next_sensor_run(self, earlier: Collection[str]) -> dict[str, Any]:
        """The run that the sensor starts after ``earlier`` ones, when it has ended, well or not."""

        def ended() -> list[dict[str, Any]]:
            runs = [run for run_id, run in self.sensor_runs().items() if run_id not in earlier]
            return [run for run in runs if run["status"] in ENDED]

        return self.awaited(ended, "a run for the new release")[0]

    def awaited(self, look: Callable[[], Value], what: str) -> Value:
        """What ``look`` returns as soon as that is true, unless the UI ends before."""
        return awaited(look, what, self.ui.process)

    def posted(self, text: str) -> list[str]:
        """The posts to the webhook that contain a text."""
        return [post["text"] for post in self.posts if text in post["text"]]

    def publish(self, source: str) -> None:
        """Let the publisher publish a new release."""
        requests.post(f"{self.publisher}/-/publish/{source}", timeout=HANG).raise_for_status()


@pytest.fixture(scope="module")
def running(demo: Demo) -> Iterator[Running]:
    """All of it; the publishers are asked every five seconds."""
    posts = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    webhook = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
    threading.Thread(target=webhook.serve_forever, daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in demo.settings.items():
            patch.setenv(name, value)
        patch.setenv("EDU_PROBE_SECONDS", "5")
        patch.setenv("EDU_ALERT_WEBHOOK", f"http://127.0.0.1:{webhook.server_port}/{SECRET}")
        with serving_ui(Path(demo.settings["EDU_HOME"]) / "ui.log") as ui:
            yield Running(demo.url, demo.publisher, demo.shelf, ui, posts)
    webhook.shutdown()
    webhook.server_close()


class Reader(threading.Thread):
    """Queries the sales and a view every 5 ms. Notes when a table has no rows, and when the server makes it wait a
    second for a lock: a server that is only slow is no error."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.ended = url, threading.Event()
        self.errors: list[str] = []

    def run(self) -> None:
        options = "-csearch_path=educational_data,postgis -clock_timeout=1s"
        query: LiteralString = (
            "SELECT (SELECT count(*) FROM mutations_immo_latest), (SELECT count(*) FROM commune_context_cache)"
        )
        with psycopg.connect(self.url, autocommit=True, options=options) as connection:
            while not self.ended.wait(0.005):
                try:
                    counts = connection.execute(query).fetchone()
                except psycopg.errors.LockNotAvailable as error:
                    self.errors.append(str(error))
                    continue
                if not counts or not all(counts):
                    self.errors.append(str(counts))


@pytest.fixture(scope="module")
def browser(running: Running) -> Iterator[BrowserContext]:
    """A browser on the UI."""
    with browser_of(running.ui) as browser:
        yield browser


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    """A page of the UI."""
    with page_in(browser) as page:
        yield page


def materialize(running: Running, page: Page, asset: str) -> None:
    """Materialize an asset by a click, wait for the run, and reload the asset's page."""

    def timestamps() -> list[str]:
        materializations = running.ui.ask(MATERIALIZATIONS, path=[asset])["assetOrError"]["assetMaterializations"]
        return [materialization["timestamp"] for materialization in materializations]

    failed_runs = "SELECT run_id FROM dagster.runs WHERE status = 'FAILURE'"
    page.goto(f"/assets/{asset}")
    before, failed_before = timestamps(), running.query(failed_runs)
    page.locator("button", has_text="Materialize").first.click()
    running.awaited(
        lambda: timestamps() != before or running.query(failed_runs) != failed_before, f"{asset} to be materialized"
    )
    assert timestamps() != before, "the run failed"
    page.reload()


def test_the_graph_has_a_group_per_layer(page: Page) -> None:
    page.goto("/asset-groups")
    for layer in [*LAYERS, "raw", "health"]:
        expect(page.get_by_text(layer, exact=True).first).to_be_visible()


def test_an_asset_is_materialized_by_a_click(running: Running, page: Page) -> None:
    materialize(running, page, "pcs_libelle")
    expect(page.get_by_text("Label of the category at the level").first).to_be_visible()
    expect(page.get_by_text("rows_added").or_(page.get_by_text("skipped")).first).to_be_visible()
    expect(page.get_by_text("INVENTED by the sample publisher").first).to_be_visible()


def test_the_checks_of_an_asset_can_be_read(page: Page) -> None:
    page.goto("/assets/ips_lycees?view=checks")
    for check in ("contract", "years", "departements", "benchmark", "orphans", "age"):
        expect(page.get_by_text(check, exact=True).first).to_be_visible()
    page.get_by_text("departements", exact=True).first.click()
    expect(page.get_by_text("No département is missing").first).to_be_visible()
    expect(page.get_by_text("Passed").first).to_be_visible()


def test_what_was_refused_and_why_can_be_read(page: Page) -> None:
    page.goto("/assets/annuaire_education?view=checks")
    page.get_by_text("contract", exact=True).first.click()
    expect(page.get_by_role("cell", name="0310463K", exact=True)).to_be_visible()
    expect(page.get_by_role("cell", name="uai: expected one row, found several").first).to_be_visible()


def test_the_dashboard_says_how_fresh_everything_is(running: Running, page: Page) -> None:
    page.goto("/assets/data_freshness")  # the rebuild has materialized it
    expect(page.get_by_text("number_red").first).to_be_visible()
    expect(page.get_by_role("cell", name="fr-en-annuaire-education", exact=True).first).to_be_visible()
    expect(page.get_by_role("cell", name="lycee_context_cache", exact=True).first).to_be_visible()
    ages = page.get_by_role("row").filter(has=page.get_by_text("ages", exact=True))
    ages.get_by_text("[Show Markdown]").click()
    expect(page.get_by_role("img", name="ages of the sources over time")).to_be_visible()
    page.keyboard.press("Escape")
    materialize(running, page, "data_freshness")
    expect(page.get_by_role("cell", name="lycee_context_cache", exact=True).first).to_be_visible()


def test_the_first_rows_are_shown_without_a_click(page: Page) -> None:
    page.goto("/assets/ips_lycees")
    expect(page.get_by_text("row 5", exact=True).first).to_be_visible()


def test_where_the_rows_went_is_drawn(page: Page) -> None:
    page.goto("/assets/annuaire_education")
    picture = page.get_by_role("img", name="balance")  # without a click, since its Markdown is short
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth > 300 && image.naturalHeight > 100")


def publish_broken(running: Running) -> None:
    """Take a column out of the sales, and wait until that is alerted."""
    (file,) = (running.shelf / SALES).glob("*.csv")
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("nb_mutations", "nombre"), encoding="utf-8")
    running.awaited(lambda: running.posted("ColumnMissing: "), "the alert")


def test_a_broken_release_is_alerted_until_the_next_one(running: Running) -> None:
    """The sensor checks a release before it requests a run for it. The next release reaches the view, and is a fix."""
    prices = "SELECT code_commune, prix_m2_moyen FROM college_context_cache"
    sold = "SELECT * FROM mutations_immo_latest ORDER BY code_commune"
    before, sold_before = set(running.query(prices)), running.query(sold)
    reader = Reader(running.url)
    reader.start()
    publish_broken(running)
    assert running.query(sold) == sold_before and running.sensor_runs() == {}
    running.publish(SALES)
    release_run = running.next_sensor_run(())
    assert release_run["status"] == "SUCCESS"
    (alert,) = [text for text in running.posted("ColumnMissing: ") if not text.startswith(FIXED)]
    assert "nb_mutations" in alert
    cause = "raw/dvf_indicateurs_communes: ColumnMissing: "
    running.awaited(lambda: running.posted(f"{FIXED}{cause}"), "the alert to be resolved")
    assert SECRET not in json.dumps(running.posts)
    reader.ended.set()
    reader.join()
    assert reader.errors == [], "it was never locked out; how long it waits is measured by bench/daily.py"
    selected = {"/".join(asset["path"]) for asset in release_run["assetSelection"]}
    assert {name for name in selected if name.startswith("raw/")} == {"raw/dvf_indicateurs_communes"}
    after = set(running.query(prices))
    assert after != before
    sales = "SELECT code_commune, prix_m2_moyen FROM mutations_immo_latest"
    assert after - before <= set(running.query(sales))
    refreshed = running.query(
        "SELECT table_name, count(*) FROM edu_pipeline.loads WHERE run_id = (SELECT run_id FROM edu_pipeline.loads "
        "WHERE table_name = 'college_context_cache' ORDER BY id DESC LIMIT 1) GROUP BY 1"
    )
    assert all(times == 1 for _, times in refreshed)
    assert {"mutations_immo_latest", "college_context_cache"} <= {name for name, _ in refreshed}
    assert len(running.sensor_runs()) == 1, "a release makes one run"


def test_three_releases_are_one_run_and_one_refresh_of_views(running: Running) -> None:
    sources = {SALES, "fr-en-ips-colleges-ap2023", "fr-en-ips-lycees-ap2023"}
    earlier = running.sensor_runs()
    (newest,) = running.query("SELECT max(id) FROM edu_pipeline.loads")
    running.ui.ask(STOP, id=running.ui.ask(SENSOR, selector=RELEASES)["sensorOrError"]["sensorState"]["id"])
    for source in sources:
        running.publish(source)
    running.ui.ask(START, selector=RELEASES)

    release_run = running.next_sensor_run(earlier)
    assert release_run["status"] == "SUCCESS"
    selected = {"/".join(asset["path"]) for asset in release_run["assetSelection"]}
    raw = {name for name in selected if name.startswith("raw/")}
    assert raw == {f"raw/{source.replace('-', '_')}" for source in sources}
    with psycopg.connect(running.url) as connection:
        loads = connection.execute("SELECT table_name, run_id FROM edu_pipeline.loads WHERE id > %s", newest).fetchall()
    assert {run_id for _, run_id in loads} == {release_run["runId"]}
    names = [name for name, _ in loads]
    views = {"college_context_cache", "commune_context_cache", "lycee_context_cache"}
    assert {"mutations_immo_latest", "ips_colleges", "ips_lycees", *views} == set(names)
    assert len(names) == len(set(names)), "each once"
    assert len(running.sensor_runs()) == len(earlier) + 1


def test_a_run_whose_process_dies_fails_and_the_next_succeeds(running: Running) -> None:
    command = ["job", "execute", "-m", "edu_pipeline.definitions", "-j", "daily_refresh"]
    environment = os.environ | {"DAGSTER_HOME": instance_home(settings())}
    process = subprocess.Popen([str(BIN / "dagster"), *command], env=environment, stdout=DEVNULL, stderr=DEVNULL)
    started = "SELECT run_id FROM dagster.runs WHERE status = 'STARTED'"
    ((run_id,),) = awaited(lambda: running.query(started), "the run to start", process)
    process.kill()
    process.wait()
    failed = "SELECT run_id FROM dagster.runs WHERE status = 'FAILURE'"
    running.awaited(lambda: (run_id,) in running.query(failed), "the dead run to be marked failed")
    next_run = run("dagster", *command, DAGSTER_HOME=environment["DAGSTER_HOME"])
    assert next_run.returncode == 0, next_run.stderr[-3000:]
