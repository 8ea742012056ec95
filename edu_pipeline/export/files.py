"""The files of an export: made in a folder of their own, and moved to where they are read when all of them are whole.

Belongs here: the temporary folder, publishing to a folder or bucket, what identifies a file. Does not belong here: the
content of any file.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from upath import UPath

from edu_pipeline.errors import ExportFailed

TEMPORARY = ".edu-export-"
"""Beginning of the name of the folder in which the files are made."""


@dataclass(frozen=True)
class ExportedFile:
    """A finished file.

    Attributes:
        name: its name in the export's folder.
        media_type: what it is, in the words of the IANA.
        bytes, sha256: of its content.
    """

    name: str
    media_type: str
    bytes: int
    sha256: str


def exported(path: Path, media_type: str) -> ExportedFile:
    """What identifies the finished file ``path``."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return ExportedFile(path.name, media_type, path.stat().st_size, digest)


@contextmanager
def workspace(target: UPath) -> Iterator[Path]:
    """A temporary folder, removed at the end with all that was not published; next to the target if that is local.

    Raises:
        ExportFailed: the target cannot be written, or a disk is full.
    """
    try:
        if local := _local(target):
            local.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=local) as folder:
            yield Path(folder)
    except OSError as error:
        raise ExportFailed(
            f"export to {target}",
            f"expected a folder or bucket with room for the files, found: {error}.",
            "No file was replaced by a part of one. Fix that, or name another place with --to; then export again.",
        ) from error


def publish(folder: Path, names: Sequence[str], target: UPath) -> None:
    """Move the finished files from ``folder`` to ``target`` one after the other, in this order, each at one stroke.

    A reader who opens the last one, which describes the others, finds all of them.
    """
    local = _local(target)
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        if local:
            (folder / name).replace(local / name)
        else:
            target.fs.put_file(str(folder / name), (target / name).path)


def _local(target: UPath) -> Path | None:
    """The target as a local folder; None if it is none."""
    return Path(target.path) if target.protocol in ("", "file", "local") else None
