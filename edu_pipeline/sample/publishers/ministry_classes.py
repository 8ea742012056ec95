"""What pupils choose, as the ministry counts it: specialties of première générale, and international sections.

Belongs here: pupils by specialty and by combination of three (triplette), and the list of international sections.
Does not belong here: what ONISEP says of the same (`onisep_courses.py`); what is offered is in `education.py`.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from edu_pipeline.normalise import slug
from edu_pipeline.sample import education, spelling
from edu_pipeline.sample.numbering import with_check_letter
from edu_pipeline.sample.publication import dataset
from edu_pipeline.sample.world import World

PUPILS = "fr-en-effectifs-specialites-triplettes-1ere-generale"
SECTIONS = "fr-en-sections-internationales"

LYCEES_LISTED = {"2021": 2254, "2022": 2259, "2023": 2268, "2024": 2270, "2025": 2273}
"""Number of lycées by rentrée (start of the school year), at the national scale."""
MASKED_SINCE, MASKED_BELOW, MASK = "2025", 5, "ND"
"""First rentrée with masked counts, the limit below which they are, and the mask (UNVERIFIED)."""
LONGEST_NAME = 100
"""Length to which the portal truncates a machine name."""

NAMES = {
    "0105": "HUMANITES, LITTERATURE ET PHILOSOPHIE",
    "0241": "LITTERATURE ET LCA LATIN",
    "0242": "LITTERATURE ET LCA GREC",
    "0300": "LANGUES, LITTERATURE ET CULTURES ETRANGERES ET REGIONALES",
    "0439": "HIST.-GEO. GEOPOLITIQUE & SC.POLITIQUES",
    "0507": "SCIENCES ECONOMIQUES ET SOCIALES",
    "0613": "MATHEMATIQUES",
    "0623": "PHYSIQUE-CHIMIE",
    "0629": "SCIENCES DE LA VIE ET DE LA TERRE",
    "0673": "SCIENCES DE L'INGENIEUR",
    "0747": "NUMERIQUE ET SCIENCES INFORMATIQUES",
    "0825": "DANSE",
    "0832": "MUSIQUE",
    "0901": "ARTS PLASTIQUES",
    "2757": "HISTOIRE DES ARTS",
    "2785": "THEATRE",
    "2786": "ARTS DU CIRQUE",
    "2852": "CINEMA-AUDIOVISUEL",
    "3045": "BIOLOGIE-ECOLOGIE",
    "1087": "EDUC.PHYSIQUE PRATIQUE & CULT.SPORTIVE",
}
"""DEPP's name of a specialty by code, in the file's order; the last comes after the combinations."""
SHORT = {"0300": "LANGUES, LITT. ET CULTURES ETRA. ET R.", "0673": "SCIENCES DE L INGENIEUR"}
"""The name in a combination, where it differs."""

COMBINATIONS = {
    ("0613", "0623", "0629"): (26, 22),
    ("0439", "0300", "0507"): (10, 5),
    ("0439", "0613", "0507"): (7, 9),
    ("0439", "0105", "0507"): (9, 4),
    ("0613", "0747", "0623"): (2, 14),
    ("0439", "0105", "0300"): (8, 2),
    ("0613", "0623", "0673"): (3, 13),
    ("0613", "0623", "0507"): (3, 6),
    ("0300", "0613", "0507"): (4, 3),
    ("0613", "0507", "0629"): (3, 2),
    ("0439", "0507", "0629"): (3, 2),
    ("0105", "0300", "0507"): (4, 1),
    ("0300", "0613", "0623"): (2, 3),
    ("0439", "0613", "0623"): (1, 2),
    ("0300", "0507", "0629"): (2, 1),
    ("0300", "0613", "0629"): (2, 1),
    ("0439", "0613", "0629"): (1, 1),
    ("0439", "0300", "0613"): (2, 1),
}
"""The named combinations in the file's order, with the weights of girls and boys choosing them."""
OTHER_COMBINATIONS = {
    ("0105", "0507", "0629"): (1, 0.5),
    ("0105", "0300", "0629"): (1, 0.3),
    ("0747", "0613", "0507"): (0.5, 2.5),
    ("0673", "0613", "0747"): (0.3, 3),
    ("0901", "0105", "0300"): (3, 1),
    ("0901", "0105", "0507"): (2, 0.6),
    ("2785", "0105", "0439"): (3, 1),
    ("2852", "0105", "0300"): (3, 2),
    ("0832", "0613", "0623"): (1.5, 1.5),
    ("2757", "0105", "0439"): (3, 1),
    ("0825", "0105", "0300"): (2, 0.3),
    ("2786", "0105", "0300"): (2, 1.5),
    ("0241", "0105", "0439"): (1.2, 0.6),
    ("0242", "0105", "0300"): (0.8, 0.4),
    ("1087", "0613", "0629"): (2, 4),
    ("1087", "0439", "0507"): (2, 3),
}
"""The combinations that AUTRES COMBINAISONS adds up, likewise."""


def _labels() -> dict[str, str]:
    """Label by machine name, in the file's order: two columns, girls and boys, per specialty and combination.

    A machine name is the truncated slug of its label; if two become the same, the second ends in a digit.
    """
    labels = {
        "num_ligne": "num_ligne",
        "rentree_scolaire": "RENTREE SCOLAIRE",
        "code_region_academique": "code région académique",
        "region_academique": "REGION ACADEMIQUE",
        "code_academie": "code académie",
        "academie": "ACADEMIE",
        "code_departement": "code département",
        "departement": "DEPARTEMENT",
        "code_postal": "code postal",
        "commune": "COMMUNE",
        "numero_etablissement": "UAI",
        "denomination": "DENOMINATION PRINCIPALE",
        "patronyme": "PATRONYME",
        "secteur": "SECTEUR",
        "effectif_total_en_premiere_generale": "EFFECTIF TOTAL",
        "effectif_total_filles": "EFFECTIF TOTAL FILLES",
        "effectif_total_garcons": "EFFECTIF TOTAL GARCONS",
    }
    for subject in _subjects().values():
        for sex in ("filles", "garçons"):
            label = f"{subject} - {sex}"
            name = slug(label)[:LONGEST_NAME]
            labels[name if name not in labels else f"{name[:-1]}0"] = label
    return labels


def _subjects() -> dict[str, str]:
    """Label of each specialty and combination by key, in the file's order."""
    *codes, last = NAMES
    subjects = {code: f"{code} - {NAMES[code]}" for code in codes}
    for number, combination in enumerate(COMBINATIONS, 1):
        names = "/".join(SHORT.get(code, NAMES[code]) for code in combination)
        subjects[f"{number:02}"] = f"{number:02} - {names}"
    return subjects | {"autres": "AUTRES COMBINAISONS", last: f"{last} - {NAMES[last]}"}


LABELS = _labels()


@dataset(PUPILS, labels=LABELS)
def pupils_by_specialty(world: World) -> pl.DataFrame:
    """A general lycée at a rentrée: 95 columns. Every pupil takes one combination, that is three specialties."""
    general = world.lycees.filter(
        pl.col("voie_generale").fill_null(False) & ~education.is_agricultural(world, world.lycees)
    )
    rows = education.listed_each(
        world, general, LYCEES_LISTED, education.LYCEES_GT, "triplettes", "rentree_scolaire"
    ).join(education.specialties(world), on="uai", maintain_order="left")
    rng = world.rng("triplettes")
    counts = {sex: _by_subject(world, rows, column, rng) for column, sex in enumerate(("filles", "garçons"))}
    pupils = {
        name: counts[sex][subject]
        for (subject, sex), name in zip(
            ((subject, sex) for subject in _subjects() for sex in counts), list(LABELS)[17:], strict=True
        )
    }
    girls, boys = (pl.Series(count["pupils"]) for count in counts.values())
    vocational = pl.col("voie_professionnelle").fill_null(False)
    table = education.with_region_academique(world, rows.drop(education.SPECIALTIES)).with_columns(
        num_ligne=pl.int_range(1, pl.len() + 1),
        region_academique=spelling.capitals(pl.col("nom_region_academique")),
        academie=spelling.capitals(pl.col("nom_academie")),
        code_departement=spelling.three_characters(pl.col("code_departement")),
        departement=spelling.capitals(pl.col("nom_departement")),
        commune=spelling.capitals(pl.col("nom_place")),
        numero_etablissement="uai",
        denomination=pl.concat_str(
            pl.when(vocational)
            .then(pl.lit("LYCEE POLYVALENT"))
            .when(pl.col("voie_technologique").fill_null(False))
            .then(pl.lit("LYCEE GENERAL ET TECHNOLOGIQUE"))
            .otherwise(pl.lit("LYCEE GENERAL")),
            pl.when("public").then(pl.lit("")).otherwise(pl.lit(" PRIVE")),
        ),
        patronyme=spelling.capitals(pl.col("nom").str.extract("(inventée? .*)$")),
        secteur=pl.when("public").then(pl.lit("PUBLIC")).otherwise(pl.lit("PRIVE SOUS CONTRAT")),
        effectif_total_en_premiere_generale=girls + boys,
        effectif_total_filles=girls,
        effectif_total_garcons=boys,
        **{name: pl.Series(values) for name, values in pupils.items()},
    )
    table = world.revised(table, PUPILS, "0613_mathematiques_filles")
    small = pl.col(list(pupils)).is_between(1, MASKED_BELOW - 1) & (pl.col("rentree_scolaire") >= MASKED_SINCE)
    masked = pl.when(small).then(pl.lit(MASK)).otherwise(pl.col(list(pupils)).cast(pl.String))
    return table.with_columns(masked.name.keep()).select(*LABELS)


def _by_subject(
    world: World, rows: pl.DataFrame, sex: int, rng: np.random.Generator
) -> dict[str, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Girls (0) or boys (1) of each lycée: all of them (`pupils`), and by specialty and combination."""
    combinations = COMBINATIONS | OTHER_COMBINATIONS
    offered = {code: rows[code].to_numpy() for code in education.SPECIALTIES}
    weights = np.stack(
        [
            weight[sex] * np.all([offered[code] for code in combination], axis=0)
            for combination, weight in combinations.items()
        ],
        axis=1,
    ) * rng.uniform(0.6, 1.4, (rows.height, len(combinations)))
    share = np.where(rows["voie_professionnelle"].fill_null(False), 0.7, 1.0)
    share *= np.where(rows["voie_technologique"].fill_null(False), 0.75, 1.0) * (0.56, 0.44)[sex] / 3
    pupils = np.maximum((rows["eleves"].to_numpy() * share * rng.uniform(0.92, 1.08, rows.height)).round(), 3)
    by_combination = rng.multinomial(pupils.astype(np.int64), weights / weights.sum(axis=1, keepdims=True))
    members = np.array([[code in combination for code in NAMES] for combination in combinations])
    specialties = by_combination @ members
    counts = {code: specialties[:, column] for column, code in enumerate(NAMES)}
    counts |= {f"{number:02}": by_combination[:, number - 1] for number in range(1, len(COMBINATIONS) + 1)}
    others = by_combination[:, len(COMBINATIONS) :].sum(axis=1)
    return counts | {"autres": others, "pupils": by_combination.sum(axis=1)}


FIRST_SESSION = "Premiere_session_OIB_ou_DNB_option_internationale_a_venir"
SECTION_LABELS = {
    "rentree_scolaire": "Rentrée scolaire",
    "academie": "Academie",
    "section": "Section",
    "uai": "UAI",
    "nom_etablissement": "Nom établissement",
    "niveau": "Niveau",
    "ville": "Ville",
    FIRST_SESSION.lower(): FIRST_SESSION,
    "ouverture_rentree_suivante": "Ouverture de la section internationale",
    "latitude": "Latitude",
    "longitude": "Longitude",
    "position": "Position",
}
"""Label by machine name; only uai, section, niveau and ouverture_rentree_suivante have been seen in a real file."""

ABROAD = (
    ("MAROC", "RABAT", 350, 34.02, -6.83),
    ("TUNISIE", "TUNIS", 351, 36.81, 10.18),
    ("ÉTATS-UNIS", "NEW YORK", 404, 40.71, -74.0),
    ("ROYAUME-UNI", "LONDRES", 132, 51.51, -0.13),
    ("CHINE", "PÉKIN", 216, 39.95, 116.46),
    ("SINGAPOUR", "SINGAPOUR", 226, 1.35, 103.82),
    ("ROUMANIE", "BUCAREST", 114, 44.43, 26.1),
    ("ALLEMAGNE", "BERLIN", 109, 52.52, 13.4),
)
"""Countries with French lycées: name, town, first digits of their codes, position."""
SECTIONS_ABROAD, LEAST_ABROAD = 80, 4
"""Number of sections abroad, at the national scale and at least."""


@dataset(SECTIONS, labels=SECTION_LABELS)
def international_sections(world: World) -> pl.DataFrame:
    """A section at a level of a school, at home or abroad; one code is invalid, as in a real file (`350001SH`)."""
    sections = education.international_sections(world).join(world.schools, on="uai", maintain_order="left")
    rng = world.rng("sections")
    home = sections.with_columns(
        academie=pl.col("nom_academie").str.to_uppercase(),
        nom_etablissement=pl.col("nom").str.to_uppercase(),
        ville=pl.col("nom_place").str.to_uppercase(),
    )
    columns = ["academie", "section", "uai", "nom_etablissement", "niveau", "ville", "latitude", "longitude"]
    rows = pl.concat([home.select(columns), _abroad(world).select(columns)])
    young = pl.Series(rng.random(rows.height) < 0.1)
    planned = pl.Series(rng.random(rows.height) < 0.02)
    return (
        world.revised(rows, SECTIONS, "longitude")
        .with_columns(
            rentree_scolaire=pl.lit("2025"),
            premiere_session_oib_ou_dnb_option_internationale_a_venir=pl.when(young).then(
                pl.Series(rng.integers(2026, 2029, rows.height)).cast(pl.String)
            ),
            ouverture_rentree_suivante=pl.when(planned).then(pl.lit("Rentrée 2026")),
            position=pl.format("{}, {}", "latitude", "longitude"),
        )
        .select(*SECTION_LABELS)
    )


def _abroad(world: World) -> pl.DataFrame:
    """Sections of French lycées abroad."""
    count = max(LEAST_ABROAD, education.scaled(world, SECTIONS_ABROAD))
    rng = world.rng("sections", "abroad")
    country = pl.DataFrame(
        [ABROAD[number] for number in rng.integers(0, len(ABROAD), count)],
        schema=["academie", "ville", "beginning", "latitude", "longitude"],
        orient="row",
    )
    number = pl.int_range(1, pl.len() + 1)
    uai = with_check_letter(pl.format("{}{}", "beginning", number.cast(pl.String).str.zfill(4)))
    level = pl.Series(rng.choice([level for level, _ in education.SECTION_LEVELS.values()], count))
    return country.with_columns(
        uai=pl.when(number == 1).then(pl.lit("350001SH")).otherwise(uai),
        section=pl.Series(rng.choice(education.SECTIONS[:5], count)),
        niveau=level,
        nom_etablissement=pl.format("LYCÉE FRANÇAIS INVENTÉ DE {}", "ville"),
    )
