"""The channels of the settings: through apprise, once per cause and channel, and nothing secret in a log."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from apprise import Apprise, AppriseResultStatus
from pydantic import SecretStr

from edu_pipeline.database.connection import Connection
from edu_pipeline.errors import SettingInvalid
from edu_pipeline.monitoring.alerts import Alert, resolve, send
from edu_pipeline.monitoring.channels import channels
from edu_pipeline.settings import Settings

ALERT = Alert("a: B: c", "a failed", "what & why", "https://dagster.example.org/runs/1")
SECRET = "wooden-horse"


class Services:
    """Services by path that take JSON; those in ``broken`` answer 500."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, dict[str, Any]]] = []
        self.broken: set[str] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                name = self.path.strip("/").partition("/")[0]
                if name not in outer.broken:
                    outer.posts.append((name, body))
                self.send_response(500 if name in outer.broken else 200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def url(self, name: str) -> str:
        return f"json://127.0.0.1:{self.server.server_port}/{name}/{SECRET}"

    def names(self) -> list[str]:
        return [name for name, _ in self.posts]


@pytest.fixture
def services() -> Iterator[Services]:
    services = Services()
    threading.Thread(target=services.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield services
    services.server.shutdown()
    services.server.server_close()


def of(*urls: str, **more: Any) -> Settings:
    return Settings(alert_urls=SecretStr(" ".join(urls)), **more)


def test_every_service_is_told_once(services: Services, connection: Connection) -> None:
    both = channels(of(services.url("mail"), services.url("chat")))
    for _ in range(2):
        assert send(ALERT, both, connection)
    assert services.names() == ["mail", "chat"]
    assert services.posts[0][1]["title"] == "a failed"
    assert services.posts[0][1]["message"] == "what & why\nhttps://dagster.example.org/runs/1"
    assert resolve(connection, [], both) == [ALERT.cause]
    assert services.names() == ["mail", "chat"] * 2
    assert send(ALERT, both, connection)
    assert services.names() == ["mail", "chat"] * 3


def test_only_the_service_that_failed_is_tried_again(services: Services, connection: Connection) -> None:
    services.broken = {"chat"}
    both = channels(of(services.url("mail"), services.url("chat")))
    assert not send(ALERT, both, connection)
    services.broken = set()
    assert send(ALERT, channels(of(services.url("mail"), services.url("chat"))), connection)
    assert services.names() == ["mail", "chat"]


def test_without_a_database_every_service_is_told(services: Services) -> None:
    services.broken = {"mail"}
    assert not send(ALERT, channels(of(services.url("mail"), services.url("chat"))), None)
    assert services.names() == ["chat"]


def test_a_tag_chooses_services_of_a_file(services: Services, tmp_path: Path) -> None:
    file = tmp_path / "apprise.conf"
    file.write_text(f"ops,night={services.url('mail')}\ndev={services.url('chat')}\n")
    assert [channel.post("t", "x", None) for channel in channels(Settings(alert_config=file, alert_tag="night"))] == [
        True
    ]
    assert services.names() == ["mail"]
    assert len(channels(Settings(alert_config=file))) == 2


def test_a_mistyped_tag_is_an_error_and_not_a_success(services: Services, tmp_path: Path) -> None:
    file = tmp_path / "apprise.conf"
    file.write_text(f"ops={services.url('mail')}\n")
    with pytest.raises(SettingInvalid, match="found 'opps'; their tags: ops") as caught:
        channels(Settings(alert_config=file, alert_tag="opps"))
    assert SECRET not in str(caught.value)


def test_only_the_status_of_apprise_says_what_happened(services: Services) -> None:
    apprise = Apprise()
    apprise.add(services.url("mail"), tag="ops")
    answers = [apprise.notify(body="x", tag=tag) for tag in ("opps", "ops")]
    assert [answer.status for answer in answers] == [AppriseResultStatus.NOMATCH, AppriseResultStatus.SUCCESS]
    outcomes: list[object] = [*answers]
    assert not any(outcome is known for outcome in outcomes for known in (True, False, None))


@pytest.mark.parametrize("logger", ["apprise", "urllib3"])
def test_no_log_has_the_secret(services: Services, caplog: pytest.LogCaptureFixture, logger: str) -> None:
    caplog.set_level(logging.DEBUG, logger)
    services.broken = {"chat"}
    for channel in channels(of(services.url("mail"), services.url("chat"))):
        channel.post("t", "x", None)
        assert SECRET not in repr(channel) and SECRET not in channel.name
    assert "apprise's status FAILURE" in caplog.text and SECRET not in caplog.text


def test_a_url_that_apprise_does_not_know_is_not_shown() -> None:
    with pytest.raises(SettingInvalid, match="in place 2 of 2") as caught:
        channels(of("json://127.0.0.1/a", f"jsno://127.0.0.1/{SECRET}"))
    assert SECRET not in str(caught.value)


def test_an_empty_configuration_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "apprise.conf").write_text("# nothing yet\n")
    with pytest.raises(SettingInvalid, match="EDU_ALERT_CONFIG"):
        channels(Settings(alert_config=tmp_path / "apprise.conf"))


def test_without_settings_there_is_no_channel() -> None:
    assert channels(Settings()) == []
