"""Unpacking gzip files and zip archives, within a limit and whole.

Belongs here: how much a packed file may unpack to, and what counts as damaged. Does not belong here: which member is
read (``readers.py``), what is in it (``soundness.py``, ``workbook.py``).

Content is handed out in pieces, so that neither a file that unpacks to far more than expected nor a damaged one is ever
held in memory or written whole.
"""

from __future__ import annotations

import bz2
import copy
import errno
import gzip
import os
import struct
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from edu_pipeline.errors import EduError, FileInvalid, shown
from edu_pipeline.sources.texts import CATALOGUE

CHUNK = 1 << 20

MAX_DIRECTORY = 16 << 20
"""Bytes of a zip archive's list of members: more than 100,000 of them."""

DAMAGED = "cut off, damaged, encrypted or compressed in an unknown way"

END = struct.Struct("<4s8xLL2x")
"""The record at the end of a zip archive: signature, size and place of the list of members."""

END_64 = struct.Struct("<4s36xQ")
"""The same of a large archive."""


def too_large(where: str, limit: int, actual: str) -> FileInvalid:
    """The failure of a file that unpacks to more than the limit of its source.

    Args:
        where: source, part and file.
        actual: what was found, in words.
    """
    return FileInvalid(
        where,
        f"expected at most {limit:,} bytes of unpacked content, found {actual}.",
        f"If the file has really grown that much, raise max_unpacked_bytes of the source in {CATALOGUE}. "
        "The previous release stays in use.",
    )


def gzip_content(path: Path, limit: int, where: str) -> Iterator[bytes]:
    """The content of a gzip file, in pieces.

    Raises:
        FileInvalid: it is damaged, or has more than ``limit`` bytes.
    """
    total = 0
    with gzip.open(path) as stream:
        while True:
            with _damage(path, "a gzip file that is cut off or damaged", where):
                chunk = stream.read(CHUNK)
            if not chunk:
                return
            total += len(chunk)
            if total > limit:
                raise too_large(where, limit, f"more in a gzip file of {path.stat().st_size:,} bytes")
            yield chunk


@contextmanager
def open_zip(path: Path, limit: int, where: str) -> Iterator[zipfile.ZipFile]:
    """A zip archive, whose members together have at most ``limit`` bytes.

    Raises:
        FileInvalid: it is damaged, or its list of members is too long, or these are too large.
    """
    with _damage(path, f"a zip archive that is {DAMAGED}", where):
        if (size := _directory_size(path)) > MAX_DIRECTORY:
            raise too_large(where, limit, f"a zip archive with {size:,} bytes of names of members")
        archive = zipfile.ZipFile(path)
    with archive:
        total = sum(info.file_size for info in archive.infolist())
        if total > limit:
            raise too_large(where, limit, f"{total:,} in a zip archive of {path.stat().st_size:,} bytes")
        yield archive


def member_content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> Iterator[bytes]:
    """The content of a member of a zip archive, in pieces.

    Raises:
        FileInvalid: it is damaged: compressed in an unknown way, encrypted, cut off, without its checksum, or not of
            the size that the archive says.
    """
    path, member = Path(archive.filename or ""), f"a zip archive whose member {shown(info.filename)!r}"
    damaged = f"{member} is {DAMAGED}"
    with _damage(path, damaged, where):
        stream = archive.open(_as_stored(info) if info.compress_type in _DECOMPRESS else info)
    chunks = _DECOMPRESS.get(info.compress_type, _plain)(stream)
    size = checksum = 0
    with stream:
        while True:
            with _damage(path, damaged, where):
                chunk = next(chunks, None)
            size += len(chunk or b"")
            checksum = zlib.crc32(chunk or b"", checksum)
            if size > info.file_size or (chunk is None and size < info.file_size):
                raise _damaged(path, f"{member} does not have its size of {info.file_size:,} bytes", where)
            if chunk is None and checksum != info.CRC:
                raise _damaged(path, f"{member} does not have its checksum", where)
            if chunk is None:
                return
            yield chunk


def check_size(content: Iterable[bytes]) -> None:
    """Unpack ``content`` and throw it away: damage and limits are noticed on the way."""
    deque(content, maxlen=0)


def write(content: Iterable[bytes], target: Path) -> Path:
    """Write ``content`` to the file ``target``, and leave nothing of it if that fails."""
    try:
        with target.open("wb") as out:
            out.writelines(content)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return target


@contextmanager
def _damage(path: Path, actual: str, where: str) -> Iterator[None]:
    """Turn whatever the decompressors raise into FileInvalid; but not what the disk does."""
    try:
        yield
    except EduError:
        raise
    except Exception as error:
        # bz2 raises OSError without a number; EINVAL is a place before the beginning of the file.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise _damaged(path, f"{actual} ({type(error).__name__}: {shown(error)})", where) from error


def _damaged(path: Path, actual: str, where: str) -> FileInvalid:
    return FileInvalid(
        where,
        f"expected a whole and readable file, found {actual}, {path.stat().st_size:,} bytes.",
        "Fetch the source again; if it stays so, tell the publisher. The previous release stays in use.",
    )


def _directory_size(path: Path) -> int:
    """The size of a zip archive's list of members, as its end says; 0 if it has no end."""
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - (1 << 16) - END.size))
        tail = stream.read()
    begin, begin_64 = tail.rfind(b"PK\x05\x06"), tail.rfind(b"PK\x06\x06")
    if begin_64 >= 0 and len(tail) >= begin_64 + END_64.size:
        return int(END_64.unpack_from(tail, begin_64)[1])
    return int(END.unpack_from(tail, begin)[1]) if 0 <= begin <= len(tail) - END.size else 0


def _as_stored(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """The member as it is packed. zipfile may unpack gigabytes at once, and stops at the size that the archive says."""
    packed = copy.copy(info)
    packed.compress_type, packed.file_size = zipfile.ZIP_STORED, info.compress_size
    del packed.CRC  # zipfile then checks none
    return packed


def _plain(stream: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: stream.read(CHUNK), b"")


def _deflated(stream: IO[bytes]) -> Iterator[bytes]:
    decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
    while not decompressor.eof:
        packed = decompressor.unconsumed_tail or stream.read(CHUNK)
        chunk = decompressor.decompress(packed, CHUNK)
        if not packed and not chunk and not decompressor.eof:
            raise EOFError("its end is missing")
        yield chunk


def _bzip2(stream: IO[bytes]) -> Iterator[bytes]:
    decompressor = bz2.BZ2Decompressor()
    while not decompressor.eof:
        packed = stream.read(CHUNK) if decompressor.needs_input else b""
        if decompressor.needs_input and not packed:
            raise EOFError("its end is missing")
        yield decompressor.decompress(packed, CHUNK)


_DECOMPRESS: dict[int, Callable[[IO[bytes]], Iterator[bytes]]] = {
    zipfile.ZIP_STORED: _plain,
    zipfile.ZIP_DEFLATED: _deflated,
    zipfile.ZIP_BZIP2: _bzip2,
}
"""By compression. zipfile itself unpacks LZMA, of which the 4 kB that it takes at once become some 30 MB at most."""
