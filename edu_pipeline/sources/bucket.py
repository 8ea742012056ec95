"""What a bucket needs that a folder does not: whole uploads, listings that are never remembered, errors of its own.

Belongs here: what is true of any file system of fsspec's that is not a local disk. Does not belong here: what an
archive has where (``archive.py``, ``contents.py``).

A file is uploaded from a finished one on this machine, never written piece by piece: a writer that an exception ends
finishes its upload, and a short object takes the place of the whole one. Only the SHA-256 that was taken on this
machine counts: a bucket's ETag depends on how an upload was cut into parts.
"""

from __future__ import annotations

import errno
from pathlib import Path

from upath import UPath

CLIENTS = {"aiobotocore", "aiohttp", "botocore"}
"""The packages below s3fs whose errors it passes on as they are, for example if there are no credentials."""


def without_cache(root: UPath) -> UPath:
    """The same place, whose listings are asked for each time: other machines write there too. A folder has no cache."""
    if root.protocol in ("", "file", "local"):
        return root
    place: UPath = UPath(str(root), **{**root.storage_options, "use_listings_cache": False})
    return place


def put(path: Path, target: UPath, size: int) -> None:
    """Upload a finished file, whole or not at all.

    Args:
        size: its bytes, as they were counted when its SHA-256 was taken.

    Raises:
        OSError: it was not uploaded, or not all of it.
    """
    target.fs.put_file(str(path), target.path)
    stored = target.fs.info(target.path)["size"]
    if stored != size:
        target.fs.rm_file(target.path)
        raise OSError(errno.EIO, f"{target}: {size:,} bytes were to be stored, {stored:,} were")


def is_failure(error: Exception) -> bool:
    """Whether an error is that of a file system or of the client of a bucket, and not a defect of this program."""
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in CLIENTS
