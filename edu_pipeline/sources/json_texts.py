"""What must be known of a JSON file beyond what its parsers say.

Belongs here: NUL characters, which they cut off or pass on, and geometries that they drop. Does not belong here:
reading (``readers.py``).
"""

from __future__ import annotations

import json
import mmap
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edu_pipeline.errors import FileInvalid, shown

LONGEST = 200
"""Bytes of the first line that are shown."""

NUL = re.compile(rb"\0|(?<!\\)(?:\\\\)*\\u0000")
"""A NUL character, as it is or escaped; PostgreSQL has no text with it."""


def first_line(path: Path) -> str:
    """The beginning of the first line."""
    with path.open("rb") as stream:
        return stream.readline(LONGEST).decode("utf-8-sig", "replace").strip()


def check_no_nul(path: Path, where: str) -> None:
    """That no text has a NUL character.

    Raises:
        FileInvalid: one has; the text names the line and the byte.
    """
    if not path.stat().st_size:
        return
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if match := NUL.search(content):
            line = content[: match.start()].count(b"\n") + 1
            around = content[max(0, match.start() - 40) : match.end()].decode("utf-8", "replace")
            raise FileInvalid(
                where,
                f"expected text, found a NUL character in line {line}, byte {match.start():,}: {shown(around)}.",
                "Open the file there; fetch it again, or tell the publisher. The previous release stays in use.",
            )


def check_geometries(path: Path, missing: npt.NDArray[np.bool_], where: str) -> None:
    """That the features whose geometry could not be read have none in the file either.

    Args:
        missing: for each feature, whether it has no geometry.

    Raises:
        FileInvalid: one has a geometry, for instance with texts as coordinates; the text shows it.
    """
    if not missing.any():
        return
    features = json.loads(path.read_text("utf-8-sig"))["features"]
    for number in np.flatnonzero(missing):
        geometry = features[number].get("geometry")
        if geometry is not None:
            raise FileInvalid(
                where,
                f"expected a geometry with numbers as coordinates, found in feature {number + 1} "
                f"{shown(json.dumps(geometry, ensure_ascii=False))}.",
                "Look at the feature; fetch the file again, or tell the publisher. The previous release stays in use.",
            )
