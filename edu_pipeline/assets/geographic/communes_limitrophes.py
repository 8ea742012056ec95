"""communes_limitrophes: the neighbours of each commune and municipal arrondissement.

Does not belong here: the contours (commune_boundaries).
"""

import polars as pl
import shapely

from edu_pipeline import contracts as c
from edu_pipeline.table import table


class CommunesLimitrophes(c.Contract):
    """A commune and the communes that touch it, or a municipal arrondissement and what touches it, computed from the
    contours in commune_boundaries.

    The neighbours of a commune are communes: of Vanves Paris (75056), and never an arrondissement of it. The neighbours
    of an arrondissement are other arrondissements, and communes except its own city; it is on no commune's list.

    Touching at a single point counts, because generalising to 100 m shrinks a short common border to a point: four in
    five of these contacts are borders in OpenStreetMap, the rest are corners; with them, 99.8 % of its pairs are found.
    Otherwise neighbours list each other. Communes abroad are on no list; an island has no neighbours. The contours are
    under the ODbL, and so is what is computed from them.
    """

    insee = c.text(
        "INSEE code of the commune or arrondissement.",
        length=10,
        key=True,
        pattern=c.COMMUNE,
        references=("commune_boundaries",),
    )
    insee_voisins = c.texts(
        "INSEE codes of its neighbours, sorted; empty for an island.", length=10, pattern=c.COMMUNE, required=True
    )
    nb_voisins = c.integer("Number of neighbours.", required=True, min=0, max=200)


@table(CommunesLimitrophes)
def communes_limitrophes(commune_boundaries: pl.LazyFrame) -> pl.LazyFrame:
    """Pair each contour with the others that share a point with it, a commune with communes only."""
    frame = commune_boundaries.select("code_commune", "code_commune_parent", "geometry").collect()
    contours = shapely.from_wkb(frame["geometry"].to_numpy())
    left, right = shapely.STRtree(contours).query(contours, predicate="intersects")
    codes, parents = frame["code_commune"], frame["code_commune_parent"]
    pairs = pl.LazyFrame(
        {"insee": codes[left], "voisin": codes[right], "city": parents[left], "city_of_voisin": parents[right]}
    )
    are_alike = pl.col("city").is_not_null() | pl.col("city_of_voisin").is_null()
    is_neighbour = are_alike & (pl.col("voisin") != pl.col("insee")) & pl.col("voisin").ne_missing(pl.col("city"))
    neighbours = pl.col("voisin").filter(is_neighbour).unique().sort()
    return (
        pairs.group_by("insee")
        .agg(insee_voisins=neighbours)
        .with_columns(nb_voisins=pl.col("insee_voisins").list.len())
        .sort("insee")
    )
