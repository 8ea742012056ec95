"""What a CSV file holds besides a header and whole rows, found before it is parsed.

Belongs here: encoding, line ends, lines above the header, blank lines, rows with too few or too many fields, unclosed
quotes; and a clean copy of a file that has any of these. Does not belong here: parsing (``readers.py``).

Nothing is guessed in silence: a line that is not a row is counted under the name of the rule that skips it, or refused
with its number; a file that cannot be read is an error with the line.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import NoReturn

import polars as pl

from edu_pipeline.errors import FileInvalid, shown

DELIMITERS = ";,\t|"

SAMPLE = 200
"""Lines from which the delimiter and the header are found."""

MAX_COLUMNS = 5_000
"""More columns than any publisher's file has; such a file is something else."""

BLANK, ABOVE, SURPLUS = "blank lines", "lines above the header", "empty surplus fields"
"""The rules by which lines, or fields, are skipped."""

REFUSED = pl.Schema({"line": pl.Int64(), "reason": pl.String(), "text": pl.String()})
"""Columns of the refused lines: the number in the file, why, and the beginning of the text."""

SEP = re.compile(r'^"?sep=(.)"?$', re.IGNORECASE)
LONE_RETURN = re.compile(rb"\r(?!\n)")
QUOTED, EMPTY, ESCAPED = r'"[^"]*"', r'"\s*"', '"""'


@dataclass(frozen=True)
class CsvFile:
    """A CSV file that can be parsed: UTF-8, the header first, every row with as many fields as the header.

    Attributes:
        path: the file itself, or its clean copy.
        delimiter: what separates the fields.
        refused: lines that are not rows, as ``REFUSED`` says.
        skipped: rule to how many lines or fields it has skipped.
        notes: what was done to the file, in sentences for the log.
    """

    path: Path
    delimiter: str
    refused: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REFUSED))
    skipped: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Header:
    """Where the rows begin: the header's line, its number of fields, and the delimiter."""

    line: int
    columns: int
    delimiter: str


def prepare(path: Path, encoding: str, delimiter: str | None, scratch: Path, where: str) -> CsvFile:
    """Find out what is in the file, and make a clean copy if it is not a header and whole rows alone.

    Args:
        encoding: the one that the catalogue expects, ``utf-8`` or ``windows-1252``.
        delimiter: the one that the catalogue gives; None: found in the file.
        scratch: folder for copies.
        where: source, release and file, for the failure texts.

    Raises:
        FileInvalid: the file is empty, cannot be decoded, has a quote that is never closed, or most of its lines are
            not rows.
    """
    notes: tuple[str, ...] = ()
    try:
        return _prepared(path, delimiter, scratch, where)
    except pl.exceptions.ComputeError:  # polars reads UTF-8 only
        path, notes = _as_utf8(path, encoding, scratch, where)
    csv_file = _prepared(path, delimiter, scratch, where)
    return replace(csv_file, notes=(*notes, *csv_file.notes))


LONGEST_NAME = 10_000
"""Most characters of a column's name."""


def header_of(path: Path, delimiter: str, where: str) -> list[str]:
    """The names in the first record of a file that ``prepare`` has returned.

    Raises:
        FileInvalid: a name is far too long.
    """
    with _open(path) as packed, io.TextIOWrapper(packed, encoding="utf-8-sig", newline="") as text:
        try:
            names = next(csv.reader(text, delimiter=delimiter))
        except csv.Error as error:
            _refuse(where, f"expected names of columns in the first line, found something else ({error})")
    longest = max(map(len, names))  # other code in the process may have lifted the limit of the csv module
    if longest > LONGEST_NAME:
        _refuse(where, f"expected names of columns in the first line, found one of {longest:,} characters")
    return names


def _prepared(path: Path, delimiter: str | None, scratch: Path, where: str) -> CsvFile:
    path, notes = _with_line_feeds(path, scratch)
    header = _header(path, delimiter, where)
    clean, refused, skipped = _examine_lines(path, header, scratch, where)
    if header.line > 1:
        skipped = {ABOVE: header.line - 1} | skipped
    return CsvFile(clean, header.delimiter, refused, skipped, notes)


def _lines(path: Path, header: _Header | None = None) -> pl.LazyFrame:
    """The lines of a file with their numbers; those from the header on, if it is known."""
    lines = pl.scan_lines(path, row_index_name="number", row_index_offset=1)
    return lines.filter(pl.col("number") >= header.line) if header else lines


def _open(path: Path) -> gzip.GzipFile | io.BufferedReader:
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")


# --- encoding and line ends


def _as_utf8(path: Path, encoding: str, scratch: Path, where: str) -> tuple[Path, tuple[str, ...]]:
    """A copy of the file in UTF-8, and what was done to it."""
    line, text = _first_wrong_line(path)
    target = scratch / f"{path.name.removesuffix('.gz')}.utf8"
    try:
        with _open(path) as packed, target.open("w", encoding="utf-8", newline="") as out:
            for text_block in codecs.iterdecode(iter(lambda: packed.read(1 << 20), b""), "windows-1252"):
                out.write(text_block)
    except UnicodeDecodeError:
        _refuse(where, f"expected UTF-8 or windows-1252, found neither in line {line}: {shown(text.decode('latin-1'))}")
    expected = () if encoding == "windows-1252" else (f"read as windows-1252: line {line} is not UTF-8",)
    return target, expected


def _first_wrong_line(path: Path) -> tuple[int, bytes]:
    """The number and the beginning of the first line that is not UTF-8; of the last line if all are."""
    with _open(path) as stream:
        for number, line in enumerate(stream, 1):
            if not _is_utf8(line):
                return number, line[:SAMPLE]
    return number, line[:SAMPLE]


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _with_line_feeds(path: Path, scratch: Path) -> tuple[Path, tuple[str, ...]]:
    """The file with line feeds, if its lines end in carriage returns alone, as old spreadsheets write."""
    with _open(path) as stream:
        begin = stream.read(1 << 20)
    if begin.count(b"\r") - begin.count(b"\r\n") <= begin.count(b"\n"):
        return path, ()
    target = scratch / f"{path.name.removesuffix('.gz')}.lf"
    with _open(path) as packed, target.open("wb") as out:
        while block := packed.read(1 << 20):
            while block.endswith(b"\r") and (more := packed.read(1)):
                block += more
            out.write(LONE_RETURN.sub(b"\n", block))
    return target, ("its lines end in carriage returns",)


# --- the header


def _header(path: Path, delimiter: str | None, where: str) -> _Header:
    """The first line that has as many fields as most lines, and names in more than one of them."""
    lines = list(_logical(_lines(path).limit(SAMPLE).collect().rows()))
    if not any(text.strip() for _, text in lines):
        _refuse(where, "expected a header and rows, found no text")
    first = 0
    if match := SEP.match(lines[0][1]):
        first, delimiter = 1, match.group(1)
    delimiter = delimiter or _delimiter([text for _, text in lines[first:]])
    usual = _usual([len(_fields(text, delimiter)) for _, text in lines[first:] if not _is_blank(text, delimiter)])
    if usual > MAX_COLUMNS:
        _refuse(where, f"expected at most {MAX_COLUMNS:,} columns, found {usual:,}")
    for number, text in lines[first:]:
        names = [name for name in _fields(text, delimiter, quoted="name") if name.strip()]
        if len(_fields(text, delimiter)) == usual and (len(names) > 1 or usual < 3):
            return _Header(number, usual, delimiter)
    number, text = lines[first]
    return _Header(number, len(_fields(text, delimiter)), delimiter)


def _logical(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Lines with those joined that a quote spans, each with the number of the first."""
    begin = 0
    texts: list[str] = []
    for number, line in lines:
        begin = begin if texts else number
        texts.append(line.removeprefix("\ufeff"))
        joined = "\n".join(texts)
        if joined.count('"') % 2 == 0:
            yield begin, joined
            texts = []
    if texts:
        yield begin, texts[0]


def _delimiter(lines: list[str]) -> str:
    """The delimiter that splits most lines into the same number of fields, and into the most."""

    def agreement(delimiter: str) -> tuple[int, int]:
        counts = [len(_fields(line, delimiter)) for line in lines if line.strip()]
        usual = _usual(counts)
        return (usual - 1) * counts.count(usual), usual

    return max(DELIMITERS, key=agreement)


def _usual(counts: list[int]) -> int:
    """The most frequent number; of equally frequent ones the first."""
    return max(Counter(counts).items(), key=lambda item: item[1], default=(1, 0))[0]


def _fields(line: str, delimiter: str, quoted: str = "") -> list[str]:
    """The fields of a line; what is quoted is replaced, but for blanks."""
    return re.sub(QUOTED, quoted, re.sub(EMPTY, "", line)).split(delimiter)


def _is_blank(line: str, delimiter: str) -> bool:
    return ESCAPED not in line and not re.sub(EMPTY, "", line).strip(f"{delimiter} \t\r")


# --- the rows


Examined = tuple[Path, pl.DataFrame, dict[str, int]]
"""The clean file, the refused lines, and what was skipped."""


def _examine_lines(path: Path, header: _Header, scratch: Path, where: str) -> Examined:
    """Examine a file line by line, which polars does at the speed of parsing; by record if a quote spans lines.

    Most lines are plain: to count their quotes and delimiters takes a fraction of the time that patterns take.
    """
    bare = pl.col("line").str.replace_all(QUOTED, "")
    fields = bare.str.count_matches(header.delimiter, literal=True) + 1
    surplus = (fields.cast(pl.Int64) - header.columns).clip(0)
    tail = pl.col("line").str.extract(f"({re.escape(header.delimiter)}*)$").str.len_chars()
    lines = _lines(path, header).with_columns(
        fields=fields,
        blank=(pl.col("line").str.replace_all(EMPTY, "").str.strip_chars(f"{header.delimiter} \t\r") == "")
        & ~pl.col("line").str.contains(ESCAPED, literal=True),
        surplus=pl.when((surplus > 0) & (tail >= surplus)).then(surplus).otherwise(0),
    )
    strange = (pl.col("line").str.count_matches('"') % 2 == 1) | pl.col("line").str.contains("\0", literal=True)
    wrong = ~pl.col("blank") & (pl.col("fields").cast(pl.Int64) - pl.col("surplus") != header.columns)
    unusual = pl.col("blank") | wrong | (pl.col("surplus") > 0) | strange
    odd = lines.filter(~_is_plain(header)).filter(unusual).collect(engine="streaming")
    for number, line in odd.filter(strange).select("number", "line").iter_rows():
        if "\0" in line:
            _refuse(where, f"expected text, found a NUL byte in line {number}: {shown(line)}")
        return _examine_records(path, header, scratch, where)
    if odd.is_empty() and header.line == 1:
        return path, pl.DataFrame(schema=REFUSED), {}
    refused = (
        odd.filter(wrong)
        .rechunk()
        .select(
            line=pl.col("number").cast(pl.Int64),
            reason=pl.format(f"expected {header.columns} fields, found {{}}", "fields"),
            text=pl.col("line").map_elements(shown, pl.String),
        )
    )
    rows = lines.filter(~pl.col("blank") & ~wrong)
    kept = pl.col("line").str.head(pl.col("line").str.len_chars() - pl.col("surplus"))
    target = scratch / f"{path.name.removesuffix('.gz')}.clean.csv"
    rows.select(kept).sink_csv(target, include_header=False, quote_style="never", separator="\x01")
    _check_refused(refused, int(lines.select(pl.len()).collect(engine="streaming").item()), header, where)
    return target, refused, _counts(int(odd["blank"].sum()), int(odd.filter(~pl.col("blank"))["surplus"].sum()))


def _is_plain(header: _Header) -> pl.Expr:
    """Whether a line is a row in which either nothing is quoted, or every field as a whole, without quotes in it."""
    line, mark = pl.col("line"), header.delimiter

    def number(of: str) -> pl.Expr:
        return line.str.count_matches(of, literal=True)

    bare = number('"') == 0
    quoted = (
        (number('"') == 2 * header.columns)
        & (number(f'"{mark}"') == header.columns - 1)
        & line.str.starts_with('"')
        & line.str.ends_with('"')
    )
    has_text = line.str.strip_chars(f'{mark} "\t\r') != ""
    return (number(mark) == header.columns - 1) & (bare | quoted) & has_text & ~line.str.contains("\0", literal=True)


def _examine_records(path: Path, header: _Header, scratch: Path, where: str) -> Examined:
    """Examine a file with line ends inside quotes, or with a quote too many, record by record."""
    target = scratch / f"{path.name.removesuffix('.gz')}.clean.csv"
    refused: list[tuple[int, str, str]] = []
    blank = surplus = total = 0
    with target.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, delimiter=header.delimiter, lineterminator="\n")
        for line, record in _records(path, header, where):
            total += 1
            extra = len(record) - header.columns
            if not any(value.strip() for value in record):
                blank += 1
            elif extra < 0 or any(record[header.columns :]):
                reason = f"expected {header.columns} fields, found {len(record)}"
                refused.append((line, reason, shown(header.delimiter.join(record))))
            else:
                surplus += extra
                writer.writerow(record[: header.columns])
    lines = pl.DataFrame(refused, schema=REFUSED, orient="row")
    _check_refused(lines, total, header, where)
    return target, lines, _counts(blank, surplus)


def _records(path: Path, header: _Header, where: str) -> Iterator[tuple[int, list[str]]]:
    """The records of a file, from the header on, with the line at which each begins.

    Raises:
        FileInvalid: a quote is never closed, or closed by that of another record.
    """
    with _open(path) as packed:
        text = io.TextIOWrapper(packed, encoding="utf-8-sig", newline="")
        reader = csv.reader(islice(text, header.line - 1, None), delimiter=header.delimiter, strict=True)
        begin = header.line
        while True:
            try:
                record = next(reader, None)
            except csv.Error as error:
                _refuse(where, f"expected every quote to be closed, found one in line {begin} that is not ({error})")
            if record is None:
                return
            end = header.line - 1 + reader.line_num
            if end > begin and len(record) != header.columns:
                first = shown(header.delimiter.join(record).splitlines()[0])
                _refuse(where, f"expected every quote to be closed, found one in line {begin} that is not: {first}")
            yield begin, record
            begin = end + 1


def _counts(blank: int, surplus: int) -> dict[str, int]:
    return {rule: count for rule, count in ((BLANK, blank), (SURPLUS, surplus)) if count}


def _check_refused(refused: pl.DataFrame, lines: int, header: _Header, where: str) -> None:
    """That most lines below the header are rows."""
    if 2 * refused.height > lines - 1:
        line, reason, text = refused.row(0)
        _refuse(
            where,
            f"expected rows of {header.columns} fields separated by {header.delimiter!r}, as in line {header.line}, "
            f"found {refused.height:,} of {lines:,} lines that are not, the first in line {line} ({reason}): {text}",
        )


def _refuse(where: str, problem: str) -> NoReturn:
    raise FileInvalid(
        where,
        f"{problem}.",
        "Open the file at that line. If the publisher has changed its form, change the source's entry in "
        "edu_pipeline/catalogue.toml; otherwise fetch it again or save it again as CSV in UTF-8. "
        "The previous release stays in use.",
    )
