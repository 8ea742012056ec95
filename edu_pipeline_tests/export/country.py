"""Rows with every kind of value that a format has been seen to change, and the loads that they are said to be from.

Belongs here: what is in the database of the tests of exports. Does not belong here: what its files should say.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from psycopg import sql
from upath import UPath

from edu_pipeline.database.comments import comment_on_table
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.database.views import views
from edu_pipeline.sources.release import ReceivedFile, Release
from edu_pipeline.table import tables
from edu_pipeline_tests.checks.small_country import record
from edu_pipeline_tests.database.rows import put

TEXT = 'a "quoted" text, with a comma,\na second line, É, 🏫, \\. and \\N'
LISTS = {"01001": ["a,b", 'c"d', "\\", "é"], "01002": [], "2A004": None}
POSTAL = {"01001": ["01000", "AD500"], "01002": [], "2A004": None}
FLOATS = {"01001": 0.1 + 0.2, "01002": 1e-17, "2A004": None}
SQUARE = shapely.MultiPolygon([shapely.box(5.1, 46.1, 5.2, 46.2)])
ISLAND = shapely.MultiPolygon([shapely.box(8.7, 41.9, 8.8, 42.0), shapely.box(9.0, 42.0, 9.1, 42.1)])
COUNTED = {"unite_de_compte": "Infraction"}
STREET = {
    "code_departement": "01",
    "code_commune": "01001",
    "libelle_rue": "Rue É",
    "side": "pair",
    "rule": "x",
    "lignes": 1,
}
PLACE = {"niveau": 4, "niveau_fin": 4, "libelle_fin": "x"}
NAMED = {"nom_commune": "L'Île-d'É"}
LINE = shapely.LineString([(5.12, 46.12), (5.13, 46.13)])
NEWEST = datetime(2026, 11, 20, 12, tzinfo=UTC)


def fill(database: Database) -> None:
    """Put the rows and loads into a migrated database, and refresh the views."""
    with database.connect() as connection:
        _put_codes(connection)
        _put_places(connection)
        _put_schools(connection)
        _put_loads(connection)
        comment_on_table(connection, database.schema, tables()["info_communes"])
        for name in views():
            connection.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(sql.Identifier(name)))


def _put_codes(connection: Connection) -> None:
    put(connection, "departements", code_departement="01", nom_departement="Ain", code_region="84", nom_region="É")
    put(
        connection, "departements", code_departement="2A", nom_departement="Corse", code_region="94", nom_region="Corse"
    )
    for code, parent in (("010", None), ("011", "010"), ("01A", "010"), ("01Z", None), ("01a", "010")):
        put(connection, "pcs_libelle", code_pcs=code, libelle=TEXT, code_parent=parent, **PLACE)
    for code, former in LISTS.items():
        for indicator, rate in (("vols", Decimal("1.2345678")), ("coups", None)):
            values = {"code_commune": code, "annee": 2024, "indicateur": indicator, "est_diffuse": "diff"} | COUNTED
            put(connection, "criminalite_2024", **values, taux_pour_mille=rate, codes_anciens=former)


def _put_places(connection: Connection) -> None:
    for code, postal in POSTAL.items():
        department, position = code[:2], (None, None) if code == "01002" else (46.1, 5.1)
        put(
            connection,
            "info_communes",
            code_commune=code,
            nom_commune=f"Commune {code}",
            type_commune="commune",
            code_departement=department,
            code_region="84",
            codes_postaux=postal,
            latitude=position[0],
            longitude=position[1],
        )
        put(connection, "relevant_communes", code_commune=code, raisons=["lycée"])
        put(connection, "population_evolution_age", code_commune=code, population=FLOATS[code])
    for code, shape in (("01001", SQUARE), ("2A004", ISLAND)):
        placed = shapely.to_wkb(shapely.set_srid(shape, 4326), hex=True, include_srid=True)
        put(connection, "commune_boundaries", code_commune=code, geometry=placed, surface_km2=Decimal("85.10"), **NAMED)
    line = shapely.to_wkb(shapely.set_srid(LINE, 4326), hex=True, include_srid=True)
    for number, shape in ((1, line), (2, None)):
        put(connection, "sectorisation_segments", id=number, **STREET, geometry=shape)


def _put_schools(connection: Connection) -> None:
    for uai, flag, opened in (
        ("0010001A", True, date(1850, 2, 3)),
        ("0010002B", None, None),
        ("0010003C", False, date(2026, 9, 1)),
    ):
        values = {"uai": uai, "nom_etablissement": f"École {uai}", "address": None if flag is None else ""}
        put(connection, "annuaire_education", **values, ulis=flag, date_ouverture=opened, code_commune="01001")


def _put_loads(connection: Connection) -> None:
    contours = release("contours-communes", "contours.geojson", day=date(2026, 3, 1))
    communes = release("geo-api-communes", "communes.json")
    by_hand = release("file-pcs_libelle", "pcs.csv", url="file:///home/somebody/pcs.csv")
    record(connection, "commune_boundaries", releases={"contours-communes": contours}, rows=2)
    record(connection, "info_communes", releases={"geo-api-communes": communes}, rows=3)
    record(connection, "pcs_libelle", releases={"file-pcs_libelle": by_hand}, rows=5)
    record(connection, "departements", releases={}, rows=2, unknown={})


def release(source: str, name: str, url: str = "https://example.org/file", day: date | None = None) -> Release:
    """A release of one file."""
    published = datetime(day.year, day.month, day.day, tzinfo=UTC) if day else None
    file = ReceivedFile(name, url, url, 10, "0" * 64)
    return Release(
        source,
        f"{published or NEWEST:%Y%m%dT%H%M%SZ}-0",
        UPath("/"),
        NEWEST,
        published,
        "0" * 64,
        (file,),
        {"main": name},
    )


def copy_back(database: Database, folder: Path, schema: str) -> None:
    """Make a schema with the rows of all Parquet files in ``folder``, in tables like those that they are from."""
    with database.connect() as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        for path in sorted(folder.glob("*.parquet")):
            table = sql.Identifier(schema, path.stem)
            like = sql.SQL("CREATE TABLE {} (LIKE {})").format(table, sql.Identifier(path.stem))
            connection.execute(like)
            rows = pq.read_table(path)
            names = [name for name in rows.column_names if name != "bbox"]
            columns = sql.SQL(", ").join(map(sql.Identifier, names))
            statement = sql.SQL("COPY {} ({}) FROM STDIN").format(table, columns)
            with connection.cursor() as cursor, cursor.copy(statement) as copy:
                for row in zip(*(_values(rows[name]) for name in names), strict=True):
                    copy.write_row(row)
            if path.stem in ("sectorisation_segments", "sectorisation_zones"):
                connection.execute(sql.SQL("ALTER TABLE {} DROP id").format(table))


def _values(column: pa.ChunkedArray) -> list[object]:
    if column.type != pa.binary():
        return list(column.to_pylist())
    shapes = shapely.set_srid(shapely.from_wkb(column.to_pylist()), 4326)
    return list(shapely.to_wkb(shapes, hex=True, include_srid=True))
