"""The registry of the sample's files, writing a directory with them, and the shared file formats."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from datetime import date
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest

from edu_pipeline.catalogue import catalogue
from edu_pipeline.sample import directory
from edu_pipeline.sample.directory import FolderNotASample, publications, write_all, write_one
from edu_pipeline.sample.formats import write_csv, write_zip
from edu_pipeline.sample.publication import Publication, publication
from edu_pipeline.sample.world import World

Log = list[tuple[str, int]]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    """Replaces the sample's publications by three, and logs what is written: file and release."""
    written: Log = []

    def publish(source: str, file_name: str) -> Publication:
        def write(world: World, path: Path) -> None:
            written.append((file_name, world.release(source)))
            path.write_text(f"{world.scale} {world.seed} {world.release(source)}", encoding="utf-8")

        return Publication(source, file_name, "file", write)

    files = [publish("a", "a.csv"), publish("a", "b.csv"), publish("c", "c.csv")]
    monkeypatch.setattr(directory, "publications", lambda: files)
    return written


def test_every_publication_is_a_file_of_the_catalogue() -> None:
    keys = [file.key for file in publications()]
    assert keys == sorted(set(keys))
    for file in publications():
        names = [part.name for part in catalogue()[file.source].files.values()]
        assert any(re.fullmatch(name, file.file_name) for name in names), file.key
        assert file.kind in ("file", "opendatasoft")


def test_a_file_cannot_be_registered_twice() -> None:
    first = publications()[0]
    with pytest.raises(ValueError, match="found a second publication"):
        publication(first.source, first.file_name)(first.write)


def test_the_directory_and_its_manifest(tmp_path: Path, log: Log) -> None:
    write_all(World(releases={"c": 2}), tmp_path / "sample")
    assert sorted(path.name for path in (tmp_path / "sample").rglob("*.*")) == [
        "a.csv",
        "b.csv",
        "c.csv",
        "sample.json",
    ]
    assert (tmp_path / "sample/c/c.csv").read_text(encoding="utf-8") == "sample 1 2"
    manifest = json.loads((tmp_path / "sample/sample.json").read_text(encoding="utf-8"))
    assert {name: manifest[name] for name in ("invented", "scale", "seed", "releases")} == {
        "invented": True,
        "scale": "sample",
        "seed": 1,
        "releases": {"c": 2},
    }
    assert list(manifest["files"]) == ["a/a.csv", "a/b.csv", "c/c.csv"]


def test_a_file_that_is_up_to_date_is_not_rewritten(tmp_path: Path, log: Log) -> None:
    write_all(World(), tmp_path)
    log.clear()
    write_all(World(), tmp_path)
    assert log == []
    write_all(World(releases={"c": 1}), tmp_path)
    assert log == [("c.csv", 1)]
    (tmp_path / "a/b.csv").unlink()
    write_all(World(releases={"c": 1}), tmp_path)
    assert log == [("c.csv", 1), ("b.csv", 0)]
    log.clear()
    write_all(World(seed=2), tmp_path)
    assert [name for name, _ in log] == ["a.csv", "b.csv", "c.csv"]


def test_changed_code_rewrites_everything(tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    write_all(World(), tmp_path)
    monkeypatch.setattr(directory, "_code", lambda: "other")
    write_all(World(), tmp_path)
    assert len(log) == 6


def test_a_file_no_longer_published_is_deleted(tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    write_all(World(), tmp_path)
    fewer = directory.publications()[:2]
    monkeypatch.setattr(directory, "publications", lambda: fewer)
    write_all(World(), tmp_path)
    assert [path.name for path in tmp_path.rglob("*.csv")] == ["a.csv", "b.csv"]
    assert "c/c.csv" not in (tmp_path / "sample.json").read_text(encoding="utf-8")


def test_a_new_release_of_one_source(tmp_path: Path, log: Log) -> None:
    write_all(World(), tmp_path)
    log.clear()
    world = World(releases={"a": 1})
    write_one(world, tmp_path, "a")
    assert log == [("a.csv", 1), ("b.csv", 1)]
    assert json.loads((tmp_path / "sample.json").read_text(encoding="utf-8"))["releases"] == {"a": 1}
    write_all(world, tmp_path)
    assert len(log) == 2
    with pytest.raises(ValueError, match="expected one of a, c, found 'b'"):
        write_one(world, tmp_path, "b")


def test_a_failure_keeps_the_previous_file(tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    write_all(World(), tmp_path)

    def fails(world: World, path: Path) -> None:
        path.write_text("half", encoding="utf-8")
        raise RuntimeError("no more")

    files = [Publication("a", "a.csv", "file", fails)]
    monkeypatch.setattr(directory, "publications", lambda: files)
    with pytest.raises(RuntimeError, match="no more"):
        write_one(World(), tmp_path, "a")
    assert [path.name for path in (tmp_path / "a").iterdir() if "a.csv" in path.name] == ["a.csv"]
    assert (tmp_path / "a/a.csv").read_text(encoding="utf-8") == "sample 1 0"


def test_a_folder_with_other_files_is_refused(tmp_path: Path, log: Log) -> None:
    (tmp_path / "real.csv").touch()
    with pytest.raises(FolderNotASample, match=r"expected an empty folder or one with sample.json, found real.csv"):
        write_all(World(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["real.csv"]


def written(frame: pl.DataFrame, **dialect: Any) -> bytes:
    target = io.BytesIO()
    write_csv(frame, target, **dialect)
    return target.getvalue()


FRAME = pl.DataFrame({"œuvre": ["L'été; €", None], "taux": [1.5, None], "jour": [date(2026, 1, 2), None]})


def test_csv_dialects() -> None:
    assert written(FRAME) == 'œuvre;taux;jour\n"L\'été; €";1.5;2026-01-02\n;;\n'.encode()
    assert written(FRAME, bom=True, decimal=",", null="NA", quote="all", line_end="\r\n") == (
        '\ufeff"œuvre";"taux";"jour"\r\n"L\'été; €";"1,5";"2026-01-02"\r\n"NA";"NA";"NA"\r\n'.encode()
    )
    assert written(FRAME, delimiter="|", quote="never", encoding="windows-1252") == (
        "œuvre|taux|jour\nL'été; €|1.5|2026-01-02\n||\n".encode("windows-1252")
    )


def test_csv_to_a_file(tmp_path: Path) -> None:
    encodings: tuple[Literal["utf-8", "windows-1252"], ...] = ("utf-8", "windows-1252")
    for encoding in encodings:
        write_csv(FRAME, tmp_path / "a.csv", encoding=encoding)
        assert (tmp_path / "a.csv").read_text(encoding=encoding).startswith("œuvre;taux;jour\n")


def test_zip_archives_are_the_same_each_time(tmp_path: Path) -> None:
    (tmp_path / "member.csv").write_bytes(b"a;b\n" * 1000)
    digests = set()
    for number in range(2):
        path = tmp_path / f"{number}.zip"
        write_zip(path, {"data.csv": tmp_path / "member.csv", "meta.csv": b"x"})
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["data.csv", "meta.csv"]
        assert archive.read("data.csv") == b"a;b\n" * 1000
