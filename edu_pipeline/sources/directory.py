"""A directory ``<source id>/<file>`` that stands in for the publishers.

Belongs here: which of its files is which part of a source, and copies of them. Does not belong here: what becomes of
the copies (``fetch.py``).
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TypeGuard

from edu_pipeline.catalogue import File, Source
from edu_pipeline.errors import NotInStandIn, shown
from edu_pipeline.sources.admission import Admission
from edu_pipeline.sources.release import ArrivedFile, ReceivedFile
from edu_pipeline.sources.texts import listed

INVENTED_MARKER = "sample.json"
"""A directory with this file is the sample publisher's."""

ENDINGS = (".csv", ".csv.gz", ".zip", ".xlsx", ".parquet", ".json", ".json.gz", ".geojson", ".geojson.gz")
"""What the name of a file of a form ends with that there is a reader for; the content decides how it is read."""

ENDING = re.compile(rf"({'|'.join(map(re.escape, sorted(ENDINGS, key=len, reverse=True)))})$", re.IGNORECASE)


def is_directory(upstream: str | None) -> TypeGuard[str]:
    """Whether ``EDU_UPSTREAM`` names a directory, and neither a mirror nor nothing."""
    return upstream is not None and not upstream.startswith(("http://", "https://"))


def copy_files(source: Source, upstream: Path, folder: Path, admission: Admission) -> list[ArrivedFile]:
    """Copies, in ``folder``, of the files that the directory ``upstream`` has for ``source``.

    Raises:
        NotInStandIn: it has none.
        FileInvalid, MemberMissing: a file is not what the catalogue says.
    """
    base = upstream / source.id
    invented = (upstream / INVENTED_MARKER).exists()
    arrived = []
    for number, (name, files) in enumerate(files_by_name(source, base).items()):
        copy = folder / f"received-{number}"
        shutil.copyfile(base / name, copy)
        with copy.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        address = (base / name).absolute().as_uri()
        received = ReceivedFile(name, address, address, copy.stat().st_size, sha256, invented=invented)
        admission.check(copy, files, received, str(base / name))
        arrived.append(ArrivedFile(received, tuple(file.part for file in files), copy))
    return arrived


def files_by_name(source: Source, folder: Path) -> dict[str, list[File]]:
    """The names of the files that ``folder`` has for ``source``, each with the parts of the source that it holds.

    Raises:
        NotInStandIn: it has none.
    """
    names = names_in(folder)
    chosen: dict[str, list[File]] = {}
    for file in source.files.values():
        if candidates := _candidates(source, file, names):
            chosen.setdefault(candidates[-1], []).append(file)
    if not chosen:
        raise NotInStandIn(
            source.id,
            f"expected a file whose name matches {_patterns(source)} in {folder}, found {shown(listed(names))}.",
            "Put the file there under such a name, or with the ending of its form (.xlsx, .csv.gz, .zip, .parquet, "
            ".json) instead; or unset EDU_UPSTREAM to use the real publisher.",
        )
    return chosen


def choices(source: Source, folder: Path) -> tuple[str, ...]:
    """What an operator should know of which files in ``folder`` are used: one of several, and those that are not."""
    names = names_in(folder)
    candidates = {file.part: _candidates(source, file, names) for file in source.files.values()}
    texts = []
    for used, *others in {tuple(reversed(each)) for each in candidates.values() if each}:
        if others:
            texts.append(f"{source.id}: {shown(used)} is used, not {shown(listed(others))}.")
    if unused := [name for name in names if not any(name in each for each in candidates.values())]:
        texts.append(
            f"{source.id}: {shown(listed(unused))} in {folder} is ignored: expected a name that matches "
            f"{_patterns(source)}."
        )
    return tuple(sorted(texts))


def not_handed_in(source: Source, upstream: str | None) -> NotInStandIn | None:
    """The failure of a source of which a stand-in directory has files, but none with an expected name."""
    if not is_directory(upstream):
        return None
    folder = Path(upstream) / source.id
    try:
        files_by_name(source, folder)
    except NotInStandIn as error:
        return error if names_in(folder) else None
    return None


def names_in(folder: Path) -> list[str]:
    """The names of the files in ``folder``, hidden ones excepted."""
    return sorted(path.name for path in folder.glob("*") if path.is_file() and not path.name.startswith("."))


def _candidates(source: Source, file: File, names: Sequence[str]) -> list[str]:
    """The names that may be ``file``, the best last: the expected ones, else those with the ending of another form."""
    expected = [name for name in names if re.fullmatch(file.name, name)]
    return expected or [name for name in names if _is_other_form(source, file, name)]


def _is_other_form(source: Source, file: File, name: str) -> bool:
    """Whether ``name`` is an expected one, or the source's id, with the ending of another form."""
    ending = ENDING.search(name)
    if ending is None or file.exact_name:
        return False
    stem = name[: ending.start()]
    is_id = stem == source.id and len(source.files) == 1
    return is_id or any(re.fullmatch(file.name, stem + other) for other in ENDINGS)


def _patterns(source: Source) -> str:
    return " or ".join(dict.fromkeys(repr(file.name) for file in source.files.values()))
