"""The streets of the invented country: names, positions and highest house numbers.

Belongs here: streets, and the two spellings of each in address files. Does not belong here: addresses
(`publishers/addresses.py`), which school a street belongs to (`publishers/ministry_sectors.py`).
"""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl

from edu_pipeline.sample.country import Country
from edu_pipeline.sample.itemised import items
from edu_pipeline.sample.spelling import bare_capitals

KINDS = items("""
    Rue; Avenue; Boulevard; Allée; Impasse; Place; Chemin; Square; Cours; Route; Quai; Mail
""")
FIRSTS = items("""
    Clos; Moulin; Pré; Bois; Champ; Jardin; Verger; Four; Puits; Val; Pont; Lavoir; Château; Prieuré; Général;
    Maréchal; Docteur; Président; Faubourg; Petit Saint; Marché; Stade; Canal; Parc; Port; Coteau; Bourg; Hameau;
    Manoir; Séminaire
""")
SECONDS = items("""
    Acacias; Alouettes; Amandiers; Aubépines; Bergers; Bleuets; Bouleaux; Bruyères; Capucines; Cerisiers; Charmes;
    Châtaigniers; Chênes; Cigognes; Coquelicots; Cyprès; Écureuils; Églantiers; Épis; Érables; Exemples; Fauvettes;
    Fictions; Figuiers; Fougères; Frênes; Genêts; Glycines; Grives; Hêtres; Hirondelles; Iris; Jonquilles;
    Lauriers; Lilas; Maquettes; Marronniers; Merles; Mésanges; Mimosas; Mûriers; Noyers; Œillets; Oliviers; Ormes;
    Peupliers; Pinsons; Rossignols; Tilleuls; Violettes
""")
ABBREVIATIONS = {"GENERAL": "GAL", "MARECHAL": "MAL", "DOCTEUR": "DOC", "PRESIDENT": "PDT", "SAINT": "ST"}
"""Words that the spelling in capitals abbreviates."""
STRIDE = 7_919
"""Step from one name to the next within a place: a prime, so that no name is repeated."""

PER_INHABITANT = 0.0335
"""Streets per inhabitant; at the sample scale a place has at most ``MOST``."""
MOST = 300
REACH, REACH_OF_ARRONDISSEMENT = 0.2, 0.04
"""Greatest distance of a street from the middle of its place, as a share of the commune's width and height."""
HALF = 0.2
"""Greatest distance from the middle of a street to its ends, as a share of ``REACH``; where there are many streets they
are shorter, about as long as the distance to the next one."""


def streets_of(streets: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """The streets of some places, place by place, with their names.

    Args:
        streets: all of them (``World.streets``).
        places: rows of ``World.places``.

    Returns:
        The columns of ``all_streets`` with nom (`Rue du Pré des Acacias`) and nom_afnor (`RUE DU PRE DES ACACIAS`,
        abbreviated) instead of name.
    """
    codes = places["code"].sort()
    if codes.len():  # streets are sorted by place, and the places often lie close together
        first = streets["code_place"].search_sorted(str(codes[0]), "left")
        streets = streets[first : streets["code_place"].search_sorted(str(codes[-1]), "right")]
    streets = streets.join(places.select(code_place="code"), on="code_place", how="semi", maintain_order="left")
    return streets.join(_names(), on="name", maintain_order="left").drop("name")


def all_streets(country: Country) -> pl.DataFrame:
    """The streets of the communes, with arrondissements instead of the three cities, place by place.

    Columns: code_place, number (of the street in its place, from 0), name (number of its name), last (highest house
    number), longitude and latitude of its middle, half_x and half_y (degrees from there to its end).
    """
    counts = (
        (pl.col("population").fill_null(0) * PER_INHABITANT)
        .round()
        .clip(1, MOST if country.scale == "sample" else None)
    )
    parents = country.arrondissements.select("code", "code_commune_parent")
    rows = (
        country.places.join(parents, left_on="code", right_on="code_commune_parent", how="anti")
        .select("code", "longitude", "latitude", count=counts.cast(pl.Int64))
        .sort("code")
        .join(parents, on="code", how="left", maintain_order="left")
        .with_columns(cell=pl.coalesce("code_commune_parent", "code"))
        .join(country.cell_sizes, left_on="cell", right_on="code", maintain_order="left")
        .with_columns(
            number=pl.int_ranges("count"),
            reach=pl.when(pl.col("code_commune_parent").is_null()).then(REACH).otherwise(REACH_OF_ARRONDISSEMENT),
        )
        .explode("number", empty_as_null=False, keep_nulls=False)
    )
    rng = country.rng("streets")
    shift = rng.uniform(-1, 1, (2, rows.height))
    last = pl.Series(np.exp(rng.normal(3.7, 0.7, rows.height))).round().clip(4, 900).cast(pl.Int64)
    angle = rng.uniform(0, np.pi, rows.height)
    half = pl.min_horizontal(HALF, 1 / pl.col("count").sqrt()) * pl.col("reach")
    start = pl.col("code").str.slice(1).str.replace_all("[AB]", "0").cast(pl.Int64)
    return rows.select(
        "number",
        code_place="code",
        name=(start + pl.col("number") * STRIDE) % (len(KINDS) * len(FIRSTS) * len(SECONDS)),
        last=last,
        longitude=(pl.col("longitude") + pl.col("reach") * pl.col("width") * pl.Series(shift[0])).round(6),
        latitude=(pl.col("latitude") + pl.col("reach") * pl.col("height") * pl.Series(shift[1])).round(6),
        half_x=(half * pl.col("width") * pl.Series(np.cos(angle))).round(6),
        half_y=(half * pl.col("height") * pl.Series(np.sin(angle))).round(6),
    )


@cache
def _names() -> pl.DataFrame:
    """Every possible name of a street: name (its number), nom, nom_afnor."""
    names = [f"{kind} du {first} des {second}" for second in SECONDS for first in FIRSTS for kind in KINDS]
    words = {f" {word} ": f" {short} " for word, short in ABBREVIATIONS.items()}
    return pl.DataFrame({"nom": names}).select(
        pl.int_range(pl.len()).alias("name"),
        "nom",
        nom_afnor=bare_capitals(pl.col("nom")).str.replace_many(words),
    )
