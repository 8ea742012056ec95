"""annuaire_education: every open school in the ministry's directory, one row per establishment code.

Does not belong here: closed schools (published in another file), the extracts made from this table (geodata_lycees,
lycees_geolocalisation, colleges_geolocalisation, lycees_address_uai_mapping).
"""

from typing import Any

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline import normalise
from edu_pipeline.table import table

DIGITS = "^[0-9]+[AB]?[0-9]+$"
"""Digits, among which the letter of a département of Corsica may be."""

FARTHEST = 10_000_000
"""Metres: as far as coordinates in any projection are from its origin."""


def _flag(what: str, upstream: str) -> Any:
    return c.boolean(f"Whether it has {what}; NULL where not filled in.", upstream=upstream)


class AnnuaireEducation(c.Located):
    """An open school, collège, lycée or education service, as the ministry's directory describes it.

    Some establishments have several rows upstream under one code: one per site, or one each for the collège and the
    lycée of a cité scolaire (`multi_uai` marks them). The row updated last is kept, or the publisher's first if several
    are equally recent; the others are in quarantine. A flag that is NULL was not filled in; it does not mean no.
    """

    uai = c.uai(key=True, upstream="Identifiant_de_l_etablissement")
    nom_etablissement = c.text("Name.", required=True, upstream="Nom_etablissement")
    type_etablissement = c.text(
        "Kind as the publisher writes it: Ecole, Collège, Lycée, EREA, Médico-social, Service Administratif, ...",
        upstream="Type_etablissement",
    )
    statut_public_prive = c.secteur(
        "public or privé; NULL for services that have no sector.", upstream="Statut_public_prive"
    )
    type_contrat_prive = c.text(
        "Contract of a private school with the State, SANS OBJET for a public one.", upstream="Type_contrat_prive"
    )
    code_type_contrat_prive = c.code(
        "Code of the contract, 99 for a public school, !! where the publisher has none.",
        2,
        pattern="^([0-9]{2}|!!)$",
        upstream="Code_type_contrat_prive",
    )
    etat = c.text("State of the establishment: OUVERT.", upstream="etat")
    ministere_tutelle = c.text("Ministry in charge.", upstream="ministere_tutelle")
    code_nature = c.code("Code of the type of establishment, e.g. 340 for a collège.", 3, upstream="code_nature")
    libelle_nature = c.text("The type of establishment in words.", upstream="libelle_nature")
    address = c.text("Postal address on one line: Adresse_1 to Adresse_3, each once, and postal code and commune.")
    code_postal = c.code_postal("Postal code, possibly a CEDEX.", upstream="Code_postal")
    code_commune = c.code_commune(upstream="Code_commune")
    nom_commune = c.text("Name of the commune.", upstream="Nom_commune")
    code_departement = c.code_departement(upstream="Code_departement")
    libelle_departement = c.text("Name of the département.", upstream="Libelle_departement")
    code_academie = c.code_academie(upstream="Code_academie")
    libelle_academie = c.text("Name of the académie.", upstream="Libelle_academie")
    code_region = c.code_region(upstream="Code_region")
    libelle_region = c.text("Name of the region.", upstream="Libelle_region")
    latitude = c.latitude("Latitude, WGS 84; NULL where the school could not be located.", upstream="latitude")
    longitude = c.longitude("Longitude, WGS 84; NULL where the school could not be located.", upstream="longitude")
    position = c.text("The position as the publisher writes it: 'latitude, longitude'.", upstream="position")
    precision_localisation = c.text(
        "How precisely the school was located: Numéro de rue, Rue, Ville, ...", upstream="precision_localisation"
    )
    coordx_origine = c.real(
        "X in the projection of epsg_origine.",
        unit="m",
        min=-FARTHEST,
        max=FARTHEST,
        upstream="coordX_origine",
        aliases=["coordonnee_X"],
    )
    coordy_origine = c.real(
        "Y in the projection of epsg_origine.",
        unit="m",
        min=-FARTHEST,
        max=FARTHEST,
        upstream="coordY_origine",
        aliases=["coordonnee_Y"],
    )
    epsg_origine = c.text(
        "Projection of the original coordinates.",
        pattern="^(EPSG:)?[0-9]{4,6}$",
        upstream="epsg_origine",
        aliases=["epsg"],
    )
    telephone = c.text("Telephone number as published.", upstream="Telephone", normalise=normalise.telephone)
    fax = c.text("Fax number as published.", upstream="Fax", normalise=normalise.telephone)
    mail = c.text("E-mail address.", upstream="Mail")
    web = c.text("Web site.", upstream="Web")
    fiche_onisep = c.text("ONISEP's page about the establishment.", upstream="Fiche_onisep")
    siren_siret = c.siren_or_siret("SIRET (14 digits) or SIREN number (9).", upstream="SIREN_SIRET")
    nombre_d_eleves = c.integer(
        "Pupils; given for first-degree schools only, NULL elsewhere.",
        unit="pupils",
        min=0,
        max=c.MOST_PUPILS,
        upstream="Nombre_d_eleves",
    )
    ecole_maternelle = _flag("nursery school classes", "ecole_maternelle")
    ecole_elementaire = _flag("elementary school classes", "ecole_elementaire")
    voie_generale = _flag("the general track of the lycée", "voie_generale")
    voie_technologique = _flag("the technological track of the lycée", "voie_technologique")
    voie_professionnelle = _flag("the vocational track of the lycée", "voie_professionnelle")
    restauration = _flag("a canteen", "restauration")
    hebergement = _flag("boarding", "hebergement")
    ulis = _flag("a unit for pupils with disabilities (ULIS)", "ulis")
    apprentissage = _flag("apprenticeships", "apprentissage")
    segpa = _flag("an adapted general and vocational section (SEGPA)", "segpa")
    section_arts = _flag("an arts section", "section_arts")
    section_cinema = _flag("a cinema section", "section_cinema")
    section_theatre = _flag("a theatre section", "section_theatre")
    section_sport = _flag("a sports section", "section_sport")
    section_internationale = _flag("an international section", "section_internationale")
    section_europeenne = _flag("a European section", "section_europeenne")
    lycee_agricole = _flag("the status of an agricultural lycée", "lycee_agricole")
    lycee_militaire = _flag("the status of a military lycée", "lycee_militaire")
    lycee_des_metiers = _flag("the label Lycée des métiers", "lycee_des_metiers")
    post_bac = _flag("post-baccalauréat courses", "post_bac")
    greta = _flag("membership of an adult training group (GRETA)", "greta")
    rpi_concentre = _flag(
        "the pupils of several communes that run their schools in one place (RPI concentré)", "rpi_concentre"
    )
    rpi_disperse = c.code(
        "Code of the group of communes that share out their schools (RPI dispersé).",
        6,
        zeros=2,
        pattern=DIGITS,
        may_be_empty=True,
        upstream="rpi_disperse",
    )
    appartenance_education_prioritaire = c.text(
        "REP or REP+, NULL outside priority education.", upstream="Appartenance_Education_Prioritaire"
    )
    multi_uai = c.boolean(
        "Whether upstream has several rows with this code.",
        upstream="multi_uai",
        aliases=["etablissement_multi_lignes"],
    )
    etablissement_mere = c.text(
        "Code (UAI) of the establishment that it belongs to.",
        pattern=c.UAI,
        may_be_empty=True,
        upstream="etablissement_mere",
    )
    type_rattachement_etablissement_mere = c.text(
        "How it belongs to it.", may_be_empty=True, upstream="type_rattachement_etablissement_mere"
    )
    pial = c.text("Code (UAI) of the head of its inclusive support group (PIAL).", pattern=c.UAI, upstream="PIAL")
    nom_circonscription = c.text("First-degree inspection district.", upstream="nom_circonscription")
    code_circonscription = c.text(
        "Code (UAI) of that district; not in files of 2023.",
        optional=True,
        pattern=c.UAI,
        upstream="code_circonscription",
    )
    code_zone_animation_pedagogique = c.code(
        "Code of the teaching support area; not in files of 2023.",
        6,
        zeros=2,
        optional=True,
        pattern=DIGITS,
        upstream="code_zone_animation_pedagogique",
    )
    libelle_zone_animation_pedagogique = c.text(
        "Name of that area; not in files of 2023.", optional=True, upstream="libelle_zone_animation_pedagogique"
    )
    code_bassin_formation = c.code("Code of the training area.", 5, pattern=DIGITS, upstream="code_bassin_formation")
    libelle_bassin_formation = c.text("Name of the training area.", upstream="libelle_bassin_formation")
    date_ouverture = c.date("Day of opening.", since=1800, upstream="date_ouverture")
    date_maj_ligne = c.date("Day of the row's last update by the publisher.", since=2000, upstream="date_maj_ligne")


@table(
    AnnuaireEducation,
    needs={"fr_en_annuaire_education": ["Adresse_1", "Adresse_2", "Adresse_3"]},
    newest_by="date_maj_ligne",
)
def annuaire_education(fr_en_annuaire_education: pl.LazyFrame) -> pl.LazyFrame:
    """Put the address on one line; its third line is often already postal code and commune."""
    lines = [_with_zero(pl.col(f"adresse_{number}").str.replace_all(r"\s+", " ")) for number in (1, 2, 3)]
    has_postal_line = pl.any_horizontal(map(_is_postal, lines))
    postal_line = pl.concat_str("code_postal", "nom_commune", separator=" ", ignore_nulls=True)
    address = pl.concat_list(*lines, pl.when(has_postal_line).then(None).otherwise(postal_line))
    return fr_en_annuaire_education.with_columns(
        address=address.list.drop_nulls().list.unique(maintain_order=True).list.join(", ").replace("", None)
    )


def _is_postal(line: pl.Expr) -> pl.Expr:
    """Whether a line begins with the postal code; with any, if the row has none of its own."""
    return pl.coalesce(line.str.starts_with(pl.col("code_postal")), line.str.contains("^[0-9]{5} "))


def _with_zero(line: pl.Expr) -> pl.Expr:
    """``9200 MOULIS`` with the zero of the postal code ``09200``, if a spreadsheet has taken it."""
    filled = "0" + line
    return pl.when(filled.str.starts_with(pl.col("code_postal"))).then(filled).otherwise(line)
