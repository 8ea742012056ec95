"""Which files are refused before they become a release, and with what text.

Belongs here: a file of each kind, whole and damaged. Does not belong here: reading rows, downloading.
"""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import polars as pl
import pytest

from edu_pipeline.catalogue import File, Format
from edu_pipeline.errors import FileInvalid
from edu_pipeline.sources.soundness import check_sound

WHERE = "a-source, https://example.org/f"
CSV = "﻿code;nom\n01004;Ambérieu-en-Bugey\n".encode()


def a_file(format: Format, member: str | None = None) -> File:
    return File(source="a-source", part="main", format=format, name=".*", supplied=True, member=member)


def a_zip(names: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in names.items():
            archive.writestr(name, content)
    return out.getvalue()


def a_parquet() -> bytes:
    out = io.BytesIO()
    pl.DataFrame({"code": ["01004"]}).write_parquet(out)
    return out.getvalue()


def name_of_case(value: object) -> str:
    """A name that is the same in every worker: gzip, zip and parquet content differs from second to second."""
    return value if isinstance(value, str) else "content"


WORKBOOK = a_zip({"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<workbook/>"})


def check(tmp_path: Path, content: bytes, format: Format, name: str = "download", member: str | None = None) -> None:
    path = tmp_path / "received"
    path.write_bytes(content)
    check_sound(path, a_file(format, member), WHERE, name)


@pytest.mark.parametrize(
    ("format", "name", "content"),
    [
        ("csv", "f.csv", CSV),
        ("csv", "f.csv", "UAI;Libellé\r\n".encode("windows-1252")),
        ("csv", "f.csv.gz", gzip.compress(CSV)),
        ("csv", "f.csv.gz", CSV),  # a server that undoes the compression by Content-Encoding
        ("csv", "f.zip", a_zip({"f.csv": CSV})),
        ("parquet", "f.parquet", a_parquet()),
        ("json", "f", b'\n[{"nom": "Ain"}]\n'),
        ("geojson", "f.geojson.gz", gzip.compress(b'\xef\xbb\xbf{"type": "FeatureCollection", "features": []}')),
        ("xlsx", "f.xlsx", WORKBOOK),
        ("xlsx", "f.zip", a_zip({"f.xlsx": WORKBOOK})),
        ("xlsx", "converted.csv", CSV),
        ("csv", "converted.xlsx", WORKBOOK),
    ],
    ids=name_of_case,
)
def test_sound_files_pass(tmp_path: Path, format: Format, name: str, content: bytes) -> None:
    check(tmp_path, content, format, name)


@pytest.mark.parametrize("format", ["csv", "json", "geojson", "parquet", "xlsx"])
@pytest.mark.parametrize(
    "page",
    [b"<!DOCTYPE html><html>", b"\xef\xbb\xbf \r\n<HTML lang='fr'>", b'<?xml version="1.0"?>\n<!doctype html>'],
)
def test_an_html_page_is_refused_as_any_kind_of_file(tmp_path: Path, format: Format, page: bytes) -> None:
    with pytest.raises(FileInvalid, match="an HTML page"):
        check(tmp_path, page, format)


def test_an_html_page_in_a_gzip_file_is_found(tmp_path: Path) -> None:
    with pytest.raises(FileInvalid, match="an HTML page"):
        check(tmp_path, gzip.compress(b"<html>maintenance</html>"), "csv", "f.csv.gz")


@pytest.mark.parametrize("format", ["csv", "json", "parquet", "xlsx"])
def test_an_empty_file_is_refused(tmp_path: Path, format: Format) -> None:
    with pytest.raises(FileInvalid, match="an empty one"):
        check(tmp_path, b"", format)


@pytest.mark.parametrize("keep", [0.5, 0.9, 0.999])
def test_a_truncated_gzip_file_is_refused(tmp_path: Path, keep: float) -> None:
    whole = gzip.compress(bytes(range(256)).hex().encode() * 20_000, compresslevel=1)
    with pytest.raises(FileInvalid, match="cut off or damaged"):
        check(tmp_path, whole[: int(len(whole) * keep)], "csv", "f.csv.gz")


def test_a_gzip_file_with_a_wrong_byte_is_refused(tmp_path: Path) -> None:
    damaged = bytearray(gzip.compress(CSV * 1000))
    damaged[-6] ^= 0xFF
    with pytest.raises(FileInvalid, match="cut off or damaged"):
        check(tmp_path, bytes(damaged), "csv", "f.csv.gz")


def test_a_truncated_zip_archive_is_refused(tmp_path: Path) -> None:
    whole = a_zip({"f.csv": CSV * 1000})
    with pytest.raises(FileInvalid, match="cut off, damaged"):
        check(tmp_path, whole[:-40], "csv", "f.zip")


def test_a_zip_archive_with_a_damaged_member_is_refused(tmp_path: Path) -> None:
    damaged = bytearray(a_zip({"f.csv": CSV}))
    damaged[damaged.index(CSV) + 5] ^= 0xFF
    with pytest.raises(FileInvalid, match=r"member 'f\.csv' does not have its checksum"):
        check(tmp_path, bytes(damaged), "csv", "f.zip")


@pytest.mark.parametrize(
    ("format", "name", "content", "found"),
    [
        ("csv", "f.zip", CSV, "found text"),
        ("csv", "f.zip", a_zip({}), "without members"),
        ("xlsx", "f.xlsx", CSV, "found text"),
        ("xlsx", "f.xlsx", a_zip({"f.csv": CSV}), "not a workbook, with f.csv"),
        ("xlsx", "f.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Office file"),
        ("parquet", "f.parquet", a_parquet()[:-4], "without PAR1 at both ends"),
        ("parquet", "f.parquet", CSV, "without PAR1 at both ends"),
        ("json", "f.json", CSV, "neither [ nor {"),
        ("json", "f.json", b'[{"nom": "Ain"}, {"no', "cut off"),
        ("csv", "f.csv", b'{"error_code": "quota"}', "a JSON answer"),
        ("csv", "f.csv", b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", "an XML document"),
        ("csv", "f.csv", a_parquet(), "a parquet file"),
        ("csv", "f.csv", "code;nom".encode("utf-16"), "binary data"),
        ("csv", "f.csv.gz", gzip.compress(b""), "found nothing"),
    ],
    ids=name_of_case,
)
def test_other_kinds_are_refused(tmp_path: Path, format: Format, name: str, content: bytes, found: str) -> None:
    with pytest.raises(FileInvalid) as caught:
        check(tmp_path, content, format, name)
    assert found in str(caught.value)


def test_the_text_says_where_what_was_found_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileInvalid) as caught:
        check(tmp_path, b"<html><title>En maintenance</title>", "csv")
    assert str(caught.value).startswith(
        f"FileInvalid: {WHERE}: expected a csv file, found an HTML page; first bytes: b'<html><title>En maintenance"
    )
    assert "catalogue.toml" in caught.value.remedy
