"""The rules for proxies in docs/operating.md: nginx and Caddy apply them, before a server that accepts everything."""

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

PACKAGES = {"nginx": "nginx-light", "caddy": "caddy"}

HOST = "dagster.example.org"
OPERATOR = ("operator", "wooden-horse")
HASH = "$2y$04$fPdk/56ghv2EXrNneRXkLugyuW7zuCIMbzfkiqNvGh9yTrQQJ6NjG"
"""Of the password, by bcrypt with its lowest cost: Caddy's own takes a second to check."""

BEHIND = "default-src 'self'"
"""The policy that the server behind the proxy sends; Dagster has one too."""

NGINX = """
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

CADDY = """
{
    admin off
    default_bind 127.0.0.1
}
"""


def rules_of(language: str, here: dict[str, str]) -> str:
    """The one block of the guide in that language, with other names for what is elsewhere here."""
    (block,) = (block for block in blocks(DOCS / "operating.md") if block.language == language)
    rules = block.text
    for name, other in here.items():
        assert name in rules
        rules = rules.replace(name, other)
    return rules


def nginx(folder: Path, port: int, behind: str) -> list[str]:
    """The command that starts nginx, with the file that it reads."""
    (folder / "htpasswd").write_text(f"{OPERATOR[0]}:{{PLAIN}}{OPERATOR[1]}\n", encoding="utf-8")
    here = {
        "listen 443 ssl": f"listen 127.0.0.1:{port}",
        "/etc/nginx/dagster.htpasswd": f"{folder}/htpasswd",
        "127.0.0.1:3000": behind,
    }
    rules = re.sub(r"(?m)^ *ssl_.*\n", "", rules_of("nginx", here))
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX.format(user=user, folder=folder, rules=rules), encoding="utf-8")
    return ["nginx", "-e", f"{folder}/error.log", "-p", str(folder), "-c", "nginx.conf"]


def caddy(folder: Path, port: int, behind: str) -> list[str]:
    """The command that starts Caddy, with the file that it reads."""
    here = {
        f"{HOST} {{": f"http://{HOST}:{port} {{",
        ":443 {": f"http://:{port} {{",
        "HASH_OF_CADDY_HASH_PASSWORD": HASH,
        "127.0.0.1:3000": behind,
    }
    (folder / "Caddyfile").write_text(CADDY + rules_of("caddyfile", here), encoding="utf-8")
    return ["caddy", "run", "--config", f"{folder}/Caddyfile", "--adapter", "caddyfile"]


@pytest.fixture(scope="module", params=[nginx, caddy], ids=lambda command: command.__name__)
def proxy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a proxy with the guide's rules, without TLS, in front of a server that accepts everything."""
    name = request.param.__name__
    programs = f"{os.environ['PATH']}:/usr/sbin"
    if not shutil.which(name, path=programs):
        pytest.skip(f"there is no {name} on this machine (`apt-get install {PACKAGES[name]}`)")
    folder = tmp_path_factory.mktemp(name)
    environment = os.environ | {"PATH": programs, "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def answers() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    with HTTPServer() as server, (folder / "log").open("wb") as log:
        every = server.expect_request(re.compile(".*"))
        every.respond_with_data("the UI", headers={"Content-Security-Policy": BEHIND})
        command = request.param(folder, port, f"{server.host}:{server.port}")
        process = subprocess.Popen(command, env=environment, stderr=log)
        try:
            awaited(answers, f"{name} to answer", process)
            yield f"http://127.0.0.1:{port}"
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
def test_a_proxy_lets_through_what_the_guard_does(
    proxy: str, status: int, method: str, path: str, headers: dict[str, str]
) -> None:
    sent = {"Host": HOST} | headers
    answer = requests.request(method, proxy + path, headers=sent, auth=OPERATOR, timeout=HANG)
    assert answer.status_code == status
    if status == 200:
        assert set(answer.headers["Content-Security-Policy"].split(", ")) == {POLICY, BEHIND}
        assert requests.request(method, proxy + path, headers=sent, timeout=HANG).status_code == 401
    else:
        assert answer.text.startswith("expected ")
