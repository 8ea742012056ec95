"""Parquet: every value as it is in the database, and read by other programs as it was written."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import geopandas
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from edu_pipeline.database.checksum import checksums
from edu_pipeline.database.connection import Database
from edu_pipeline.database.views import views
from edu_pipeline.export.form import Format
from edu_pipeline.loading import operator_file
from edu_pipeline.loading.load import load
from edu_pipeline.sources.archive import Archive
from edu_pipeline.table import tables
from edu_pipeline_tests.export import country
from edu_pipeline_tests.export.conftest import Exported


@pytest.fixture
def folder(exported: Exported) -> Path:
    """The folder with the Parquet files of everything."""
    return exported(Format.PARQUET)


def test_every_table_and_view_has_a_file(folder: Path) -> None:
    assert {path.stem for path in folder.glob("*.parquet")} == {*tables(), *views()}


def test_checksums_of_the_files_are_those_of_the_database(filled: Database, folder: Path) -> None:
    country.copy_back(filled, folder, "copie")
    expected = checksums(filled)
    assert sum(digest.rows > 0 for digest in expected.values()) == 10
    assert checksums(Database(filled.url, "copie")) == expected


def test_polars_reads_the_values(folder: Path) -> None:
    communes = pl.read_parquet(folder / "info_communes.parquet")
    assert dict(communes.select("code_commune", "codes_postaux").iter_rows()) == country.POSTAL
    ages = pl.read_parquet(folder / "population_evolution_age.parquet")
    assert dict(ages.select("code_commune", "population").iter_rows()) == country.FLOATS
    schools = pl.read_parquet(folder / "annuaire_education.parquet").select("ulis", "date_ouverture")
    assert schools.rows() == [(True, date(1850, 2, 3)), (None, None), (False, date(2026, 9, 1))]
    assert pl.read_parquet(folder / "pcs_libelle.parquet")["libelle"].unique().to_list() == [country.TEXT]


def test_duckdb_reads_the_values(folder: Path) -> None:
    rows = duckdb.read_parquet(str(folder / "criminalite_2024.parquet")).filter("indicateur = 'vols'")
    crimes = rows.select("code_commune", "taux_pour_mille", "codes_anciens").fetchall()
    assert crimes == [(code, Decimal("1.2345678"), former) for code, former in country.LISTS.items()]


def test_an_empty_text_is_not_a_missing_one(folder: Path) -> None:
    assert pl.read_parquet(folder / "annuaire_education.parquet")["address"].to_list() == ["", None, ""]


def test_types_are_exact(folder: Path) -> None:
    crime, view = (pq.read_schema(folder / f"{n}.parquet") for n in ("criminalite_2024", "commune_context_cache"))
    assert crime.field("code_commune").type == pa.string()
    assert crime.field("taux_pour_mille").type == pa.decimal128(12, 7)
    assert crime.field("codes_anciens").type == pa.list_(pa.string())
    assert pa.types.is_decimal(view.field("crime_ratio").type)


def test_rows_are_sorted_by_the_bytes_of_the_key(folder: Path) -> None:
    keys = pl.read_parquet(folder / "pcs_libelle.parquet")["code_pcs"].to_list()
    assert keys == ["010", "011", "01A", "01Z", "01a"]
    group = pq.ParquetFile(folder / "pcs_libelle.parquet").metadata.row_group(0)
    assert group.sorting_columns == (pq.SortingColumn(0),)
    assert group.column(0).compression == "ZSTD"


def test_what_repeats_has_a_dictionary(folder: Path) -> None:
    group = pq.ParquetFile(folder / "commune_boundaries.parquet").metadata.row_group(0)
    columns = [group.column(place) for place in range(group.num_columns)]
    without = {column.path_in_schema.split(".")[0] for column in columns if not column.has_dictionary_page}
    assert without == {"code_commune", "geometry", "bbox"}
    assert "codes_anciens.list.element" in [column.path_in_schema for column in columns]


def test_the_file_says_what_it_holds(folder: Path) -> None:
    schema = pq.read_schema(folder / "commune_boundaries.parquet")
    told = {name.decode(): value.decode() for name, value in schema.metadata.items()}
    assert told["licence"] == "ODbL 1.0"
    assert "Contours administratifs" in told["attribution"] and "release of 2026-03-01, ODbL" in told["attribution"]
    assert json.loads(told["resource"])["schema"]["primaryKey"] == ["code_commune"]
    assert schema.field("surface_km2").metadata[b"unit"].decode() == "km²"


def test_geometries_are_geoparquet(folder: Path) -> None:
    path = folder / "commune_boundaries.parquet"
    geo = json.loads(pq.read_metadata(path).metadata[b"geo"])
    column = geo["columns"]["geometry"]
    assert (geo["version"], column["encoding"], column["geometry_types"]) == ("1.1.0", "WKB", ["MultiPolygon"])
    assert column["crs"]["id"] == {"authority": "OGC", "code": "CRS84"}
    assert column["bbox"] == [5.1, 41.9, 9.1, 46.2]
    assert column["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]


def test_geopandas_reads_shapes_and_their_bounds(folder: Path) -> None:
    path = folder / "commune_boundaries.parquet"
    shapes = geopandas.read_parquet(path)
    assert shapes.crs.to_authority() == ("OGC", "CRS84")
    assert shapely.equals_exact(shapes.geometry.to_numpy(), [country.SQUARE, country.ISLAND]).all()
    assert geopandas.read_parquet(path, bbox=(8, 41, 10, 43))["code_commune"].to_list() == ["2A004"]


def test_duckdb_and_polars_read_shapes(folder: Path) -> None:
    path = folder / "commune_boundaries.parquet"
    kind, text = duckdb.read_parquet(str(path)).project("typeof(geometry), ST_AsText(geometry)").fetchall()[0]
    assert kind == "GEOMETRY('OGC:CRS84')" and shapely.equals(shapely.from_wkt(text), country.SQUARE)
    assert pl.read_parquet(path)["geometry"].to_list() == [
        shapely.to_wkb(shape, byte_order=1) for shape in (country.SQUARE, country.ISLAND)
    ]


def test_a_missing_geometry_has_no_bounds(folder: Path) -> None:
    rows = pl.read_parquet(folder / "sectorisation_segments.parquet").select("geometry", "bbox")
    assert rows["geometry"].to_list() == [shapely.to_wkb(country.LINE, byte_order=1), None]
    assert rows["bbox"].to_list()[1] is None


def test_positions_are_points_in_geoparquet(exported: Exported) -> None:
    folder = exported(Format.GEOPARQUET)
    points = geopandas.read_parquet(folder / "info_communes.parquet").geometry
    assert points[0] == shapely.Point(5.1, 46.1) and points[1] is None
    assert not (folder / "departements.parquet").exists()


@pytest.mark.parametrize("form", [Format.PARQUET, Format.CSV])
def test_a_load_takes_the_file_back(database: Database, exported: Exported, archive: Archive, form: Format) -> None:
    """No row changes."""
    country.fill(database)
    for name in ("departements", "commune_boundaries", "info_communes", "relevant_communes"):
        path = next(exported(form).glob(f"{name}.*"))
        kept = operator_file.keep(path, tables()[name], archive, invented=False)
        done = load(tables()[name], database, archive, supplied=kept).load
        assert done.rows and (done.added, done.changed, done.removed, done.refused) == (0, 0, 0, 0), name
