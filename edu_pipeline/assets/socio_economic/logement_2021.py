"""logement_2021: the dwellings of each commune and how they are occupied.

Does not belong here: prices (mutations_immo_latest).
"""

from typing import Any

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table
from edu_pipeline.vocabulary import census


def _dwellings(description: str, upstream: str) -> Any:
    return census.count(description, upstream, unit="dwellings")


class Logement2021(c.Contract):
    """A commune's dwellings by use and type, and its main residences by occupancy and number of rooms.

    Census of 2021 (INSEE, exploitation principale, variables P21_*). Counts are sums of weights, hence not whole
    numbers; shares mean little in small communes. All NULL: INSEE gives no figures (Mayotte, communes split since).
    Paris, Lyon and Marseille appear both as cities (75056, 69123, 13055) and by arrondissement: use only one of the two
    in a sum. Figures are published for the communes of 1 January 2024; `codes_anciens` marks communes that have changed
    since. Later censuses: recensement_logement.
    """

    code_commune = c.code_commune(key=True, upstream="CODGEO")
    codes_anciens = c.codes_anciens()
    logements = _dwellings("Dwellings.", "P21_LOG")
    residences_principales = _dwellings("Of `logements`, main residences: as many as households.", "P21_RP")
    residences_secondaires = _dwellings("Of `logements`, second homes and occasional dwellings.", "P21_RSECOCC")
    logements_vacants = _dwellings("Of `logements`, the vacant ones.", "P21_LOGVAC")
    maisons = _dwellings("Of `logements`, houses.", "P21_MAISON")
    appartements = _dwellings("Of `logements`, flats. Some dwellings are neither house nor flat.", "P21_APPART")
    proprietaires = _dwellings("Of `residences_principales`, those occupied by their owners.", "P21_RP_PROP")
    locataires = _dwellings("Of `residences_principales`, those rented.", "P21_RP_LOC")
    locataires_hlm = _dwellings(
        "Of `residences_principales`, those rented unfurnished from a social landlord.", "P21_RP_LOCHLMV"
    )
    rp_grat = _dwellings("Of `residences_principales`, those occupied rent-free.", "P21_RP_GRAT")
    rp_1p = _dwellings("Of `residences_principales`, those with one room.", "P21_RP_1P")
    rp_2p = _dwellings("Of `residences_principales`, those with two rooms.", "P21_RP_2P")
    rp_3p = _dwellings("Of `residences_principales`, those with three rooms.", "P21_RP_3P")
    rp_4p = _dwellings("Of `residences_principales`, those with four rooms.", "P21_RP_4P")
    rp_5pp = _dwellings("Of `residences_principales`, those with five rooms or more.", "P21_RP_5PP")
    taux_residences_principales = census.share("residences_principales", "logements")
    taux_residences_secondaires = census.share("residences_secondaires", "logements")
    taux_logements_vacants = census.share("logements_vacants", "logements")
    taux_maisons = census.share("maisons", "logements")
    taux_appartements = census.share("appartements", "logements")
    taux_proprietaires = census.share("proprietaires", "residences_principales")
    taux_locataires = census.share("locataires", "residences_principales")
    taux_locataires_hlm = census.share("locataires_hlm", "residences_principales")


@table(Logement2021)
def logement_2021(insee_rp__logement: pl.LazyFrame) -> pl.LazyFrame:
    """Add shares to INSEE's counts."""
    return census.with_shares(insee_rp__logement, Logement2021)
