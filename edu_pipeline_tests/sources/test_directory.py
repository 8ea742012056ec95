"""A directory that stands in for the publishers: which of its files become a release."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from pathlib import Path

import polars as pl
import pytest

from edu_pipeline.catalogue import Source, catalogue
from edu_pipeline.errors import FileInvalid, NotInStandIn, SourceMissing
from edu_pipeline.sample.workbook import write_workbook
from edu_pipeline.sources import readers
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.fetch import Fetched, fetch
from edu_pipeline_tests.a_source import a_source
from edu_pipeline_tests.real_files import real_file, upstream
from edu_pipeline_tests.sources.fetching import CSV, PLAIN, content, in_archive


def test_a_directory_gives_the_greatest_name_that_matches_fully(archive: Archive, directory: Path) -> None:
    for name in ("dvf2023.csv", "dvf2024.csv", "dvf2025.csv.bak", "old-dvf2026.csv", ".dvf2027.csv"):
        (directory / name).write_bytes(CSV + name.encode())
    source = a_source(main={"name": r"\.?dvf\d{4}\.csv", "url": "https://example.org/dvf.csv"})
    fetched = fetch(source, archive, str(directory.parent))
    assert fetched.new
    assert content(archive, fetched.release) == CSV + b"dvf2024.csv"
    (file,) = fetched.release.files
    assert file.name == "dvf2024.csv"
    assert file.url == (directory / "dvf2024.csv").as_uri()
    assert fetch(source, archive, str(directory.parent)) == Fetched(fetched.release, new=False)
    assert in_archive(archive) == [fetched.release.id]


def test_a_changed_file_in_the_directory_is_a_new_release(archive: Archive, directory: Path) -> None:
    source = a_source(
        main={"url": "https://example.org/f.csv"}, other={"name": r"o\.json", "supplied": True, "format": "json"}
    )
    (directory / "f.csv").write_bytes(CSV)
    (directory / "o.json").write_bytes(b"[]")
    first = fetch(source, archive, str(directory.parent)).release
    (directory / "o.json").write_bytes(b'[{"a": 1}]')
    second = fetch(source, archive, str(directory.parent))
    assert second.new
    assert (content(archive, first, "other"), content(archive, second.release, "other")) == (b"[]", b'[{"a": 1}]')
    assert content(archive, second.release) == CSV
    assert (directory / "f.csv").read_bytes() == CSV


def test_parts_of_one_file_in_the_directory_share_it(archive: Archive, directory: Path) -> None:
    (directory / "f.csv").write_bytes(CSV)
    source = a_source(a={"supplied": True}, b={"supplied": True})
    release = fetch(source, archive, str(directory.parent)).release
    assert release.parts == {"a": "f.csv", "b": "f.csv"}
    assert len(release.files) == 1


def test_a_missing_part_names_its_pattern_and_the_files(archive: Archive, directory: Path) -> None:
    (directory / "communes.txt").write_bytes(CSV)
    with pytest.raises(SourceMissing) as caught:
        fetch(PLAIN, archive, str(directory.parent))
    assert f"expected a file whose name matches '.*\\\\.csv' in {directory}, found communes.txt." in str(caught.value)


def test_an_optional_part_is_left_out(archive: Archive, directory: Path) -> None:
    (directory / "f.csv").write_bytes(CSV)
    source = a_source(main={"supplied": True}, zones={"supplied": True, "name": r"zones\.csv", "optional": True})
    assert fetch(source, archive, str(directory.parent)).release.parts == {"main": "f.csv"}


def test_a_source_without_any_of_its_optional_parts_is_missing(archive: Archive, directory: Path) -> None:
    source = a_source(main={"supplied": True, "optional": True})
    with pytest.raises(SourceMissing, match="found nothing"):
        fetch(source, archive, str(directory.parent))
    with pytest.raises(SourceMissing, match="found none in the archive"):
        fetch(source, archive, None)


def test_a_directory_never_sends_us_to_the_publisher(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(
        SourceMissing, match=r"NotInStandIn: a-source: expected a file whose name matches .* found nothing"
    ):
        fetch(PLAIN, archive, str(tmp_path))


def test_files_of_the_directory_have_to_be_sound_too(archive: Archive, directory: Path) -> None:
    (directory / "f.csv").write_bytes(b"<!doctype html>")
    with pytest.raises(FileInvalid, match=r"a-source, .*/f\.csv, file f\.csv: expected a csv file, found an HTML page"):
        fetch(PLAIN, archive, str(directory.parent))
    assert in_archive(archive) == []


def test_a_converted_file_stands_in(archive: Archive, directory: Path) -> None:
    (directory / "table.csv").write_bytes(CSV)
    source = a_source(main={"format": "xlsx", "member": r".*\.xlsx", "url": "https://example.org/table.zip"})
    assert fetch(source, archive, str(directory.parent)).new


def handed_in(name: str, content: bytes, archive: Archive, directory: Path, **file: bool) -> list[tuple[str, ...]]:
    """The rows of a file that was handed in for a source whose file is ``rows.csv``."""
    source = a_source(main={"name": r"rows\.csv", "url": "https://example.org/rows.csv", **file})
    (directory / name).write_bytes(content)
    release = fetch(source, archive, str(directory.parent)).release
    received = release.file("main")
    assert received is not None
    path = archive.local(release, received)
    return readers.read(path, source.files["main"], directory, "a test").frame.collect().rows()


def in_form(form: str) -> bytes:
    """The same row as in ``CSV``, in another form."""
    frame, out = pl.DataFrame({"code": ["01004"], "nom": ["Amberieu"]}), io.BytesIO()
    if form == ".parquet":
        frame.write_parquet(out)
    elif form == ".zip":
        with zipfile.ZipFile(out, "w") as packed:
            packed.writestr("export.csv", CSV)
    elif form == ".json":
        out.write(frame.write_json().encode())
    else:
        out.write({".csv": CSV, ".csv.gz": gzip.compress(CSV), ".CSV": CSV}[form])
    return out.getvalue()


@pytest.mark.parametrize("form", [".csv", ".CSV", ".csv.gz", ".zip", ".parquet", ".json"])
@pytest.mark.parametrize("stem", ["rows", "a-source"])
def test_a_file_with_the_ending_of_another_form_is_read(
    archive: Archive, directory: Path, stem: str, form: str
) -> None:
    assert handed_in(stem + form, in_form(form), archive, directory) == [("01004", "Amberieu")]


@pytest.mark.parametrize("name", ["rows.xlsx", "a-source.xlsx"])
def test_a_workbook_in_place_of_csv_is_read(archive: Archive, directory: Path, tmp_path: Path, name: str) -> None:
    rows = pl.DataFrame({"code": ["01004"], "nom": ["Amberieu"]})
    write_workbook(tmp_path / "workbook", {"rows": rows}, [])
    assert handed_in(name, (tmp_path / "workbook").read_bytes(), archive, directory) == [("01004", "Amberieu")]


@pytest.mark.parametrize("name", ["rows (1).csv", "a-source (1).csv", "export.csv", "rows.txt", "a-source"])
def test_other_names_are_not_guessed_at(archive: Archive, directory: Path, name: str) -> None:
    with pytest.raises(NotInStandIn, match=re.escape(f"in {directory}, found {name}.")):
        handed_in(name, CSV, archive, directory)


def test_a_source_may_insist_on_its_name(archive: Archive, directory: Path) -> None:
    with pytest.raises(NotInStandIn):
        handed_in("rows.csv.gz", in_form(".csv.gz"), archive, directory, exact_name=True)


def test_the_expected_name_is_used_and_the_others_are_named(archive: Archive, directory: Path) -> None:
    source = a_source(main={"name": r"rows\d\.csv", "url": "https://example.org/rows.csv"})
    for name in ("rows1.csv", "rows2.csv", "rows3.csv.gz", "export.csv"):
        (directory / name).write_bytes(CSV)
    fetched = fetch(source, archive, str(directory.parent))
    assert fetched.release.parts == {"main": "rows2.csv"}
    assert fetched.notes == (
        f"a-source: export.csv, rows3.csv.gz in {directory} is ignored: "
        "expected a name that matches 'rows\\\\d\\\\.csv'.",
        "a-source: rows2.csv is used, not rows1.csv.",
    )


@pytest.mark.parametrize("source", catalogue().values(), ids=lambda source: source.id)
def test_the_real_files_are_sound(archive: Archive, source: Source) -> None:
    if not (upstream() / source.id).is_dir():
        pytest.skip("no real file of this source")
    if all(real_file(file) is None for file in source.files.values()):
        pytest.skip("no real file of this source in its publisher's form")
    assert fetch(source, archive, str(upstream())).new
