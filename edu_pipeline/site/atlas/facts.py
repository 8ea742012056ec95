"""What a card says of a place in words: the texts, lists and flags of its view or table.

Belongs here: which columns these are, and their values. Does not belong here: numbers (``figures.py``).
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa

from edu_pipeline.export.description import Collection, Field
from edu_pipeline.site.atlas.figures import Figure, of_column, origin, the_table

TOLD_ALREADY = {
    "etablissement",
    "nom_etablissement",
    "nom_commune",
    "nom_departement",
    "code_departement",
    "code_commune",
    "secteur",
}
"""Columns that the head of a card shows."""


def facts(collection: Collection, data: Path, name: str) -> tuple[list[Figure], pl.DataFrame]:
    """The facts of the places of a table or view with one key, and a frame of them by ``code``.

    Args:
        data: the folder with the tables as Parquet.
        name: of the table or view.
    """
    table = the_table(collection, name)
    (key,) = table.key
    found = [
        of_column(table, field, origin(collection, table, field.name))
        for field in table.fields
        if _is_fact(field) and field.name not in {key, *TOLD_ALREADY}
    ]
    columns = [pl.col(fact.column).alias(fact.id) for fact in found]
    return found, pl.scan_parquet(data / f"{name}.parquet").select(pl.col(key).alias("code"), *columns).collect()


def _is_fact(field: Field) -> bool:
    if field.is_json or field.is_geometry:
        return False
    return any(is_kind(field.arrow) for is_kind in (pa.types.is_string, pa.types.is_list, pa.types.is_boolean))
