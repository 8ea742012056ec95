"""A bucket for the tests: moto's server answers in place of S3, in this process.

Belongs here: the server, and an empty bucket on it. Does not belong here: what is stored there.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "of-the-tests",
    "AWS_SECRET_ACCESS_KEY": "of-the-tests",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@contextmanager
def serving() -> Iterator[str]:
    """A server with no buckets; the environment names it meanwhile, as it would a real one."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items() | {("AWS_ENDPOINT_URL", f"http://{host}:{port}")}:
            patch.setenv(name, value)
        S3FileSystem.clear_instance_cache()  # clients keep the address that they began with
        try:
            yield f"http://{host}:{port}"
        finally:
            server.stop()


def new_bucket() -> str:
    """The URL of a new bucket, on the server that the environment names."""
    name = uuid.uuid4().hex
    S3FileSystem().mkdir(name)
    return f"s3://{name}"
