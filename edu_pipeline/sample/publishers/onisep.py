"""ONISEP's establishments of secondary education, and the courses that each offers.

Belongs here: `5fa5816ac6a6e` (structures) and `605340ddc19a9` (actions de formation). Does not belong here: specialties
and options (`onisep_courses.py`). UNVERIFIED: no copy of either file has been seen. The labels are those that several
readers of the files use, the values have the form of the JSON export.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import polars as pl

from edu_pipeline.sample import education, ideo
from edu_pipeline.sample.itemised import items
from edu_pipeline.sample.publication import publication
from edu_pipeline.sample.world import World

STRUCTURES = "onisep-5fa5816ac6a6e"
ACTIONS = "onisep-605340ddc19a9"

STRUCTURES_LISTED, ACTIONS_LISTED = 15_266, 42_140
"""Number of rows at the national scale."""
WITHOUT_CODE = 0.05
"""Share of the apprentice centres without an establishment code; the others have that of their lycée."""
TWICE, ACTIONS_WITHOUT_CODE = 136, 55
"""Number of rows with the identifier of another row, and without an establishment code, at the national scale."""

EDUCATION = "Ministère chargé de l'Éducation nationale"
KINDS = {
    "Collège": ("collège", EDUCATION),
    "Lycée": ("lycée général, technologique ou polyvalent", EDUCATION),
    "LP": ("lycée professionnel", EDUCATION),
    "EREA": ("lycée d'enseignement adapté", EDUCATION),
    "Médico-social": ("établissement médico-social", "Ministère chargé de la Santé"),
    "CFA": ("centre de formation d'apprentis", "Ministère chargé du Travail"),
}
"""ONISEP's names for a type of school and the ministry in charge."""
CODES_OF_CITIES = {"75056": "75100", "69123": "69380", "13055": "13200"}
"""ONISEP's own codes for Paris, Lyon and Marseille; arrondissements have a separate column."""

LANGUAGES = {
    "Anglais": 0.97,
    "Espagnol": 0.93,
    "Allemand": 0.6,
    "Italien": 0.25,
    "Chinois": 0.1,
    "Portugais": 0.04,
    "Langues et cultures de l'Antiquité : latin": 0.4,
    "Arabe": 0.03,
}
"""Share of the collèges and lycées that teach each language."""


class Course(NamedTuple):
    """A course of studies (FOR): name, kind, field, the level that it leads to, duration."""

    name: str
    kind: str
    domain: str
    level: str
    duration: str


def _courses(first: str, kind: str, level: str, duration: str, names: dict[str, str]) -> list[Course]:
    """Courses whose names begin alike; the names in each field are separated by semicolons."""
    return [
        Course(f"{first} {name}", kind, domain, level, duration)
        for domain, listed in names.items()
        for name in items(listed)
    ]


SECONDE_GT, PREMIERE = "classe de 2de générale et technologique", "classe de 1re générale"
OF_LYCEES = "enseignement général/lycée"
HEALTH = "santé, social, sport/paramédical| santé, social, sport/travail social"
GENERAL = (
    Course(SECONDE_GT, SECONDE_GT, OF_LYCEES, "seconde", "1 an"),
    Course(PREMIERE, PREMIERE, HEALTH, "1re", "1 an"),
    Course("bac général", "baccalauréat général", OF_LYCEES, "bac ou équivalent", "1 an"),
)
TECHNOLOGICAL = {
    "sti2d": "sciences et technologies de l'industrie et du développement durable",
    "std2a": "sciences et technologies du design et des arts appliqués",
    "stmg": "sciences et technologies du management et de la gestion",
    "stl": "sciences et technologies de laboratoire",
    "st2s": "sciences et technologies de la santé et du social",
    "s2tmd": "sciences et techniques du théâtre, de la musique et de la danse",
    "sthr": "sciences et technologies de l'hôtellerie et de la restauration",
}
SECONDE_PRO = {
    "sciences/métiers": """
        métiers de la relation client; métiers de la gestion administrative; métiers de la construction durable;
        métiers de la maintenance; métiers de l'hôtellerie-restauration;
        métiers des transitions numérique et énergétique; métiers de la beauté et du bien-être;
        métiers de l'aéronautique
    """,
}
BAC_PRO = {
    "commerce, marketing, vente/vente": """
        métiers du commerce et de la vente option A; métiers de l'accueil; métiers du commerce et de la vente option B
    """,
    "gestion des entreprises, comptabilité/secrétariat": "assistance à la gestion; logistique",
    "santé, social, sport/travail social": """
        accompagnement, soins et services à la personne; animation-enfance et personnes âgées
    """,
    "électricité, électronique, robotique/électricité": """
        métiers de l'électricité; cybersécurité, informatique et réseaux
    """,
    "mécanique/maintenance": """
        maintenance des systèmes de production connectés; maintenance des véhicules;
        technicien en réalisation de produits mécaniques
    """,
    "bâtiment, travaux publics/gros œuvre": """
        technicien du bâtiment; menuiserie aluminium-verre; travaux publics; aménagement et finitions du bâtiment
    """,
    "hôtellerie-restauration, tourisme/restauration": "cuisine; commercialisation et services en restauration",
}
CAP = {
    "bâtiment, travaux publics/gros œuvre": "maçon; carreleur mosaïste; couvreur; peintre applicateur",
    "hôtellerie-restauration, tourisme/restauration": "cuisine; pâtissier; boulanger",
    "commerce, marketing, vente/vente": "équipier polyvalent du commerce; fleuriste",
    "santé, social, sport/travail social": "accompagnant éducatif petite enfance; agent de propreté",
    "mécanique/maintenance": "maintenance des véhicules; réalisations industrielles en chaudronnerie",
    "électricité, électronique, robotique/électricité": "électricien",
    "arts, culture, artisanat/artisanat d'art": "métiers de la coiffure; métiers de la mode; ébéniste",
}
VOCATIONAL = (
    *_courses("classe de 2de professionnelle", "classe de 2de professionnelle", "seconde", "1 an", SECONDE_PRO),
    *_courses("bac pro", "baccalauréat professionnel", "bac ou équivalent", "3 ans", BAC_PRO),
    *_courses("CAP", "CAP", "CAP ou équivalent", "2 ans", CAP),
)


@publication(STRUCTURES, "5fa5816ac6a6e.csv")
def structures(world: World, path: Path) -> None:
    """Every establishment: 30 columns. Apprentice centres have the code of their lycée, or none."""
    rows = ideo.with_days(world, ideo.with_places(world, _establishments(world)), STRUCTURES)
    rng = world.rng("onisep", "structures")
    taught = [
        pl.when(pl.Series(rng.random(rows.height) < share)).then(pl.lit(language))
        for language, share in LANGUAGES.items()
    ]
    has_languages = pl.col("type").is_in(["Collège", "Lycée"])
    has_open_days = has_languages & pl.Series(rng.random(rows.height) < 0.4)
    day = pl.Series(rng.integers(1, 29, rows.height)).cast(pl.String).str.zfill(2)
    cedex = pl.col("bp").is_not_null() & pl.Series(rng.random(rows.height) < 0.3)
    city = pl.col("city").replace(CODES_OF_CITIES)
    nothing = pl.lit(None, pl.String)
    frame = rows.select(
        pl.col("uai").alias("code UAI"),
        pl.when(pl.col("type") != "CFA").then(pl.format("99{}00011", pl.col("uai").str.head(7))).alias("n° SIRET"),
        _kind(0).alias("type d'établissement"),
        "nom",
        pl.when(type="CFA").then(pl.lit("UFA")).alias("sigle"),
        _status().alias("statut"),
        _kind(1).alias("tutelle"),
        nothing.alias("université de rattachement libellé et UAI"),
        nothing.alias("université de rattachement ID et URL Onisep"),
        pl.col("related").alias("établissements liés libellés"),
        pl.format(f"{ideo.PAGES}/etablissement/slug/{{}}", "related_ens").alias("établissements liés URL et ID Onisep"),
        pl.col("bp").alias("boîte postale"),
        "adresse",
        pl.col("cp").alias("CP"),
        "commune",
        city.alias("commune (COG)"),
        pl.when(cedex).then(pl.lit("Cedex")).alias("cedex"),
        pl.col("telephone").alias("téléphone"),
        pl.when(pl.col("city") != pl.col("code_place"))
        .then(pl.col("nom_place").str.extract(r"(\d+)er? "))
        .alias("arrondissement"),
        pl.col("nom_departement").alias("département"),
        pl.col("academie").alias("académie"),
        pl.col("region").alias("région"),
        pl.when(pl.col("code_region") == pl.col("code_departement"))
        .then(pl.lit("00"))
        .otherwise("code_region")
        .alias("région (COG)"),
        pl.col("longitude").round(5).alias("longitude (X)"),
        pl.col("latitude").round(5).alias("latitude (Y)"),
        pl.when(has_open_days)
        .then(pl.format("le {}/01/2026 de 08h30 à 12h00 (sur inscription) | le {}/03/2026 de 09h00 à 12h30", day, day))
        .alias("journées portes ouvertes"),
        pl.when(has_languages)
        .then(pl.concat_str(taught, separator=", ", ignore_nulls=True))
        .alias("langues enseignées"),
        pl.format(f"{ideo.PAGES}/etablissement/slug/{{}}", "ens").alias("URL et ID Onisep"),
        pl.col("entered").alias("date création"),
        pl.col("changed").alias("date de modification"),
    )
    ideo.write_ideo(frame, path)


def _establishments(world: World) -> pl.DataFrame:
    """Collèges, lycées, adapted and health schools; then apprentice centres at lycées, up to the listed number."""
    others = world.schools.filter(pl.col("type").is_in(["Collège", "EREA", "Médico-social"]))
    schools = pl.concat(
        [
            ideo.lycees(world),
            others.join(ideo.identifiers(world), on="uai", maintain_order="left").with_columns(base="uai"),
        ]
    ).with_columns(related=pl.lit(None, pl.String), related_ens=pl.lit(None, pl.String))
    count = max(1, education.scaled(world, STRUCTURES_LISTED) - schools.height)
    rng = world.rng("onisep", "apprentices")
    lycees = schools.filter("voie_professionnelle")
    hosts = lycees[rng.choice(lycees.height, count, replace=count > lycees.height)]
    with_code = pl.Series(rng.random(count) >= WITHOUT_CODE) & (pl.int_range(pl.len()) > 0)
    town = pl.col("nom_place")
    apprentices = hosts.with_columns(
        related=pl.format("{} à {} ({})", "nom", town, "code_departement"),
        related_ens="ens",
        type=pl.lit("CFA"),
        nom=pl.format("UFA inventée du {}", "nom"),
        ens=ideo.others(pl.int_range(pl.len()), 500_000),
        uai=pl.when(with_code).then("uai"),
        base=pl.when(with_code).then("uai"),
    )
    return pl.concat([schools, apprentices]).sort("ens")


def _kind(which: int) -> pl.Expr:
    """ONISEP's name of the kind of school (0), or of the ministry in charge (1)."""
    general = pl.any_horizontal(pl.col("voie_generale", "voie_technologique").fill_null(False))
    kind = pl.when((pl.col("type") == "Lycée") & ~general).then(pl.lit("LP")).otherwise("type")
    return kind.replace_strict({name: texts[which] for name, texts in KINDS.items()})


def _status() -> pl.Expr:
    return (
        pl.when("public")
        .then(pl.lit("public"))
        .when(ideo.is_without_contract())
        .then(pl.lit("privé hors contrat"))
        .otherwise(pl.lit("privé sous contrat"))
    )


@publication(ACTIONS, "605340ddc19a9.csv")
def actions(world: World, path: Path) -> None:
    """A course of studies at a lycée: 32 columns. A few identifiers have two rows, the newer one first."""
    rows = _actions(world)
    rng = world.rng("onisep", "actions")
    rows = ideo.with_days(world, ideo.with_places(world, rows), ACTIONS).with_columns(
        action=ideo.action_identifiers(world, rows, ACTIONS, 100_000)
    )
    twice = rows[: max(1, education.scaled(world, TWICE))]
    rows = pl.concat([rows, twice.with_columns(changed="entered")])
    without_code = pl.Series(rng.permutation(rows.height) < max(1, education.scaled(world, ACTIONS_WITHOUT_CODE)))
    boarding = pl.when(ideo.site_number() % 4 == 0).then(pl.lit("internat (homme/femme)"))
    frame = rows.select(
        pl.col("action").alias("Action de Formation (AF) identifiant Onisep"),
        pl.col("name").alias("Formation (FOR) libellé"),
        pl.format(f"{ideo.PAGES}/formation/slug/FOR.{{}}", "course").alias("FOR URL et ID Onisep"),
        pl.col("domain").alias("FOR indexation domaine web Onisep"),
        pl.col("kind").alias("FOR type"),
        pl.lit("Diplôme national ou diplôme d'État").alias("FOR nature du certificat"),
        pl.lit("https://eduscol.education.fr/634/cycle-terminal-de-la-voie-generale").alias("FOR URL référentiel"),
        pl.col("level").alias("FOR niveau de sortie"),
        pl.col("nom").alias("Lieu d'enseignement (ENS) libellé"),
        pl.format(f"{ideo.PAGES}/etablissement/slug/{{}}", "ens").alias("ENS URL et ID Onisep"),
        pl.when(~without_code).then("uai").alias("ENS code UAI"),
        _status().alias("ENS statut"),
        pl.concat_str("adresse", "bp", separator=", ", ignore_nulls=True).alias("ENS adresse"),
        pl.col("cp").alias("ENS code postal"),
        pl.col("commune").alias("ENS commune"),
        pl.col("nom_departement").alias("ENS département"),
        pl.col("academie").alias("ENS académie"),
        pl.col("region").alias("ENS région"),
        pl.col("latitude").round(5).alias("ENS latitude"),
        pl.col("longitude").round(5).alias("ENS longitude"),
        pl.col("telephone").alias("ENS n° téléphone"),
        pl.format("https://{}.exemple.invalid/", pl.col("uai").str.to_lowercase()).alias("ENS site web"),
        boarding.otherwise(pl.lit("sans hébergement")).alias("ENS hébergement"),
        pl.when(ideo.site_number() % 3 == 0).then(pl.lit("Locaux accessibles")).alias("ENS accessibilité"),
        pl.col("duration").alias("AF durée cycle standard"),
        pl.lit("temps plein, cours en présentiel").alias("AF modalités scolarité"),
        pl.lit(None, pl.String).alias("AF éléments d'enseignement"),
        pl.when(~pl.col("public")).then(pl.lit("payante (800 euros par an)")).alias("AF coût scolarité"),
        pl.lit(None, pl.String).alias("AF modalités accueil"),
        pl.lit(None, pl.String).alias("AF page web"),
        pl.col("entered").alias("AF date de création"),
        pl.col("changed").alias("AF date de modification"),
    )
    ideo.write_ideo(frame, path)


def _actions(world: World) -> pl.DataFrame:
    """The courses of each lycée, up to the listed number of rows.

    All courses of the general and technological tracks come first, then those of the vocational track, equally many for
    each lycée.
    """
    lycees = ideo.lycees(world)
    base = lycees.select(uai="base", voie_technologique="voie_technologique")
    series = education.technological_series(world, base).drop("uai")
    general = lycees.filter("voie_generale").join(_frame(GENERAL, 1), how="cross")
    technological = [
        lycees.filter(series[code]).join(_frame(_of_series(code, name), 10 + 2 * number), how="cross")
        for number, (code, name) in enumerate(TECHNOLOGICAL.items())
    ]
    certain = pl.concat([general, *technological])
    left = max(0, education.scaled(world, ACTIONS_LISTED) - max(1, education.scaled(world, TWICE)) - certain.height)
    possible = lycees.filter("voie_professionnelle").join(_frame(VOCATIONAL, 1000), how="cross")
    drawn = pl.Series(world.rng("onisep", "vocational").random(possible.height))
    vocational = (
        possible.with_columns(drawn=drawn)
        .with_columns(position=pl.col("drawn").rank("ordinal").over("uai"))
        .sort("position", "drawn")
        .head(left)
        .drop("drawn", "position")
    )
    return pl.concat([certain, vocational]).sort("uai", "course")


def _frame(courses: tuple[Course, ...], beginning: int) -> pl.DataFrame:
    """The courses with their numbers (`course`)."""
    frame = pl.DataFrame(courses, schema=Course._fields, orient="row")
    return frame.with_columns(course=pl.int_range(pl.len()) + beginning)


def _of_series(code: str, name: str) -> tuple[Course, ...]:
    """The two courses of a technological series."""
    label, domain = f"{code.upper()} {name}", "enseignement technologique/lycée"
    return (
        Course(f"classe de 1re technologique {label}", "classe de 1re technologique", domain, "1re", "1 an"),
        Course(f"bac techno {label}", "baccalauréat technologique", domain, "bac ou équivalent", "1 an"),
    )
