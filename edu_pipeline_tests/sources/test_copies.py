"""The Parquet copies of large files: made once, never of another file or another reader."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest
from upath import UPath

from edu_pipeline.catalogue import File
from edu_pipeline.errors import FileInvalid
from edu_pipeline.sources import copies, readers
from edu_pipeline.sources.archive import Archive, Release
from edu_pipeline_tests.sources.test_archive import incoming

SOURCE = "a-source"
FILE = File(source=SOURCE, part="rows", format="csv", name=".*", supplied=True)
LINES = b"Code;Nom\n01001; L'Abergement \n01002;\n"


def stored(archive: Archive, content: bytes) -> Release:
    with archive.workspace(SOURCE) as folder:
        return archive.store(SOURCE, incoming(folder, {"rows.csv.gz": gzip.compress(content, mtime=0)}))


def rows(archive: Archive, release: Release, scratch: Path, file: File = FILE) -> list[tuple[str | None, ...]]:
    (received,) = release.files
    return copies.read(archive, release, received, file, scratch, "a test").collect().rows()


def kept(archive: Archive) -> list[str]:
    return sorted(path.name for path in (archive.root / SOURCE).iterdir() if not path.is_dir())


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(UPath(tmp_path / "archive"))


@pytest.fixture
def all_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "LARGE", 0)


def test_a_small_file_has_no_copy(archive: Archive, tmp_path: Path) -> None:
    assert rows(archive, stored(archive, LINES), tmp_path) == [("01001", "L'Abergement"), ("01002", None)]
    assert kept(archive) == []


def test_gzip_is_read_where_it_lies(archive: Archive, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    assert len(rows(archive, stored(archive, LINES), scratch)) == 2
    assert list(scratch.iterdir()) == []


def test_gzip_of_another_encoding(archive: Archive, tmp_path: Path) -> None:
    latin = FILE.model_copy(update={"encoding": "windows-1252"})
    release = stored(archive, "Code;Nom\n01001;L’Œuvre\n".encode("windows-1252"))
    assert rows(archive, release, tmp_path, latin) == [("01001", "L’Œuvre")]


def test_gzip_with_nothing_in_it(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(FileInvalid, match="does not parse: empty"):
        rows(archive, stored(archive, b""), tmp_path)


@pytest.mark.usefixtures("all_are_large")
def test_a_large_file_is_parsed_once(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = stored(archive, LINES)
    assert rows(archive, release, tmp_path) == [("01001", "L'Abergement"), ("01002", None)]
    assert len(kept(archive)) == 1 and archive.newest(SOURCE) == release
    monkeypatch.delattr(readers, "read")
    assert rows(archive, release, tmp_path) == [("01001", "L'Abergement"), ("01002", None)]


@pytest.mark.usefixtures("all_are_large")
def test_a_copy_is_of_one_file_and_of_one_way_to_read_it(archive: Archive, tmp_path: Path) -> None:
    release = stored(archive, LINES)
    rows(archive, release, tmp_path)
    first = kept(archive)
    assert rows(archive, release, tmp_path, FILE.model_copy(update={"delimiter": ","})) != [("01001", "L'Abergement")]
    second = kept(archive)
    assert rows(archive, stored(archive, b"Code;Nom\n01001;Ain\n"), tmp_path) == [("01001", "Ain")]
    third = kept(archive)
    assert len({*first, *second, *third}) == 3 and len(third) == 1


@pytest.mark.usefixtures("all_are_large")
def test_a_copy_that_another_load_has_made_meanwhile_is_always_there(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, rename, there = stored(archive, LINES), Path.rename, []
    read = readers.read

    def read_by_both(path: Path, file: File, scratch: Path, where: str) -> pl.LazyFrame:
        monkeypatch.setattr(readers, "read", read)
        rows(archive, release, tmp_path)
        return read(path, file, scratch, where)

    def watched(partial: Path, target: Path) -> Path:
        there.append(len(kept(archive)))
        return rename(partial, target)

    monkeypatch.setattr(readers, "read", read_by_both)
    monkeypatch.setattr(Path, "rename", watched)
    assert len(rows(archive, release, tmp_path)) == 2
    assert there == [1, 2] and len(kept(archive)) == 1  # the partial one alone, then beside the other's copy


@pytest.mark.usefixtures("all_are_large")
def test_a_file_that_cannot_be_read_leaves_no_copy(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises((FileInvalid, pl.exceptions.PolarsError)):
        rows(archive, stored(archive, b"a;b\n1;2;3;4\n"), tmp_path)
    assert kept(archive) == []


@pytest.mark.usefixtures("all_are_large")
def test_an_archive_in_a_bucket_gets_no_copy(tmp_path: Path) -> None:
    archive = Archive(UPath(f"memory://{tmp_path.name}/archive"))
    assert rows(archive, stored(archive, LINES), tmp_path)[0] == ("01001", "L'Abergement")
    assert kept(archive) == []
