"""One download: conditional, whole, patient, and never half written.

Belongs here: what goes over the wire, against a server on the loopback that plays the mirror. Does not belong here:
what may be reached (``test_policy.py``), which URL a source has. Nothing sleeps: the policy's ``sleep`` notes the wait.
"""

from __future__ import annotations

import gzip
import hashlib
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from edu_pipeline.errors import DownloadFailed, DownloadRefused, PublisherUnavailable, is_transient
from edu_pipeline.sources.archive import ReceivedFile
from edu_pipeline.sources.download import Downloaded, NotModified, download, head
from edu_pipeline.sources.policy import Policy
from edu_pipeline_tests.sources.downloading import BODY, MAX, PATH, URL, get, is_empty


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
    assert is_empty(into.parent)


def test_a_304_to_an_unconditional_request_is_a_failure(httpserver: HTTPServer, policy: Policy, into: Path) -> None:
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
def test_a_failure_that_may_pass_is_tried_five_times(
    httpserver: HTTPServer, policy: Policy, waits: list[float], into: Path, status: int
) -> None:
    httpserver.expect_request(PATH).respond_with_data("<h1>Quota\n exceeded</h1>", status=status)
    with pytest.raises(PublisherUnavailable) as caught:
        get(into, policy)
    assert len(httpserver.log) == 5
    assert len(waits) == 4
    for number, seconds in enumerate(waits):
        assert 0.5 * 2**number <= seconds <= 1.5 * 2**number
    text = str(caught.value)
    assert text.startswith(
        f"PublisherUnavailable: a-source: expected an answer from {URL} at the mirror {policy.mirror} in 5 tries, "
    )
    assert f"found HTTP status {status}, body: '<h1>Quota exceeded</h1>'." in text
    assert is_transient(caught.value)
    assert is_empty(into.parent)


def test_a_publisher_that_recovers_is_no_failure(
    httpserver: HTTPServer, policy: Policy, waits: list[float], into: Path
) -> None:
    for _ in range(4):
        httpserver.expect_ordered_request(PATH).respond_with_data("", status=503)
    httpserver.expect_ordered_request(PATH).respond_with_data(BODY)
    assert get(into, policy).bytes == len(BODY)
    assert len(waits) == 4


def in_seconds(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        (lambda: "7", 7, 7),
        (lambda: "86400", 120, 120),
        (lambda: in_seconds(86400), 120, 120),
        (lambda: in_seconds(-60), 0, 0),
        (lambda: "soon", 0.5, 1.5),
    ],
)
def test_retry_after_is_honoured(
    httpserver: HTTPServer,
    policy: Policy,
    waits: list[float],
    into: Path,
    header: Callable[[], str],
    least: float,
    most: float,
) -> None:
    httpserver.expect_ordered_request(PATH).respond_with_data("", status=429, headers={"Retry-After": header()})
    httpserver.expect_ordered_request(PATH).respond_with_data(BODY)
    get(into, policy)
    assert len(waits) == 1
    assert least <= waits[0] <= most


def test_a_date_in_retry_after_is_honoured(
    httpserver: HTTPServer, policy: Policy, waits: list[float], into: Path
) -> None:
    began = time.monotonic()
    httpserver.expect_ordered_request(PATH).respond_with_data("", status=503, headers={"Retry-After": in_seconds(30)})
    httpserver.expect_ordered_request(PATH).respond_with_data(BODY)
    get(into, policy)
    elapsed = time.monotonic() - began
    assert 29 - elapsed <= waits[0] <= 30  # the date has whole seconds


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 204])
def test_another_answer_fails_at_once(
    httpserver: HTTPServer, policy: Policy, waits: list[float], into: Path, status: int
) -> None:
    body = "" if status == 204 else "Fichier introuvable. " * 100
    httpserver.expect_request(PATH).respond_with_data(body, status=status)
    with pytest.raises(DownloadFailed) as caught:
        get(into, policy)
    assert caught.value.status == status
    assert len(httpserver.log) == 1
    assert waits == []
    assert f"expected the file at {URL}, found HTTP status {status}" in str(caught.value)
    assert str(caught.value).count("Fichier introuvable.") == (0 if status == 204 else 9)
    assert is_empty(into.parent)


def test_a_refused_connection_is_tried_again(policy: Policy, waits: list[float], into: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    silent = Policy(mirror=f"http://127.0.0.1:{port}", sleep=waits.append)
    with pytest.raises(PublisherUnavailable, match="Connection refused"):
        get(into, silent)
    assert len(waits) == 4


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nCOM;LIBELLE\n", "12 bytes read, 988 more expected"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nc\r\nCOM;LIBELLE\n\r\n",
            "found ProtocolError: Response ended prematurely",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(BODY)[:30],
            "970 more expected",
        ),
        (  # the server may close before all of the request was read, which resets the connection
            b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nContent-Encoding: gzip\r\n\r\nCOM;LIBELLE\n",
            "incorrect header|ConnectionResetError",
        ),
    ],
    ids=["content-length", "chunked", "encoded", "not gzip"],
)
def test_a_truncated_body_is_tried_again_and_leaves_nothing(
    raw_server: Callable[[bytes], str], waits: list[float], into: Path, answer: bytes, found: str
) -> None:
    with pytest.raises(PublisherUnavailable, match=found):
        get(into, Policy(mirror=raw_server(answer), sleep=waits.append))
    assert len(waits) == 4
    assert is_empty(into.parent)


@pytest.mark.parametrize("slowest", [100_000, 1_000])
def test_a_body_that_crawls_is_tried_again(
    httpserver: HTTPServer, waits: list[float], into: Path, slowest: float
) -> None:
    def crawling() -> Iterator[bytes]:
        for _ in range(10):
            time.sleep(0.02)
            yield b"x" * 1_000

    httpserver.expect_request(PATH).respond_with_handler(lambda _: Response(crawling()))
    policy = Policy(
        mirror=httpserver.url_for("").rstrip("/"), sleep=waits.append, tries=2, read_seconds=0.1, slowest=slowest
    )
    if slowest > 50_000:
        with pytest.raises(PublisherUnavailable, match=r"in 2 tries, found only [\d,]+ bytes in 0 s"):
            get(into, policy)
        assert len(waits) == 1 and is_empty(into.parent)
    else:
        assert get(into, policy).bytes == 10_000


def test_an_announced_size_beyond_the_limit_is_refused_unread(
    raw_server: Callable[[bytes], str], waits: list[float], into: Path
) -> None:
    mirror = raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
    with pytest.raises(DownloadRefused, match=r"expected at most 1,000 bytes .*, found 99,999,999,999 bytes announced"):
        get(into, Policy(mirror=mirror, sleep=waits.append), max_bytes=1000)
    assert waits == []
    assert is_empty(into.parent)


def test_a_body_beyond_the_limit_is_refused_without_the_rest(
    httpserver: HTTPServer, policy: Policy, waits: list[float], into: Path
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
    assert waits == []
    assert is_empty(into.parent)


def test_the_limit_counts_unpacked_bytes(httpserver: HTTPServer, policy: Policy, into: Path) -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    httpserver.expect_request(PATH).respond_with_data(bomb, headers={"Content-Encoding": "gzip"})
    with pytest.raises(DownloadRefused, match="more than 1,000,000 bytes"):
        get(into, policy, max_bytes=1_000_000)
    assert is_empty(into.parent)


def test_head_sends_a_head_request_only(httpserver: HTTPServer, policy: Policy) -> None:
    httpserver.expect_request(PATH, method="HEAD").respond_with_data("", status=200)
    assert head(URL, policy=policy).status == 200
    assert [request.method for request, _ in httpserver.log] == ["HEAD"]


@pytest.mark.parametrize(("refusal", "status"), [(405, 200), (403, 403), (501, None)])
def test_head_falls_back_to_get_where_it_is_not_supported(
    httpserver: HTTPServer, policy: Policy, refusal: int, status: int | None
) -> None:
    httpserver.expect_request(PATH, method="HEAD").respond_with_data("", status=refusal)
    httpserver.expect_request(PATH, method="GET").respond_with_data(BODY, status=status or 200)
    if status is None:
        with pytest.raises(PublisherUnavailable):
            head(URL, policy=policy)
    else:
        assert head(URL, policy=policy).status == status


def test_head_counts_an_html_page_as_no_file(httpserver: HTTPServer, policy: Policy) -> None:
    httpserver.expect_request(PATH).respond_with_data("", content_type="text/html; charset=utf-8")
    assert head(URL, policy=policy).status == 404


def test_head_of_a_publisher_out_of_order_is_a_failure(
    httpserver: HTTPServer, policy: Policy, waits: list[float]
) -> None:
    httpserver.expect_request(PATH).respond_with_data("", status=500)
    with pytest.raises(PublisherUnavailable):
        head(URL, policy=policy)
    assert len(waits) == 4
