"""DuckDB, GeoPackage and CSV: what other programs read is what the database has, as far as the format can hold it."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import geopandas
import pytest
import shapely
from frictionless import Package, system

from edu_pipeline.database.views import views
from edu_pipeline.errors import SettingInvalid
from edu_pipeline.export.form import Format
from edu_pipeline.export.formats import writer
from edu_pipeline.table import tables
from edu_pipeline_tests.export import country
from edu_pipeline_tests.export.conftest import Exported


@pytest.fixture
def file(exported: Exported) -> Iterator[duckdb.DuckDBPyConnection]:
    """The DuckDB file, opened as a reader would."""
    with duckdb.connect(exported(Format.DUCKDB) / "edu_pipeline.duckdb", read_only=True) as connection:
        yield connection


@pytest.fixture
def package(exported: Exported) -> Path:
    """The GeoPackage."""
    return exported(Format.GPKG) / "edu_pipeline.gpkg"


@pytest.fixture
def stored(package: Path) -> Iterator[sqlite3.Connection]:
    """The GeoPackage as a database, to see what is stored rather than what a reader makes of it."""
    with closing(sqlite3.connect(package)) as connection:
        yield connection


def test_duckdb_has_all_tables_and_views(file: duckdb.DuckDBPyConnection) -> None:
    names = {name for (name,) in file.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    assert names == {*tables(), *views()}


def test_duckdb_has_types_and_keys(file: duckdb.DuckDBPyConnection) -> None:
    columns = {
        name: (kind, null, key) for name, kind, null, key, *_ in file.execute("DESCRIBE criminalite_2024").fetchall()
    }
    assert columns["code_commune"] == ("VARCHAR", "NO", "PRI")
    assert columns["taux_pour_mille"] == ("DECIMAL(12,7)", "YES", None)
    assert columns["codes_anciens"][0] == "VARCHAR[]"
    shapes = {name: kind for name, kind, *_ in file.execute("DESCRIBE commune_boundaries").fetchall()}
    assert shapes["geometry"] == "GEOMETRY('OGC:CRS84')"
    view = {name: kind for name, kind, *_ in file.execute("DESCRIBE commune_context_cache").fetchall()}
    assert view["neighbours"] == "JSON"


def test_duckdb_has_the_values(file: duckdb.DuckDBPyConnection) -> None:
    crimes = file.execute("SELECT code_commune, codes_anciens FROM criminalite_2024 WHERE indicateur = 'vols'")
    assert dict(crimes.fetchall()) == country.LISTS
    assert file.execute("SELECT taux_pour_mille FROM criminalite_2024 LIMIT 2 OFFSET 1").fetchall() == [
        (Decimal("1.2345678"),),
        (None,),
    ]
    shapes = file.execute("SELECT ST_AsText(geometry) FROM commune_boundaries").fetchall()
    assert shapely.equals([shapely.from_wkt(text) for (text,) in shapes], [country.SQUARE, country.ISLAND]).all()
    assert file.execute("SELECT libelle FROM pcs_libelle LIMIT 1").fetchall() == [(country.TEXT,)]


def test_duckdb_has_comments(file: duckdb.DuckDBPyConnection) -> None:
    comment = "SELECT comment FROM duckdb_tables() WHERE table_name = 'commune_boundaries'"
    ((text,),) = file.execute(comment).fetchall()
    assert text.startswith("The contour of a commune") and text.endswith("licence of the result: ODbL 1.0.")
    column = "SELECT comment FROM duckdb_columns() WHERE table_name = ? AND column_name = ?"
    ((text,),) = file.execute(column, ["commune_boundaries", "surface_km2"]).fetchall()
    assert text == "Area of the contour on the WGS 84 ellipsoid. (unit: km²)"


def test_duckdb_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)
    with pytest.raises(SettingInvalid, match=r"found none\. Install it: `pip install 'edu_pipeline\[export\]'`"):
        writer(Format.DUCKDB, tmp_path).__enter__()


def test_geopackage_stores_values_not_their_text(stored: sqlite3.Connection) -> None:
    schools = stored.execute("SELECT uai, ulis, date_ouverture, typeof(ulis) FROM annuaire_education ORDER BY fid")
    assert schools.fetchall() == [
        ("0010001A", 1, "1850-02-03", "integer"),
        ("0010002B", None, None, "null"),
        ("0010003C", 0, "2026-09-01", "integer"),
    ]
    declared = {name: kind for _, name, kind, *_ in stored.execute("PRAGMA table_info(annuaire_education)")}
    assert (declared["ulis"], declared["date_ouverture"]) == ("BOOLEAN", "DATE")
    crimes = stored.execute("SELECT taux_pour_mille, codes_anciens FROM criminalite_2024 WHERE indicateur = 'vols'")
    assert [(rate, former and json.loads(former)) for rate, former in crimes] == [
        (1.2345678, former) for former in country.LISTS.values()
    ]


def test_geopackage_keeps_the_order_and_missing_shapes(stored: sqlite3.Connection, package: Path) -> None:
    assert stored.execute("SELECT fid, id, geometry IS NULL FROM sectorisation_segments").fetchall() == [
        (1, 1, 0),
        (2, 2, 1),
    ]
    lines = geopandas.read_file(package, layer="sectorisation_segments")
    assert lines.crs.to_epsg() == 4326 and lines.geometry[0] == country.LINE and lines.geometry[1] is None
    points = geopandas.read_file(package, layer="info_communes").geometry
    assert points[0] == shapely.Point(5.1, 46.1) and points[1] is None


def test_geopackage_dates_have_no_time_zone(package: Path) -> None:
    opened = geopandas.read_file(package, layer="annuaire_education", use_arrow=True)["date_ouverture"]
    assert opened.to_list() == [date(1850, 2, 3), None, date(2026, 9, 1)]


def test_geopackage_has_descriptions_and_styles(stored: sqlite3.Connection) -> None:
    contents = "SELECT data_type, description FROM gpkg_contents WHERE table_name = ?"
    ((kind, text),) = stored.execute(contents, ["commune_boundaries"])
    assert kind == "features" and text.endswith("licence of the result: ODbL 1.0.")
    assert stored.execute(contents, ["departements"]).fetchone()[0] == "attributes"
    column = "SELECT description FROM gpkg_data_columns WHERE table_name = ? AND column_name = ?"
    assert stored.execute(column, ["commune_boundaries", "surface_km2"]).fetchone()[0].endswith("(unit: km²)")
    styles = stored.execute("SELECT f_table_name, styleQML FROM layer_styles WHERE useAsDefault").fetchall()
    features = stored.execute("SELECT table_name FROM gpkg_contents WHERE data_type = 'features'").fetchall()
    assert {name for name, _ in styles} == {name for (name,) in features}
    assert 'class="SimpleFill"' in dict(styles)["commune_boundaries"]


@pytest.mark.skipif(shutil.which("ogrinfo") is None, reason="GDAL's programs are not installed")
def test_ogrinfo_reads_the_geopackage(package: Path) -> None:
    ended = subprocess.run(["ogrinfo", "-ro", "-al", "-so", package], capture_output=True, text=True, check=True)
    assert "Layer name: commune_boundaries" in ended.stdout and "ulis: Integer(Boolean)" in ended.stdout
    assert "Warning" not in ended.stderr and "ERROR" not in ended.stderr


def test_csv_is_as_copy_writes_it(exported: Exported) -> None:
    with (exported(Format.CSV) / "criminalite_2024.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    lists = {row["code_commune"]: row["codes_anciens"] for row in rows}
    assert {code: json.loads(text) if text else None for code, text in lists.items()} == country.LISTS


def test_frictionless_finds_the_csv_files_valid(exported: Exported) -> None:
    folder = exported(Format.CSV)
    with system.use_context(trusted=True):
        report = Package(str(folder / "datapackage.json")).validate()
    errors = {task.name: [error.message for error in task.errors] for task in report.tasks if not task.valid}
    assert errors == {} and len(report.tasks) == len(tables()) + len(views())
