"""Whether a file is whole and of the right kind, before it becomes a release.

Belongs here: the cheap checks that tell a truncated file or another one (an HTML page, an error in JSON) from the real
one. Does not belong here: reading its rows (``readers.py``), which columns it must have (``loading/intake.py``).
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path, PurePath
from typing import NoReturn

from edu_pipeline.catalogue import File
from edu_pipeline.errors import FileInvalid
from edu_pipeline.sources.texts import CATALOGUE, listed
from edu_pipeline.sources.unpacking import check_size, gzip_content, member_content, open_zip
from edu_pipeline.sources.workbook import MARKER, check_workbook

ENDS = 4096
"""How many bytes of the beginning and of the end are inspected."""

KINDS = {"csv", "parquet", "json", "geojson", "xlsx", "zip"}
GZIP = b"\x1f\x8b"
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
ZIP_END = b"PK\x05\x06"
GZIP_BITS = 31
"""What zlib calls a gzip file."""

PARQUET = b"PAR1"
SOUND_END = {"parquet": PARQUET, "json": b"]", "geojson": b"}", "csv": b"", "zip": ZIP_END, "xlsx": ZIP_END}
"""How a whole file ends: taken for the end where that is not known."""

HTML = re.compile(rb"(<\?xml[^>]*>\s*)?<(!doctype\s+html|html)\b", re.IGNORECASE)


def check_sound(path: Path, file: File, where: str, name: str | None = None) -> None:
    """Check that ``path`` is whole and of the right kind: that of its name's suffix, else of the catalogue's format.

    The suffix takes precedence because publishers' tables also come converted (a workbook as CSV), which the readers
    allow. A gzip file is decompressed and every member of a zip archive read, so that truncation is noticed now and not
    in the middle of a load, and that what unpacks to more than ``max_unpacked_bytes`` is refused. The content of a gzip
    file is checked like a plain file; the content of a zip archive is left to the readers, which know the member.

    Args:
        where: source and part, for the failure text.
        name: the name that the publisher gives the file; the name of ``path`` if unset.

    Raises:
        FileInvalid: it is empty, truncated, too large when unpacked, an HTML page or of another format; the text shows
            the first bytes.
    """
    kind = kind_of(name or path.name, file)
    head, tail = _ends(path)
    if not head:
        _refuse(where, f"a {kind} file", "an empty one (0 bytes)", head)
    if head.startswith(ZIP):
        _check_zip(path, kind, file.max_unpacked_bytes, where)
    elif kind in ("zip", "xlsx"):
        _refuse(where, f"a {kind} file that begins with PK", f"{_guess(head)} ({_size(path)})", head)
    elif head.startswith(GZIP):
        _check_content(
            *_gzip_ends(path, file.max_unpacked_bytes, where), kind, f"a {kind} file in the gzip file", where
        )
    else:
        _check_content(head, tail, kind, f"a {kind} file", where)


def check_ends(head: bytes, tail: bytes | None, file: File, where: str, name: str) -> None:
    """Check the kind of a file of which only the ends are known, as far as these allow; see ``check_sound``.

    Args:
        head: the first bytes.
        tail: the last bytes; None if they are not known.

    Raises:
        FileInvalid: as ``check_sound``.
    """
    kind = kind_of(name, file)
    if not head:
        _refuse(where, f"a {kind} file", "an empty one (0 bytes)", head)
    if head.startswith(ZIP):
        if tail is not None and ZIP_END not in tail:
            _refuse(where, f"a whole {kind} file", "a zip archive that is cut off (it has no list of members)", head)
    elif kind in ("zip", "xlsx"):
        _refuse(where, f"a {kind} file that begins with PK", _guess(head), head)
    elif head.startswith(GZIP):
        try:
            content = zlib.decompressobj(GZIP_BITS).decompress(head, ENDS)
        except zlib.error as error:
            _refuse(where, f"a {kind} file in a whole gzip file", f"a damaged gzip file ({error})", head)
        if content:
            _check_content(content, SOUND_END[kind], kind, f"a {kind} file in the gzip file", where)
    else:
        _check_content(head[:ENDS], SOUND_END[kind] if tail is None else tail, kind, f"a {kind} file", where)


def kind_of(name: str, file: File) -> str:
    """The kind that a file of this name should be: that of its suffix, else of the catalogue's format."""
    suffix = PurePath(name.lower().removesuffix(".gz")).suffix.removeprefix(".")
    return suffix if suffix in KINDS else file.format


def _ends(path: Path) -> tuple[bytes, bytes]:
    with path.open("rb") as stream:
        head = stream.read(ENDS)
        stream.seek(max(0, path.stat().st_size - ENDS))
        return head, stream.read(ENDS)


def _gzip_ends(path: Path, limit: int, where: str) -> tuple[bytes, bytes]:
    """First and last bytes of the content, all of which is decompressed on the way."""
    head = tail = b""
    for chunk in gzip_content(path, limit, where):
        head += chunk[: ENDS - len(head)]
        tail = (tail + chunk)[-ENDS:]
    return head, tail


def _check_zip(path: Path, kind: str, limit: int, where: str) -> None:
    head = _ends(path)[0]
    with open_zip(path, limit, where) as archive:
        names = archive.namelist()
        for info in archive.infolist():
            check_size(member_content(archive, info, where))
    if not names:
        _refuse(where, f"a {kind} file", "a zip archive without members", head)
    if kind == "xlsx" and "[Content_Types].xml" not in names:
        _refuse(where, "a workbook", f"a zip archive that is not a workbook, with {listed(names)}", head)
    if MARKER in names:
        check_workbook(path, limit, where)


def _check_content(head: bytes, tail: bytes, kind: str, expected: str, where: str) -> None:
    start = _text(head)
    actual = ""
    if not head:
        actual = "nothing"
    elif HTML.match(start):
        actual = "an HTML page"
    elif kind == "parquet":
        if not (head.startswith(PARQUET) and tail.endswith(PARQUET)):
            actual = f"{_guess(head)}, without PAR1 at both ends"
    elif kind in ("json", "geojson"):
        if not start.startswith((b"[", b"{")):
            actual = f"{_guess(head)}, which begins with neither [ nor {{"
        elif not tail.rstrip().endswith((b"]", b"}")):
            actual = "one that is cut off (it ends with neither ] nor })"
    elif head.startswith(PARQUET) or b"\0" in head or start.startswith((b"<?xml", b"%PDF", b'{"', b"[{")):
        actual = _guess(head)
    if actual:
        _refuse(where, expected, actual, head)


def _text(head: bytes) -> bytes:
    """``head`` without its byte order mark and leading blanks."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()


def _guess(head: bytes) -> str:
    """What a file that begins with ``head`` probably is, in words."""
    text = _text(head)
    if HTML.match(text):
        return "an HTML page"
    for magic, name in {
        GZIP: "a gzip file",
        PARQUET: "a parquet file",
        b"%PDF": "a PDF file",
        b"\xd0\xcf\x11\xe0": "an old Office file (.xls)",
        b"<?xml": "an XML document",
        b"{": "a JSON answer, often an error message",
        b"[": "a JSON answer",
    }.items():
        if text.startswith(magic):
            return name
    return "binary data" if b"\0" in head else "text"


def _size(path: Path) -> str:
    return f"{path.stat().st_size:,} bytes"


def _refuse(where: str, expected: str, found: str, head: bytes) -> NoReturn:
    first_bytes = f"; first bytes: {head[:60]!r}" if head else ""
    raise FileInvalid(
        where,
        f"expected {expected}, found {found}{first_bytes}.",
        "Open the source's landing page: if the publisher has moved or changed the file, change the source's entry in "
        f"{CATALOGUE}; else fetch it again. The previous release stays in use.",
    )
