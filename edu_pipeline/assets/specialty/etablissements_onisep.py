"""etablissements_onisep: every establishment of secondary education that ONISEP knows.

Does not belong here: the courses taught there (onisep_details_formations_lycees).

UNVERIFIED: no copy of the CSV was seen, only its labels as three programs read them, and rows of the JSON export, whose
names are the aliases. The labels of the two dates were not seen at all; older files have no dates.
"""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline import normalise
from edu_pipeline.table import table
from edu_pipeline.vocabulary import arrondissements, onisep

CITIES = {"75100": "75056", "69380": "69123", "13200": "13055"}
"""INSEE codes of Paris, Lyon and Marseille by ONISEP's own codes for them, which are not commune codes."""

MANY = 20
"""Establishments in these cities of which some have the number of their arrondissement, unless the file has lost it:
then the city is not what `commune_cog` promises."""

LANGUAGE = r"(?:\([^)]*\)|[^,|])+"
"""Matches a language in the text that lists them: a comma inside parentheses does not end it."""


class EtablissementsOnisep(c.Located):
    """An establishment known to ONISEP: collège, lycée, apprentice centre (CFA), specialised or health school, ...

    Some have no `code_uai`, and several rows may have the same one (a lycée and its apprenticeship section): join on it
    with care, never count by it. In Paris, Lyon and Marseille `commune_cog` is the arrondissement.
    """

    identifiant_onisep = c.text("ONISEP's identifier, e.g. ENS.12993.", key=True, pattern=r"^ENS\.[0-9]+$")
    code_uai = c.uai(
        "Establishment code; NULL where ONISEP gives none. Not unique.", required=False, upstream="code UAI"
    )
    n_siret = c.siren_or_siret("SIRET number, 14 digits.", length=14, upstream="n° SIRET")
    nom = c.text("Name.", required=True, upstream="nom")
    sigle = c.text("Short name.", upstream="sigle")
    type_etablissement = c.text(
        "Type, e.g. collège, lycée professionnel, lycée général, technologique ou polyvalent.",
        upstream="type d'établissement",
        aliases=["type_detablissement"],
    )
    statut = c.secteur("public, privé, privé sous contrat or privé hors contrat.", upstream="statut")
    tutelle = c.text("Ministry in charge; NULL where there is none.", upstream="tutelle")
    address = c.text("Postal address on one line: street, post office box, postal code, commune and CEDEX.")
    adresse = c.text("Street and building only.", upstream="adresse")
    boite_postale = c.text("Post office box, e.g. BP 77.", upstream="boîte postale")
    code_postal = c.code_postal("Postal code, possibly a CEDEX.", upstream="CP")
    commune = c.text("Name of the commune.", upstream="commune")
    commune_cog = c.code_commune(
        "INSEE code of the commune; in Paris, Lyon and Marseille that of the arrondissement, if ONISEP gives it.",
        upstream="commune (COG)",
    )
    cedex = c.text("CEDEX, with its number where it has one.", upstream="cedex")
    arrondissement = c.code(
        "Number of the arrondissement in Paris, Lyon or Marseille, two digits.", 2, upstream="arrondissement"
    )
    departement = c.text(
        "Name of the département, without its code, which some exports put before it.",
        upstream="département",
        normalise=lambda name: name.str.replace(r"^[0-9][0-9AB][0-9]? - ", ""),
    )
    academie = c.text("Name of the académie.", upstream="académie")
    region = c.text("Name of the region.", upstream="région")
    region_cog = c.code_region(
        "INSEE code of the region; 00 for the overseas collectivities.", length=3, upstream="région (COG)"
    )
    latitude = c.latitude("Latitude, WGS 84; NULL where ONISEP has none.", upstream="latitude (Y)")
    longitude = c.longitude("Longitude, WGS 84; NULL where ONISEP has none.", upstream="longitude (X)")
    telephone = c.text("Telephone number as published.", upstream="téléphone", normalise=normalise.telephone)
    journees_portes_ouvertes = c.text(
        "Open days as ONISEP writes them: `le 31/01/2026 de 08h30 à 12h00 (...) | le ...`; some may be past.",
        upstream="journées portes ouvertes",
    )
    langues_enseignees = c.texts(
        "Languages taught, e.g. `Anglais`, sorted; NULL where ONISEP lists none.",
        min_length=1,
        upstream="langues enseignées",
    )
    universite_de_rattachement = c.text(
        "University that it belongs to, with its code.",
        optional=True,
        upstream="université de rattachement libellé et UAI",
        aliases=["université de rattachement libellé"],
    )
    etablissements_lies = c.texts(
        "Establishments on the same site or in the same group, with town and département.",
        min_length=1,
        optional=True,
        upstream="établissements liés libellés",
    )
    etablissements_lies_onisep = c.texts(
        "ONISEP's identifiers of these, in the same order.",
        pattern=r"^ENS\.[0-9]+$",
        min_length=1,
        optional=True,
        upstream="établissements liés URL et ID Onisep",
    )
    url_onisep = c.text("ONISEP's page about the establishment.", required=True, upstream="URL et ID Onisep")
    date_creation = c.date(
        "Day on which ONISEP entered it.",
        since=1990,
        optional=True,
        upstream="date création",
        aliases=["^date.*creation.*"],
    )
    date_modification = c.date(
        "Day on which ONISEP last changed it.",
        since=1990,
        optional=True,
        upstream="date de modification",
        aliases=["^.*modification.*"],
    )


@table(EtablissementsOnisep, newest_by="date_modification")
def etablissements_onisep(onisep_5fa5816ac6a6e: pl.LazyFrame) -> pl.LazyFrame:
    """Extract the identifier from the page's URL, join the address, determine the commune, split the lists."""
    postal_line = pl.concat_str("code_postal", "commune", "cedex", separator=" ", ignore_nulls=True)
    city = pl.col("commune_cog").replace_strict(CITIES, default=None)
    number, code = (pl.col(name).cast(pl.Int32, strict=False) for name in ("arrondissement", "commune_cog"))
    part = (code + number).cast(pl.String)
    lists = {
        "langues_enseignees": pl.col("langues_enseignees").str.extract_all(LANGUAGE),
        "etablissements_lies": pl.col("etablissements_lies").str.split("|"),
        "etablissements_lies_onisep": pl.col("etablissements_lies_onisep").str.extract_all(r"ENS\.[0-9]+"),
    }
    lists = {name: onisep.filled(items) for name, items in lists.items()}
    lists["langues_enseignees"] = lists["langues_enseignees"].list.unique().list.sort()
    lines = ("adresse", "boite_postale", postal_line.replace("", None))
    has_numbers = pl.col("arrondissement").is_not_null().any() | (city.count() < MANY)
    return onisep_5fa5816ac6a6e.with_columns(
        identifiant_onisep=pl.col("url_onisep").str.extract(r"(ENS\.[0-9]+)$"),
        address=pl.concat_str(*lines, separator=", ", ignore_nulls=True).replace("", None),
        commune_cog=pl.when(city.is_not_null() & part.is_in(list(arrondissements.COMMUNES)))
        .then(part)
        .when(city.is_not_null())
        .then(pl.when(has_numbers).then(city))
        .otherwise("commune_cog"),
        **lists,
    )
