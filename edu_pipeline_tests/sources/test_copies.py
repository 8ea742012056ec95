"""The Parquet copies of large files: made once, and never used for another file or another reader."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from upath import UPath

from edu_pipeline.catalogue import File
from edu_pipeline.errors import FileInvalid
from edu_pipeline.sources import copies, readers
from edu_pipeline.sources.archive import Archive, Release
from edu_pipeline_tests.sources.incoming_files import incoming

SOURCE = "a-source"
FILE = File(source=SOURCE, part="rows", format="csv", name=".*", supplied=True)
LINES = b"Code;Nom\n01001; L'Abergement \n01002;\n"


def stored(archive: Archive, content: bytes) -> Release:
    with archive.workspace(SOURCE) as folder:
        return archive.store(SOURCE, incoming(folder, {"rows.csv.gz": gzip.compress(content, mtime=0)}))


def rows(archive: Archive, release: Release, scratch: Path, file: File = FILE) -> list[tuple[str | None, ...]]:
    (received,) = release.files
    return copies.read(archive, release, received, file, scratch, "a test").frame.collect().rows()


def copies_of(archive: Archive) -> list[str]:
    """The names of the copies that the archive has, partial ones too."""
    return sorted(path.name for path in (archive.root / SOURCE).iterdir() if not path.is_dir())


@pytest.fixture
def all_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "LARGE", 0)


def test_a_small_file_has_no_copy(archive: Archive, tmp_path: Path) -> None:
    assert rows(archive, stored(archive, LINES), tmp_path) == [("01001", "L'Abergement"), ("01002", None)]
    assert copies_of(archive) == []


def test_gzip_is_read_where_it_is(archive: Archive, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    assert len(rows(archive, stored(archive, LINES), scratch)) == 2
    assert list(scratch.iterdir()) == []


def test_gzip_of_another_encoding(archive: Archive, tmp_path: Path) -> None:
    latin = FILE.model_copy(update={"encoding": "windows-1252"})
    release = stored(archive, "Code;Nom\n01001;L’Œuvre\n".encode("windows-1252"))
    assert rows(archive, release, tmp_path, latin) == [("01001", "L’Œuvre")]


def test_gzip_with_nothing_in_it(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(FileInvalid, match="expected a header and rows, found no text"):
        rows(archive, stored(archive, b""), tmp_path)


@pytest.mark.usefixtures("all_are_large")
def test_a_large_file_is_parsed_once(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = stored(archive, LINES)
    assert rows(archive, release, tmp_path) == [("01001", "L'Abergement"), ("01002", None)]
    assert len(copies_of(archive)) == 1 and archive.newest(SOURCE) == release
    monkeypatch.delattr(readers, "read")
    assert rows(archive, release, tmp_path) == [("01001", "L'Abergement"), ("01002", None)]


@pytest.mark.usefixtures("all_are_large")
def test_a_copy_is_of_one_file_and_one_way_to_read_it(archive: Archive, tmp_path: Path) -> None:
    release = stored(archive, LINES)
    rows(archive, release, tmp_path)
    first = copies_of(archive)
    assert rows(archive, release, tmp_path, FILE.model_copy(update={"delimiter": ","})) != [("01001", "L'Abergement")]
    second = copies_of(archive)
    assert rows(archive, stored(archive, b"Code;Nom\n01001;Ain\n"), tmp_path) == [("01001", "Ain")]
    third = copies_of(archive)
    assert len({*first, *second, *third}) == 3 and len(third) == 1


@pytest.mark.usefixtures("all_are_large")
def test_a_copy_of_another_load_is_replaced_without_a_gap(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, rename, read = stored(archive, LINES), Path.rename, readers.read
    counts = []

    def read_by_both(path: Path, file: File, scratch: Path, where: str) -> readers.Read:
        monkeypatch.setattr(readers, "read", read)
        rows(archive, release, tmp_path)
        return read(path, file, scratch, where)

    def watched(partial: Path, target: Path) -> Path:
        counts.append(len(copies_of(archive)))
        return rename(partial, target)

    monkeypatch.setattr(readers, "read", read_by_both)
    monkeypatch.setattr(Path, "rename", watched)
    assert len(rows(archive, release, tmp_path)) == 2
    assert counts == [1, 2] and len(copies_of(archive)) == 1  # the partial one, then the other load's copy as well


@pytest.mark.usefixtures("all_are_large")
def test_a_file_that_cannot_be_read_leaves_no_copy(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(FileInvalid, match="found 1 of 2 lines that are not"):
        rows(archive, stored(archive, b"a;b\n1;2;3;4\n"), tmp_path)
    assert copies_of(archive) == []


@pytest.mark.usefixtures("all_are_large")
def test_an_archive_in_a_bucket_gets_no_copy(tmp_path: Path) -> None:
    archive = Archive(UPath(f"memory://{tmp_path.name}/archive"))
    assert rows(archive, stored(archive, LINES), tmp_path)[0] == ("01001", "L'Abergement")
    assert copies_of(archive) == []
