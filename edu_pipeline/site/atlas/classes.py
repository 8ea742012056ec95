"""Classes of a figure for colouring a map: quantiles.

Belongs here: the bounds of the classes. Does not belong here: colours, which are the page's.
"""

from __future__ import annotations

import polars as pl

CLASSES = 5


def edges(values: pl.Series) -> list[float]:
    """The lowest value of each class, and at the end the highest of all; each of them occurs among ``values``.

    A class has the values from its edge up to the next one, which is excluded except in the last class. The classes
    have the same number of values as far as equal values, which stay together, allow. Without values: empty.
    """
    known = values.drop_nulls().drop_nans().sort()
    if known.is_empty():
        return []
    lows = [known[number * known.len() // CLASSES] for number in range(CLASSES)]
    return [float(edge) for edge in [*dict.fromkeys(lows), known[-1]]]
