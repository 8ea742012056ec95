"""Reading a publisher's file into a lazy frame of text, whatever its format.

Belongs here: CSV, gzip, a member of a zip, Parquet, JSON, GeoJSON, xlsx. Does not belong here: lines of
CSV that are not rows (``csv_lines.py``), what the columns mean (``loading/intake.py``).

All readers return the same kind of frame: columns named by the slug of the header, scalar cells as text (NULL where
empty), nested ones (lists, structs) unchanged, geometries as EWKB in hexadecimal.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import polars as pl
import shapely

from edu_pipeline import ewkb
from edu_pipeline.catalogue import File
from edu_pipeline.errors import FileInvalid, MemberMissing, shown
from edu_pipeline.normalise import slug
from edu_pipeline.sources.csv_lines import REFUSED, prepare
from edu_pipeline.sources.soundness import GZIP, PARQUET, ZIP
from edu_pipeline.sources.texts import CATALOGUE, listed
from edu_pipeline.sources.unpacking import check_size, gzip_content, member_content, open_zip, write
from edu_pipeline.sources.workbook import MARKER, check_workbook


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
    was expected is CSV, and so is a file that is named like CSV. A file that is named like JSON is JSON.
    """
    if _is_workbook(path):
        return "xlsx"
    if _magic(path) == PARQUET:
        return "parquet"
    name = path.name.lower()
    if name.endswith((".json", ".geojson")):
        return "geojson" if "geojson" in (name.rpartition(".")[2], file.format) else "json"
    return "csv" if file.format in ("xlsx", "parquet") or name.endswith((".csv", ".csv.gz")) else file.format


def _magic(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(4)


def _is_workbook(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return MARKER in archive.namelist()


def _unpacked(path: Path, file: File, scratch: Path, where: str) -> Path:
    """The file itself, or the file in it if it is gzip or zip.

    A workbook is left alone, and so is CSV in gzip, which polars unpacks while it reads, once their size is known.

    Raises:
        FileInvalid: it is damaged, or unpacks to more than ``max_unpacked_bytes``.
        MemberMissing: the zip archive has no member of the expected name.
    """
    where, magic = f"{where}, file {path.name}", _magic(path)
    if magic.startswith(GZIP):
        content = gzip_content(path, file.max_unpacked_bytes, where)
        if path.name.lower().endswith(".csv.gz") and file.encoding == "utf-8":
            check_size(content)
        else:
            path = write(content, scratch / re.sub(r"\.gz$", "", path.name, flags=re.IGNORECASE))
    elif magic.startswith(ZIP):
        with open_zip(path, file.max_unpacked_bytes, where) as archive:
            if MARKER not in archive.namelist():
                path = _member(archive, path, file, scratch, where)
    if _magic(path).startswith(ZIP):
        check_workbook(path, file.max_unpacked_bytes, where)
    return path


def _member(archive: zipfile.ZipFile, path: Path, file: File, scratch: Path, where: str) -> Path:
    names = [name for name in archive.namelist() if not name.endswith("/")]
    pattern = file.member or ".*"
    matching = sorted(name for name in names if re.fullmatch(pattern, Path(name).name, re.IGNORECASE))
    if not matching:
        raise MemberMissing(
            where,
            f"expected a member that matches {pattern!r}, found {shown(listed(names))}.",
            f"If the publisher renamed it, change `member` of {file.source} in {CATALOGUE}.",
        )
    target = scratch / f"{path.stem}-{Path(matching[-1]).name[-100:]}"
    return write(member_content(archive, archive.getinfo(matching[-1]), where), target)


def _csv(path: Path, file: File, scratch: Path, where: str) -> Read:
    """Read CSV. ``skip_rows`` and ``header_rows`` concern workbooks: a table converted to CSV has one header on top."""
    csv = prepare(path, file.encoding, file.delimiter, scratch, where)
    frame = pl.scan_csv(
        csv.path, separator=csv.delimiter, infer_schema=False, encoding="utf8", with_column_names=_unique_slugs
    )
    return Read(_as_text(frame), csv.refused, csv.skipped, csv.notes)


def _parquet(path: Path, file: File) -> pl.LazyFrame:
    """Read Parquet; binary columns are the geometries of GeoParquet, as WKB."""
    frame = pl.scan_parquet(path)
    names = frame.collect_schema().names()
    wkb = [name for name, kind in frame.collect_schema().items() if kind == pl.Binary]
    frame = frame.with_columns(pl.col(wkb).map_batches(_as_ewkb, pl.String))
    return _as_text(frame.rename(dict(zip(names, _unique_slugs(names), strict=True))))


def _as_ewkb(wkb: pl.Series) -> pl.Series:
    return ewkb.encoded(shapely.from_wkb(wkb.to_numpy())).alias(wkb.name)


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
