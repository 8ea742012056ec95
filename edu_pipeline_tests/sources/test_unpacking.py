"""Packed files: how much they may unpack to, and that damage of any kind is refused.

Belongs here: gzip files and zip archives. Does not belong here: workbooks (``test_workbook.py``), what is in the files.
"""

from __future__ import annotations

import gzip
import random
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from edu_pipeline.catalogue import File, catalogue
from edu_pipeline.errors import FileInvalid
from edu_pipeline.sources import readers
from edu_pipeline.sources.soundness import check_sound
from edu_pipeline.sources.unpacking import CHUNK, gzip_content, member_content, open_zip

ROWS = b"code;nom\n" + b"".join(b"%05d;Commune %d\n" % (number, number) for number in range(5_000))
COMPRESSIONS = {
    "stored": zipfile.ZIP_STORED,
    "deflated": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}
for_every_compression = pytest.mark.parametrize("compression", COMPRESSIONS.values(), ids=COMPRESSIONS)


def a_file(limit: int = 1 << 20) -> File:
    return File(source="a-source", part="main", format="csv", name=".*", supplied=True, max_unpacked_bytes=limit)


def zipped(path: Path, compression: int, content: bytes = ROWS) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("rows.csv", content)
    return path


def unpacked(path: Path) -> bytes:
    with open_zip(path, 1 << 30, "a test") as archive:
        return b"".join(member_content(archive, archive.infolist()[0], "a test"))


@for_every_compression
def test_a_member_of_any_compression_is_unpacked(tmp_path: Path, compression: int) -> None:
    assert unpacked(zipped(tmp_path / "f.zip", compression)) == ROWS
    check_sound(tmp_path / "f.zip", a_file(), "a test")


@for_every_compression
def test_a_large_member_comes_in_pieces(tmp_path: Path, compression: int) -> None:
    path = zipped(tmp_path / "f.zip", compression, bytes(8 * CHUNK))
    with open_zip(path, 1 << 30, "a test") as archive:
        sizes = [len(chunk) for chunk in member_content(archive, archive.infolist()[0], "a test")]
    assert sum(sizes) == 8 * CHUNK
    assert max(sizes) <= CHUNK


@for_every_compression
def test_damage_anywhere_in_an_archive_is_file_invalid(tmp_path: Path, compression: int) -> None:
    whole = zipped(tmp_path / "f.zip", compression).read_bytes()
    chance = random.Random(compression)
    refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        (tmp_path / "f.zip").write_bytes(damaged[: chance.choice([len(damaged), chance.randrange(4, len(damaged))])])
        try:
            check_sound(tmp_path / "f.zip", a_file(), "a test")
            readers.read(tmp_path / "f.zip", a_file(), tmp_path, "a test")
        except FileInvalid:
            refused += 1
    assert refused > 100


def test_an_archive_beyond_its_limit_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = zipped(tmp_path / "f.zip", zipfile.ZIP_DEFLATED)
    file = a_file(limit=len(ROWS) - 1)
    with pytest.raises(FileInvalid, match=f"at most {len(ROWS) - 1:,} bytes of unpacked content, found {len(ROWS):,}"):
        check_sound(path, file, "a test")
    with pytest.raises(FileInvalid, match="raise max_unpacked_bytes"):
        readers.read(path, file, tmp_path / "scratch", "a test")
    assert not (tmp_path / "scratch").exists()


def test_an_archive_that_understates_its_size_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "f.zip", zipfile.ZIP_DEFLATED)
    packed = path.read_bytes()
    path.write_bytes(packed.replace(len(ROWS).to_bytes(4, "little"), (100).to_bytes(4, "little")))
    with pytest.raises(FileInvalid, match="does not have its size of 100 bytes"):
        check_sound(path, a_file(), "a test")


def test_a_gzip_file_beyond_its_limit_leaves_nothing_behind(tmp_path: Path) -> None:
    path, scratch, file = tmp_path / "f.csv.gz", tmp_path / "scratch", a_file(limit=4 * CHUNK)
    scratch.mkdir()
    path.write_bytes(gzip.compress(bytes(64 * CHUNK)))
    tracemalloc.start()
    with pytest.raises(FileInvalid, match=r"expected at most 4,194,304 bytes of unpacked content"):
        check_sound(path, file, "a test")
    with pytest.raises(FileInvalid, match=r"raise max_unpacked_bytes"):
        readers.read(path, file, scratch, "a test")
    largest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert list(scratch.iterdir()) == []
    assert largest < 16 * CHUNK


def test_a_gzip_file_at_its_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / "f.csv.gz").write_bytes(gzip.compress(ROWS))
    assert b"".join(gzip_content(tmp_path / "f.csv.gz", len(ROWS), "a test")) == ROWS


@pytest.mark.parametrize("cut", [12, 100, 1_000])
def test_a_gzip_file_that_is_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    (tmp_path / "f.csv.gz").write_bytes(gzip.compress(ROWS)[:-cut])
    with pytest.raises(FileInvalid, match="cut off or damaged"):
        list(gzip_content(tmp_path / "f.csv.gz", 1 << 30, "a test"))


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "f.zip", zipfile.ZIP_STORED)
    packed = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        packed[packed.index(signature) + place] |= 1
    path.write_bytes(packed)
    with pytest.raises(FileInvalid, match="encrypted"):
        check_sound(path, a_file(), "a test")


def test_an_archive_of_very_many_members_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edu_pipeline.sources.unpacking.MAX_DIRECTORY", 1_000)
    path = tmp_path / "f.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(30):
            archive.writestr(f"{number}.csv", b"")
    with pytest.raises(FileInvalid, match="bytes of names of members"):
        check_sound(path, a_file(), "a test")


def test_every_source_has_a_limit_for_unpacked_content() -> None:
    limits = [(file.max_unpacked_bytes, file.max_bytes) for s in catalogue().values() for file in s.files.values()]
    assert all(0 < unpacked <= 10 * packed for unpacked, packed in limits)
