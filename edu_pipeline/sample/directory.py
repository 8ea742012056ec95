"""A directory with all the files that the sample publishes.

Belongs here: writing the directory, and `sample.json`, which says that it is invented and what is in it. Does not
belong here: what a file says (`publishers/`), the dates of releases (`shelf.py`), serving it over HTTP (`server.py`).
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import pkgutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from edu_pipeline.errors import EduError
from edu_pipeline.sample import publishers
from edu_pipeline.sample.publication import Publication, registered
from edu_pipeline.sample.world import World

MANIFEST = "sample.json"
"""The file that marks a directory as a sample and says which world it describes."""


class FolderNotASample(EduError):
    """The folder holds files that are not a sample's: the sample is not written among them."""


def publications() -> list[Publication]:
    """Every file that the sample publishes in any world, by source and name."""
    for module in pkgutil.iter_modules(publishers.__path__):
        importlib.import_module(f"{publishers.__name__}.{module.name}")
    return registered()


def write_all(world: World, folder: Path) -> None:
    """Write every publication as ``folder/<source>/<file>``, and ``sample.json``.

    A file already written by the same code for the same scale, seed and release is left as it is; a file that this
    code no longer publishes is deleted.

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
    """Rewrite the files of one source, for a new release of it.

    Raises:
        FolderNotASample: the folder is neither empty nor a sample.
        ValueError: no such source is published.
    """
    files = [file for file in publications() if file.source == source and file.exists(world)]
    if not files:
        known = ", ".join(sorted({file.source for file in publications()}))
        raise ValueError(f"expected one of {known}, found {source!r}.")
    manifest = _opened(folder)
    for file in files:
        _write(world, file, folder)
        manifest[file.key] = _fingerprint(world, file)
    _save(world, folder, manifest)


def _opened(folder: Path) -> dict[str, str]:
    """The fingerprints of the files in the folder, which is created if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / MANIFEST
    if marker.exists():
        return dict(json.loads(marker.read_text(encoding="utf-8"))["files"])
    if others := sorted(path.name for path in folder.iterdir()):
        raise FolderNotASample(
            str(folder),
            f"expected an empty folder or one with {MANIFEST}, found {', '.join(others[:5])}.",
            "Choose another folder for the sample: invented files are never written among others.",
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
    """A path to write to, which replaces ``target`` once it is complete."""
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
    """A digest of the sample's own code."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
