"""The UI in a browser; and nobody does anything: its daemon loads a new release, and tells of one that is broken."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
import requests
from playwright.sync_api import Page, expect, sync_playwright

from edu_pipeline.database.cluster import Cluster
from edu_pipeline.orchestration.instance import home as instance_home
from edu_pipeline.sample.server import serving
from edu_pipeline.sample.shelf import make
from edu_pipeline.settings import PROJECT, settings
from edu_pipeline.table import LAYERS
from edu_pipeline_tests.programs import BIN, run
from edu_pipeline_tests.servers import new_database
from edu_pipeline_tests.serving_dagster import Ui, awaited, serving_ui

SALES = "dvf-indicateurs-communes"
MATERIALIZATIONS = """
query ($path: [String!]!) {
  assetOrError(assetKey: {path: $path}) { ... on Asset { assetMaterializations(limit: 1) { timestamp } } }
}
"""

RELEASES = {
    "repositoryName": "__repository__", "repositoryLocationName": "edu_pipeline", "sensorName": "new_releases",
}  # fmt: skip
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
PATIENCE = 150.0
"""Seconds that a release has to reach the view: those of this machine with all tests on it."""
RENDERING = 30_000
"""Milliseconds that a page has to show something; Playwright's own 5,000 are few when the machine is busy."""


@dataclass
class Running:
    """A filled database, its publisher, the UI with the daemon, and what the webhook was told."""

    url: str
    publisher: str
    shelf: Path
    ui: Ui
    told: list[dict[str, Any]] = field(default_factory=list)

    def query(self, statement: LiteralString) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, options="-csearch_path=educational_data,postgis") as connection:
            return connection.execute(statement).fetchall()

    def by_itself(self) -> list[dict[str, Any]]:
        return self.ui.runs("edu_pipeline/started_by", "new release")


@pytest.fixture(scope="module")
def running(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """All of it, filled once; a look at the publishers every five seconds."""
    folder, home, told = tmp_path_factory.mktemp("sample"), tmp_path_factory.mktemp("by_itself"), []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    webhook = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
    threading.Thread(target=webhook.serve_forever, daemon=True).start()
    with (
        serving(make(folder, "sample")) as server,
        new_database(cluster, "template1") as name,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("EDU_HOME", str(home))
        patch.setenv("EDU_DATABASE_URL", cluster.url(name))
        patch.setenv("EDU_UPSTREAM", server.url)
        patch.setenv("EDU_PROBE_SECONDS", "5")
        patch.setenv("EDU_ALERT_WEBHOOK", f"http://127.0.0.1:{webhook.server_port}/{SECRET}")
        done = run("edu-pipeline", "rebuild")
        assert done.returncode == 0, done.stderr
        with serving_ui(home / "ui.log") as ui:
            yield Running(cluster.url(name), server.url, folder, ui, told)
    webhook.shutdown()
    webhook.server_close()


class Reader(threading.Thread):
    """Asks for the sales and for a view every 5 ms; notes what is not as it should be."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.ended, self.longest = url, threading.Event(), 0.0
        self.wrong: list[str] = []

    def run(self) -> None:
        with psycopg.connect(self.url, autocommit=True, options="-csearch_path=educational_data,postgis") as connection:
            while not self.ended.wait(0.005):
                begin = time.perf_counter()
                found = connection.execute(
                    "SELECT (SELECT count(*) FROM mutations_immo_latest), (SELECT count(*) FROM commune_context_cache)"
                ).fetchone()
                self.longest = max(self.longest, time.perf_counter() - begin)
                if not found or not all(found):
                    self.wrong.append(str(found))


@pytest.fixture
def page(running: Running) -> Iterator[Page]:
    """A page of Debian's Chromium; what it shows at the end is kept in `build/screenshots`."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium on this machine (`apt-get install chromium`)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(base_url=running.ui.url, viewport={"width": 1500, "height": 1000})
        page.set_default_timeout(RENDERING)
        expect.set_options(timeout=RENDERING)
        yield page
        name = os.environ["PYTEST_CURRENT_TEST"].rpartition("::")[2].partition(" ")[0]
        page.screenshot(path=PROJECT / "build" / "screenshots" / f"{name}.png", full_page=True)
        browser.close()


def materialized(running: Running, page: Page, asset: str) -> None:
    """Materialize an asset by a click, wait for the run, and look at the asset again."""

    def done() -> list[str]:
        found = running.ui.ask(MATERIALIZATIONS, path=[asset])["assetOrError"]["assetMaterializations"]
        return [entry["timestamp"] for entry in found]

    page.goto(f"/assets/{asset}")
    before = done()
    page.locator("button", has_text="Materialize").first.click()
    awaited(lambda: done()[:1] != before[:1], PATIENCE, f"{asset} to be materialized")
    page.reload()


def test_the_graph_has_a_group_per_layer(page: Page) -> None:
    page.goto("/asset-groups")
    for layer in [*LAYERS, "raw", "health"]:
        expect(page.get_by_text(layer, exact=True).first).to_be_visible()


def test_an_asset_is_materialized_by_a_click(running: Running, page: Page) -> None:
    materialized(running, page, "pcs_libelle")
    expect(page.get_by_text("Label on that level").first).to_be_visible()
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
    shown = page.get_by_role("row").filter(has=page.get_by_text("quarantine", exact=True))
    shown.get_by_text("[Show Markdown]").click()
    expect(page.get_by_role("cell", name="0310463K", exact=True)).to_be_visible()
    expect(page.get_by_role("cell", name="uai: expected one row, found several").first).to_be_visible()


def test_the_dashboard_says_how_fresh_everything_is(running: Running, page: Page) -> None:
    materialized(running, page, "data_freshness")
    expect(page.get_by_text("number_red").first).to_be_visible()
    shown = {
        "sources": page.get_by_role("cell", name="fr-en-annuaire-education", exact=True),
        "tables": page.get_by_role("cell", name="lycee_context_cache", exact=True),
        "ages": page.get_by_role("img", name="ages of the sources over time"),
    }
    for key, content in shown.items():
        page.get_by_role("row").filter(has=page.get_by_text(key, exact=True)).get_by_text("[Show Markdown]").click()
        expect(content.first).to_be_visible()
        page.keyboard.press("Escape")
        expect(content.first).not_to_be_visible()


def test_a_new_release_reaches_the_view(running: Running) -> None:
    prices = "SELECT code_commune, prix_m2_moyen FROM college_context_cache"
    before = set(running.query(prices))
    reader = Reader(running.url)
    reader.start()
    requests.post(f"{running.publisher}/-/publish/{SALES}", timeout=60).raise_for_status()
    (found,) = awaited(
        lambda: [one for one in running.by_itself() if one["status"] == "SUCCESS"], PATIENCE, "the run of the release"
    )
    reader.ended.set()
    reader.join()
    assert reader.wrong == []
    assert reader.longest < 1, "it was never locked out; how long it waits is measured by bench/daily.py"
    selected = {"/".join(asset["path"]) for asset in found["assetSelection"]}
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
    assert len(running.by_itself()) == 1, "a release makes one run"


def test_three_releases_at_once_are_one_run_and_the_views_are_made_once(running: Running) -> None:
    sources = {SALES, "fr-en-ips-colleges-ap2023", "fr-en-ips-lycees-ap2023"}
    known = {one["runId"] for one in running.by_itself()}
    (newest,) = running.query("SELECT max(id) FROM edu_pipeline.loads")
    running.ui.ask(STOP, id=running.ui.ask(SENSOR, selector=RELEASES)["sensorOrError"]["sensorState"]["id"])
    for source in sources:
        requests.post(f"{running.publisher}/-/publish/{source}", timeout=60).raise_for_status()
    running.ui.ask(START, selector=RELEASES)

    def done() -> list[dict[str, Any]]:
        return [one for one in running.by_itself() if one["runId"] not in known and one["status"] == "SUCCESS"]

    (found,) = awaited(done, PATIENCE, "the run of the releases")
    selected = {"/".join(asset["path"]) for asset in found["assetSelection"]}
    raw = {name for name in selected if name.startswith("raw/")}
    assert raw == {f"raw/{source.replace('-', '_')}" for source in sources}
    with psycopg.connect(running.url) as connection:
        loads = connection.execute("SELECT table_name, run_id FROM edu_pipeline.loads WHERE id > %s", newest).fetchall()
    assert {run_id for _, run_id in loads} == {found["runId"]}
    names = [name for name, _ in loads]
    views = {"college_context_cache", "commune_context_cache", "lycee_context_cache"}
    assert {"mutations_immo_latest", "ips_colleges", "ips_lycees", *views} == set(names)
    assert len(names) == len(set(names)), "each once"
    assert len(running.by_itself()) == len(known) + 1


def test_a_run_that_dies_with_its_process_is_marked_failed_and_the_next_starts_clean(running: Running) -> None:
    command = ["job", "execute", "-m", "edu_pipeline.definitions", "-j", "daily_refresh"]
    environment = os.environ | {"DAGSTER_HOME": instance_home(settings())}
    process = subprocess.Popen([str(BIN / "dagster"), *command], env=environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    started = "SELECT run_id FROM dagster.runs WHERE status = 'STARTED'"
    ((run_id,),) = awaited(lambda: running.query(started), PATIENCE, "the run to start")
    process.kill()
    process.wait()
    failed = "SELECT run_id FROM dagster.runs WHERE status = 'FAILURE'"
    awaited(lambda: (run_id,) in running.query(failed), PATIENCE, "the dead run to be marked failed")
    done = run("dagster", *command, DAGSTER_HOME=environment["DAGSTER_HOME"])
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_broken_release_is_told_once_and_the_rows_stay(running: Running) -> None:
    before = running.query("SELECT * FROM mutations_immo_latest ORDER BY code_commune")
    (file,) = (running.shelf / SALES).glob("*.csv")
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("nb_mutations", "nombre"), encoding="utf-8")
    awaited(lambda: [one for one in running.by_itself() if one["status"] == "FAILURE"], PATIENCE, "the run to fail")
    awaited(lambda: running.told, 60, "the webhook to be told")
    assert running.query("SELECT * FROM mutations_immo_latest ORDER BY code_commune") == before
    told = [entry for entry in running.told if "mutations_immo_latest failed" in entry["text"]]
    assert len(told) == 1
    assert "ColumnMissing: " in told[0]["text"] and "nb_mutations" in told[0]["text"]
    assert SECRET not in json.dumps(running.told)

    file.write_text(text, encoding="utf-8")
    awaited(
        lambda: [entry for entry in running.told if "Mended" in entry["text"]], PATIENCE, "the alert to be taken back"
    )
    assert running.query("SELECT * FROM mutations_immo_latest ORDER BY code_commune") == before
