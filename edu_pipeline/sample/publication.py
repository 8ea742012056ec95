"""Which files the sample publishes, and the writing of a directory with all of them.

Belongs here: the registry of publications, the forms that several publishers share (CSV in its dialects, zip), and
`sample.json`, which says of a directory that it is invented and what is in it. Does not belong here: what a file says
(`publishers/`), serving the directory over HTTP (`server.py`).
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import os
import pkgutil
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

import polars as pl

from edu_pipeline.errors import EduError
from edu_pipeline.sample import publishers
from edu_pipeline.sample.world import World

MANIFEST = "sample.json"
"""The file that marks a directory as a sample and says of which world it is."""

Kind = Literal["file", "opendatasoft"]


class FolderNotASample(EduError):
    """The folder has other files than a sample's: the sample is not written among them."""


@dataclass(frozen=True)
class Publication:
    """One file that the sample publishes.

    Attributes:
        source: id of the source in the catalogue.
        file_name: name as the publisher has it.
        kind: ``opendatasoft`` for a dataset of a portal, stored as the portal's default CSV export.
        labels: French label by machine name, of a portal's dataset, as far as they are known.
        write: makes the file at the path from the world.
        exists: whether the world has such a file.
    """

    source: str
    file_name: str
    kind: Kind
    write: Callable[[World, Path], None]
    labels: Mapping[str, str] = field(default_factory=dict)
    exists: Callable[[World], bool] = lambda _: True

    @property
    def key(self) -> str:
        """The file's place in the directory."""
        return f"{self.source}/{self.file_name}"


_registry: dict[str, Publication] = {}


def publication(
    source: str, file_name: str
) -> Callable[[Callable[[World, Path], None]], Callable[[World, Path], None]]:
    """Mark a function that writes one file in its publisher's exact form; it is returned unchanged."""

    def register(write: Callable[[World, Path], None]) -> Callable[[World, Path], None]:
        add(Publication(source, file_name, "file", write))
        return write

    return register


def dataset(
    source: str, labels: Mapping[str, str] | None = None
) -> Callable[[Callable[[World], pl.DataFrame]], Callable[[World], pl.DataFrame]]:
    """Mark a function that gives a dataset of an Opendatasoft portal: columns with machine names, in their order.

    It is stored as the portal exports it by default: CSV with ``;``, UTF-8 with byte order mark, CRLF.
    """

    def register(make: Callable[[World], pl.DataFrame]) -> Callable[[World], pl.DataFrame]:
        def write(world: World, path: Path) -> None:
            write_csv(make(world), path, delimiter=";", bom=True, line_end="\r\n")

        add(Publication(source, f"{source}.csv", "opendatasoft", write, dict(labels or {})))
        return make

    return register


def add(new: Publication) -> None:
    """Enter a publication into the registry, where a decorator does not do.

    Raises:
        ValueError: there is one of that name.
    """
    if new.key in _registry:
        raise ValueError(f"{new.key} is published twice")
    _registry[new.key] = new


def publications() -> list[Publication]:
    """Every file that the sample publishes, whatever the world, by source and name."""
    for module in pkgutil.iter_modules(publishers.__path__):
        importlib.import_module(f"{publishers.__name__}.{module.name}")
    return [_registry[key] for key in sorted(_registry)]


def write_all(world: World, folder: Path) -> None:
    """Write every publication as ``folder/<source>/<file>``, and ``sample.json`` beside them.

    A file that is there already from the same code, scale, seed and release stays as it is; one that this code no
    longer publishes goes.

    Raises:
        FolderNotASample: the folder is neither empty nor a sample.
    """
    manifest = _opened(folder)
    published = [file for file in publications() if file.exists(world)]
    for key in sorted(set(manifest) - {file.key for file in published}):
        (folder / key).unlink(missing_ok=True)
        del manifest[key]
    for file in published:
        fingerprint = _fingerprint(world, file)
        if manifest.get(file.key) != fingerprint or not (folder / file.key).exists():
            _write(world, file, folder)
            manifest[file.key] = fingerprint
            _save(world, folder, manifest)
    _save(world, folder, manifest)


def write_one(world: World, folder: Path, source: str) -> None:
    """Write the files of one source again, for a new release of it.

    Raises:
        FolderNotASample: the folder is neither empty nor a sample.
        ValueError: no such source is published.
    """
    files = [file for file in publications() if file.source == source and file.exists(world)]
    if not files:
        known = ", ".join(sorted({file.source for file in publications()}))
        raise ValueError(f"the sample publishes no source {source!r}; it has {known}")
    manifest = _opened(folder)
    for file in files:
        _write(world, file, folder)
        manifest[file.key] = _fingerprint(world, file)
    _save(world, folder, manifest)


def _opened(folder: Path) -> dict[str, str]:
    """The fingerprints of the files in the folder, which is made if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / MANIFEST
    if marker.exists():
        return dict(json.loads(marker.read_text(encoding="utf-8"))["files"])
    if strangers := sorted(path.name for path in folder.iterdir()):
        raise FolderNotASample(
            str(folder),
            f"expected an empty folder or one with {MANIFEST}, found {', '.join(strangers[:5])}.",
            "Name another folder for the sample: invented files are never written among others.",
        )
    return {}


def _write(world: World, file: Publication, folder: Path) -> None:
    target = folder / file.key
    target.parent.mkdir(exist_ok=True)
    with _replacing(target) as temporary:
        file.write(world, temporary)


def _save(world: World, folder: Path, files: Mapping[str, str]) -> None:
    releases = {source: world.release(source) for source in sorted({key.split("/")[0] for key in files})}
    content = {
        "invented": True,
        "scale": world.scale,
        "seed": world.seed,
        "releases": {source: number for source, number in releases.items() if number},
        "files": dict(sorted(files.items())),
    }
    with _replacing(folder / MANIFEST) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of ``target`` once it is whole."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _fingerprint(world: World, file: Publication) -> str:
    parts = [_code(), file.key, world.scale, str(world.seed), str(world.release(file.source))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _code() -> str:
    """A digest of all code of the sample."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def write_csv(
    frame: pl.DataFrame,
    target: Path | BinaryIO,
    *,
    delimiter: str = ";",
    bom: bool = False,
    quote: Literal["all", "needed", "never"] = "needed",
    decimal: Literal[".", ","] = ".",
    encoding: Literal["utf-8", "windows-1252"] = "utf-8",
    null: str = "",
    line_end: str = "\n",
) -> None:
    """Write a frame in one of the dialects that publishers write.

    Args:
        quote: ``all`` quotes the header and every cell, a null's too.
        decimal: decimal mark of the columns of floats.
        null: what stands for a null: nothing, ``NA``, ``None``, ...
    """
    styles: dict[str, Literal["always", "necessary", "never"]] = {
        "all": "always", "needed": "necessary", "never": "never",
    }  # fmt: skip
    written: BinaryIO | Path = io.BytesIO() if encoding != "utf-8" else target
    frame.write_csv(
        written,
        separator=delimiter,
        include_bom=bom,
        quote_style=styles[quote],
        decimal_comma=decimal == ",",
        null_value=null,
        line_terminator=line_end,
    )
    if isinstance(written, io.BytesIO) and written is not target:
        encoded = written.getvalue().decode("utf-8").encode(encoding)
        if isinstance(target, Path):
            target.write_bytes(encoded)
        else:
            target.write(encoded)


def write_zip(path: Path, members: Mapping[str, bytes | Path]) -> None:
    """Write a zip archive with the members in the order given; the same members give the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as out:
                if isinstance(content, bytes):
                    out.write(content)
                else:
                    with content.open("rb") as source:
                        shutil.copyfileobj(source, out, 1 << 20)
