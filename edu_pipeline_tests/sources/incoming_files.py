"""Files on their way into an archive, in tests."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime
from pathlib import Path

from edu_pipeline.sources.archive import Incoming, ReceivedFile

NOON = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)


def received(name: str, content: bytes) -> ReceivedFile:
    """A file as a publisher sent it."""
    url = f"https://example.org/{name}"
    return ReceivedFile(name, url, url, len(content), hashlib.sha256(content).hexdigest(), etag='"1"')


def incoming(folder: Path, contents: dict[str, bytes], at: datetime = NOON) -> Incoming:
    """Files in ``folder`` for a release, by name; the part is the name up to its first dot."""
    files = {}
    for name, content in contents.items():
        path = folder / f"{uuid.uuid4().hex}-{name}"
        path.write_bytes(content)
        files[path] = received(name, content)
    return Incoming(files, {name.split(".")[0]: name for name in contents}, retrieved_at=at)
