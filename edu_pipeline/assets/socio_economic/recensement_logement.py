"""recensement_logement: the dwellings of each commune and how they are occupied, at each census.

Does not belong here: prices (mutations_immo_latest), the census of 2021 (logement_2021).
"""

from typing import Any

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.long_form import figure
from edu_pipeline.table import table
from edu_pipeline.vocabulary import census

WIDE, LONG = "insee_rp_2022__logement", "insee_rp_2023__logement"


def _dwellings(description: str, wide: str, **codes: str) -> Any:
    long = figure(RP_MEASURE="DWELLINGS", **codes)
    return census.count(description, {LONG: long, WIDE: wide}, unit="dwellings")


def _homes(description: str, wide: str, **codes: str) -> Any:
    return _dwellings(f"Of `residences_principales`, those {description}.", wide, OCS="DW_MAIN", **codes)


class RecensementLogement(c.Contract):
    """A commune's dwellings by use and type, and its main residences by occupancy and rooms: a row for each census.

    The file of 2023 also has 2012 and 2017 on today's communes; 2022 is from a file of its own. The census of 2021
    stays in logement_2021.

    Counts are sums of weights, hence not whole numbers; shares mean little in small communes. Each census is made of
    five years of surveys: compare only years at least five apart. Paris, Lyon and Marseille appear both as cities
    (75056, 69123, 13055) and by arrondissement: use only one of the two in a sum. Mayotte has no figures. Figures are
    published for the communes of 1 January 2026 (those of 2022: 2025); `codes_anciens` marks communes that have changed
    since.
    """

    code_commune = c.code_commune(key=True, upstream={LONG: "GEO", WIDE: "CODGEO"})
    annee = census.annee(LONG)
    codes_anciens = c.codes_anciens()
    statut = census.statut(LONG)
    logements = _dwellings("Dwellings.", "P22_LOG")
    residences_principales = _dwellings(
        "Of `logements`, main residences: as many as households.", "P22_RP", OCS="DW_MAIN"
    )
    residences_secondaires = _dwellings(
        "Of `logements`, second homes and occasional dwellings.", "P22_RSECOCC", OCS="DW_SEC_DW_OCC"
    )
    logements_vacants = _dwellings("Of `logements`, the vacant ones.", "P22_LOGVAC", OCS="DW_VAC")
    maisons = _dwellings("Of `logements`, houses.", "P22_MAISON", TDW="1")
    appartements = _dwellings(
        "Of `logements`, flats. Some dwellings are neither house nor flat.", "P22_APPART", TDW="2"
    )
    proprietaires = _homes("occupied by their owners", "P22_RP_PROP", TSH="100")
    locataires = _homes("rented", "P22_RP_LOC", TSH="200")
    locataires_hlm = _homes("rented unfurnished from a social landlord", "P22_RP_LOCHLMV", TSH="221")
    rp_grat = _homes("occupied rent-free", "P22_RP_GRAT", TSH="300")
    rp_1p = _homes("with one room", "P22_RP_1P", NOR="R1")
    rp_2p = _homes("with two rooms", "P22_RP_2P", NOR="R2")
    rp_3p = _homes("with three rooms", "P22_RP_3P", NOR="R3")
    rp_4p = _homes("with four rooms", "P22_RP_4P", NOR="R4")
    rp_5pp = _homes("with five rooms or more", "P22_RP_5PP", NOR="R_GE5")
    taux_residences_principales = census.share("residences_principales", "logements")
    taux_residences_secondaires = census.share("residences_secondaires", "logements")
    taux_logements_vacants = census.share("logements_vacants", "logements")
    taux_maisons = census.share("maisons", "logements")
    taux_appartements = census.share("appartements", "logements")
    taux_proprietaires = census.share("proprietaires", "residences_principales")
    taux_locataires = census.share("locataires", "residences_principales")
    taux_locataires_hlm = census.share("locataires_hlm", "residences_principales")


@table(RecensementLogement)
def recensement_logement(
    insee_rp_2023__logement: pl.LazyFrame, insee_rp_2022__logement: pl.LazyFrame | None = None
) -> pl.LazyFrame:
    """Put the editions one below the other, and add shares."""
    return census.editions(insee_rp_2023__logement, insee_rp_2022__logement, RecensementLogement)
