"""Alerts: what is posted, that it is posted once per cause, and that the webhook's URL is shown nowhere."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.errors import TableShrank
from edu_pipeline.monitoring import alerts
from edu_pipeline.monitoring.alerts import Alert, from_check, from_run, is_mended, lasting, resolve, send

SECRET = "T0000/B0000/wooden-horse"
UI = "https://dagster.example.org/"
SHRANK = str(TableShrank("table info_communes, geo-api-communes 2026-11-20", "expected 30 rows, found 3.", "Look."))
ALERT = Alert("info_communes: TableShrank", "info_communes failed", "A <b> & so on.", f"{UI}runs/1?a=b&c=d")


class Webhook:
    """A receiver of posts on loopback: records them, and gives the next of ``answers`` (then 200) to each."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == f"/services/{SECRET}"
                assert self.headers["Content-Type"].startswith("application/json")
                outer.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                status, headers = outer.answers.pop(0) if outer.answers else (200, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = SecretStr(f"http://127.0.0.1:{self.server.server_port}/services/{SECRET}")

    @contextmanager
    def serving(self) -> Iterator[Webhook]:
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            thread.join()
            self.server.server_close()


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(alerts, "BACKOFF", 0.0)
    with Webhook().serving() as running:
        yield running


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.connect() as connected:
        yield connected


def known(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT cause, times, sent_at IS NOT NULL, resolved_at IS NOT NULL FROM edu_pipeline.alerts ORDER BY cause"
    ).fetchall()


def test_the_post_is_what_slack_takes(webhook: Webhook) -> None:
    assert send(ALERT, webhook.url, None)
    (message,) = webhook.got
    text, link = "A &lt;b&gt; &amp; so on.", f"<{UI}runs/1?a=b&amp;c=d|Open in Dagster>"
    assert message["text"] == f"*info_communes failed*\n{text}\n{link}"
    assert [block["type"] for block in message["blocks"]] == ["header", "section", "section"]
    assert [block["text"]["text"] for block in message["blocks"]] == ["info_communes failed", text, link]


def test_long_texts_keep_within_slacks_limits(webhook: Webhook) -> None:
    assert send(Alert("x", "t" * 500, "&" * 5_000, None), webhook.url, None)
    header, section = (block["text"]["text"] for block in webhook.got[0]["blocks"])
    assert len(header) == 150
    assert len(section) <= 3_000
    assert section.endswith("&amp; ...")


def test_a_cause_is_posted_once_and_again_when_it_comes_back(webhook: Webhook, connection: Connection) -> None:
    for _ in range(3):
        assert send(ALERT, webhook.url, connection)
    assert len(webhook.got) == 1
    assert known(connection) == [(ALERT.cause, 3, True, False)]
    assert resolve(connection, [ALERT.cause], webhook.url) == []
    assert resolve(connection, [], webhook.url) == [ALERT.cause]
    assert resolve(connection, [], webhook.url) == []
    assert webhook.got[1]["text"] == f"*Mended*\n{ALERT.cause}"
    assert send(ALERT, webhook.url, connection)
    assert len(webhook.got) == 3
    assert known(connection) == [(ALERT.cause, 1, True, False)]


def test_a_cause_that_lasts_is_not_mended_with_another(webhook: Webhook, connection: Connection) -> None:
    other = Alert("other", "other", "other", None)
    for alert in (ALERT, other):
        send(alert, webhook.url, connection)
    assert resolve(connection, {"other"}) == [ALERT.cause]
    assert len(webhook.got) == 2
    assert known(connection) == [(ALERT.cause, 1, True, True), ("other", 1, True, False)]


def test_two_processes_post_a_cause_once(webhook: Webhook, database: Database) -> None:
    def report() -> None:
        with database.connect() as own:
            assert send(ALERT, webhook.url, own)

    threads = [threading.Thread(target=report) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(webhook.got) == 1


def test_a_busy_webhook_is_asked_twice(webhook: Webhook) -> None:
    webhook.answers = [(429, {"Retry-After": "0"})]
    assert send(ALERT, webhook.url, None)
    webhook.answers = [(503, {})]
    assert send(ALERT, webhook.url, None)
    assert len(webhook.got) == 4


def test_how_long_it_waits() -> None:
    waits = [alerts._wait(given) for given in ("7", "86400", None, "Wed, 21 Oct 2026 07:28:00 GMT")]
    assert waits == [7, alerts.MAX_WAIT, alerts.BACKOFF, alerts.BACKOFF]


@pytest.mark.parametrize(
    ("answers", "posts", "said"),
    [
        ([(500, {})] * 2, 2, "it answered 500"),
        ([(404, {})], 1, "it answered 404"),
        ([(302, {"Location": f"/services/{SECRET}/elsewhere"})], 1, "it answered 302"),
    ],
)
def test_what_was_not_taken_is_posted_at_the_next_occasion(
    webhook: Webhook, connection: Connection, caplog: pytest.LogCaptureFixture,
    answers: list[tuple[int, dict[str, str]]], posts: int, said: str,
) -> None:  # fmt: skip
    webhook.answers = list(answers)
    assert not send(ALERT, webhook.url, connection)
    assert len(webhook.got) == posts
    assert said in caplog.text
    assert known(connection) == [(ALERT.cause, 1, False, False)]
    assert send(ALERT, webhook.url, connection)
    assert known(connection) == [(ALERT.cause, 2, True, False)]


def test_what_the_webhook_was_never_told_of_is_not_mended_aloud(webhook: Webhook, connection: Connection) -> None:
    webhook.answers = [(404, {})]
    send(ALERT, webhook.url, connection)
    assert resolve(connection, [], webhook.url) == [ALERT.cause]
    assert len(webhook.got) == 1


@pytest.mark.parametrize(
    "url",
    [
        f"http://127.0.0.1:9/{SECRET}",
        f"http://no-such-host.invalid/{SECRET}",
        f"127.0.0.1/{SECRET}",
        f"file:///{SECRET}",
        f"http://127.0.0.1:port/{SECRET}",
        f"http://[127.0.0.1/{SECRET}",
        f"http://127.0.0.1:9/{SECRET}\n",
        f"http:///{SECRET}",
        "",
    ],
)
def test_the_url_is_not_shown_whatever_is_wrong_with_it(
    url: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    assert not send(ALERT, SecretStr(url), None)
    shown = caplog.text + "".join(capfd.readouterr())
    assert "An alert was not posted to EDU_ALERT_WEBHOOK" in shown
    assert SECRET not in shown
    assert "127.0.0.1" not in shown


def test_the_url_is_not_shown_when_all_goes_well(webhook: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert send(ALERT, webhook.url, None)
    assert SECRET not in caplog.text


def test_a_webhook_that_does_not_answer_is_given_up(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "TIMEOUT", 0.2)
    silent = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)  # it listens, and nobody accepts
    try:
        assert not send(ALERT, SecretStr(f"http://127.0.0.1:{silent.server_port}/"), None)
    finally:
        silent.server_close()


def test_an_authority_file_that_is_not_there_does_not_fail_the_caller(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    assert not send(ALERT, webhook.url, None)


def test_the_alert_of_a_failed_step() -> None:
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
    assert (
        from_run(None, "full_rebuild", "It was killed.\nBy whom?", "1", None).cause
        == "job full_rebuild: It was killed."
    )


def test_the_cause_changes_with_class_and_place_and_not_with_counts() -> None:
    def cause(text: str, step: str = "info_communes") -> str:
        return from_run(step, "refresh", text, "1", None).cause

    assert cause(SHRANK) == cause(SHRANK.replace("found 3", "found 4"))
    assert cause(SHRANK) != cause(SHRANK.replace("TableShrank", "NoRows"))
    assert cause(SHRANK) != cause(SHRANK.replace("2026-11-20", "2026-11-21"))
    assert cause(SHRANK) != cause(SHRANK, "departements")
    assert len(cause("X" * 5_000)) == alerts.LONGEST_CAUSE


def test_the_alert_of_a_red_check() -> None:
    alert = from_check("raw/insee_pcs", "age", "The release is 400 days old.", UI)
    assert alert == Alert(
        cause="raw/insee_pcs: check age",
        title="raw/insee_pcs: the check age is red",
        text="The release is 400 days old.",
        link="https://dagster.example.org/assets/raw/insee_pcs?view=checks&checkDetail=age",
    )
    assert from_check("raw/insee_pcs", "age", None, None).cause == alert.cause


def test_a_stopped_load_has_one_cause_as_a_step_and_as_a_check() -> None:
    step = from_run("info_communes", "refresh", SHRANK, "1", UI)
    assert from_check("info_communes", "volume", SHRANK, UI).cause == step.cause


def test_a_run_that_went_well_mends_what_it_has_done(connection: Connection, webhook: Webhook) -> None:
    steps = [
        from_run("info_communes", "daily_refresh", SHRANK, "1", UI),
        from_run("raw__insee_pcs", "daily_refresh", "KeyError: 'x'", "1", UI),
        from_check("ips_lycees", "means", "It is wrong.", UI),
    ]
    for alert in steps:
        send(alert, webhook.url, connection)
    assert lasting(connection) == sorted(alert.cause for alert in steps)
    mended = [alert for alert in steps if is_mended(alert.cause, {"info_communes"}, "daily_refresh")]
    assert mended == [steps[0], steps[2]], "a check's is known to last only by its being red still"
    assert is_mended(from_run(None, "full_rebuild", "It died.", "1", UI).cause, set(), "full_rebuild")
