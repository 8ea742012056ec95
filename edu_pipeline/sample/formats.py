"""The file formats that several publishers share: CSV in its dialects, zip.

Belongs here: writing a frame or members in such a format. Does not belong here: which file is in which
(`publishers/`), workbooks (`workbook.py`).
"""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Literal

import polars as pl

Quoting = Literal["all", "needed", "never"]
QUOTE_STYLES: dict[Quoting, Literal["always", "necessary", "never"]] = {
    "all": "always",
    "needed": "necessary",
    "never": "never",
}


def write_csv(
    frame: pl.DataFrame,
    target: Path | BinaryIO,
    *,
    delimiter: str = ";",
    bom: bool = False,
    quote: Quoting = "needed",
    decimal: Literal[".", ","] = ".",
    encoding: Literal["utf-8", "windows-1252"] = "utf-8",
    null: str = "",
    line_end: str = "\n",
) -> None:
    """Write a frame in one of the publishers' dialects of CSV.

    Args:
        quote: ``all`` quotes the header and every cell, nulls included.
        decimal: decimal mark in columns of floats.
        null: what is written for a null: nothing, ``NA``, ``None``, ...
    """
    written: BinaryIO | Path = io.BytesIO() if encoding != "utf-8" else target
    frame.write_csv(
        written,
        separator=delimiter,
        include_bom=bom,
        quote_style=QUOTE_STYLES[quote],
        decimal_comma=decimal == ",",
        null_value=null,
        line_terminator=line_end,
    )
    if isinstance(written, io.BytesIO) and written is not target:
        encoded = written.getvalue().decode("utf-8").encode(encoding)
        if isinstance(target, Path):
            target.write_bytes(encoded)
        else:
            target.write(encoded)


def write_zip(path: Path, members: Mapping[str, bytes | Path]) -> None:
    """Write a zip archive with the members in this order; the same members always give the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as out:
                if isinstance(content, bytes):
                    out.write(content)
                else:
                    with content.open("rb") as source:
                        shutil.copyfileobj(source, out, 1 << 20)
