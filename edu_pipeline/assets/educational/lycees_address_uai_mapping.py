"""lycees_address_uai_mapping: the postal address of every lycée.

Does not belong here: its position (geodata_lycees).
"""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table


class LyceesAddressUaiMapping(c.Contract):
    """A lycée of any kind in the directory, and its postal address on one line."""

    uai = c.uai(key=True)
    address = c.text("Postal address on one line; NULL where the directory has none.", upstream="address")


@table(LyceesAddressUaiMapping, needs={"annuaire_education": ["type_etablissement"]})
def lycees_address_uai_mapping(annuaire_education: pl.LazyFrame) -> pl.LazyFrame:
    """Select the lycées' addresses from the directory."""
    return annuaire_education.filter(pl.col("type_etablissement") == "Lycée").select("uai", "address")
