"""The formats of an export, by name.

Belongs here: names and media types. Does not belong here: who writes them (``formats.py``), and anything that the
command line would have to wait for.
"""

from __future__ import annotations

from enum import StrEnum

PARQUET = "application/vnd.apache.parquet"


class Format(StrEnum):
    """A format that tables can be exported in."""

    PARQUET = "parquet"
    GEOPARQUET = "geoparquet"
    GPKG = "gpkg"
    DUCKDB = "duckdb"
    CSV = "csv"

    @property
    def is_one_file(self) -> bool:
        """Whether all tables are in one file."""
        return self in (Format.GPKG, Format.DUCKDB)

    @property
    def media_type(self) -> str:
        """What its files are, in the words of the IANA."""
        return {
            Format.GPKG: "application/geopackage+sqlite3",
            Format.DUCKDB: "application/vnd.duckdb",
            Format.CSV: "text/csv",
        }.get(self, PARQUET)
