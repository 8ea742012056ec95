"""A webhook on the loopback interface that records what is posted to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pydantic import SecretStr

from edu_pipeline.monitoring.channels import Channel, Webhook

SECRET = "T0000/B0000/wooden-horse"


class Receiver:
    """Records the messages, and answers with the next of ``answers`` (status and headers), then with 200."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == f"/services/{SECRET}"
                assert self.headers["Content-Type"].startswith("application/json")
                outer.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                status, headers = outer.answers.pop(0) if outer.answers else (200, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = SecretStr(f"http://127.0.0.1:{self.server.server_port}/services/{SECRET}")

    @property
    def channels(self) -> list[Channel]:
        """The webhook as the only channel."""
        return [Webhook(self.url)]

    @contextmanager
    def serving(self) -> Iterator[Receiver]:
        """Serve in a thread until the end of the block."""
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            thread.join()
            self.server.server_close()
