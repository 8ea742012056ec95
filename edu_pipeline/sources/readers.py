"""Reading a publisher's file into a lazy frame of text, whatever its format.

Belongs here: CSV, gzip, a member of a zip, Parquet, JSON, GeoJSON, xlsx. Does not belong here: lines of
CSV that are not rows (``csv_lines.py``), what the columns mean (``loading/intake.py``).

All readers return the same kind of frame: columns named by the slug of the header, scalar cells as text (NULL where
empty), nested ones (lists, structs) unchanged, geometries as EWKB in hexadecimal.
"""

from __future__ import annotations

import gzip
import re
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import polars as pl

from edu_pipeline import ewkb
from edu_pipeline.catalogue import File
from edu_pipeline.errors import EXAMPLES, FileInvalid, MemberMissing, shown
from edu_pipeline.normalise import slug
from edu_pipeline.sources.csv_lines import REFUSED, prepare
from edu_pipeline.sources.soundness import GZIP, PARQUET


@dataclass(frozen=True)
class Read:
    """A file as it was read.

    Attributes:
        frame: the rows, as text.
        refused: lines that are not rows, as ``csv_lines.REFUSED`` says; only of CSV.
        skipped: rule to the number of lines or fields that it left out; only of CSV.
        notes: what was done to the file, in sentences for the log.
    """

    frame: pl.LazyFrame
    refused: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REFUSED))
    skipped: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read(path: Path, file: File, scratch: Path, where: str) -> Read:
    """The rows of the local file ``path``, as the catalogue's ``file`` says to read it.

    Args:
        scratch: folder for unpacked files; it must live as long as the frame is used.
        where: source and release, for the failure texts.

    Raises:
        FileInvalid: the file does not have its format.
        MemberMissing: the zip archive has no member of the expected name.
    """
    plain = _unpacked(path, file, scratch, where)
    place = f"{where}, file {path.name}"
    try:
        kind = _format(plain, file)
        if kind == "csv":
            return _csv(plain, file, scratch, place)
        return Read(_READERS[kind](plain, file))
    except (pl.exceptions.PolarsError, ValueError, OSError, RuntimeError) as error:
        raise FileInvalid(
            place,
            f"expected {file.format} ({file.encoding}), found something that does not parse: {_first_line(error)}.",
            "Look at the file in the archive; if the publisher changed its format, change the source's entry in "
            "edu_pipeline/catalogue.toml.",
        ) from error


def _first_line(error: Exception) -> str:
    return shown(str(error).strip().splitlines()[0]) if str(error).strip() else type(error).__name__


def _format(path: Path, file: File) -> str:
    """The format of the content, since publishers' tables also come converted.

    A workbook is a zip with a workbook in it, and Parquet has a magic number. A file that is neither where one of them
    was expected is CSV, and so is a file that is named like CSV.
    """
    if _is_workbook(path):
        return "xlsx"
    if _magic(path) == PARQUET:
        return "parquet"
    is_csv = file.format in ("xlsx", "parquet") or path.name.lower().endswith((".csv", ".csv.gz"))
    return "csv" if is_csv else file.format


def _magic(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(4)


def _is_workbook(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "xl/workbook.xml" in archive.namelist()


def _unpacked(path: Path, file: File, scratch: Path, where: str) -> Path:
    """The file itself, or the file in it if it is gzip or zip.

    A workbook is left alone, and so is CSV in gzip, which polars unpacks while it reads.
    """
    magic = _magic(path)
    if magic.startswith(GZIP):
        if path.name.lower().endswith(".csv.gz") and file.encoding == "utf-8":
            return path
        target = scratch / f"{path.name.removesuffix('.gz')}"
        try:
            with gzip.open(path) as packed, target.open("wb") as out:
                shutil.copyfileobj(packed, out, 1 << 20)
        except (EOFError, gzip.BadGzipFile) as error:
            raise FileInvalid(
                f"{where}, file {path.name}",
                f"expected a whole gzip file, found {path.stat().st_size:,} bytes that are cut off or damaged "
                f"({error}).",
                "Fetch the source again.",
            ) from error
        return target
    if magic.startswith(b"PK\x03\x04") and not _is_workbook(path):
        return _member(path, file, scratch, where)
    return path


def _member(path: Path, file: File, scratch: Path, where: str) -> Path:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        pattern = file.member or ".*"
        matching = sorted(name for name in names if re.fullmatch(pattern, Path(name).name, re.IGNORECASE))
        if not matching:
            raise MemberMissing(
                f"{where}, file {path.name}",
                f"expected a member that matches {pattern!r}, found {', '.join(names[:EXAMPLES]) or 'none'}.",
                f"If the publisher renamed it, change `member` of {file.source} in edu_pipeline/catalogue.toml.",
            )
        target = scratch / f"{path.stem}-{Path(matching[-1]).name}"
        with archive.open(matching[-1]) as packed, target.open("wb") as out:
            shutil.copyfileobj(packed, out, 1 << 20)
    return target


def _csv(path: Path, file: File, scratch: Path, where: str) -> Read:
    """Read CSV. ``skip_rows`` and ``header_rows`` concern workbooks: a table converted to CSV has one header on top."""
    csv = prepare(path, file.encoding, file.delimiter, scratch, where)
    frame = pl.scan_csv(
        csv.path, separator=csv.delimiter, infer_schema=False, encoding="utf8", with_column_names=_unique_slugs
    )
    return Read(_as_text(frame), csv.refused, csv.skipped, csv.notes)


def _parquet(path: Path, file: File) -> pl.LazyFrame:
    frame = pl.scan_parquet(path)
    names = frame.collect_schema().names()
    return _as_text(frame.rename(dict(zip(names, _unique_slugs(names), strict=True))))


def _json(path: Path, file: File) -> pl.LazyFrame:
    frame = pl.read_json(path, infer_schema_length=None)
    return _as_text(frame.rename(dict(zip(frame.columns, _unique_slugs(frame.columns), strict=True))).lazy())


def _geojson(path: Path, file: File) -> pl.LazyFrame:
    """Properties as text, ``geometry`` as EWKB (WGS 84) in hexadecimal."""
    import geopandas  # noqa: PLC0415 - with pandas half a second, which most processes need not spend

    features = geopandas.read_file(path, engine="pyogrio").to_crs(4326)
    properties = pl.from_pandas(features.drop(columns="geometry"))
    frame = properties.rename(dict(zip(properties.columns, _unique_slugs(properties.columns), strict=True)))
    return _as_text(frame.with_columns(ewkb.encoded(features.geometry.to_numpy())).lazy())


def _xlsx(path: Path, file: File) -> pl.LazyFrame:
    sheet = {"sheet_name": file.sheet} if file.sheet else {"sheet_id": 1}
    cells = pl.read_excel(path, has_header=False, infer_schema_length=0, drop_empty_rows=False, **sheet)
    cells = cells[file.skip_rows :]
    header = [" - ".join(filter(None, texts)) for texts in _header_texts(cells, file.header_rows)]
    rows = cells[file.header_rows :].filter(~pl.all_horizontal(pl.all().is_null() | (pl.all() == "")))
    return _as_text(rows.rename(dict(zip(cells.columns, _unique_slugs(header), strict=True))).lazy())


def _header_texts(cells: pl.DataFrame, header_rows: int) -> list[list[str]]:
    """The texts of the header rows of each column; a merged cell of an upper row counts for all columns below it."""
    upper: list[str] = [""] * header_rows
    columns = []
    for name in cells.columns:
        texts = [text or "" for text in cells[name][:header_rows].to_list()]
        upper = [text or (upper[row] if row < header_rows - 1 else "") for row, text in enumerate(texts)]
        columns.append(upper)
    return columns


_READERS: dict[str, Callable[[Path, File], pl.LazyFrame]] = {
    "parquet": _parquet,
    "json": _json,
    "geojson": _geojson,
    "xlsx": _xlsx,
}


def _unique_slugs(names: list[str]) -> list[str]:
    """Slugs of the names; the second of two equal ones gets ``_2`` at its end."""
    taken: set[str] = set()
    unique = []
    for name in names:
        base = slug(name.removeprefix("\ufeff")) or "column"
        candidates = (base if number == 1 else f"{base}_{number}" for number in count(1))
        chosen = next(candidate for candidate in candidates if candidate not in taken)
        taken.add(chosen)
        unique.append(chosen)
    return unique


def _as_text(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Scalars as stripped text, NULL where nothing is left; nested columns unchanged."""
    scalar = [name for name, kind in frame.collect_schema().items() if not kind.is_nested()]
    stripped = frame.with_columns(pl.col(scalar).cast(pl.String).str.strip_chars())
    return stripped.with_columns(pl.when(pl.col(scalar) != "").then(pl.col(scalar)).name.keep())
