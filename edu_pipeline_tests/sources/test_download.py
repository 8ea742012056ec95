"""One download: conditional, whole, patient, and refused where it must be.

Belongs here: what goes over the wire, against a server on the loopback that plays the mirror. Does not belong
here: which URL a source has. Nothing sleeps: the policy's ``sleep`` is a list's ``append``.
"""

from __future__ import annotations

import gzip
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from edu_pipeline import __name__ as package
from edu_pipeline.errors import DownloadFailed, DownloadRefused, PublisherUnavailable, is_transient
from edu_pipeline.sources import download as module
from edu_pipeline.sources.archive import ReceivedFile
from edu_pipeline.sources.download import Downloaded, NotModified, Policy, download, head, is_public, shown

URL = "https://www.insee.fr/fr/statistiques/fichier/v_commune_2026.csv?lang=fr"
PATH = "/www.insee.fr/fr/statistiques/fichier/v_commune_2026.csv"
BODY = "COM;LIBELLE\n01001;L'Abergement-Clémenciat\n".encode() * 1000
MAX = 10 << 20


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def policy(httpserver: HTTPServer, slept: list[float]) -> Policy:
    return Policy(mirror=httpserver.url_for("").rstrip("/"), sleep=slept.append)


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "received"


def get(into: Path, policy: Policy, url: str = URL, max_bytes: int = MAX) -> Downloaded:
    answer = download(url, into, max_bytes=max_bytes, policy=policy, where="a-source")
    assert isinstance(answer, Downloaded)
    return answer


def nothing_stays(into: Path) -> bool:
    return list(into.parent.iterdir()) == []


def test_a_file_arrives_with_its_hash_and_its_dates(httpserver: HTTPServer, policy: Policy, into: Path) -> None:
    requests: list[Request] = []

    def answer(request: Request) -> Response:
        requests.append(request)
        return Response(BODY, headers={"ETag": '"v1"', "Last-Modified": "Fri, 20 Nov 2026 08:00:00 GMT"})

    httpserver.expect_request(PATH, query_string="lang=fr").respond_with_handler(answer)
    assert get(into, policy) == Downloaded(
        path=into,
        url=URL,
        final_url=f"{policy.mirror}{PATH}?lang=fr",
        file_name="v_commune_2026.csv",
        bytes=len(BODY),
        sha256=hashlib.sha256(BODY).hexdigest(),
        etag='"v1"',
        last_modified="Fri, 20 Nov 2026 08:00:00 GMT",
    )
    assert into.read_bytes() == BODY
    assert [path.name for path in into.parent.iterdir()] == ["received"]
    (request,) = requests
    assert "Mozilla/5.0 (compatible; edu-pipeline/" in request.headers["User-Agent"]
    assert "If-None-Match" not in request.headers


def test_an_unchanged_file_is_not_downloaded(httpserver: HTTPServer, policy: Policy, into: Path) -> None:
    date = "Fri, 20 Nov 2026 08:00:00 GMT"
    httpserver.expect_request(PATH, headers={"If-None-Match": '"v1"', "If-Modified-Since": date}).respond_with_data(
        "", status=304
    )
    previous = ReceivedFile("f.csv", URL, URL, 3, "abc", '"v1"', date)
    answer = download(URL, into, max_bytes=MAX, previous=previous, policy=policy)
    assert answer == NotModified(previous)
    assert nothing_stays(into)


def test_a_304_that_was_not_asked_for_is_a_failure(httpserver: HTTPServer, policy: Policy, into: Path) -> None:
    httpserver.expect_request(PATH).respond_with_data("", status=304)
    with pytest.raises(DownloadFailed, match="HTTP status 304"):
        get(into, policy)


def test_a_content_encoding_is_undone(httpserver: HTTPServer, policy: Policy, into: Path) -> None:
    httpserver.expect_request(PATH).respond_with_data(gzip.compress(BODY), headers={"Content-Encoding": "gzip"})
    assert get(into, policy).sha256 == hashlib.sha256(BODY).hexdigest()


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="communes 2026.csv"', "communes 2026.csv"),
        ("attachment; filename*=UTF-8''communes%20%C3%A9t%C3%A9.csv", "communes été.csv"),
        ("inline", "v_commune_2026.csv"),
    ],
)
def test_the_publisher_names_the_file(
    httpserver: HTTPServer, policy: Policy, into: Path, disposition: str, name: str
) -> None:
    httpserver.expect_request(PATH).respond_with_data(BODY, headers={"Content-Disposition": disposition})
    assert get(into, policy).file_name == name


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_what_may_pass_is_tried_five_times(
    httpserver: HTTPServer, policy: Policy, slept: list[float], into: Path, status: int
) -> None:
    httpserver.expect_request(PATH).respond_with_data("<h1>Quota\n exceeded</h1>", status=status)
    with pytest.raises(PublisherUnavailable) as caught:
        get(into, policy)
    assert len(httpserver.log) == 5
    assert len(slept) == 4
    for number, seconds in enumerate(slept):
        assert 0.5 * 2**number <= seconds <= 1.5 * 2**number
    text = str(caught.value)
    assert text.startswith(
        f"PublisherUnavailable: a-source: expected an answer from {URL} at the mirror {policy.mirror};"
    )
    assert f"in 5 tries: HTTP status {status}, body: '<h1>Quota exceeded</h1>'." in text
    assert is_transient(caught.value)
    assert nothing_stays(into)


def test_a_publisher_that_recovers_is_no_failure(
    httpserver: HTTPServer, policy: Policy, slept: list[float], into: Path
) -> None:
    for _ in range(4):
        httpserver.expect_ordered_request(PATH).respond_with_data("", status=503)
    httpserver.expect_ordered_request(PATH).respond_with_data(BODY)
    assert get(into, policy).bytes == len(BODY)
    assert len(slept) == 4


def in_seconds(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        (lambda: "7", 7, 7),
        (lambda: in_seconds(30), 28, 30),
        (lambda: "86400", 120, 120),
        (lambda: in_seconds(86400), 120, 120),
        (lambda: in_seconds(-60), 0, 0),
        (lambda: "soon", 0.5, 1.5),
    ],
)
def test_retry_after_is_honoured(
    httpserver: HTTPServer,
    policy: Policy,
    slept: list[float],
    into: Path,
    header: Callable[[], str],
    least: float,
    most: float,
) -> None:
    httpserver.expect_ordered_request(PATH).respond_with_data("", status=429, headers={"Retry-After": header()})
    httpserver.expect_ordered_request(PATH).respond_with_data(BODY)
    get(into, policy)
    assert len(slept) == 1
    assert least <= slept[0] <= most


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 204])
def test_another_answer_fails_at_once(
    httpserver: HTTPServer, policy: Policy, slept: list[float], into: Path, status: int
) -> None:
    body = "" if status == 204 else "Fichier introuvable. " * 100
    httpserver.expect_request(PATH).respond_with_data(body, status=status)
    with pytest.raises(DownloadFailed) as caught:
        get(into, policy)
    assert caught.value.status == status
    assert len(httpserver.log) == 1
    assert slept == []
    assert f"expected the file at {URL}; found HTTP status {status}" in str(caught.value)
    assert str(caught.value).count("Fichier introuvable.") == (0 if status == 204 else 9)
    assert nothing_stays(into)


def test_nobody_listens(policy: Policy, slept: list[float], into: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    silent = Policy(mirror=f"http://127.0.0.1:{port}", sleep=slept.append)
    with pytest.raises(PublisherUnavailable, match="Connection refused"):
        get(into, silent)
    assert len(slept) == 4


@pytest.fixture
def raw_server() -> Iterator[Callable[[bytes], str]]:
    """Starts a server that sends the same bytes to whoever asks, and hangs up; gives its URL."""
    listening: list[socket.socket] = []

    def start(answer: bytes) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        listening.append(server)

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}"

    yield start
    for server in listening:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nCOM;LIBELLE\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nc\r\nCOM;LIBELLE\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(BODY)[:30],
        b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nContent-Encoding: gzip\r\n\r\nCOM;LIBELLE\n",
    ],
    ids=["content-length", "chunked", "encoded", "not gzip"],
)
def test_a_truncated_body_is_tried_again_and_leaves_nothing(
    raw_server: Callable[[bytes], str], slept: list[float], into: Path, answer: bytes
) -> None:
    with pytest.raises(PublisherUnavailable):
        get(into, Policy(mirror=raw_server(answer), sleep=slept.append))
    assert len(slept) == 4
    assert nothing_stays(into)


def test_an_announced_size_beyond_the_limit_is_refused_unread(
    raw_server: Callable[[bytes], str], slept: list[float], into: Path
) -> None:
    mirror = raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
    with pytest.raises(DownloadRefused, match=r"expected at most 1,000 bytes .*; found 99,999,999,999 bytes announced"):
        get(into, Policy(mirror=mirror, sleep=slept.append), max_bytes=1000)
    assert slept == []
    assert nothing_stays(into)


def test_a_body_beyond_the_limit_is_refused_without_the_rest(
    httpserver: HTTPServer, policy: Policy, slept: list[float], into: Path
) -> None:
    sent = []

    def endless() -> Iterator[bytes]:
        for number in range(1000):
            sent.append(number)
            yield b"x" * (1 << 20)

    httpserver.expect_request(PATH).respond_with_handler(lambda _: Response(endless()))
    with pytest.raises(DownloadRefused, match="more than 3,000,000 bytes"):
        get(into, policy, max_bytes=3_000_000)
    assert len(sent) < 100
    assert slept == []
    assert nothing_stays(into)


def test_the_limit_counts_what_is_unpacked(httpserver: HTTPServer, policy: Policy, into: Path) -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    httpserver.expect_request(PATH).respond_with_data(bomb, headers={"Content-Encoding": "gzip"})
    with pytest.raises(DownloadRefused, match="more than 1,000,000 bytes"):
        get(into, policy, max_bytes=1_000_000)
    assert nothing_stays(into)


def redirect(httpserver: HTTPServer, to: str, path: str = PATH) -> None:
    httpserver.expect_request(path).respond_with_data("", status=302, headers={"Location": to})


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
        ("http://static.data.gouv.fr/f.csv", "expected an https URL of a publisher; found http://static.data.gouv.fr"),
        ("http://127.0.0.1:1/f.csv", "expected an https URL of a publisher"),
        ("ftp://static.data.gouv.fr/f.csv", "expected an https URL of a publisher"),
        ("file:///etc/passwd", "expected an https URL of a publisher"),
        ("https://", "expected an https URL of a publisher"),
        ("https://127.0.0.1/f.csv", "127.0.0.1 is at 127.0.0.1"),
        ("https://10.1.2.3/f.csv", "10.1.2.3 is at 10.1.2.3"),
        ("https://169.254.169.254/latest/meta-data/", "expected a publisher at a public address"),
        ("https://[::1]/f.csv", "expected a publisher at a public address"),
        ("https://[::ffff:192.168.1.1]/f.csv", "expected a publisher at a public address"),
    ],
)
def test_a_redirect_to_elsewhere_is_refused(
    httpserver: HTTPServer, policy: Policy, slept: list[float], into: Path, target: str, problem: str
) -> None:
    redirect(httpserver, target)
    with pytest.raises(DownloadRefused) as caught:
        get(into, policy)
    assert problem in str(caught.value)
    assert f"a-source, redirected by {policy.mirror}{PATH}" in str(caught.value)
    assert len(httpserver.log) == 1
    assert slept == []
    assert nothing_stays(into)


@pytest.mark.parametrize("target", [b"https://[not-an-address/f.csv", b"https://host:port/f.csv"])
def test_a_redirect_to_no_url_is_refused(raw_server: Callable[[bytes], str], into: Path, target: bytes) -> None:
    mirror = raw_server(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + target + b"\r\n\r\n")
    with pytest.raises(DownloadRefused, match="expected a URL; found 'https://"):
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


def test_without_a_mirror_the_first_url_has_to_be_https(slept: list[float], into: Path) -> None:
    with pytest.raises(
        DownloadRefused, match=r"expected an https URL of a publisher; found http://www\.insee\.fr/f\.csv"
    ):
        get(into, Policy(sleep=slept.append), url="http://www.insee.fr/f.csv")


@pytest.mark.parametrize("addresses", [["10.0.0.8"], ["93.184.216.34", "127.0.0.1"], ["93.184.216.34", "fd00::1"]])
def test_a_name_with_any_private_address_is_refused(
    names: dict[str, list[str]], into: Path, addresses: list[str]
) -> None:
    names["www.insee.fr"] = addresses
    with pytest.raises(DownloadRefused, match=f"expected a publisher at a public address; .* is at {addresses[-1]}"):
        get(into, Policy())


def test_a_name_that_does_not_resolve_may_do_so_later(
    names: dict[str, list[str]], slept: list[float], into: Path
) -> None:
    with pytest.raises(PublisherUnavailable, match=r"the name www\.insee\.fr cannot be resolved"):
        get(into, Policy(sleep=slept.append))
    assert len(slept) == 4


def test_the_address_connected_to_is_checked_as_well(
    names: dict[str, list[str]], into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names["rebinding.example"] = ["127.0.0.1"]  # what the connection sees, after the check has seen a public one
    monkeypatch.setattr(module, "resolve", lambda host, port: ["93.184.216.34"])
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://rebinding.example:{server.getsockname()[1]}/f.csv"
        with pytest.raises(DownloadRefused, match=r"a-source: .* rebinding\.example is at 127\.0\.0\.1"):
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
    assert shown(url) == text


def test_no_secret_is_in_a_failure_text(httpserver: HTTPServer, slept: list[float], into: Path) -> None:
    mirror = f"http://someone:hidden@{httpserver.host}:{httpserver.port}"
    httpserver.expect_request("/host/f").respond_with_data("", status=503)
    with pytest.raises(PublisherUnavailable) as caught:
        get(into, Policy(mirror=mirror, sleep=slept.append), url="https://host/f?token=hidden&lang=fr")
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


def test_a_probe_asks_for_the_head_only(httpserver: HTTPServer, policy: Policy) -> None:
    httpserver.expect_request(PATH, method="HEAD").respond_with_data("", status=200)
    assert head(URL, policy=policy).status == 200
    assert [request.method for request, _ in httpserver.log] == ["HEAD"]


@pytest.mark.parametrize(("refusal", "status"), [(405, 200), (403, 403), (501, None)])
def test_a_probe_asks_again_where_head_is_not_liked(
    httpserver: HTTPServer, policy: Policy, refusal: int, status: int | None
) -> None:
    httpserver.expect_request(PATH, method="HEAD").respond_with_data("", status=refusal)
    httpserver.expect_request(PATH, method="GET").respond_with_data(BODY, status=status or 200)
    if status is None:
        with pytest.raises(PublisherUnavailable):
            head(URL, policy=policy)
    else:
        assert head(URL, policy=policy).status == status


def test_a_probe_takes_an_html_page_for_nothing(httpserver: HTTPServer, policy: Policy) -> None:
    httpserver.expect_request(PATH).respond_with_data("", content_type="text/html; charset=utf-8")
    assert head(URL, policy=policy).status == 404


def test_a_probe_of_a_publisher_out_of_order_says_so(
    httpserver: HTTPServer, policy: Policy, slept: list[float]
) -> None:
    httpserver.expect_request(PATH).respond_with_data("", status=500)
    with pytest.raises(PublisherUnavailable):
        head(URL, policy=policy)
    assert len(slept) == 4


def test_the_package_has_a_version_for_the_agent() -> None:
    assert package.replace("_", "-") in module.USER_AGENT
