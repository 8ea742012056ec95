"""School sectors, by street or commune: collèges of the whole country, collèges and lycées of Occitanie.

Belongs here: the two files of sectors. A street belongs to the nearest public school of its kind, so that a sector is
one piece of the map or a few. Does not belong here: the streets themselves (`streets.py`), positions of addresses.
"""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import shapely

from edu_pipeline.sample import spelling
from edu_pipeline.sample.itemised import items
from edu_pipeline.sample.publication import dataset
from edu_pipeline.sample.streets import streets_of
from edu_pipeline.sample.world import World

COLLEGES = "fr-en-carte-scolaire-colleges-publics"
OCCITANIE = "fr-en-occitanie-carte-scolaire-des-colleges-lycees-publics"

NOT_COVERED = ("06", "11", "22", "31", "38", "44", "49", "65", "75", "92")
"""Départements missing from the file of collèges."""
NO_UPPER_BOUND = 9999
BY_PARITY, BY_NUMBER = 0.1, 0.1
"""Share of the streets whose two sides, or two ends, belong to different schools: those closest to the border between
the schools of their place. Each part belongs to the school that it faces."""
WITHOUT_SCHOOL = 0.002
"""Share of the rows without a school."""
LISTED_STREETS = 3
"""The file of Occitanie has one in so many streets."""

COLLEGE_NAMES = items("""
    code_region; libelle_region; code_academie; libelle_academie; code_departement; libelle_departement;
    code_postal; code_insee; libelle_commune; lieu_dit; type_et_libelle; n_de_voie_debut;
    indice_de_repetition_debut; n_de_voie_fin; indice_de_repetition_fin; parite; code_rne; secteur_unique; no_ligne
""")
OCCITANIE_NAMES = items("""
    code_region; libelle_region; code_academie; libelle_academie; code_departement; libelle_departement_eleve;
    code_postal; code_insee; com_name_upper; lieu_dit; type_et_libelle; no_de_voie_debut; no_de_voie_fin;
    numero_de_voie; indice_de_repetition_debut; indice_de_repetition_fin; parite; code_rne; libelle_commune;
    position; adresse_uai; appellation_officielle; geo_shape; date_ouverture; ips_etablissement;
    type_etablissement; numero_voie_et_cote
""")
SENTENCES = {"PI": "Tous les N°, de", "P": "N° pairs, de", "I": "N° impairs, de"}
"""How Occitanie writes the side of the street; only the first has been seen in a real file."""


@dataset(COLLEGES)
def sectors_of_colleges(world: World) -> pl.DataFrame:
    """A commune with a single collège (`secteur_unique` O), or part of a street in a commune with several.

    House numbers are floats, as in 2026; the upper bound 9999 means that there is none.
    """
    places = _places(world).filter(~pl.col("code_departement").is_in(NOT_COVERED))
    rows = _sectors(world, COLLEGES, places, world.colleges.filter("public"))
    whole = pl.col("nom_afnor").is_null()
    is_without_school = pl.Series(world.rng("sectors").random(rows.height) < WITHOUT_SCHOOL)
    repetition = pl.Series(world.rng("sectors", "repetition").random(rows.height) < WITHOUT_SCHOOL)
    return (
        _described(world, rows)
        .select(
            "code_region",
            "libelle_region",
            "code_academie",
            "libelle_academie",
            spelling.three_characters(pl.col("code_departement")),
            "libelle_departement",
            pl.when(~whole).then("code_postal").alias("code_postal"),
            code_insee="code_place",
            libelle_commune=spelling.capitals(pl.col("nom_place")),
            lieu_dit=pl.lit(None, pl.String),
            type_et_libelle="nom_afnor",
            n_de_voie_debut=pl.col("first").cast(pl.Float64),
            indice_de_repetition_debut=pl.when(~whole & repetition).then(pl.lit("B")),
            n_de_voie_fin=pl.col("end").cast(pl.Float64),
            indice_de_repetition_fin=pl.lit(None, pl.String),
            parite="side",
            code_rne=pl.when(whole | ~is_without_school).then("uai"),
            secteur_unique=pl.when(whole).then(pl.lit("O")).otherwise(pl.lit("N")),
            no_ligne=pl.int_range(1, pl.len() + 1),
        )
        .select(COLLEGE_NAMES)
    )


@dataset(OCCITANIE)
def sectors_of_occitanie(world: World) -> pl.DataFrame:
    """The same for the collèges and lycées of Occitanie, with the school's address and the commune's contour.

    Rows for whole communes are INFERRED: all rows that have been seen are for streets.
    """
    places = _places(world).filter(code_region="76")
    lycees = world.lycees_gt.filter("public", code_region="76")
    in_part = _with_several(places, lycees)["code"]
    parts = []
    for kind, schools in (("COLLEGE", world.colleges.filter("public", code_region="76")), ("LYCEE", lycees)):
        rows = _sectors(world, OCCITANIE, places, schools, in_part).filter(
            pl.col("number").is_null() | (pl.col("number") % LISTED_STREETS == 0)
        )
        parts.append(rows.with_columns(type_etablissement=pl.lit(kind)))
    rows = _described(world, pl.concat(parts).sort("type_etablissement", "code_place", "number", "first"))
    first, end = (pl.col(name).cast(pl.String) for name in ("first", "end"))
    numbers = pl.format("{} à {}", first.str.zfill(3), end)
    sentence = pl.col("side").replace_strict(SENTENCES, default=None)
    schools = world.schools.select(
        "uai", "longitude", "latitude", "date_ouverture", "niveau", adresse_uai="adresse", appellation_officielle="nom"
    )
    return (
        rows.join(schools, on="uai", how="left", maintain_order="left")
        .join(_shapes(world, places), left_on="code_place", right_on="code", how="left", maintain_order="left")
        .with_columns(
            libelle_departement_eleve="libelle_departement",
            code_insee="code_place",
            com_name_upper=pl.col("nom_place").str.to_uppercase(),
            lieu_dit=pl.lit(None, pl.String),
            type_et_libelle="nom_afnor",
            no_de_voie_debut="first",
            no_de_voie_fin="end",
            numero_de_voie=numbers,
            indice_de_repetition_debut=pl.lit(None, pl.String),
            indice_de_repetition_fin=pl.lit(None, pl.String),
            parite=sentence,
            code_rne="uai",
            libelle_commune="nom_place",
            position=pl.format("{}, {}", "latitude", "longitude"),
            date_ouverture=spelling.french_date(pl.col("date_ouverture")),
            ips_etablissement=spelling.without_zero(pl.col("niveau")),
            numero_voie_et_cote=pl.format("{}  {}", sentence, numbers),
        )
        .select(OCCITANIE_NAMES)
    )


def _places(world: World) -> pl.DataFrame:
    """The places that pupils live in: arrondissements instead of the three cities."""
    cities = world.arrondissements["code_commune_parent"].unique()
    return world.places.filter(~pl.col("code").is_in(cities.implode()))


def _with_several(places: pl.DataFrame, schools: pl.DataFrame) -> pl.DataFrame:
    """The places with at least two of the schools."""
    several = schools.group_by("code_place").len().filter(pl.col("len") > 1)
    return places.join(several, left_on="code", right_on="code_place", how="semi")


def _sectors(
    world: World, source: str, places: pl.DataFrame, schools: pl.DataFrame, in_part: pl.Series | None = None
) -> pl.DataFrame:
    """Every commune or part of a street with its school.

    A new release of the source gives some of them the school of the previous row.

    Args:
        in_part: codes of the only places that may be divided among schools; unset: all places with several schools.

    Returns:
        code_place, number and nom_afnor of the street, first and end of its house numbers, side (PI, P, I), uai.
    """
    schools = schools.join(
        world.places.select("code", x="longitude", y="latitude"), left_on="code_place", right_on="code"
    ).with_columns(pl.coalesce("longitude", "x").alias("x"), pl.coalesce("latitude", "y").alias("y"))
    divided = _with_several(places, schools)
    if in_part is not None:
        divided = divided.filter(pl.col("code").is_in(in_part.implode()))
    whole = _nearest(places.join(divided, on="code", how="anti"), schools, "code_departement").select(
        code_place="code",
        number=pl.lit(None, pl.Int64),
        nom_afnor=pl.lit(None, pl.String),
        first=pl.lit(None, pl.Int64),
        end=pl.lit(None, pl.Int64),
        side=pl.lit(None, pl.String),
        uai="nearest",
    )
    streets = _nearest(streets_of(world.streets, divided), schools, "code_place")
    streets = streets.with_columns(division=_division(world, streets))
    low, high = _facing((pl.col("half_x"), pl.col("half_y")))
    even, odd = _facing((-pl.col("half_y"), pl.col("half_x")))  # `addresses.py` puts the odd numbers on the left
    half = pl.col("last") // 2
    pieces = pl.concat(
        streets.filter(division=division).select(
            "code_place",
            "number",
            "nom_afnor",
            first=first.cast(pl.Int64),
            end=end.cast(pl.Int64),
            side=pl.lit(side),
            uai=school,
        )
        for division, first, end, side, school in (
            ("none", pl.lit(1), pl.lit(NO_UPPER_BOUND), "PI", pl.col("nearest")),
            ("parity", pl.lit(1), pl.lit(NO_UPPER_BOUND), "I", odd),
            ("parity", pl.lit(2), pl.lit(NO_UPPER_BOUND), "P", even),
            ("number", pl.lit(1), half, "PI", low),
            ("number", half + 1, pl.lit(NO_UPPER_BOUND), "PI", high),
        )
    )
    rows = pl.concat([whole, pieces]).sort("code_place", "number", "first", "side")
    previous = pl.coalesce(pl.col("uai").shift(1).over(pl.col("code_place").str.head(3)), "uai")
    return rows.with_columns(uai=pl.when(world.is_revised(rows, source)).then(previous).otherwise("uai"))


def _division(world: World, streets: pl.DataFrame) -> pl.Series:
    """How each street is divided: by ``parity``, by ``number`` or not at all (``none``)."""
    by_border = pl.col("lead").rank("ordinal").over("code_place") / pl.len().over("code_place")
    near_border = streets.select(by_border <= BY_PARITY + BY_NUMBER).to_series()
    by_parity = pl.Series(world.rng("sectors", "streets").random(streets.height) < BY_PARITY / (BY_PARITY + BY_NUMBER))
    divided = pl.when(by_parity).then(pl.lit("parity")).otherwise(pl.lit("number"))
    return pl.select(pl.when(near_border).then(divided).otherwise(pl.lit("none"))).to_series()


def _facing(direction: tuple[pl.Expr, pl.Expr]) -> tuple[pl.Expr, pl.Expr]:
    """The schools of the parts behind and ahead of a street's middle in a direction (degrees).

    The part on the side of the second nearest school belongs to it, the other one to the nearest.
    """
    east, north = direction
    ahead = east * pl.col("to_second_x") + north * pl.col("to_second_y") > 0
    nearest, second = pl.col("nearest"), pl.col("second")
    return pl.when(ahead).then(nearest).otherwise(second), pl.when(ahead).then(second).otherwise(nearest)


def _nearest(points: pl.DataFrame, schools: pl.DataFrame, group: str) -> pl.DataFrame:
    """The points with the nearest and second nearest school of their group (if it has only one school, twice that one).

    Points of a group without a school are left out.

    Returns:
        The columns of the points; ``nearest`` and ``second`` (codes); ``lead``, by how much the first is nearer;
        ``to_second_x`` and ``to_second_y``, the way from the first to the second, in degrees.
    """
    parts = []
    candidates = {name: part for (name,), part in schools.group_by(group)}
    for (name,), part in points.group_by(group, maintain_order=True):
        if name not in candidates:
            continue
        group_schools = candidates[name].sort("uai")
        east = np.subtract.outer(part["longitude"].to_numpy(), group_schools["x"].to_numpy()) * np.cos(
            np.radians(group_schools["y"].to_numpy().mean())
        )
        distance = np.hypot(east, np.subtract.outer(part["latitude"].to_numpy(), group_schools["y"].to_numpy()))
        order = np.argsort(distance, axis=1)
        nearest, second = order[:, 0], order[:, min(1, order.shape[1] - 1)]
        uai, x, y = (group_schools[column].to_numpy() for column in ("uai", "x", "y"))
        near, far = (np.take_along_axis(distance, rank[:, None], axis=1)[:, 0] for rank in (nearest, second))
        parts.append(
            part.with_columns(
                nearest=pl.Series(uai[nearest]),
                second=pl.Series(uai[second]),
                lead=pl.Series(far - near),
                to_second_x=pl.Series(x[second] - x[nearest]),
                to_second_y=pl.Series(y[second] - y[nearest]),
            )
        )
    added = dict.fromkeys(("nearest", "second"), pl.String) | dict.fromkeys(
        ("lead", "to_second_x", "to_second_y"), pl.Float64
    )
    empty = points.clear().with_columns(pl.lit(None, kind).alias(name) for name, kind in added.items())
    return pl.concat([empty, *parts])


def _described(world: World, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the names of their place, département, académie and region."""
    departements = world.departements.select(
        "code_region",
        "code_academie",
        code_departement="code",
        libelle_region=spelling.capitals(pl.col("nom_region")),
        libelle_academie=spelling.capitals(pl.col("nom_academie")),
        libelle_departement=spelling.capitals(pl.col("nom")),
    )
    places = world.places.select("code_departement", code_place="code", nom_place="nom").join(
        world.postal_codes, left_on="code_place", right_on="code"
    )
    return rows.join(places, on="code_place", maintain_order="left").join(
        departements, on="code_departement", maintain_order="left"
    )


def _shapes(world: World, places: pl.DataFrame) -> pl.DataFrame:
    """code, geo_shape: the commune's contour in GeoJSON, with the keys in the portal's order."""
    contours = world.contours[world.contours["code"].isin(places["code"].to_list())]
    texts = []
    for shape in contours.geometry:
        geometry = shapely.geometry.mapping(shape)
        texts.append(json.dumps({"coordinates": geometry["coordinates"], "type": geometry["type"]}))
    return pl.DataFrame({"code": contours["code"].tolist(), "geo_shape": texts})
