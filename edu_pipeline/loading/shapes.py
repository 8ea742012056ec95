"""Geometries of a file that are no valid shapes: how many will be repaired, and how much of their area that changes.

Belongs here: counting and measuring them. Does not belong here: repairing them (the transforms, which have the file's
geometries), reading them (``sources/readers.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import shapely

from edu_pipeline import ewkb
from edu_pipeline.errors import EXAMPLES

ROW = "row_number"

Areas = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Invalid:
    """Shapes that are not valid, such as rings that cross themselves.

    Attributes:
        count: how many.
        note: which, and how much their area changes, in a sentence; empty if there is none.
    """

    count: int = 0
    note: str = ""


def invalid_shapes(frame: pl.LazyFrame, key: str, column: str) -> Invalid:
    """The invalid shapes among the geometries of ``column``, as ``ewkb.read`` reads them.

    Args:
        key: the column that names a shape; if the frame does not have it, the number of its row does.
    """
    if key not in frame.collect_schema():
        frame = frame.with_row_index(ROW, offset=1).with_columns(pl.format("row {}", ROW).alias(key))
    rows = frame.select(key, column).drop_nulls(column).collect(engine="streaming")
    shapes = ewkb.decoded(rows[column])
    for number in np.flatnonzero(shapely.is_missing(shapes)).tolist():
        shapes[number] = ewkb.read(rows[column][number])
    wrong = ~shapely.is_missing(shapes) & ~shapely.is_valid(shapes)
    if not wrong.any():
        return Invalid()
    before, repaired = shapes[wrong], shapely.make_valid(shapes[wrong], method="structure", keep_collapsed=False)
    shares = _share(shapely.area(before), shapely.area(repaired))
    names, reasons = rows[key].filter(pl.Series(wrong)), shapely.is_valid_reason(before)
    examples = [
        f"{names[number]} ({reasons[number]}; area {shares[number]:+.2%})"
        for number in np.argsort(-np.abs(shares), kind="stable")[:EXAMPLES].tolist()
    ]
    total = _share(np.array([shapely.area(before).sum()]), np.array([shapely.area(repaired).sum()]))[0]
    note = f"{wrong.sum():,} geometries are not valid and were repaired, which changes their area by {total:+.2%}: "
    return Invalid(int(wrong.sum()), note + ", ".join(examples))


def _share(before: Areas, after: Areas) -> Areas:
    """The change as a share of what was there before; all of it where nothing was."""
    return np.divide(after - before, before, out=np.ones_like(before), where=before > 0)
