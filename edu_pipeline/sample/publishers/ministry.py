"""The ministry's directory of schools (annuaire de l'éducation).

Belongs here: the 72 columns of the directory. Does not belong here: the ministry's figures about schools, which are in
`ministry_*.py`, one module per subject.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pyproj

from edu_pipeline.sample import education, ideo, spelling
from edu_pipeline.sample.itemised import items
from edu_pipeline.sample.publication import dataset
from edu_pipeline.sample.world import World

SOURCE = "fr-en-annuaire-education"

HEADER = items("""
    Identifiant_de_l_etablissement; Nom_etablissement; Type_etablissement; Statut_public_prive; Adresse_1;
    Adresse_2; Adresse_3; Code_postal; Code_commune; Nom_commune; Code_departement; Code_academie; Code_region;
    Ecole_maternelle; Ecole_elementaire; Voie_generale; Voie_technologique; Voie_professionnelle; Telephone; Fax;
    Web; Mail; Restauration; Hebergement; ULIS; Apprentissage; Segpa; Section_arts; Section_cinema;
    Section_theatre; Section_sport; Section_internationale; Section_europeenne; Lycee_Agricole; Lycee_militaire;
    Lycee_des_metiers; Post_BAC; Appartenance_Education_Prioritaire; GRETA; SIREN_SIRET; Nombre_d_eleves;
    Fiche_onisep; position; Type_contrat_prive; Libelle_departement; Libelle_academie; Libelle_region;
    coordX_origine; coordY_origine; epsg_origine; nom_circonscription; latitude; longitude; precision_localisation;
    date_ouverture; date_maj_ligne; etat; ministere_tutelle; multi_uai; rpi_concentre; rpi_disperse; code_nature;
    libelle_nature; Code_type_contrat_prive; PIAL; etablissement_mere; type_rattachement_etablissement_mere;
    code_circonscription; code_zone_animation_pedagogique; libelle_zone_animation_pedagogique;
    code_bassin_formation; libelle_bassin_formation
""")
LABELS = {label.lower(): label for label in HEADER}
"""Label by machine name; the machine name is the label in lower case."""

UPDATED = date(2026, 9, 1)
"""Day of the first release, which nearly all rows have."""

TWICE, LEAST_TWICE = 74, 4
"""Number of codes with two rows, at the national scale and at least."""
CLOSED = 0.0015
"""Share of the collèges that have closed since the last figures; the directory lists only open schools."""

SECOND_DEGREE = ("Collège", "Lycée", "EREA")
TYPE = pl.col("type")
IS_SECOND_DEGREE, IS_SERVICE = TYPE.is_in(SECOND_DEGREE), TYPE == "Service Administratif"
IS_HEALTH = TYPE == "Médico-social"

FLAGS = {
    "restauration": (("Ecole", *SECOND_DEGREE), 0.7),
    "hebergement": (("Ecole", *SECOND_DEGREE), 0.08),
    "ulis": (("Ecole", *SECOND_DEGREE), 0.15),
    "apprentissage": (SECOND_DEGREE, 0.25),
    "segpa": (SECOND_DEGREE, 0.12),
    "section_arts": (SECOND_DEGREE, 0.11),
    "section_cinema": (SECOND_DEGREE, 0.04),
    "section_theatre": (SECOND_DEGREE, 0.05),
    "section_sport": (SECOND_DEGREE, 0.34),
    "section_europeenne": (SECOND_DEGREE, 0.22),
    "lycee_militaire": (SECOND_DEGREE, 0.0),
    "lycee_des_metiers": (SECOND_DEGREE, 0.07),
    "post_bac": (SECOND_DEGREE, 0.23),
    "greta": (SECOND_DEGREE, 0.35),
    "rpi_concentre": (("Ecole", *SECOND_DEGREE), 0.015),
}
"""Types of schools that have a flag, and share of them for which it is 1."""

EMPTY = items("""
    rpi_disperse; etablissement_mere; type_rattachement_etablissement_mere; code_zone_animation_pedagogique;
    libelle_zone_animation_pedagogique
""")
"""The columns that are always empty here."""

PROJECTIONS = {
    "971": 5490,
    "972": 5490,
    "973": 2972,
    "974": 2975,
    "975": 4467,
    "976": 4471,
    "986": 32701,
    "987": 3297,
    "988": 3163,
}
"""EPSG code of the legal projection, by département overseas; Lambert 93 elsewhere."""
LAMBERT_93 = 2154


@dataset(SOURCE, labels=LABELS)
def directory(world: World) -> pl.DataFrame:
    """Every open school, by code. Some codes have a second row, for another site that was not updated later."""
    rng = world.rng("directory")
    colleges = world.colleges["uai"]
    closed = rng.choice(colleges.to_numpy(), max(1, round(CLOSED * colleges.len())), replace=False)
    schools = world.schools.filter(~pl.col("uai").is_in(closed.tolist()))
    rows = _rows(world, schools).with_columns(multi_uai=pl.lit("0"))
    rows = world.revised(rows, SOURCE, "nombre_d_eleves").with_columns(
        date_maj_ligne=pl.when(world.is_revised(rows, SOURCE))
        .then(pl.lit(UPDATED + timedelta(days=world.release(SOURCE))))
        .otherwise(pl.lit(UPDATED))
    )
    return _with_second_sites(world, rows).select(*LABELS)


def _rows(world: World, schools: pl.DataFrame) -> pl.DataFrame:
    """One row per school, without the columns that distinguish rows with the same code."""
    rng = world.rng("directory", "rows")
    count = schools.height
    has_contract = pl.Series(rng.random(count) < 0.8) & ~IS_HEALTH
    phone = pl.format("01 99 00 {} {}", *(pl.Series(rng.integers(10, 100, count)) for _ in range(2)))
    flags = {
        name: pl.when(TYPE.is_in(types)).then(_flag(pl.Series(rng.random(count) < share)))
        for name, (types, share) in FLAGS.items()
    }
    has_box = IS_SECOND_DEGREE & pl.Series(rng.random(count) < 0.4)
    box = pl.format("BP {}", pl.Series(rng.integers(1, 500, count)))
    has_fax = IS_SECOND_DEGREE & pl.Series(rng.random(count) < 0.9)
    precision = pl.Series(rng.choice(["Numéro de rue", "Rue", "Ville"], count, p=[0.75, 0.17, 0.08]))
    is_agricultural = pl.col("uai").is_in(
        world.lycees.filter(education.is_agricultural(world, world.lycees))["uai"].implode()
    )
    sections = education.international_sections(world)["uai"].unique()
    return (
        schools.join(ideo.identifiers(world), on="uai", how="left", maintain_order="left")
        .join(_original_coordinates(schools), on="uai", how="left", maintain_order="left")
        .join(_heads(schools), on="uai", how="left", maintain_order="left")
        .with_columns(
            **_identity(),
            **_place(pl.when(has_box).then(box), precision),
            telephone=phone,
            fax=pl.when(has_fax).then(phone),
            **_teaching(sections),
            **_status(has_contract, is_agricultural),
            **flags,
            **dict.fromkeys(EMPTY, pl.lit(None, pl.String)),
        )
    )


def _identity() -> dict[str, pl.Expr]:
    """Code, name, type, numbers and addresses on the internet."""
    is_quoted = TYPE + pl.int_range(pl.len()).over("type").cast(pl.String) == "Médico-social1"
    quotes = pl.when(is_quoted).then(pl.lit(' "Les Essais" ; le site')).otherwise(pl.lit(""))
    site = pl.format("https://{}.exemple.invalid/", pl.col("uai").str.to_lowercase())
    page = pl.format(f"{ideo.PAGES}/etablissement/slug/{{}}", "ens")
    return {
        "identifiant_de_l_etablissement": pl.col("uai"),
        "nom_etablissement": pl.col("nom") + quotes,
        "type_etablissement": TYPE,
        "siren_siret": pl.when(~IS_SERVICE).then(pl.format("99{}00011", pl.col("uai").str.head(7))),
        "web": pl.when(IS_SECOND_DEGREE).then(site),
        "mail": pl.format("ce.{}@exemple.invalid", "uai"),
        "fiche_onisep": pl.when(IS_SECOND_DEGREE | (TYPE == "Information et orientation")).then(page),
        "nombre_d_eleves": pl.when(TYPE == "Ecole").then("eleves"),
    }


def _place(box: pl.Expr, precision: pl.Series) -> dict[str, pl.Expr]:
    """Postal address, commune, département, académie, region and position."""
    is_located = pl.col("longitude").is_not_null()
    post_office = pl.concat_str("code_postal", spelling.bare_capitals(pl.col("nom_place")), separator=" ")
    return {
        "adresse_1": pl.col("adresse"),
        "adresse_2": box,
        "adresse_3": pl.when(~IS_SECOND_DEGREE).then(post_office),
        "code_commune": pl.col("code_place"),
        "nom_commune": pl.col("nom_place"),
        "code_departement": spelling.three_characters(pl.col("code_departement")),
        "libelle_departement": pl.col("nom_departement"),
        "libelle_academie": pl.col("nom_academie"),
        "libelle_region": pl.col("nom_region"),
        "position": pl.when(is_located).then(pl.format("{}, {}", "latitude", "longitude")),
        "precision_localisation": pl.when(is_located).then(precision),
    }


def _teaching(sections: pl.Series) -> dict[str, pl.Expr]:
    """What is taught, as flags.

    Args:
        sections: codes of the schools with international sections.
    """
    tracks = ("voie_generale", "voie_technologique", "voie_professionnelle")
    name, is_primary = pl.col("nom"), TYPE == "Ecole"
    return {
        "ecole_maternelle": pl.when(is_primary).then(_flag(name.str.contains("maternelle|primaire"))),
        "ecole_elementaire": pl.when(is_primary).then(_flag(name.str.contains("élémentaire|primaire"))),
        **{track: pl.when(IS_SECOND_DEGREE).then(_flag(pl.col(track).fill_null(False))) for track in tracks},
        "section_internationale": pl.when(IS_SECOND_DEGREE).then(_flag(pl.col("uai").is_in(sections.implode()))),
    }


def _status(has_contract: pl.Expr, is_agricultural: pl.Expr) -> dict[str, pl.Expr]:
    """Public or private, the kind of contract, the ministry in charge, priority education."""
    public = pl.col("public")
    without_contract = pl.when(public).then(pl.lit("SANS OBJET")).otherwise(pl.lit("HORS CONTRAT"))
    code_without_contract = pl.when(public).then(pl.lit("99")).otherwise(pl.lit("10"))
    is_private_with_contract = ~public & has_contract
    default_ministry = pl.lit("MINISTERE DE L'EDUCATION NATIONALE")
    ministry = pl.when(is_agricultural).then(pl.lit("AGRICULTURE")).otherwise(default_ministry)
    priority = pl.when(pl.col("niveau") < 80).then(pl.lit("REP+")).when(pl.col("niveau") < 90).then(pl.lit("REP"))
    return {
        "statut_public_prive": pl.when(~IS_SERVICE).then(
            pl.when(public).then(pl.lit("Public")).otherwise(pl.lit("Privé"))
        ),
        "type_contrat_prive": pl.when(is_private_with_contract)
        .then(pl.lit("CONTRAT D'ASSOCIATION TOUTES CLASSES"))
        .otherwise(without_contract),
        "code_type_contrat_prive": pl.when(is_private_with_contract)
        .then(pl.lit("30"))
        .otherwise(code_without_contract),
        "lycee_agricole": pl.when(IS_SECOND_DEGREE).then(_flag(is_agricultural)),
        "appartenance_education_prioritaire": pl.when(public & TYPE.is_in(["Ecole", "Collège"])).then(priority),
        "etat": pl.lit("OUVERT"),
        "ministere_tutelle": pl.when(IS_HEALTH).then(pl.lit("SANTE ET SOLIDARITE NATIONALE")).otherwise(ministry),
    }


def _flag(condition: pl.Expr | pl.Series) -> pl.Expr:
    """1 and 0, as text."""
    return pl.when(condition).then(pl.lit("1")).otherwise(pl.lit("0"))


def _original_coordinates(schools: pl.DataFrame) -> pl.DataFrame:
    """uai, coordx_origine, coordy_origine, epsg_origine of the schools that have a position."""
    parts = []
    for epsg in (LAMBERT_93, *dict.fromkeys(PROJECTIONS.values())):
        own = pl.col("code_departement").replace_strict(PROJECTIONS, default=LAMBERT_93) == epsg
        part = schools.filter(own & pl.col("longitude").is_not_null())
        transform = pyproj.Transformer.from_crs(4326, epsg, always_xy=True).transform
        east, north = transform(part["longitude"].to_numpy(), part["latitude"].to_numpy())
        parts.append(
            part.select(
                "uai",
                coordx_origine=pl.Series(np.asarray(east)).round(1),
                coordy_origine=pl.Series(np.asarray(north)).round(1),
                epsg_origine=pl.lit(f"EPSG:{epsg}"),
            )
        )
    return pl.concat(parts)


def _heads(schools: pl.DataFrame) -> pl.DataFrame:
    """uai, and who is in charge of the school: inspection district, support group, training area.

    Each is one of those of the département, chosen by the commune's number.
    """
    number = pl.col("code_place").str.tail(3).cast(pl.Int64)

    def of_departement(candidates: pl.DataFrame, *columns: str) -> pl.DataFrame:
        lists = candidates.group_by("code_departement", maintain_order=True).agg(pl.col(columns))
        numbered = schools.select("uai", "code_departement", number=number).join(
            lists, on="code_departement", maintain_order="left", how="left"
        )
        index = pl.col("number") % pl.col(columns[0]).list.len()
        return numbered.select("uai", *(pl.col(name).list.get(index) for name in columns))

    districts = schools.filter(pl.col("type") == "Service Administratif")
    colleges = schools.filter((pl.col("type") == "Collège") & pl.col("public"))
    area = number % 4 + 1
    return (
        schools.select(
            "uai",
            "type",
            code_bassin_formation=pl.format("{}1{}{}", "code_academie", pl.col("code_departement").str.tail(1), area),
            libelle_bassin_formation=pl.format(
                "{} BASSIN INVENTE {}", spelling.capitals(pl.col("nom_departement")), area
            ),
        )
        .join(
            of_departement(
                districts.select("code_departement", nom_circonscription="nom", code_circonscription="uai"),
                "nom_circonscription",
                "code_circonscription",
            ),
            on="uai",
        )
        .join(of_departement(colleges.select("code_departement", pial="uai"), "pial"), on="uai")
        .with_columns(
            pl.when(pl.col("type") == "Ecole").then(pl.col("nom_circonscription", "code_circonscription")),
            pl.when(pl.col("type").is_in(["Ecole", *SECOND_DEGREE])).then("pial"),
        )
        .drop("type")
    )


def _with_second_sites(world: World, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, with a second one for some collèges and lycées: a site elsewhere in the commune."""
    count = max(LEAST_TWICE, education.scaled(world, TWICE))
    candidates = rows.filter(pl.col("type_etablissement").is_in(["Collège", "Lycée"]))
    with_two = world.rng("directory", "twice").choice(candidates["uai"].to_numpy(), count, replace=False)
    twice = pl.col("uai").is_in(with_two.tolist())
    as_new = pl.int_range(pl.len()) % 4 == 0
    second = rows.filter(twice).with_columns(
        nom_etablissement=pl.col("nom_etablissement") + " - annexe",
        adresse_1=pl.lit("1 rue de l'Annexe"),
        date_maj_ligne=pl.when(as_new).then("date_maj_ligne").otherwise(pl.col("date_maj_ligne").dt.offset_by("-1d")),
        site=pl.lit(2),
    )
    both = pl.concat([rows.with_columns(site=pl.lit(1)), second]).sort("uai", "site")
    return both.with_columns(multi_uai=_flag(twice))
