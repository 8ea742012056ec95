"""What a download may reach: redirects, private addresses, the mirror; and what nobody is told."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from edu_pipeline import __name__ as package
from edu_pipeline.errors import DownloadRefused, PublisherUnavailable
from edu_pipeline.sources import connections
from edu_pipeline.sources import policy as module
from edu_pipeline.sources.policy import Policy, is_public
from edu_pipeline.sources.texts import without_secrets
from edu_pipeline_tests.sources.downloading import BODY, PATH, URL, get, is_empty, redirect


def test_redirects_are_followed_through_the_mirror(httpserver: HTTPServer, policy: Policy, into: Path) -> None:
    redirect(httpserver, "https://static.data.gouv.fr/a/communes.csv?x=1")
    redirect(httpserver, "/elsewhere/communes.csv", path="/static.data.gouv.fr/a/communes.csv")
    httpserver.expect_request("/elsewhere/communes.csv").respond_with_data(BODY)
    answer = get(into, policy)
    assert answer.url == URL
    assert answer.final_url == f"{policy.mirror}/elsewhere/communes.csv"
    assert answer.file_name == "communes.csv"


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("http://static.data.gouv.fr/f.csv", "expected an https URL of a publisher, found http://static.data.gouv.fr"),
        ("http://127.0.0.1:1/f.csv", "expected an https URL of a publisher"),
        ("ftp://static.data.gouv.fr/f.csv", "expected an https URL of a publisher"),
        ("file:///etc/passwd", "expected an https URL of a publisher"),
        ("https://", "expected an https URL of a publisher"),
        ("https://127.0.0.1/f.csv", "expected 127.0.0.1 at a public address, found it at 127.0.0.1"),
        ("https://10.1.2.3/f.csv", "expected 10.1.2.3 at a public address, found it at 10.1.2.3"),
        ("https://169.254.169.254/latest/meta-data/", "expected 169.254.169.254 at a public address"),
        ("https://[::1]/f.csv", "expected ::1 at a public address"),
        ("https://[::ffff:192.168.1.1]/f.csv", "expected ::ffff:192.168.1.1 at a public address"),
    ],
)
def test_a_redirect_to_elsewhere_is_refused(
    httpserver: HTTPServer, policy: Policy, waits: list[float], into: Path, target: str, problem: str
) -> None:
    redirect(httpserver, target)
    with pytest.raises(DownloadRefused) as caught:
        get(into, policy)
    assert problem in str(caught.value)
    assert f"a-source, redirected by {policy.mirror}{PATH}" in str(caught.value)
    assert len(httpserver.log) == 1
    assert waits == []
    assert is_empty(into.parent)


@pytest.mark.parametrize("target", [b"https://[not-an-address/f.csv", b"https://host:port/f.csv"])
def test_a_redirect_to_no_url_is_refused(raw_server: Callable[[bytes], str], into: Path, target: bytes) -> None:
    mirror = raw_server(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + target + b"\r\n\r\n")
    with pytest.raises(DownloadRefused, match="expected a URL, found 'https://"):
        get(into, Policy(mirror=mirror))


def test_the_body_of_a_redirect_is_not_read(httpserver: HTTPServer, policy: Policy, into: Path) -> None:
    sent = []

    def endless() -> Iterator[bytes]:
        for number in range(200):
            sent.append(number)
            yield b"x" * (1 << 20)

    def answer(_: Request) -> Response:
        return Response(endless(), status=302, headers={"Location": "https://host/f.csv"})

    httpserver.expect_request(PATH).respond_with_handler(answer)
    httpserver.expect_request("/host/f.csv").respond_with_data(BODY)
    assert get(into, policy).bytes == len(BODY)
    assert len(sent) < 100


def test_endless_redirects_are_refused(httpserver: HTTPServer, policy: Policy, into: Path) -> None:
    redirect(httpserver, URL)
    with pytest.raises(DownloadRefused, match="at most 5 redirects"):
        get(into, policy)
    assert len(httpserver.log) == 6


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What names resolve to, in place of the network."""
    known: dict[str, list[str]] = {}

    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        if host not in known:
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


def test_without_a_mirror_the_first_url_has_to_be_https(waits: list[float], into: Path) -> None:
    with pytest.raises(
        DownloadRefused, match=r"expected an https URL of a publisher, found http://www\.insee\.fr/f\.csv"
    ):
        get(into, Policy(sleep=waits.append), url="http://www.insee.fr/f.csv")


@pytest.mark.parametrize("addresses", [["10.0.0.8"], ["93.184.216.34", "127.0.0.1"], ["93.184.216.34", "fd00::1"]])
def test_a_name_with_any_private_address_is_refused(
    names: dict[str, list[str]], into: Path, addresses: list[str]
) -> None:
    names["www.insee.fr"] = addresses
    with pytest.raises(DownloadRefused, match=f"expected .* at a public address, found it at {addresses[-1]}"):
        get(into, Policy())


def test_a_name_that_does_not_resolve_is_tried_again(
    names: dict[str, list[str]], waits: list[float], into: Path
) -> None:
    with pytest.raises(PublisherUnavailable, match=r"the name www\.insee\.fr cannot be resolved"):
        get(into, Policy(sleep=waits.append))
    assert len(waits) == 4


def test_the_address_of_the_open_socket_is_checked_too(
    names: dict[str, list[str]], into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names["rebinding.example"] = ["127.0.0.1"]  # what the connection gets, after the check got a public one
    monkeypatch.setattr(module, "resolve", lambda host, port: ["93.184.216.34"])
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://rebinding.example:{server.getsockname()[1]}/f.csv"
        with pytest.raises(DownloadRefused, match=r"rebinding\.example at a public address, found it at 127\.0\.0\.1"):
            get(into, Policy(), url=url)
        connection, _ = server.accept()
        with connection:
            assert connection.recv(1000) == b""  # not even TLS has begun


def test_only_the_mirror_itself_may_be_private(httpserver: HTTPServer, into: Path) -> None:
    other_port = Policy(mirror=f"http://localhost:{httpserver.port + 1}")
    with pytest.raises(DownloadRefused):
        get(into, other_port, url=httpserver.url_for(PATH))
    assert httpserver.log == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2a00:1450:4007:80e::2004", True),
        ("64:ff9b::5db8:d822", True),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("172.16.0.1", False),
        ("192.168.0.1", False),
        ("198.18.0.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fd00::1", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("not an address", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    ("url", "text"),
    [
        (
            "https://user:secret@host:8443/p?use_labels=false&delimiter=%3B",
            "https://host:8443/p?use_labels=false&delimiter=%3B",
        ),
        ("https://host/p?X-Amz-Signature=abc&x=%C3%A9", "https://host/p?X-Amz-Signature=***&x=%C3%A9"),
        ("https://host/p?access_token=abc&apikey=d", "https://host/p?access_token=***&apikey=***"),
        ("https://[broken", "(not a URL)"),
    ],
)
def test_no_secret_is_shown(url: str, text: str) -> None:
    assert without_secrets(url) == text


def test_no_secret_is_in_a_failure_text(httpserver: HTTPServer, waits: list[float], into: Path) -> None:
    mirror = f"http://someone:hidden@{httpserver.host}:{httpserver.port}"
    httpserver.expect_request("/host/f").respond_with_data("", status=503)
    with pytest.raises(PublisherUnavailable) as caught:
        get(into, Policy(mirror=mirror, sleep=waits.append), url="https://host/f?token=hidden&lang=fr")
    assert "lang=fr" in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert httpserver.log[0][0].headers["Authorization"].startswith("Basic ")


def test_the_environment_adds_neither_proxy_nor_credentials(
    httpserver: HTTPServer, policy: Policy, into: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(
        "machine localhost login someone password hidden\nmachine 127.0.0.1 login someone password hidden\n"
    )
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    httpserver.expect_request(PATH).respond_with_data(BODY)
    get(into, policy)
    assert "Authorization" not in httpserver.log[0][0].headers


def test_the_package_has_a_version_for_the_agent() -> None:
    assert package.replace("_", "-") in connections.USER_AGENT
