"""The rules for nginx in docs/operating.md: nginx itself applies them, in front of a server that accepts everything."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from pytest_httpserver import HTTPServer

from edu_pipeline.orchestration.guard import POLICY
from edu_pipeline_tests.guides import DOCS, blocks
from edu_pipeline_tests.waiting import HANG, awaited

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

HOST = "dagster.example.org"
OPERATOR = ("operator", "wooden-horse")
PASSWORD = "operator:{PLAIN}wooden-horse\n"

AROUND = """
{user}
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {rules}
}}
"""


def rules_of(language: str) -> str:
    """The one block of the guide in that language."""
    (block,) = (block for block in blocks(DOCS / "operating.md") if block.language == language)
    return block.text


@pytest.fixture
def proxy(tmp_path: Path, httpserver: HTTPServer) -> Iterator[str]:
    """The address of nginx with the guide's rules, without TLS, in front of ``httpserver``."""
    if NGINX is None:
        pytest.skip("there is no nginx on this machine (`apt-get install nginx-light`)")
    httpserver.expect_request(re.compile(".*")).respond_with_data("the UI")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "htpasswd").write_text(PASSWORD, encoding="utf-8")
    rules = re.sub(r"(?m)^ *ssl_.*\n", "", rules_of("nginx"))
    for name, here in {
        "listen 443 ssl": f"listen 127.0.0.1:{port}",
        "/etc/nginx/dagster.htpasswd": f"{tmp_path}/htpasswd",
        "http://127.0.0.1:3000": httpserver.url_for(""),
    }.items():
        assert name in rules
        rules = rules.replace(name, here)
    user = "user root;" if os.geteuid() == 0 else ""
    (tmp_path / "nginx.conf").write_text(AROUND.format(user=user, folder=tmp_path, rules=rules), encoding="utf-8")
    process = subprocess.Popen([NGINX, "-e", f"{tmp_path}/error.log", "-p", str(tmp_path), "-c", "nginx.conf"])
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    try:
        awaited(answers, "nginx to answer", process)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(HANG)


OWN, JSON = {"Origin": f"https://{HOST}"}, {"Content-Type": "application/json; charset=utf-8"}
SOCKET = {"Upgrade": "websocket", "Connection": "Upgrade"}


@pytest.mark.parametrize(
    ("status", "method", "path", "headers"),
    [
        (200, "GET", "/asset-groups", {}),
        (200, "HEAD", "/", {}),
        (200, "POST", "/graphql", OWN | JSON),
        (200, "POST", "/graphql", JSON),
        (200, "GET", "/graphql", SOCKET | OWN),
        (421, "GET", "/", {"Host": "rebound.example"}),
        (403, "POST", "/graphql", JSON | {"Origin": "https://evil.example"}),
        (403, "POST", "/graphql", JSON | {"Origin": "null"}),
        (403, "GET", "/graphql", SOCKET | {"Origin": "https://evil.example"}),
        (405, "GET", "/graphql", {}),
        (405, "GET", "//graphql", {}),
        (405, "POST", "/graphql", OWN),
        (405, "POST", "/graphql", {"Content-Type": "text/plain; x=application/json"}),
        (405, "POST", "/report_asset_check/ips_lycees", OWN | JSON),
        (405, "POST", "/report_asset_check/x", {"Content-Type": "text/plain; application/json:/graphql"}),
    ],
    ids=str,
)
def test_nginx_lets_through_what_the_guard_does(
    proxy: str, status: int, method: str, path: str, headers: dict[str, str]
) -> None:
    sent = {"Host": HOST} | headers
    answer = requests.request(method, proxy + path, headers=sent, auth=OPERATOR, timeout=HANG)
    assert answer.status_code == status
    if status == 200:
        assert answer.headers["Content-Security-Policy"] == POLICY
        assert requests.request(method, proxy + path, headers=sent, timeout=HANG).status_code == 401
    else:
        assert answer.text.startswith("expected ")


def test_the_caddyfile_sends_the_same_policy() -> None:
    assert f'header Content-Security-Policy "{POLICY}"' in rules_of("caddyfile")
