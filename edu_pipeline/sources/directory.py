"""A directory ``<source id>/<file>`` that stands in for the publishers.

Belongs here: which of its files is which part of a source, and copies of them. Does not belong here: what becomes of
the copies (``fetch.py``).
"""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
from pathlib import Path
from typing import TypeGuard

from edu_pipeline.catalogue import File, Source
from edu_pipeline.errors import NotInStandIn
from edu_pipeline.sources.release import ArrivedFile, ReceivedFile
from edu_pipeline.sources.soundness import check_sound
from edu_pipeline.sources.texts import file_names, listed

log = logging.getLogger(__name__)

INVENTED_MARKER = "sample.json"
"""A directory with this file is the sample publisher's."""


def is_directory(upstream: str | None) -> TypeGuard[str]:
    """Whether ``EDU_UPSTREAM`` names a directory, and neither a mirror nor nothing."""
    return upstream is not None and not upstream.startswith(("http://", "https://"))


def copy_files(source: Source, upstream: Path, folder: Path) -> list[ArrivedFile]:
    """Copies, in ``folder``, of the files that the directory ``upstream`` has for ``source``.

    Raises:
        NotInStandIn: it has none.
        FileInvalid: a file is not what the catalogue says.
    """
    base = upstream / source.id
    invented = (upstream / INVENTED_MARKER).exists()
    arrived = []
    for number, (name, files) in enumerate(files_by_name(source, base).items()):
        copy = folder / f"received-{number}"
        shutil.copyfile(base / name, copy)
        for file in files:
            check_sound(copy, file, f"{file_names(file)}, {base / name}", name)
        with copy.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        address = (base / name).absolute().as_uri()
        received = ReceivedFile(name, address, address, copy.stat().st_size, sha256, invented=invented)
        arrived.append(ArrivedFile(received, tuple(file.part for file in files), copy))
    return arrived


def files_by_name(source: Source, folder: Path) -> dict[str, list[File]]:
    """The names of the files that ``folder`` has for ``source``, each with the parts of the source that it holds.

    Raises:
        NotInStandIn: it has none.
    """
    names = sorted(path.name for path in folder.glob("*") if path.is_file() and not path.name.startswith("."))
    chosen: dict[str, list[File]] = {}
    for file in source.files.values():
        matching = [name for name in names if re.fullmatch(file.name, name)]
        if matching:
            chosen.setdefault(matching[-1], []).append(file)
        elif not file.optional:
            log.info("%s: %s has no file that matches %r", file_names(file), folder, file.name)
    if not chosen:
        patterns = " or ".join(repr(file.name) for file in source.files.values())
        raise NotInStandIn(
            source.id,
            f"expected a file whose name matches {patterns} in {folder}, found {listed(names)}.",
            "Put the file there under such a name, or unset EDU_UPSTREAM to use the real publisher.",
        )
    return chosen
