"""onisep_details_formations_lycees: the courses that ONISEP lists for lycées, each at the place where it is taught.

Does not belong here: the specialties and options within general courses (specialites_lycees,
enseignements_optionnels_seconde).

UNVERIFIED: no copy of the CSV was seen, only its labels as several programs read them, and rows of the JSON export,
whose names are the aliases.
"""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline import normalise
from edu_pipeline.table import table
from edu_pipeline.vocabulary import onisep


class OnisepDetailsFormationsLycees(c.Located):
    """A course of studies (`formation`) at a place where it is taught: ONISEP's action de formation (AF).

    From seconde to the baccalauréat and its equivalents, CAP, and courses of CAP or baccalauréat level in other
    schools. A few have no `uai`, and the sites of a lycée may share one: `identifiant_onisep` distinguishes them and is
    the key of etablissements_onisep, which lacks some of them. If several rows have the same `identifiant_af`, the one
    changed last is kept.
    """

    identifiant_af = c.text(
        "ONISEP's identifier of the course at this place, e.g. AF.69395.",
        key=True,
        pattern=r"^AF\.[0-9]+$",
        upstream="Action de Formation (AF) identifiant Onisep",
        normalise=lambda link: link.str.replace(r"^.*/", ""),
    )
    uai = c.uai(
        "Establishment code of the place; NULL where ONISEP gives none.", required=False, upstream="ENS code UAI"
    )
    identifiant_onisep = c.text("ONISEP's identifier of the place, e.g. ENS.13362.", pattern=r"^ENS\.[0-9]+$")
    etablissement = c.text(
        "Name of the place.", upstream="Lieu d'enseignement (ENS) libellé", aliases=["lieu_denseignement_ens_libelle"]
    )
    formation = c.text(
        "Name of the course, e.g. `classe de 1re générale`, `CAP maçon`.",
        required=True,
        upstream="Formation (FOR) libellé",
    )
    type_formation = c.text("Type of course, e.g. baccalauréat professionnel, CAP.", upstream="FOR type")
    nature_du_certificat = c.text(
        "What it leads to, e.g. Diplôme national ou diplôme d'État.", upstream="FOR nature du certificat"
    )
    niveau_sortie = c.text(
        "Level reached: seconde, 1re, CAP ou équivalent, bac ou équivalent, ...", upstream="FOR niveau de sortie"
    )
    domaines = c.texts(
        "Fields, each with its subfield after a slash, e.g. `sciences/chimie`; NULL where ONISEP lists none.",
        min_length=1,
        upstream="FOR indexation domaine web Onisep",
    )
    duree = c.text("Standard length of the course, e.g. 2 ans.", upstream="AF durée cycle standard")
    modalites = c.text("How it is taught, e.g. temps plein, cours en présentiel.", upstream="AF modalités scolarité")
    elements_enseignement = c.text(
        "Details of the teaching, separated by `|`.",
        may_be_empty=True,
        upstream="AF éléments d'enseignement",
        aliases=["af_elements_denseignement"],
    )
    cout_scolarite = c.text("Cost as text; NULL does not mean free of charge.", upstream="AF coût scolarité")
    modalites_accueil = c.text(
        "Who is admitted, if not everyone is.", may_be_empty=True, upstream="AF modalités accueil"
    )
    page_web = c.text("The place's own page about the course.", may_be_empty=True, upstream="AF page web")
    statut = c.secteur("public, privé, privé sous contrat or privé hors contrat.", upstream="ENS statut")
    hebergement = c.text("Boarding as text, e.g. internat (homme/femme), sans hébergement.", upstream="ENS hébergement")
    accessibilite = c.text("Access for disabled people as text; NULL if not stated.", upstream="ENS accessibilité")
    adresse = c.text("Street, building and post office box of the place.", upstream="ENS adresse")
    code_postal = c.code_postal("Postal code of the place, possibly a CEDEX.", upstream="ENS code postal")
    commune = c.text("Name of the commune.", upstream="ENS commune")
    departement = c.text("Name of the département.", upstream="ENS département")
    academie = c.text("Name of the académie.", upstream="ENS académie")
    region = c.text("Name of the region.", upstream="ENS région")
    latitude = c.latitude("Latitude of the place, WGS 84; NULL where ONISEP has none.", upstream="ENS latitude")
    longitude = c.longitude("Longitude of the place, WGS 84; NULL where ONISEP has none.", upstream="ENS longitude")
    telephone = c.text(
        "Telephone number of the place as published.", upstream="ENS n° téléphone", normalise=normalise.telephone
    )
    site_web = c.text("Web site of the place.", upstream="ENS site web")
    url_formation = c.text(
        "ONISEP's page about the course; it ends with its identifier, e.g. FOR.2255.", upstream="FOR URL et ID Onisep"
    )
    url_referentiel = c.text("Official description of the course.", upstream="FOR URL référentiel")
    url_etablissement = c.text("ONISEP's page about the place.", upstream="ENS URL et ID Onisep")
    date_creation = c.date(
        "Day on which ONISEP entered it.",
        since=1990,
        optional=True,
        upstream="AF date de création",
        aliases=["AF date création"],
    )
    date_modification = c.date("Day on which ONISEP last changed it.", since=1990, upstream="AF date de modification")


@table(OnisepDetailsFormationsLycees, newest_by="date_modification")
def onisep_details_formations_lycees(onisep_605340ddc19a9: pl.LazyFrame) -> pl.LazyFrame:
    """Extract the place's identifier from its page's URL and split the fields."""
    return onisep_605340ddc19a9.with_columns(
        identifiant_onisep=pl.col("url_etablissement").str.extract(r"(ENS\.[0-9]+)$"),
        domaines=onisep.filled(pl.col("domaines").str.split("|")),
    )
