"""The schools of the invented country.

Belongs here: where schools are, their codes, kinds, names and social level. Does not belong here: what a publisher
measures (`publishers/`), what they teach (`education.py`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edu_pipeline.sample.country import Country
from edu_pipeline.sample.itemised import items
from edu_pipeline.sample.numbering import with_check_letter


class Variant(NamedTuple):
    """A nature of school; the flags are those of a lycée's tracks."""

    code_nature: str
    libelle_nature: str
    nom: str
    voie_generale: bool | None = None
    voie_technologique: bool | None = None
    voie_professionnelle: bool | None = None


class Kind(NamedTuple):
    """A kind of school, and how schools of this kind are made.

    Attributes:
        national, sample: how many there are at each scale.
        towns: a place's chance of having one grows with this power of its population.
        least: population below which that chance is close to zero.
        private: share of private ones.
        pupils: median number of pupils; 0 if pupils are not counted.
        level: social level relative to that of their place.
        variants: the schools of a département take these in turn.
    """

    type: str
    national: int
    sample: int
    towns: float
    least: int
    private: float
    pupils: int
    level: float
    variants: tuple[Variant, ...]


NURSERY = Variant("101", "ECOLE MATERNELLE", "École maternelle")
ELEMENTARY = Variant("151", "ECOLE DE NIVEAU ELEMENTAIRE", "École élémentaire")
PRIMARY = Variant("151", "ECOLE DE NIVEAU ELEMENTAIRE", "École primaire")
LGT = Variant("300", "LYCEE ENSEIGNT GENERAL ET TECHNOLOGIQUE", "Lycée général et technologique", True, True, False)
LG = Variant("302", "LYCEE D ENSEIGNEMENT GENERAL", "Lycée général", True, False, False)
LPO = Variant("306", "LYCEE POLYVALENT", "Lycée polyvalent", True, True, True)
LPO_TECHNOLOGIQUE = LPO._replace(voie_generale=False)
LT = Variant("301", "LYCEE D ENSEIGNEMENT TECHNOLOGIQUE", "Lycée technologique", False, True, False)
LP = Variant("320", "LYCEE PROFESSIONNEL", "Lycée professionnel", False, False, True)
LYCEES_GT = (LGT, LPO, LG, LPO, LGT, LGT, LPO, LGT, LPO, LG, LGT, LPO, LPO_TECHNOLOGIQUE, LT)
COLLEGE = Variant("340", "COLLEGE", "Collège")
EREA = Variant("370", "ETAB REGIONAL/LYCEE ENSEIGNEMENT ADAPTE", "Établissement régional d'enseignement adapté")
IME = Variant("240", "INSTITUT MEDICO-EDUCATIF", "Institut médico-éducatif")
ITEP = Variant("241", "INSTITUT THERAPEUT. EDUCATIF PEDAGOGIQUE", "Institut thérapeutique éducatif")
DISTRICT = Variant("809", "CIRCONSCRIPTIONS INSPECTION EDUC NAT", "Circonscription d'inspection du 1er degré")
CIO = Variant("841", "CENTRE D INFORMATION ET D ORIENTATION", "Centre d'information et d'orientation")

KINDS = (
    Kind("Ecole", 52_800, 960, 0.75, 0, 0.10, 110, 0, (PRIMARY, ELEMENTARY, NURSERY, PRIMARY)),
    Kind("Collège", 7_100, 96, 1.1, 2000, 0.24, 440, 0, (COLLEGE,)),
    Kind("Lycée", 2_350, 61, 1.1, 4000, 0.33, 820, 6, LYCEES_GT),
    Kind("Lycée", 1_350, 35, 1.1, 4000, 0.32, 340, -15, (LP,)),
    Kind("EREA", 80, 2, 1.1, 4000, 0, 90, -25, (EREA,)),
    Kind("Médico-social", 2_300, 40, 1, 0, 0.9, 45, -5, (IME, ITEP)),
    Kind("Service Administratif", 1_600, 24, 1.1, 4000, 0, 0, 0, (DISTRICT,)),
    Kind("Information et orientation", 420, 8, 1.1, 4000, 0, 0, 0, (CIO,)),
)

NAMESAKES = items("""
    Ada Lovelace; Émilie du Châtelet; Évariste Galois; Sophie Germain; Blaise Pascal; Marie Curie; Simone Veil;
    Aimé Césaire; Louise Michel; Jean Jaurès; George Sand; Colette; Victor Hugo; Olympe de Gouges; Hypatie;
    Averroès; Léopold Sédar Senghor; Germaine Tillion; Irène Joliot-Curie; François Arago; Claude Bernard;
    Berthe Morisot; Camille Claudel; Joséphine Baker; Hector Berlioz; Lili Boulanger; Nadia Boulanger; Jules Verne;
    Rosa Bonheur; Théodore Monod; Sœur Emmanuelle; Guillaume de L'Hôpital
""")
STREETS = items("""
    rue de l'Invention; avenue du Modèle; place de l'Échantillon; boulevard de la Fiction; chemin des Essais;
    rue du Prototype; allée de la Maquette; impasse du Spécimen
""")

RARELY = 0.03
"""Factor on the chance of a school in a place below the least population of its kind."""

PLACE_LEVEL, PLACE_SPREAD, SPREAD = 102, 8, 6
"""Mean social level, its spread between places, and its spread between the schools of one place."""
DEPARTEMENT_LEVEL = {
    "31": 6,
    "35": 6,
    "59": -5,
    "69": 5,
    "75": 12,
    "78": 9,
    "92": 14,
    "93": -14,
    "971": -8,
    "976": -25,
}
"""How far the places of some départements lie from the mean level."""
PRIVATE_LEVEL = 8
"""How much higher the level of a private school is."""
LOWEST, HIGHEST = 60, 150

SECOND_DEGREE = ("Collège", "Lycée", "EREA")
WITHOUT_POSITION = 111
"""One in so many schools of the second degree has no position."""

COLUMNS = items("""
    uai; nom; type; code_nature; libelle_nature; voie_generale; voie_technologique; voie_professionnelle; public;
    code_place; nom_place; code_postal; code_departement; code_academie; nom_academie; code_region; nom_region;
    nom_departement; longitude; latitude; eleves; adresse; date_ouverture; niveau
""")


def schools_of(country: Country) -> pl.DataFrame:
    """All schools of the country, by code.

    Each département has schools in proportion to its population (at the sample scale, to its number of places), more
    of them in its larger places. There are none outside the académies.
    """
    places = _places(country)
    frame = pl.concat(_of_kind(country, kind, number, places) for number, kind in enumerate(KINDS))
    count, rng = frame.height, country.rng("schools")
    own_level = pl.Series(SPREAD * rng.standard_normal(count))
    code = _code(pl.Series(rng.integers(1, 4, count)))
    is_public = pl.Series(rng.random(count)) >= pl.col("private")
    opening = np.where(
        rng.random(count) < 0.4,
        np.datetime64("1965-05-01"),
        np.datetime64("1950-01-01") + rng.integers(0, 26_000, count),
    )
    namesake = pl.Series(rng.choice(NAMESAKES, count))
    east, north = (pl.Series(shift) for shift in rng.uniform(-1, 1, (2, count)))
    pupils = pl.col("pupils") * pl.Series(rng.lognormal(0, 0.45, count))
    address = pl.format("{} {}", pl.Series(rng.integers(1, 120, count)), pl.Series(rng.choice(STREETS, count)))
    private_level = pl.when("public").then(0).otherwise(PRIVATE_LEVEL)
    is_second_degree = pl.col("type").is_in(SECOND_DEGREE)
    position = pl.int_range(pl.len()).over(is_second_degree) % WITHOUT_POSITION
    is_located = ~is_second_degree | (position != WITHOUT_POSITION // 2)
    return (
        frame.with_columns(uai=code, public=is_public)
        .with_columns(
            nom=_name(namesake),
            niveau=(pl.col("niveau_place") + pl.col("level") + private_level + own_level)
            .clip(LOWEST, HIGHEST)
            .round(1),
            eleves=pl.when(pl.col("pupils") > 0).then(pupils.round().cast(pl.Int64)),
            adresse=address,
            date_ouverture=pl.Series(opening.astype("datetime64[D]")),
            longitude=pl.when(is_located).then(pl.col("longitude") + pl.col("reach_x") * east).round(6),
            latitude=pl.when(is_located).then(pl.col("latitude") + pl.col("reach_y") * north).round(6),
        )
        .select(COLUMNS)
        .sort("uai")
    )


def _code(ending: pl.Series) -> pl.Expr:
    """The UAI: the département's three digits (those of Corsica are 620 and 720), a number, the check letter."""
    departement = pl.col("code_departement").replace({"2A": "620", "2B": "720"}).str.zfill(3)
    number = pl.int_range(pl.len()).over("code_departement") * 3 + ending
    digits = pl.format("{}{}", departement, number.cast(pl.String).str.zfill(4))
    return with_check_letter(digits)


def _name(namesake: pl.Series) -> pl.Expr:
    """A name that says it is invented, such as École primaire privée inventée Ada Lovelace."""
    is_feminine = pl.col("nom").str.contains("^(École|Circonscription)")
    ending = pl.when(is_feminine).then(pl.lit("e")).otherwise(pl.lit(""))
    private = pl.when("public").then(pl.lit("")).otherwise(pl.format("privé{} ", ending))
    return pl.format("{} {}inventé{} {}", "nom", private, ending, namesake)


def _places(country: Country) -> pl.DataFrame:
    """Where schools can be: inhabited communes, with arrondissements instead of the three cities."""
    cities = country.arrondissements["code_commune_parent"].unique()
    departements = country.departements.drop("code_region")
    departements = departements.rename({"code": "code_departement", "nom": "nom_departement"})
    parents = country.arrondissements.select("code", "code_commune_parent")
    frame = (
        country.places.filter(pl.col("population") > 0, ~pl.col("code").is_in(cities.implode()))
        .join(departements.drop_nulls("code_academie"), on="code_departement")
        .join(country.postal_codes, on="code")
        .join(parents, on="code", how="left")
        .with_columns(cell=pl.coalesce("code_commune_parent", "code"))
        .join(country.cell_sizes, left_on="cell", right_on="code")
        .sort("code")
    )
    reach = pl.when(pl.col("code_commune_parent").is_null()).then(0.12).otherwise(0.03)
    level = PLACE_LEVEL + pl.col("code_departement").replace_strict(DEPARTEMENT_LEVEL, default=0)
    return frame.with_columns(
        reach_x=reach * pl.col("width"),
        reach_y=reach * pl.col("height"),
        niveau_place=level + PLACE_SPREAD * pl.Series(country.rng("schools", "places").standard_normal(frame.height)),
    ).rename({"code": "code_place", "nom": "nom_place"})


def _of_kind(country: Country, kind: Kind, number: int, places: pl.DataFrame) -> pl.DataFrame:
    """The schools of a kind, with their places and variants."""
    wanted = kind.national if country.scale == "national" else kind.sample
    share = pl.col("population").sum() if country.scale == "national" else pl.len()
    shares = places.group_by("code_departement").agg(share.alias("share")).sort("code_departement")
    counts = dict(zip(shares["code_departement"], _apportioned(shares["share"].to_numpy(), wanted), strict=True))
    parts = []
    for (departement,), part in places.group_by("code_departement", maintain_order=True):
        count = counts[str(departement)]
        population = part["population"].to_numpy()
        weight = np.cumsum(population**kind.towns * np.where(population < kind.least, RARELY, 1))
        start = country.rng("schools", str(number), str(departement)).random()
        drawn = np.searchsorted(weight, (np.arange(count) + start) / max(count, 1) * weight[-1])
        parts.append(part[drawn].with_columns(variant=pl.int_range(pl.len()) % len(kind.variants)))
    variants = pl.DataFrame(
        kind.variants,
        schema={name: pl.Boolean if name.startswith("voie_") else pl.String for name in Variant._fields},
        orient="row",
    ).with_columns(variant=pl.int_range(pl.len()))
    schools: pl.DataFrame = pl.concat(parts).join(variants, on="variant", maintain_order="left")
    return schools.with_columns(
        type=pl.lit(kind.type),
        private=pl.lit(float(kind.private)),
        pupils=pl.lit(kind.pupils),
        level=pl.lit(float(kind.level)),
    )


def _apportioned(shares: NDArray[np.float64], total: int) -> list[int]:
    """Whole numbers in proportion to the shares that add up to the total (largest remainder method)."""
    exact = shares / shares.sum() * total
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: total - counts.sum()]] += 1
    return [int(count) for count in counts]
