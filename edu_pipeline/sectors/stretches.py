"""The stretches of street of the Hauts-de-Seine, each with a collège for either side.

Belongs here: the form of the département's file. Does not belong here: which addresses are at a stretch
(``by_address.py``).
"""

from __future__ import annotations

import polars as pl
import shapely

from edu_pipeline import accounts, ewkb, normalise
from edu_pipeline.accounts import SOURCE_ROW
from edu_pipeline.flow import keep, pick
from edu_pipeline.sectors.rules import HAUTS_DE_SEINE

DEPARTEMENT = "92"

SIDES = {True: ("nom_1_g", "code_impair"), False: ("nom_1_d", "code_pair")}
"""Street and collège of the side of the odd numbers, and of the side of the even ones."""

COLUMNS = (*(name for side in SIDES.values() for name in side), "geo_shape")
"""The columns that are read."""


def stretches(rows: pl.LazyFrame) -> pl.DataFrame:
    """A row for each side of each stretch that has a street and a collège, as ``by_address.along`` takes them.

    Args:
        rows: ``COLUMNS``; geo_shape is a line in GeoJSON.
    """
    has_side = [pl.all_horizontal(pl.col(name).is_not_null() for name in side) for side in SIDES.values()]
    named = keep(rows, pl.any_horizontal(has_side), "no side with a street and a collège").collect()
    shapes = shapely.from_geojson(named["geo_shape"].to_numpy(), on_invalid="ignore")
    is_line = pl.Series([shape is not None and shape.length > 0 for shape in shapes], dtype=pl.Boolean)
    placed = named.with_columns(ewkb.encoded(shapes), is_line=is_line).lazy()
    lines = keep(placed, pl.col("is_line"), "no line on the map").collect()
    if SOURCE_ROW in lines.columns:
        accounts.note(lines[SOURCE_ROW], accounts.USED)
    sides = [
        pick(
            lines.lazy(),
            "geometry",
            code_departement=pl.lit(DEPARTEMENT),
            libelle_rue=street,
            odd=pl.lit(odd),
            uai_colleges=pl.concat_list(normalise.upper(pl.col(college))),
            rule=pl.lit(HAUTS_DE_SEINE),
            rentree_scolaire=pl.lit(None, pl.String),
        ).filter(pl.col("libelle_rue").is_not_null(), pl.col("uai_colleges").list.get(0).is_not_null())
        for odd, (street, college) in SIDES.items()
    ]
    return pl.concat(sides).collect()
