"""The sample's HTTP server, on this machine only: ``/<host>/<path>`` answers as ``https://<host>/<path>`` would.

Belongs here: sockets, sending a body, the server's own paths (`/-/`). Does not belong here: the publishers' answers
(`hosts.py`), starting and stopping the server in the background (`background.py`).

- ``GET /-/`` shows what is served; ``POST /-/publish/<source>`` publishes a new release of a source, with
  ``?misbehaviour=<JSON>`` one with which something is wrong;
- ``POST /-/fail?count=3&status=429&retry_after=1`` makes the next requests to publishers fail, for tests.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any

from edu_pipeline.errors import EduError, SettingInvalid, SourceMissing
from edu_pipeline.sample.answers import Answer, Request, as_json, not_found
from edu_pipeline.sample.hosts import Hosts
from edu_pipeline.sample.misbehaviour import Misbehaviour
from edu_pipeline.sample.portal import exceeded, used_up
from edu_pipeline.sample.shelf import Holding, Shelf

log = logging.getLogger(__name__)

ADDRESS = "127.0.0.1"
OWN = "-"
"""First segment of the server's own paths."""

INVENTED = ("X-Invented-Data", "edu_pipeline sample")
"""Header of every answer, so that nobody takes this data for real."""

CHUNK = 1 << 20
IDLE_SECONDS = 60
QUOTA_OF_FAILURES = 10_000
"""The daily quota that a portal names when it has been told to answer 429."""


class SampleServer(ThreadingHTTPServer):
    """Serves a sample directory on a port of 127.0.0.1, each connection in its own thread.

    Args:
        port: 0 for any free one.
        quota: calls per day that each Opendatasoft portal allows; None: no limit.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, shelf: Shelf, port: int = 0, quota: int | None = None) -> None:
        self.shelf = shelf
        self.hosts = Hosts(shelf, quota)
        self._failures: list[tuple[int, float | None]] = []
        self._lock = threading.Lock()
        super().__init__((ADDRESS, port), _Handler)

    def server_bind(self) -> None:
        """Bind without looking up this machine's name, which can take long on a machine without a network."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, self.server_address[1]

    @property
    def url(self) -> str:
        """The server's address; the value for EDU_UPSTREAM."""
        return f"http://{ADDRESS}:{self.server_address[1]}"

    def fail_next(self, count: int, status: int, retry_after: float | None = None) -> None:
        """Answer the next requests to publishers with a failure."""
        with self._lock:
            self._failures = [(status, retry_after)] * count

    def answer(self, method: str, request: Request) -> Answer:
        """Answer a request."""
        if request.host in ("", OWN):
            return self._own(method, request)
        if method == "POST":
            return as_json({"message": "Publishers take GET and HEAD only."}, 405, {"Allow": "GET, HEAD"})
        with self._lock:
            failure = self._failures.pop() if self._failures else None
        return self._failing(request, *failure) if failure else self.hosts.answer(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is not an error of the server."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            log.exception("%s: connection abandoned", client_address)

    def _failing(self, request: Request, status: int, retry_after: float | None) -> Answer:
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        if status == HTTPStatus.TOO_MANY_REQUESTS and request.host in self.hosts.portals:
            answer = exceeded(used_up(QUOTA_OF_FAILURES))
            return Answer(status, {**answer.headers, **headers}, answer.body)
        return as_json({"message": HTTPStatus(status).phrase}, status, headers)

    def _own(self, method: str, request: Request) -> Answer:
        """The server's own paths: its state, and its commands."""
        if method != "POST":
            if request.host == OWN and request.path != "/":
                return not_found("Expected GET /-/, POST /-/publish/<source> or POST /-/fail?count=&status=.")
            return as_json(self._state())
        if "origin" in request.headers:
            return as_json({"message": "Commands from a page in a browser are refused."}, 403)
        command, _, source = request.path.strip("/").partition("/")
        if command == "publish" and source:
            try:
                misbehaviour = Misbehaviour.parsed(request.query.get("misbehaviour", "{}"))
                return as_json(_described(self.shelf.publish(source, misbehaviour)))
            except SourceMissing as error:
                return not_found(str(error))
            except SettingInvalid as error:
                return as_json({"message": str(error)}, 400)
        if command == "fail" and not source:
            try:
                count, status = int(request.query["count"]), HTTPStatus(int(request.query["status"]))
                retry_after = float(request.query["retry_after"]) if "retry_after" in request.query else None
            except (KeyError, ValueError) as error:
                return as_json({"message": f"Expected count, status and maybe retry_after, found {error}."}, 400)
            self.fail_next(count, status, retry_after)
            return as_json({"count": count, "status": status})
        return not_found("Expected POST /-/publish/<source> or POST /-/fail?count=&status=.")

    def _state(self) -> dict[str, Any]:
        holdings = [holding for source in self.shelf.sources() if (holding := self.shelf.holding(source))]
        return {
            "invented": True,
            "pid": os.getpid(),
            "folder": str(self.shelf.folder),
            "scale": self.shelf.scale,
            "seed": self.shelf.seed,
            "sources": {holding.source: _described(holding) for holding in holdings},
        }


def _described(holding: Holding) -> dict[str, Any]:
    return {
        "source": holding.source,
        "release": holding.release,
        "published_at": holding.published_at.isoformat(),
        "files": list(holding.files),
    }


@contextmanager
def serving(shelf: Shelf, port: int = 0, quota: int | None = None) -> Iterator[SampleServer]:
    """A server in a thread of this process, until the block ends."""
    with SampleServer(shelf, port, quota) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def serve(shelf: Shelf, port: int = 0, quota: int | None = None) -> None:
    """Print the URL, and serve until SIGTERM or Ctrl-C."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(0))
    with SampleServer(shelf, port, quota) as server:
        print(server.url, flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            log.info("stopped")


class _Handler(BaseHTTPRequestHandler):
    """One connection: reads requests, sends answers."""

    server: SampleServer
    protocol_version = "HTTP/1.1"
    server_version = "edu-pipeline-sample"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._respond()

    def do_HEAD(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        # No command has a body. If there is one it is not read, so the connection cannot be used again.
        self.close_connection = True
        self._respond()

    def end_headers(self) -> None:
        self.send_header(*INVENTED)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        log.info(format, *args)

    def _respond(self) -> None:
        try:
            answer = self.server.answer(self.command, Request.parsed(self.path, dict(self.headers)))
        except Exception as error:
            log.exception("%s %s", self.command, self.path)
            answer = as_json({"message": f"{type(error).__name__}: {error}"}, 500)
        try:
            self._send(answer)
        finally:
            if not isinstance(answer.body, bytes) and hasattr(answer.body, "close"):
                answer.body.close()

    def _send(self, answer: Answer) -> None:
        """Send the answer, in chunks if its length is unknown, so that the client notices if it is cut off."""
        body = answer.body
        chunked = not isinstance(body, bytes | io.BufferedReader)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if isinstance(body, bytes):
            if answer.status != HTTPStatus.NOT_MODIFIED and "Content-Length" not in answer.headers:  # it may be wrong
                self.send_header("Content-Length", str(len(body)))
        elif isinstance(body, io.BufferedReader):
            self.send_header("Content-Length", str(os.fstat(body.fileno()).st_size))
        elif self.request_version == "HTTP/1.1":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.close_connection, chunked = True, False
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "HEAD":
            return
        if isinstance(body, bytes):
            self.wfile.write(body)
        elif isinstance(body, io.BufferedReader):
            shutil.copyfileobj(body, self.wfile, CHUNK)
        else:
            self._send_pieces(body, chunked)

    def _send_pieces(self, pieces: Iterator[bytes], chunked: bool) -> None:
        try:
            for piece in pieces:
                if piece:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        except BaseException:
            self.close_connection = True  # the last chunk is missing: the client notices the cut
            raise
        if chunked:
            self.wfile.write(b"0\r\n\r\n")


def main() -> None:
    """Serve a directory: the command line that ``background.py`` starts."""
    parser = argparse.ArgumentParser(prog="edu_pipeline.sample.server")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--quota", type=int)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        serve(Shelf(arguments.folder), arguments.port, arguments.quota)
    except EduError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
