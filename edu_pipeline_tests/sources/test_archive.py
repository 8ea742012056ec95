"""The archive of releases: stored whole or not at all, never changed, in a folder and in a bucket.

Belongs here: storing, finding, handing out, sweeping. Does not belong here: where the files come from.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from upath import UPath

from edu_pipeline.errors import ArchiveUnusable, ReleaseDamaged
from edu_pipeline.sources import archive as module
from edu_pipeline.sources.archive import Archive, Incoming, ReceivedFile, Release
from edu_pipeline.sources.pruning import promised, remove, unneeded
from edu_pipeline_tests.sources.incoming_files import NOON, incoming, received

SOURCE = "a-source"


@pytest.fixture(params=["folder", "file://", "memory://", "s3://"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Archive]:
    """An archive of each kind: on a local disk it renames folders, in a bucket it cannot."""
    if request.param == "memory://":
        root = UPath(f"memory://{uuid.uuid4().hex}/archive")
        yield Archive(root)
        root.fs.rm(root.path, recursive=True) if root.exists() else None
    elif request.param == "s3://":
        yield Archive(UPath(f"{request.getfixturevalue('bucket')}/archive"))
    else:
        yield Archive(UPath(tmp_path / "archive" if request.param == "folder" else f"file://{tmp_path}/archive"))


@pytest.fixture
def folder_archive(tmp_path: Path) -> Archive:
    return Archive(UPath(tmp_path / "archive"))


def store(archive: Archive, contents: dict[str, bytes], at: datetime = NOON) -> Release:
    with archive.workspace(SOURCE) as folder:
        return archive.store(SOURCE, incoming(folder, contents, at))


def everything(archive: Archive) -> dict[str, bytes]:
    """Every file of the archive with its content."""
    return {
        path.removeprefix(archive.root.path): archive.root.fs.cat_file(path)
        for path in archive.root.fs.find(archive.root.path)
    }


def test_a_release_is_found_as_it_was_stored(archive: Archive) -> None:
    published = datetime(2026, 11, 20, 8, 0, tzinfo=timezone(timedelta(hours=1)))
    with archive.workspace(SOURCE) as folder:
        entry = incoming(folder, {"main.csv": b"a;b\n1;2\n"})
        stored = archive.store(SOURCE, Incoming(entry.files, entry.parts, published, NOON))
    sha256 = hashlib.sha256(b"a;b\n1;2\n").hexdigest()
    assert stored.id == f"20261123T120000Z-{sha256[:12]}"
    assert stored.label == f"2026-11-23 {sha256[:12]}"
    assert stored.sha256 == sha256
    assert stored.retrieved_at == NOON
    assert stored.published_at == published
    assert stored.file("main") == received("main.csv", b"a;b\n1;2\n")
    assert stored.file("other") is None
    assert archive.newest(SOURCE) == stored
    assert archive.releases(SOURCE) == [stored]
    file = stored.files[0]
    assert archive.local(stored, file).read_bytes() == b"a;b\n1;2\n"
    assert archive.local(stored, file).name == "main.csv"
    assert set(everything(archive)) == {f"/{SOURCE}/{stored.id}/main.csv", f"/{SOURCE}/{stored.id}/release.json"}


def test_release_json_can_be_read_by_a_person(folder_archive: Archive) -> None:
    stored = store(folder_archive, {"main.csv": b"a"})
    entry = json.loads((stored.folder / "release.json").read_text(encoding="utf-8"))
    assert entry["retrieved_at"] == "2026-11-23T12:00:00.250000+00:00"
    assert entry["files"][0]["url"] == "https://example.org/main.csv"
    assert list(entry) == ["source", "id", "retrieved_at", "published_at", "sha256", "parts", "files"]


def test_a_source_without_releases(archive: Archive) -> None:
    assert archive.releases("unknown") == []
    assert archive.newest("unknown") is None
    assert archive.sweep("unknown") == []


def test_the_same_content_is_stored_once(archive: Archive) -> None:
    first = store(archive, {"main.csv": b"a", "other.csv": b"b"})
    before = everything(archive)
    again = store(archive, {"other.csv": b"b", "main.csv": b"a"}, NOON + timedelta(days=1))
    assert again == first
    assert everything(archive) == before


def contents_of(archive: Archive) -> list[str]:
    """The files that several releases may share, without the SHA-256 in their path."""
    return sorted(path.rpartition("/")[2] for path in everything(archive) if "/.content/" in path)


def test_a_part_that_has_not_changed_is_stored_once(archive: Archive) -> None:
    first = store(archive, {"01.csv.gz": b"ain", "02.csv.gz": b"aisne"})
    second = store(archive, {"01.csv.gz": b"ain", "02.csv.gz": b"AISNE"}, NOON + timedelta(days=1))
    third = store(archive, {"01.csv.gz": b"ain", "02.csv.gz": b"aisne"}, NOON + timedelta(days=2))
    assert contents_of(archive) == ["01.csv.gz", "02.csv.gz", "02.csv.gz"]
    assert archive.releases(SOURCE) == [first, second, third]
    for release, expected in ((first, b"aisne"), (second, b"AISNE"), (third, b"aisne")):
        contents = [archive.local(release, file).read_bytes() for file in release.files]
        assert contents == [b"ain", expected]


def test_a_release_of_one_carried_file_keeps_its_content(archive: Archive) -> None:
    first = store(archive, {"01.csv": b"ain", "02.csv": b"aisne"})
    file = first.files[0]
    second = archive.store(SOURCE, Incoming({}, {"01": "01.csv"}, retrieved_at=NOON, carried=(file,)))
    assert archive.local(second, file).read_bytes() == b"ain"
    assert archive.newest(SOURCE) in (first, second) and second.files == (file,)


def test_a_short_content_is_stored_again(archive: Archive) -> None:
    first = store(archive, {"01.csv": b"ain", "02.csv": b"aisne"})
    first.path(first.files[0]).write_bytes(b"")
    second = store(archive, {"01.csv": b"ain", "02.csv": b"AISNE"}, NOON + timedelta(days=1))
    assert archive.local(second, second.files[0]).read_bytes() == b"ain"
    assert archive.local(first, first.files[0]).read_bytes() == b"ain"


def test_the_same_content_of_another_form_is_kept_apart(archive: Archive) -> None:
    stored = store(archive, {"01.csv": b"1", "02.json": b"1"})
    assert [archive.local(stored, file).suffix for file in stored.files] == [".csv", ".json"]


def test_a_release_stored_before_contents_were_shared(folder_archive: Archive) -> None:
    first = store(folder_archive, {"01.csv": b"ain", "02.csv": b"aisne"})
    entry = json.loads((first.folder / "release.json").read_text(encoding="utf-8"))
    for file in first.files:
        shutil.move(first.path(file).path, first.folder.path)  # as they were until then
    del entry["stored"]
    (first.folder / "release.json").write_text(json.dumps(entry), encoding="utf-8")
    old = folder_archive.newest(SOURCE)
    assert old is not None and (old.id, old.stored) == (first.id, {})
    assert [folder_archive.local(old, file).read_bytes() for file in old.files] == [b"ain", b"aisne"]


def test_removing_a_release_leaves_what_others_use(archive: Archive) -> None:
    first = store(archive, {"01.csv": b"ain", "02.csv": b"aisne"})
    second = store(archive, {"01.csv": b"ain", "02.csv": b"AISNE"}, NOON + timedelta(days=1))
    in_two_days = datetime.now(UTC) + timedelta(days=2)
    assert unneeded(archive, SOURCE, [first.id, second.id], in_two_days).bytes == 0
    assert unneeded(archive, SOURCE, [second.id], datetime.now(UTC)).contents == ()
    gone = unneeded(archive, SOURCE, [second.id], in_two_days)
    assert gone.releases == (first,)
    assert [(content.address, content.bytes) for content in gone.contents] == [(first.stored["02.csv"], 5)]
    remove(archive, gone)
    remove(archive, gone)
    assert archive.releases(SOURCE) == [second]
    assert contents_of(archive) == ["01.csv", "02.csv"]
    assert [archive.local(second, file).read_bytes() for file in second.files] == [b"ain", b"AISNE"]
    assert archive.sources() == [SOURCE]


def test_removing_a_release_of_one_file(archive: Archive) -> None:
    first, second = (store(archive, {"main.csv": b"%d" % day}, NOON + timedelta(days=day)) for day in range(2))
    gone = unneeded(archive, SOURCE, [second.id], datetime.now(UTC))
    assert (gone.releases, gone.contents, gone.bytes) == ((first,), (), 1)
    remove(archive, gone)
    assert set(everything(archive)) == {f"/{SOURCE}/{second.id}/main.csv", f"/{SOURCE}/{second.id}/release.json"}


def test_what_a_promised_time_needs(archive: Archive) -> None:
    stored = [store(archive, {"main.csv": b"%d" % day}, NOON + timedelta(days=day)) for day in range(6)]
    ids = [release.id for release in stored]
    assert promised(stored, NOON + timedelta(days=3, hours=1), []) == set(ids[3:])
    assert promised(stored, NOON + timedelta(days=99), []) == {ids[5]}
    assert promised(stored, NOON + timedelta(days=99), [date(2026, 11, 24), date(2020, 1, 1)]) == {ids[1], ids[5]}
    assert promised([], NOON, [date(2026, 11, 24)]) == set()


def test_several_files_have_the_sha256_of_their_sorted_lines(archive: Archive) -> None:
    a, b = (hashlib.sha256(content).hexdigest() for content in (b"a", b"b"))
    stored = store(archive, {"z.csv": b"a", "b.csv": b"b"})
    assert stored.sha256 == hashlib.sha256(f"b.csv {b}\nz.csv {a}\n".encode()).hexdigest()


def test_a_file_that_serves_another_part_too_is_a_new_release(archive: Archive) -> None:
    first = store(archive, {"main.csv": b"a"})
    with archive.workspace(SOURCE) as folder:
        entry = incoming(folder, {"main.csv": b"a"})
        second = archive.store(SOURCE, Incoming(entry.files, {"main": "main.csv", "zones": "main.csv"}))
    assert second.sha256 == first.sha256
    assert second.file("zones") == second.file("main")


def test_releases_are_oldest_first_even_within_a_second(archive: Archive) -> None:
    contents = [b"%d" % number for number in range(6)]
    stored = [
        store(archive, {"main.csv": content}, NOON + timedelta(microseconds=n)) for n, content in enumerate(contents)
    ]
    assert archive.releases(SOURCE) == stored
    assert archive.newest(SOURCE) == stored[-1]


def test_content_that_comes_back_is_a_release_again(archive: Archive) -> None:
    days = [NOON + timedelta(days=day) for day in range(3)]
    first, _, third = (
        store(archive, {"main.csv": content}, at) for content, at in zip([b"a", b"b", b"a"], days, strict=True)
    )
    assert third.sha256 == first.sha256
    assert third.id != first.id
    assert archive.newest(SOURCE) == third


def test_the_newest_as_of_a_day_or_a_time(archive: Archive) -> None:
    first = store(archive, {"main.csv": b"a"}, NOON)
    second = store(archive, {"main.csv": b"b"}, NOON + timedelta(days=2))
    assert archive.newest(SOURCE, date(2026, 11, 22)) is None
    assert archive.newest(SOURCE, date(2026, 11, 23)) == first
    assert archive.newest(SOURCE, date(2026, 11, 24)) == first
    assert archive.newest(SOURCE, date(2026, 11, 25)) == second
    assert archive.newest(SOURCE, NOON) == first
    assert archive.newest(SOURCE, NOON - timedelta(seconds=1)) is None
    assert archive.newest(SOURCE, datetime(2026, 11, 25, 12, 1)) == second


def test_a_release_never_changes(archive: Archive) -> None:
    first = store(archive, {"main.csv": b"a"})
    before = everything(archive)
    store(archive, {"main.csv": b"b"}, NOON + timedelta(days=1))
    after = everything(archive)
    assert {path: after[path] for path in before} == before
    assert archive.releases(SOURCE)[0] == first


def test_what_another_process_stored_meanwhile_stays(folder_archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    first = store(folder_archive, {"main.csv": b"a"})
    before = everything(folder_archive)
    with monkeypatch.context() as patch:
        patch.setattr(Archive, "newest", lambda *_: None)  # the other process had not finished when we checked
        assert store(folder_archive, {"main.csv": b"a"}, NOON + timedelta(microseconds=7)) == first
        read = Archive._read
        reads = iter([lambda *_: None])  # nor when we read that release: only the rename meets it
        patch.setattr(Archive, "_read", lambda *args: next(reads, read)(*args))
        assert store(folder_archive, {"main.csv": b"a"}, NOON + timedelta(microseconds=9)) == first
    assert everything(folder_archive) == before


def test_a_folder_without_a_readable_release_json_is_no_release(archive: Archive) -> None:
    stored = store(archive, {"main.csv": b"a"})
    for name, text in (("20270101T000000Z-aaaaaaaaaaaa", None), ("20270102T000000Z-bbbbbbbbbbbb", '{"id": ')):
        folder = archive.root / SOURCE / name
        archive.root.fs.mkdirs(folder.path, exist_ok=True)
        archive.root.fs.pipe_file((folder / "main.csv").path, b"x")
        if text:
            archive.root.fs.pipe_file((folder / "release.json").path, text.encode())
    assert archive.releases(SOURCE) == [stored]
    assert archive.newest(SOURCE) == stored


class Killed(BaseException):
    """Stands for the end of the process."""


def killed(*_: object, **__: object) -> None:
    raise Killed


@pytest.mark.parametrize("moment", ["while files are put", "before release.json", "before the rename"])
def test_a_killed_store_leaves_nothing_that_counts(
    archive: Archive, moment: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first = store(archive, {"main.csv": b"a"})
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)  # a killed process cleans nothing up
        if moment == "while files are put":
            patch.setattr(shutil, "move", killed)
            patch.setattr(archive.root.fs, "put_file", killed)
        elif moment == "before release.json":
            patch.setattr(module, "to_json", killed)
        else:
            patch.setattr(Path, "rename", killed)
            patch.setattr(archive.root.fs, "pipe_file", killed)
        with pytest.raises(Killed):
            store(archive, {"main.csv": b"b"}, NOON + timedelta(days=1))
    assert archive.releases(SOURCE) == [first]
    assert archive.newest(SOURCE) == first
    second = store(archive, {"main.csv": b"b"}, NOON + timedelta(days=1))
    assert archive.releases(SOURCE) == [first, second]


def test_sweep_removes_what_is_older_than_a_day(folder_archive: Archive) -> None:
    stored = store(folder_archive, {"main.csv": b"a"})
    base = Path(folder_archive.root.path) / SOURCE
    yesterday = time.time() - 25 * 3600
    for name in (".incoming-old", ".incoming-new", ".incoming-written", "notes"):
        (base / name).mkdir()
        (base / name / "f.part").write_text("x")
    for path in (base / ".incoming-old" / "f.part", base / ".incoming-old", base / ".incoming-written", base / "notes"):
        os.utime(path, (yesterday, yesterday))
    os.utime(base / stored.id, (yesterday, yesterday))
    assert folder_archive.sweep(SOURCE) == [".incoming-old"]
    assert sorted(path.name for path in base.iterdir()) == sorted(
        [".incoming-new", ".incoming-written", "notes", stored.id]
    )


@pytest.mark.parametrize("archive", ["memory://", "s3://"], indirect=True)
def test_sweep_removes_half_put_releases_from_a_bucket(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = store(archive, {"main.csv": b"a"})
    half = archive.root / SOURCE / "20270101T000000Z-aaaaaaaaaaaa"
    archive.root.fs.pipe_file((half / "main.csv").path, b"x")
    assert archive.sweep(SOURCE) == []
    monkeypatch.setattr(module, "LEFT_OVER", timedelta(0))
    assert archive.sweep(SOURCE) == [half.name]
    assert archive.releases(SOURCE) == [stored]
    assert set(everything(archive)) == {f"/{SOURCE}/{stored.id}/main.csv", f"/{SOURCE}/{stored.id}/release.json"}


def test_a_local_file_is_handed_out_in_place(folder_archive: Archive) -> None:
    stored = store(folder_archive, {"main.csv": b"a"})
    path = folder_archive.local(stored, stored.files[0])
    assert path == Path(folder_archive.root.path) / SOURCE / stored.id / "main.csv"


def test_a_file_is_hashed_once(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = store(archive, {"main.csv": b"a"})
    path = archive.local(stored, stored.files[0])
    monkeypatch.setattr(hashlib, "file_digest", killed)
    assert Archive(archive.root).local(stored, stored.files[0]) == path
    os.utime(path, (0, 0))
    with pytest.raises(Killed):
        archive.local(stored, stored.files[0])
    assert archive.local(stored, stored.files[0], verify=False) == path


def test_a_damaged_file_is_refused(archive: Archive) -> None:
    stored = store(archive, {"main.csv": b"right"})
    (stored.folder / "main.csv").write_bytes(b"wrong!")
    for _ in range(2):
        with pytest.raises(ReleaseDamaged) as caught:
            archive.local(stored, stored.files[0])
    text = str(caught.value)
    assert text.startswith(f"ReleaseDamaged: {SOURCE} {stored.label}: ")
    assert hashlib.sha256(b"right").hexdigest() in text
    assert hashlib.sha256(b"wrong!").hexdigest() in text
    assert f"delete the folder {stored.folder}" in text
    (stored.folder / "main.csv").write_bytes(b"right")
    assert archive.local(stored, stored.files[0]).read_bytes() == b"right"


def test_a_lost_file_is_a_damaged_release(archive: Archive) -> None:
    stored = store(archive, {"main.csv": b"a"})
    (stored.folder / "main.csv").unlink()
    with pytest.raises(ReleaseDamaged, match="found no such file"):
        archive.local(stored, stored.files[0])


def test_what_was_seen_last_is_noted_next_to_the_release(archive: Archive) -> None:
    stored = store(archive, {"main.csv": b"a"})
    assert archive.as_last_seen(stored) == stored.files
    before = everything(archive)
    now = ReceivedFile(
        "renamed.csv", "https://example.org/new", "https://example.org/new", 1, stored.sha256, etag='"2"'
    )
    archive.remember(stored, [now])
    (seen,) = archive.as_last_seen(stored)
    assert (seen.name, seen.url, seen.etag) == ("main.csv", "https://example.org/new", '"2"')
    assert {path: text for path, text in everything(archive).items() if path in before} == before
    newer = store(archive, {"main.csv": b"b"}, NOON + timedelta(days=1))
    assert archive.as_last_seen(newer) == newer.files
    assert archive.releases(SOURCE) == [stored, newer]


def test_an_archive_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("a file, not a folder")
    archive = Archive(UPath(tmp_path / "archive"))
    with pytest.raises(ArchiveUnusable, match="EDU_ARCHIVE"), archive.workspace(SOURCE):
        pass
