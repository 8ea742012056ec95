"""Posting to the webhook: the message's form, the retry, and that the URL is shown nowhere."""

from __future__ import annotations

import logging
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from edu_pipeline.monitoring import webhook
from edu_pipeline_tests.monitoring.receiver import SECRET, Receiver

TITLE, TEXT, LINK = "info_communes failed", "A <b> & so on.", "https://dagster.example.org/runs/1?a=b&c=d"


def post(url: SecretStr) -> bool:
    return webhook.post(TITLE, TEXT, LINK, url)


def test_message_has_the_form_that_slack_takes(receiver: Receiver) -> None:
    assert post(receiver.url)
    (message,) = receiver.messages
    text, link = "A &lt;b&gt; &amp; so on.", "<https://dagster.example.org/runs/1?a=b&amp;c=d|Open in Dagster>"
    assert message["text"] == f"*{TITLE}*\n{text}\n{link}"
    assert [block["type"] for block in message["blocks"]] == ["header", "section", "section"]
    assert [block["text"]["text"] for block in message["blocks"]] == [TITLE, text, link]


def test_long_texts_are_cut_to_slacks_limits(receiver: Receiver) -> None:
    assert webhook.post("t" * 500, "&" * 5_000, None, receiver.url)
    header, section = (block["text"]["text"] for block in receiver.messages[0]["blocks"])
    assert len(header) == 150
    assert len(section) <= 3_000
    assert section.endswith("&amp; ...")


def test_busy_webhook_gets_a_second_request(receiver: Receiver) -> None:
    receiver.answers = [(429, {"Retry-After": "0"})]
    assert post(receiver.url)
    receiver.answers = [(503, {})]
    assert post(receiver.url)
    assert len(receiver.messages) == 4


def test_wait_before_the_second_request() -> None:
    headers = ("7", "86400", None, "Wed, 21 Oct 2026 07:28:00 GMT")
    assert [webhook._wait(header) for header in headers] == [7, webhook.MAX_WAIT, webhook.BACKOFF, webhook.BACKOFF]


@pytest.mark.parametrize(
    ("answers", "requests", "problem"),
    [
        ([(500, {})] * 2, 2, "it answered 500"),
        ([(404, {})], 1, "it answered 404"),
        ([(302, {"Location": f"/services/{SECRET}/elsewhere"})], 1, "it answered 302"),
    ],
)
def test_refused_message_is_logged(
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
    answers: list[tuple[int, dict[str, str]]],
    requests: int,
    problem: str,
) -> None:
    receiver.answers = list(answers)
    assert not post(receiver.url)
    assert len(receiver.messages) == requests
    assert problem in caplog.text


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
def test_unusable_url_is_not_shown(
    url: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    assert not post(SecretStr(url))
    output = caplog.text + "".join(capfd.readouterr())
    assert "An alert was not posted to EDU_ALERT_WEBHOOK" in output
    assert SECRET not in output
    assert "127.0.0.1" not in output


def test_url_is_not_shown_after_success(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert post(receiver.url)
    assert SECRET not in caplog.text


def test_silent_webhook_times_out(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT", 0.2)
    silent = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)  # it listens, but accepts no connection
    try:
        assert not post(SecretStr(f"http://127.0.0.1:{silent.server_port}/"))
    finally:
        silent.server_close()


def test_missing_certificate_file_raises_nothing(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    assert not post(receiver.url)
