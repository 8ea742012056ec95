"""The street segments of all communes: from the lines of the cartes scolaires to rows with a place on the map.

Belongs here: taking the lines through the steps, some communes at a time. Does not belong here: what the lines say
(``rules.py``), where a segment is (``placing.py``).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from functools import partial

import polars as pl

from edu_pipeline.sectors import addresses, piecewise, placing, rules
from edu_pipeline.sectors.numbering import hashed, numbered


def segments(streets: pl.LazyFrame, lycees: pl.DataFrame, ban: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """A row per segment.

    Args:
        streets: as ``rules.segments`` takes them.
        lycees: from ``rules.lycees_of_colleges``.
        ban: the addresses by département.

    Returns:
        The columns of ``rules.segments``; those that ``placing.place`` adds (``placing.PLACED``), which are NULL in
        refused rows; and id.
    """
    work = partial(_segments_of_communes, lycees)
    lines = streets.with_columns(code_departement=rules.departement(pl.col("code_commune")))

    def pieces() -> Iterator[pl.DataFrame]:
        packed = io.BytesIO()  # takes a tenth of the memory
        lines.sink_parquet(packed)
        unpacked = pl.scan_parquet(packed.getvalue())
        departements = addresses.by_departement(unpacked, ban)
        parts = (part for rows, near in departements for part in addresses.in_parts(rows, near))
        yield from numbered(piecewise.in_order(work, parts, rows=unpacked.select(pl.len()).collect().item()))

    (empty,) = numbered([work((lines.head(0).collect(), addresses.NO_ADDRESSES))])
    return piecewise.lazily(pieces, empty.schema)


def _segments_of_communes(lycees: pl.DataFrame, part: tuple[pl.DataFrame, pl.DataFrame]) -> pl.DataFrame:
    """The segments from the lines about some communes.

    Args:
        part: the lines, and the addresses of their communes.
    """
    lines, near = part
    segments = rules.segments(lines.lazy(), lycees)
    segments = segments.with_columns(hashed(segments, rules.OWN))
    good, refused = (segments.filter(pl.col("refused_because").is_null() == is_good) for is_good in (True, False))
    not_placed = [pl.lit(None, dtype).alias(name) for name, dtype in placing.PLACED.items()]
    return pl.concat([placing.place(good, near), refused.with_columns(not_placed)], how="diagonal")
