"""communes_limitrophes: the neighbours of each commune.

Does not belong here: the contours (commune_boundaries).
"""

import polars as pl
import shapely

from edu_pipeline import contracts as c
from edu_pipeline.table import table


class CommunesLimitrophes(c.Contract):
    """A commune and the communes that touch it, computed from the contours in commune_boundaries.

    Touching at a single point counts, because generalising to 100 m shrinks a short common border to a point: four in
    five of these contacts are borders in OpenStreetMap, the rest are corners; with them, 99.8 % of its pairs are found.
    Neighbours list each other. Communes abroad and municipal arrondissements are on no list; an island has no
    neighbours.
    """

    insee = c.text("INSEE code of the commune.", length=10, key=True, references=("commune_boundaries",))
    insee_voisins = c.texts("INSEE codes of its neighbours, sorted; empty for an island.", length=10, required=True)
    nb_voisins = c.integer("Number of neighbours.", required=True, min=0)


@table(CommunesLimitrophes)
def communes_limitrophes(commune_boundaries: pl.LazyFrame) -> pl.LazyFrame:
    """Pair each contour with the others that share a point with it."""
    frame = commune_boundaries.select("code_commune", "geometry").collect()
    contours = shapely.from_wkb(frame["geometry"].to_numpy())
    left, right = shapely.STRtree(contours).query(contours, predicate="intersects")
    pairs = pl.LazyFrame({"insee": frame["code_commune"][left], "voisin": frame["code_commune"][right]})
    neighbours = pl.col("voisin").filter(pl.col("voisin") != pl.col("insee")).unique().sort()
    return (
        pairs.group_by("insee")
        .agg(insee_voisins=neighbours)
        .with_columns(nb_voisins=pl.col("insee_voisins").list.len())
        .sort("insee")
    )
