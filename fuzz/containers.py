"""Files in containers (gzip, zip, Parquet, workbook), whole and damaged.

Belongs here: packing a table, and damage to packed bytes. Does not belong here: damage to a table (`mutations.py`), or
to JSON (`json_damage.py`).
"""

from __future__ import annotations

import gzip
import io
import random
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from edu_pipeline.sample.workbook import write_workbook

Rows = Sequence[Sequence[str]]
"""The header and the rows of a table."""


def _gzip(rows: Rows, content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def _zip(rows: Rows, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("LISEZMOI.txt", "à lire")
        archive.writestr("rows.csv", content)
    return packed.getvalue()


def _zip_of_a_mac(rows: Rows, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.csv", content)
        archive.writestr("__MACOSX/._rows.csv", b"\0\x05\x16\x07\0\x02\0\0Mac OS X        ")
    return packed.getvalue()


def _parquet(rows: Rows, content: bytes) -> bytes:
    packed = io.BytesIO()
    _frame(rows).write_parquet(packed)
    return packed.getvalue()


def _workbook(rows: Rows, content: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.xlsx"
        write_workbook(path, {"Feuil1": _frame(rows)}, [])
        return path.read_bytes()


def _frame(rows: Rows) -> pl.DataFrame:
    return pl.DataFrame(rows[1:], dict.fromkeys(rows[0], pl.String), orient="row")


FORMS: dict[str, tuple[str, Callable[[Rows, bytes], bytes]]] = {
    "gzip": (".csv.gz", _gzip),
    "zip": (".zip", _zip),
    "zip of a Mac": (".zip", _zip_of_a_mac),
    "parquet": (".parquet", _parquet),
    "workbook": (".xlsx", _workbook),
}
"""Forms of a table: the ending of the file's name, and what packs its rows or its bytes as CSV."""

WITH_CHECKSUM = {"gzip", "zip", "zip of a Mac"}
"""Forms that cannot be damaged so that other values are read."""


def _flipped(rng: random.Random, content: bytes) -> bytes:
    """With up to twenty other bytes in the middle half."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 3, 20))):
        changed[rng.randrange(len(content) // 4, max(3 * len(content) // 4, len(content) // 4 + 1))] = rng.randrange(
            256
        )
    return bytes(changed)


def _hole(rng: random.Random, content: bytes) -> bytes:
    """With zeros in one place, as a disk leaves them."""
    begin, size = rng.randrange(len(content)), rng.randrange(1, 1 + len(content) // 4)
    return content[:begin] + bytes(len(content[begin : begin + size])) + content[begin + size :]


DAMAGE: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "cut off": lambda rng, content: content[: rng.randrange(len(content))],
    "flipped": _flipped,
    "hole": _hole,
    "wrong magic": lambda rng, content: (
        rng.choice((b"PK\3\4", b"\x1f\x8b\x08\0", b"PAR1", b"<htm", b"\0\0\0\0")) + content[4:]
    ),
    "begin lost": lambda rng, content: content[rng.randrange(1, len(content)) :],
    "more behind": lambda rng, content: content + rng.randbytes(rng.choice((1, 100, 70_000))),
}
