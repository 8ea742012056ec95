"""The street segments of all communes: from the lines of the cartes scolaires to rows with a place on the map.

Belongs here: the way of the lines, some communes after the others. Does not belong here: what the lines
say (``rules.py``), where a segment lies (``placing.py``).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from functools import partial

import polars as pl

from edu_pipeline.sectors import addresses, piecewise, placing, rules
from edu_pipeline.sectors.numbering import hashed, numbered


def segments(streets: pl.LazyFrame, lycees: pl.DataFrame, ban: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """A row per segment: what ``rules.segments`` gives and what ``placing.place`` adds (``placing.PLACED``), which is
    NULL of those that are refused; and id.

    Args:
        streets: as ``rules.segments`` takes them.
        lycees: of ``rules.lycees_of_colleges``.
        ban: the addresses by département.
    """
    work = partial(_of_communes, lycees)
    lines = streets.with_columns(code_departement=rules.departement(pl.col("code_commune")))

    def pieces() -> Iterator[pl.DataFrame]:
        packed = io.BytesIO()  # the lines in a tenth of the memory
        lines.sink_parquet(packed)
        unpacked = pl.scan_parquet(packed.getvalue())
        departements = addresses.by_departement(unpacked, ban)
        parts = (part for here, found in departements for part in addresses.in_parts(here, found))
        yield from numbered(piecewise.in_order(work, parts, rows=unpacked.select(pl.len()).collect().item()))

    (empty,) = numbered([work((lines.head(0).collect(), addresses.NONE))])
    return piecewise.lazily(pieces, empty.schema)


def _of_communes(lycees: pl.DataFrame, part: tuple[pl.DataFrame, pl.DataFrame]) -> pl.DataFrame:
    """The segments that the lines about some communes make, given the addresses of these."""
    lines, found = part
    made = rules.segments(lines.lazy(), lycees)
    made = made.with_columns(hashed(made, rules.OWN))
    taken, refused = (made.filter(pl.col("refused_because").is_null() == right) for right in (True, False))
    nowhere = [pl.lit(None, kind).alias(name) for name, kind in placing.PLACED.items()]
    return pl.concat([placing.place(taken, found), refused.with_columns(nowhere)], how="diagonal")
