"""Long files, which have a row for each figure: how a contract names one of their figures.

Belongs here: the name of a figure, and what it consists of. Does not belong here: how a file is laid out
(``catalogue.py``), reading one (``loading/unfolding.py``).

INSEE publishes such files in the form of SDMX: a row has the codes of its dimensions (``GEO``, ``AGE``, ``SEX``, ...),
a period and one value. The code ``_T`` of a dimension stands for its total. A figure is named by the codes that it has
in some dimensions; it is the total of all others. So ``RP_MEASURE=DWELLINGS OCS=DW_VAC`` is the number of vacant
dwellings, of any type and size. ``FACILITY_TYPE=A101+A104`` is the sum of two figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

TOTAL = "_T"
"""The code that stands for all codes of a dimension."""

Figure = Mapping[str, tuple[str, ...]]
"""Dimension to its codes; with several, the figure is the sum over them."""


def figure(**codes: str | Sequence[str]) -> str:
    """The name of a figure, as the upstream name of a column.

    Args:
        codes: dimension to its code, or to the codes that are added up.
    """
    return " ".join(f"{name}={code if isinstance(code, str) else '+'.join(code)}" for name, code in codes.items())


def is_figure(name: str) -> bool:
    """Whether this is the name of a figure, and not that of a plain column."""
    return "=" in name


def parsed(name: str) -> Figure:
    """What the figure of this name consists of."""
    parts = (part.split("=") for part in name.split(" "))
    return {dimension: tuple(codes.split("+")) for dimension, codes in parts}
