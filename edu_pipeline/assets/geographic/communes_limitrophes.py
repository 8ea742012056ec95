"""communes_limitrophes: the neighbours of each commune. Not here: the contours (commune_boundaries)."""

import polars as pl
import shapely

from edu_pipeline import contracts as c
from edu_pipeline.table import table


class CommunesLimitrophes(c.Contract):
    """A commune and the communes that touch it, computed from the contours of commune_boundaries.

    Touching in a single point counts: generalising to 100 m shrinks a short common border to a point (four in five
    single contacts are borders in OpenStreetMap, and with them 99.8 % of its pairs are found; the rest are corners).
    Neighbours are on both sides' lists. Communes abroad and municipal arrondissements are on none; an island has none.
    """

    insee = c.text("INSEE code of the commune.", length=10, key=True, references=("commune_boundaries",))
    insee_voisins = c.texts("INSEE codes of its neighbours, sorted; empty for an island.", length=10, required=True)
    nb_voisins = c.integer("Number of neighbours.", required=True, min=0)


@table(CommunesLimitrophes)
def communes_limitrophes(commune_boundaries: pl.LazyFrame) -> pl.LazyFrame:
    """Pair the contours that have a point in common, other than each with itself."""

    frame = commune_boundaries.select("code_commune", "geometry").collect()
    contours = shapely.from_wkb(frame["geometry"].to_numpy())
    one, other = shapely.STRtree(contours).query(contours, predicate="intersects")
    pairs = pl.LazyFrame({"insee": frame["code_commune"][one], "voisin": frame["code_commune"][other]})
    neighbours = pl.col("voisin").filter(pl.col("voisin") != pl.col("insee")).unique().sort()
    return (
        pairs.group_by("insee")
        .agg(insee_voisins=neighbours)
        .with_columns(nb_voisins=pl.col("insee_voisins").list.len())
        .sort("insee")
    )
