"""Reading a publisher's file into a lazy frame of text, whatever its format.

Belongs here: CSV, gzip, a member of a zip, Parquet, JSON, GeoJSON, xlsx. Does not belong here: lines of
CSV that are not rows (``csv_lines.py``), what the columns mean (``loading/intake.py``).

All readers return the same kind of frame: columns named by the slug of the header, scalar cells as text (NULL where
empty), nested ones unchanged but for lists, which are of text, geometries as EWKB in hexadecimal. Of columns with the
same slug the first has it alone; to the others their position is added (``prix#7``).
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import shapely

from edu_pipeline import ewkb
from edu_pipeline.catalogue import File
from edu_pipeline.errors import FileInvalid, MemberMissing, shown
from edu_pipeline.sources.csv_lines import REFUSED, header_of, prepare
from edu_pipeline.sources.headers import slugs
from edu_pipeline.sources.json_place import place_in_json
from edu_pipeline.sources.json_texts import check_geometries, check_no_nul, first_line
from edu_pipeline.sources.soundness import GZIP, PARQUET, ZIP
from edu_pipeline.sources.texts import CATALOGUE, listed
from edu_pipeline.sources.unpacking import check_size, gzip_content, member_content, open_zip, write
from edu_pipeline.sources.workbook import MARKER, check_workbook

TABLES = r".*\.(csv|tsv|json|geojson|parquet|xlsx|gz)"
"""Names of members of an archive that are tables, and not readmes."""

OF_A_MAC = re.compile(r"(^|/)(__MACOSX/|\._|\.DS_Store$)")
"""Files that a Mac adds to archives."""

UNREADABLE = (
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    shapely.errors.ShapelyError,
    ValueError,
    OSError,
    RuntimeError,
)
"""What libraries raise over a damaged file."""


@dataclass(frozen=True)
class Read:
    """A file as it was read.

    Attributes:
        frame: the rows, as text.
        refused: lines that are not rows, as ``csv_lines.REFUSED`` says; only of CSV.
        skipped: rule to the number of lines or fields that it left out; only of CSV.
        notes: what was done to the file, in sentences for the log.
        begins: its first line, for failure texts.
    """

    frame: pl.LazyFrame
    refused: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REFUSED))
    skipped: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    begins: str = ""


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
    with _unreadable(place, file, plain):
        kind = _format(plain, file)
        if kind == "csv":
            return _csv(plain, file, scratch, place)
        return _READERS[kind](plain, file, place)


def throw_away(result: Read) -> None:
    """Read all rows, and keep nothing."""
    result.frame.select(pl.all().count()).collect(engine="streaming")


def read_through(result: Read, path: Path, file: File, where: str, use: Callable[[Read], None] = throw_away) -> None:
    """Read all rows of ``result``: CSV and Parquet are read only when the rows are used.

    Args:
        path, file, where: as for ``read``.
        use: reads all rows, and raises what the libraries raise.

    Raises:
        FileInvalid: some of them cannot be read.
    """
    header = result.begins if path.name.lower().endswith((".csv", ".csv.gz")) else ""
    with _unreadable(f"{where}, file {path.name}", file, header=header):
        use(result)


@contextmanager
def _unreadable(where: str, file: File, plain: Path | None = None, header: str = "") -> Iterator[None]:
    """Turn what the libraries raise over a damaged file into one failure.

    Args:
        plain: the unpacked file, in which the place is looked for if it is JSON.
        header: of CSV whose lines have been looked at: what was taken for the names of its columns.
    """
    try:
        yield
    except UNREADABLE as error:
        is_json = plain is not None and _format(plain, file) in ("json", "geojson")
        place = f" in {place_in_json(plain, str(error))}" if plain and is_json else ""
        problem = f"expected {file.format} ({file.encoding}), found something that does not parse{place}"
        if header:
            problem = f"expected names of columns, found {shown(header)!r}, and lines that do not parse under it"
        raise FileInvalid(
            where,
            f"{problem}: {_first_line(error)}.",
            "Look at the file in the archive; if the publisher changed its format, change the source's entry in "
            "edu_pipeline/catalogue.toml.",
        ) from error


def _first_line(error: BaseException) -> str:
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
    """The member that the catalogue names; without a name, the only table beside readmes and a Mac's own files."""
    names = [name for name in archive.namelist() if not name.endswith("/") and not OF_A_MAC.search(name)]
    pattern = file.member or TABLES
    matching = sorted(name for name in names if re.fullmatch(pattern, Path(name).name, re.IGNORECASE))
    if not file.member and not matching and len(names) == 1:
        matching = names
    if not matching or (not file.member and len(matching) > 1):
        expected = f"a member that matches {pattern!r}" if file.member else "one table"
        raise MemberMissing(
            where,
            f"expected {expected}, found {shown(listed(names))}.",
            f"If the publisher renamed it, or put others beside it, change `member` of {file.source} in {CATALOGUE}.",
        )
    target = scratch / f"{path.stem}-{Path(matching[-1]).name[-100:]}"
    return write(member_content(archive, archive.getinfo(matching[-1]), where), target)


def _csv(path: Path, file: File, scratch: Path, where: str) -> Read:
    """Read CSV. ``skip_rows`` and ``header_rows`` concern workbooks: a table converted to CSV has one header on top."""
    csv = prepare(path, file.encoding, file.delimiter, scratch, where)
    header = header_of(csv.path, csv.delimiter, where)
    names = slugs(header, where)
    frame = pl.scan_csv(
        csv.path, separator=csv.delimiter, infer_schema=False, encoding="utf8", with_column_names=lambda _: names
    )
    return Read(_as_text(frame), csv.refused, csv.skipped, csv.notes, csv.delimiter.join(header))


def _parquet(path: Path, file: File, where: str) -> Read:
    """Read Parquet; binary columns are the geometries of GeoParquet, as WKB."""
    _check_parquet(path)
    frame = pl.scan_parquet(path)
    schema = frame.collect_schema()
    wkb = [name for name, kind in schema.items() if kind == pl.Binary]
    frame = frame.with_columns(pl.col(wkb).map_batches(_as_ewkb, pl.String))
    return Read(_as_text(_renamed(frame, schema.names(), where)), begins=", ".join(schema))


def _check_parquet(path: Path) -> None:
    """Decode all of a file by pyarrow 26, which raises an error where it is damaged.

    A damaged length makes polars 2.1 ask for more memory than there is, which ends the whole process.

    Raises:
        ValueError: it is damaged.
    """
    from pyarrow import ArrowException, parquet  # noqa: PLC0415 - it would be 3 % of every program's start, and few files are Parquet

    try:
        for _ in parquet.ParquetFile(path, memory_map=True).iter_batches():
            pass
    except ArrowException as error:
        raise ValueError(error) from error


def _as_ewkb(wkb: pl.Series) -> pl.Series:
    return ewkb.encoded(shapely.from_wkb(wkb.to_numpy())).alias(wkb.name)


def _json(path: Path, file: File, where: str) -> Read:
    check_no_nul(path, where)
    frame = pl.read_json(path, infer_schema_length=None)
    return Read(_as_text(_renamed(frame.lazy(), frame.columns, where)), begins=first_line(path))


def _geojson(path: Path, file: File, where: str) -> Read:
    """Properties as text, ``geometry`` as EWKB (WGS 84) in hexadecimal."""
    import geopandas  # noqa: PLC0415 - with pandas half a second, which most processes need not spend

    check_no_nul(path, where)
    features = geopandas.read_file(path, engine="pyogrio").to_crs(4326)
    check_geometries(path, features.geometry.isna().to_numpy(), where)
    properties = features.drop(columns="geometry")
    for name in properties.select_dtypes(object, exclude="str"):
        cells = properties[name]
        if any(isinstance(cell, np.ndarray) for cell in cells):  # of a kind of its own, an empty one of float
            properties[name] = [cell.tolist() if isinstance(cell, np.ndarray) else cell for cell in cells]
    try:
        frame = pl.from_pandas(properties)
    except TypeError as error:  # pyarrow's, of values of several kinds
        raise ValueError(error) from error
    shaped = _renamed(frame.lazy(), frame.columns, where).with_columns(ewkb.encoded(features.geometry.to_numpy()))
    return Read(_as_text(shaped), begins=first_line(path))


def _xlsx(path: Path, file: File, where: str) -> Read:
    sheet = {"sheet_name": file.sheet} if file.sheet else {"sheet_id": 1}
    cells = pl.read_excel(path, has_header=False, infer_schema_length=0, drop_empty_rows=False, **sheet)
    cells = cells[file.skip_rows :]
    header = [" - ".join(filter(None, texts)) for texts in _header_texts(cells, file.header_rows)]
    rows = cells[file.header_rows :].filter(~pl.all_horizontal(pl.all().is_null() | (pl.all() == "")))
    return Read(_as_text(_renamed(rows.lazy(), header, where)), begins=", ".join(header))


def _header_texts(cells: pl.DataFrame, header_rows: int) -> list[list[str]]:
    """The texts of the header rows of each column; a merged cell of an upper row counts for all columns below it."""
    upper: list[str] = [""] * header_rows
    columns = []
    for name in cells.columns:
        texts = [text or "" for text in cells[name][:header_rows].to_list()]
        upper = [text or (upper[row] if row < header_rows - 1 else "") for row, text in enumerate(texts)]
        columns.append(upper)
    return columns


_READERS: dict[str, Callable[[Path, File, str], Read]] = {
    "parquet": _parquet,
    "json": _json,
    "geojson": _geojson,
    "xlsx": _xlsx,
}


def _renamed(frame: pl.LazyFrame, header: list[str], where: str) -> pl.LazyFrame:
    """The frame with its columns named by the slugs of the header."""
    names = frame.collect_schema().names()
    return frame.rename(dict(zip(names, slugs(header, where), strict=True)))


def _as_text(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Scalars as stripped text, NULL where nothing is left; lists as lists of text, other nested columns unchanged."""
    schema = frame.collect_schema()
    scalar = [name for name, kind in schema.items() if not kind.is_nested()]
    lists = [name for name, kind in schema.items() if isinstance(kind, pl.List) and not kind.inner.is_nested()]
    stripped = frame.with_columns(
        pl.col(scalar).cast(pl.String).str.strip_chars(), pl.col(lists).cast(pl.List(pl.String))
    )
    return stripped.with_columns(pl.when(pl.col(scalar) != "").then(pl.col(scalar)).name.keep())
