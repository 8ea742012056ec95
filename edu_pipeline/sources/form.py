"""What the first kilobytes of a file say of its form: its columns, and whether it has rows.

Belongs here: unpacking and completing a beginning, so that the readers can read it. Does not belong here: receiving it
(``beginnings.py``), reading (``readers.py``), comparing columns with contracts (``loading/source_check.py``).
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from edu_pipeline.catalogue import File
from edu_pipeline.errors import FileInvalid, shown
from edu_pipeline.sources.readers import read
from edu_pipeline.sources.soundness import GZIP, GZIP_BITS, PARQUET, ZIP, check_ends, kind_of

MOST_UNPACKED = 1 << 20
"""Bytes that are unpacked of a compressed beginning."""

LOCAL_HEADER = struct.Struct("<4sHHHHHIIIHH")
"""What precedes a member in a zip archive: signature, version, flags, method, time, date, CRC, both sizes, lengths."""

EXTRA_WITH_SIZES = struct.Struct("<HHQQ")
"""An extra field of a member: its kind, its length, and the two sizes if that is its kind."""

EXTRA_START, SIZES, IN_EXTRA = 4, 1, 0xFFFFFFFF
STORED, DEFLATED = 0, 8
SIZE_FOLLOWS, NAME_IS_UTF8 = 0x8, 0x800
"""Flags of a member: its size is only given after its content; its name is UTF-8."""

FEATURES = re.compile(r'"features"\s*:\s*\[')
BETWEEN = re.compile(r"[\s,]*")


@dataclass(frozen=True)
class Part:
    """The first bytes of a file.

    Attributes:
        name: the file's name.
        is_whole: whether that is all.
        tail: the last bytes; None if they are not known.
    """

    content: bytes
    name: str
    is_whole: bool
    tail: bytes | None = None


@dataclass(frozen=True)
class Form:
    """What the beginning of a file says.

    Attributes:
        columns: slugs of the header, in the file's order; None if they could not be read.
        unchecked: why they could not; empty if they could.
        has_rows: whether there is a row; None if that is not known.
        is_cut: whether the last line has fewer fields than the header.
    """

    columns: tuple[str, ...] | None = None
    unchecked: str = ""
    has_rows: bool | None = None
    is_cut: bool = False


def form_of(part: Part, file: File, scratch: Path, where: str) -> Form:
    """The form of a file, as far as its beginning allows.

    Args:
        scratch: an empty folder.
        where: source and part, for the failure texts.

    Raises:
        FileInvalid: it is another kind of file than the catalogue says.
        MemberMissing: the whole archive is known, and has no such member.
    """
    check_ends(part.content, part.tail, file, where, part.name)
    try:
        unpacked = _unpacked(part, file)
        if isinstance(unpacked, str):
            return Form(unchecked=unpacked)
        complete = _completed(unpacked, file)
        if isinstance(complete, str):
            return Form(unchecked=complete)
        path = scratch / complete.name
        path.write_bytes(complete.content)
        frame = read(path, file, scratch, where).frame
        columns = tuple(frame.collect_schema().names())
        rows = frame.select(columns[0]).head(1).collect().height if columns else 0
    except (pl.exceptions.PolarsError, zlib.error) as error:
        raise FileInvalid(
            where,
            f"expected a {file.format} file that can be read, found {shown(str(error).strip().partition(chr(10))[0])}.",
            "Open the file; if the publisher has changed its form, change the source's entry in "
            "edu_pipeline/catalogue.toml.",
        ) from error
    has_rows = True if rows else False if part.is_whole else None
    return Form(columns, "", has_rows, _is_cut(unpacked, complete, part.tail if unpacked is part else None))


def _unpacked(part: Part, file: File) -> Part | str:
    """The beginning of what is packed in a gzip file or zip archive; or why it is not known."""
    if part.content.startswith(GZIP):
        stream = zlib.decompressobj(GZIP_BITS)
        content = stream.decompress(part.content, MOST_UNPACKED)
        if part.is_whole and not stream.eof and not stream.unconsumed_tail:
            raise zlib.error("the gzip file is cut off")
        return Part(content, part.name.removesuffix(".gz"), stream.eof)
    if part.content.startswith(ZIP) and not part.is_whole:
        if file.member is None:
            return "a workbook cannot be read from its beginning"
        return _member(part.content, file.member) or f"no member {file.member!r} in the first kilobytes of the archive"
    return part


def _member(archive: bytes, pattern: str) -> Part | None:
    """The beginning of the first member whose name matches, if the beginning of the archive has it."""
    position = 0
    while archive[position : position + 4] == ZIP[0] and len(archive) >= position + LOCAL_HEADER.size:
        _, _, flags, method, _, _, _, packed, _, name_length, extra = LOCAL_HEADER.unpack_from(archive, position)
        begin = position + LOCAL_HEADER.size + name_length + extra
        raw_name = archive[position + LOCAL_HEADER.size :][:name_length]
        name = Path(raw_name.decode("utf-8" if flags & NAME_IS_UTF8 else "cp437", "replace")).name
        if re.fullmatch(pattern, name, re.IGNORECASE):
            return _unpacked_member(archive[begin:], name, method, packed if not flags & SIZE_FOLLOWS else None)
        size = _packed_size(packed, archive[begin - extra : begin])
        position = archive.find(ZIP[0], begin) if flags & SIZE_FOLLOWS else begin + size
    return None


def _packed_size(packed: int, extra: bytes) -> int:
    """The size of a member: that of its header, or of the extra fields if the header says that it is there."""
    position = 0
    while packed == IN_EXTRA and position + EXTRA_WITH_SIZES.size <= len(extra):
        kind, length, _, size = EXTRA_WITH_SIZES.unpack_from(extra, position)
        if kind == SIZES:
            return int(size)
        position += EXTRA_START + length
    return packed


def _unpacked_member(data: bytes, name: str, method: int, packed: int | None) -> Part | None:
    if method == DEFLATED:
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        return Part(stream.decompress(data, MOST_UNPACKED), name, stream.eof)
    if method == STORED and packed is not None:
        return Part(data[:packed], name, packed <= len(data))
    return None


def _completed(part: Part, file: File) -> Part | str:
    """The beginning as a small file that is whole; or why that cannot be made of it."""
    if part.is_whole:
        return part
    kind = kind_of(part.name, file)
    if part.content.startswith((*ZIP, PARQUET)) or kind in ("xlsx", "parquet"):
        return f"a {'workbook' if kind == 'xlsx' else kind} file cannot be read from its beginning"
    if kind in ("json", "geojson"):
        entries = _entries(part.content.decode("utf-8-sig", "ignore"), kind)
        if not entries:
            return "the first entry is larger than the first kilobytes"
        content: Any = entries if kind == "json" else {"type": "FeatureCollection", "features": entries}
        return replace(part, content=json.dumps(content, ensure_ascii=False).encode(), is_whole=True)
    end = part.content.rfind(b"\n") + 1
    while end and part.content[:end].count(b'"') % 2:
        end = part.content.rfind(b"\n", 0, end - 1) + 1
    if not end:
        return "the header is longer than the first kilobytes"
    return replace(part, content=part.content[:end], is_whole=True)


def _entries(text: str, kind: str) -> list[Any]:
    """The entries of a list, or the features of a collection, that are there whole."""
    opening = FEATURES.search(text) if kind == "geojson" else re.search(r"\[", text)
    entries: list[Any] = []
    position = opening.end() if opening else len(text)
    while True:
        between = BETWEEN.match(text, position)
        assert between is not None
        try:
            entry, position = json.JSONDecoder().raw_decode(text, between.end())
        except ValueError:
            return entries
        entries.append(entry)


def _is_cut(part: Part, complete: Part, tail: bytes | None) -> bool:
    """Whether the last line of a CSV file has fewer fields than its header.

    Where quotes make that uncertain, it is taken to be whole.
    """
    end = part.content if part.is_whole else tail
    if end is None or b"\n" not in end or not complete.name.lower().endswith(".csv"):
        return False
    header = complete.content.partition(b"\n")[0]
    last = end.rstrip(b"\r\n").rpartition(b"\n")[2]
    if b'"' in header + last or header == last:
        return False
    delimiter = max((b";", b",", b"\t", b"|"), key=header.count)
    return bool(last.strip()) and last.count(delimiter) < header.count(delimiter)
