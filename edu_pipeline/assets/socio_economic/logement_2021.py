"""logement_2021: a commune's dwellings and who lives in them how. Not here: prices (mutations_immo_latest)."""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table
from edu_pipeline.vocabulary import census

COUNTS = {
    "logements": ("LOG", "Dwellings."),
    "residences_principales": ("RP", "Of `logements`, main residences: as many as households."),
    "residences_secondaires": ("RSECOCC", "Of `logements`, second homes and dwellings used now and then."),
    "logements_vacants": ("LOGVAC", "Of `logements`, vacant ones."),
    "maisons": ("MAISON", "Of `logements`, houses."),
    "appartements": ("APPART", "Of `logements`, flats. Some dwellings are neither house nor flat."),
    "proprietaires": ("RP_PROP", "Of `residences_principales`, those lived in by their owners."),
    "locataires": ("RP_LOC", "Of `residences_principales`, those let."),
    "locataires_hlm": ("RP_LOCHLMV", "Of `residences_principales`, those let unfurnished by a social landlord."),
    "rp_grat": ("RP_GRAT", "Of `residences_principales`, those lived in free of charge."),
    "rp_1p": ("RP_1P", "Of `residences_principales`, those of one room."),
    "rp_2p": ("RP_2P", "Of `residences_principales`, those of two rooms."),
    "rp_3p": ("RP_3P", "Of `residences_principales`, those of three rooms."),
    "rp_4p": ("RP_4P", "Of `residences_principales`, those of four rooms."),
    "rp_5pp": ("RP_5PP", "Of `residences_principales`, those of five rooms or more."),
}
OF_ALL = ("residences_principales", "residences_secondaires", "logements_vacants", "maisons", "appartements")
SHARES = {f"taux_{name}": (name, "logements") for name in OF_ALL} | {
    f"taux_{name}": (name, "residences_principales") for name in ("proprietaires", "locataires", "locataires_hlm")
}


class Logement2021(c.Contract):
    """A commune's dwellings by use and kind, and its main residences by occupancy and number of rooms.

    Census of 2021 (INSEE, exploitation principale, variables P21_*). Counts are sums of weights, hence not whole; in
    small communes shares say little. All NULL: INSEE gives no figures (Mayotte, communes split since). Paris, Lyon and
    Marseille are here as cities (75056, 69123, 13055) and by arrondissement: a sum must take one of the two forms.
    Published on the communes of 1 January 2024; for one that has changed since, see `codes_anciens`.
    """

    code_commune = c.code_commune(key=True, upstream="CODGEO")
    codes_anciens = c.codes_anciens()
    for _name, (_variable, _meaning) in COUNTS.items():
        vars()[_name] = census.count(_meaning, f"P21_{_variable}", unit="dwellings")
    for _name, (_part, _whole) in SHARES.items():
        vars()[_name] = census.share(_part, _whole)


@table(Logement2021)
def logement_2021(insee_rp__logement: pl.LazyFrame) -> pl.LazyFrame:
    """Add the shares to INSEE's counts."""
    return insee_rp__logement.with_columns(census.percent(*of).alias(name) for name, of in SHARES.items())
