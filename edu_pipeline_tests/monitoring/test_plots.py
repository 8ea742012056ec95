"""The pictures: what they show of a database, their size, and that they need no global state."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import numpy as np
import pytest
import shapely
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from PIL import Image
from psycopg import sql

from edu_pipeline.database.connection import Database
from edu_pipeline.monitoring import plots
from edu_pipeline.monitoring.share_bars import BAR

LARGEST = 60_000
"""Bytes of a picture."""

Row = Sequence[object]


def insert(database: Database, table: str, columns: str, rows: Iterable[Row]) -> None:
    names = columns.split()
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join(sql.Placeholder() * len(names)),
    )
    with database.connect() as connection:
        connection.cursor().executemany(statement, list(rows))


def hexadecimal(shape: shapely.Geometry) -> str:
    return str(shapely.to_wkb(shapely.set_srid(shape, 4326), hex=True, include_srid=True))


def square(number: int) -> shapely.Geometry:
    west, south = 2 + 0.1 * (number % 10), 46 + 0.1 * (number // 10)
    return shapely.box(west, south, west + 0.1, south + 0.1)


def insert_boundaries(database: Database, codes: Sequence[str]) -> None:
    rows = [(code, code, hexadecimal(shapely.MultiPolygon([square(i)])), 85) for i, code in enumerate(codes)]
    insert(database, "commune_boundaries", "code_commune nom_commune geometry surface_km2", rows)


def insert_ips(database: Database, rows: Iterable[tuple[str, float | None]]) -> None:
    """A collège per commune and value."""
    columns = "uai rentree_scolaire code_commune ips"
    insert(database, "ips_colleges", columns, [(f"{i:07}A", "2024-2025", *row) for i, row in enumerate(rows)])


def panels(database: Database, table: str) -> list[Axes]:
    """The panels of a table's picture, drawn."""
    drawn = []
    with database.connect() as connection:
        for panel in plots.PLOTS[table]:
            if draw := panel(connection, table):
                drawn.append(Figure().subplots())
                draw(drawn[-1])
    return drawn


def legend(axes: Axes) -> list[str]:
    box = axes.get_legend()
    return [text.get_text() for text in box.get_texts()] if box else []


def picture(png: bytes | None) -> Image.Image:
    assert png is not None and len(png) < LARGEST
    return Image.open(io.BytesIO(png))


def test_empty_and_other_tables_have_no_picture(database: Database) -> None:
    for name in [*plots.PLOTS, "annuaire_education", "no_such_table"]:
        assert plots.plot(name, database) is None, name


def test_histogram_has_mean_title_and_unit(database: Database) -> None:
    rows = [(f"01{i:03}", 2024, 3, 1_000 + 10 * i) for i in range(101)]
    columns = "code_commune annee nb_mutations prix_m2_moyen"
    insert(database, "mutations_immo_latest", columns, [*rows, ("02001", 2024, 3, None)])
    (axes,) = panels(database, "mutations_immo_latest")
    assert axes.get_title() == "Average price per square metre"
    assert axes.get_xlabel() == "prix_m2_moyen, €/m² (without 0.5 % at either end)"
    assert legend(axes) == ["mean of 101 rows: 1,500.0"]
    assert axes.lines[0].get_xdata() == [1_500, 1_500]
    (steps,) = axes.patches
    assert isinstance(steps, StepPatch)
    assert steps.get_data()[0].sum() == 99


def test_equal_values_make_a_histogram(database: Database) -> None:
    insert_ips(database, [("01001", 100.0)])
    assert picture(plots.plot("ips_colleges", database)).size == (340, 220)


@pytest.mark.parametrize(
    ("table", "columns", "rows"),
    [
        ("metrics_colleges", "uai session", [("0010001A", 2022), ("0010001A", 2024), ("0010002B", 2024)]),
        ("aggregated_data_lycees_2024", "uai annee", [("0010001A", 2022), ("0010001A", 2024), ("0010002B", 2024)]),
        (
            "effectifs_specialites_premiere",
            "uai rentree_scolaire code_specialite specialite",
            [("0010001A", 2022, "1", "x"), ("0010001A", 2024, "1", "x"), ("0010002B", 2024, "1", "x")],
        ),
        (
            "criminalite_2024",
            "code_commune annee indicateur unite_de_compte est_diffuse",
            [
                ("01001", 2022, "x", "Victime", "diff"),
                ("01001", 2024, "x", "Victime", "diff"),
                ("01002", 2024, "x", "Victime", "ndiff"),
            ],
        ),
    ],
)
def test_bars_count_rows_by_year(database: Database, table: str, columns: str, rows: list[Row]) -> None:
    insert(database, table, columns, rows)
    (axes,) = panels(database, table)
    assert [text.get_text() for text in axes.get_xticklabels()] == ["2022", "2024"]
    assert [bar.get_height() for bar in axes.containers[0]] == [1, 2]


def test_choropleth_maps_means_of_the_largest_departement(database: Database) -> None:
    insert_boundaries(database, ["01001", "01002", "01003", "97101", "97102"])
    insert_ips(database, [("01001", 90), ("01001", 110), ("01002", 120), ("01003", None), *[("97101", 80)] * 5])
    histogram, choropleth = panels(database, "ips_colleges")
    assert choropleth.get_title() == "ips, département 01"
    values = choropleth.collections[0].get_array()
    assert values is not None and sorted(np.ma.compressed(values)) == [100, 120]
    assert len(values) == 3  # the commune without a value is on the map
    assert legend(histogram) == ["mean of 8 rows: 90.0"]
    assert picture(plots.plot("ips_colleges", database)).size == (680, 220)


def test_overseas_departement_has_three_digits(database: Database) -> None:
    insert_boundaries(database, ["97101", "97102", "97201"])
    insert_ips(database, [("97101", 80), ("97102", 85), ("97201", 90)])
    assert panels(database, "ips_colleges")[1].get_title() == "ips, département 971"


@pytest.mark.parametrize("table", ["geodata_lycees", "lycees_geolocalisation", "colleges_geolocalisation"])
def test_points_are_grouped_by_sector_over_communes(database: Database, table: str) -> None:
    communes = [("01001", "x", "01", "84", "commune-actuelle", 46.1, 5.1)]
    columns = "code_commune nom_commune code_departement code_region type_commune latitude longitude"
    insert(database, "info_communes", columns, communes)
    metropolitan = [(f"001000{i}A", 45 + 0.1 * i, 5.0, "privé" if i < 2 else "public") for i in range(5)]
    insert(database, table, "uai latitude longitude secteur", [*metropolitan, ("9710001A", 16.2, -61.5, "public")])
    (axes,) = panels(database, table)
    assert legend(axes) == ["privé: 2", "public: 3"]
    assert [np.shape(dots.get_offsets())[0] for dots in axes.collections] == [1, 2, 3]
    assert picture(plots.plot(table, database)).size == (340, 220)


def test_map_shows_the_same_sample_each_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "SAMPLE", 7)
    places = [(f"00100{i:02}A", 45 + 0.1 * i, 5 + 0.01 * i, "public") for i in range(50)]
    insert(database, "colleges_geolocalisation", "uai latitude longitude secteur", places)
    assert legend(panels(database, "colleges_geolocalisation")[0]) == ["public: 7"]
    assert plots.plot("colleges_geolocalisation", database) == plots.plot("colleges_geolocalisation", database)


def test_segments_are_lines_coloured_by_first_lycee(database: Database) -> None:
    insert_boundaries(database, ["78001", "78002", "92001"])
    line = hexadecimal(shapely.LineString([(2.01, 46.01), (2.05, 46.05)]))
    columns = "code_departement code_commune libelle_rue side rule lignes uai_lycees_1 geometry"
    lycees = ["0780001A", "0780001A", "0780002B", None]
    street = ("rue", "tous", "x", 1)
    rows = [("78", f"7800{1 + i % 2}", *street, lycee, line) for i, lycee in enumerate(lycees)]
    unplaced = [("92", f"92{i:03}", *street, "0920001A", None) for i in range(9)]
    insert(database, "sectorisation_segments", columns, [*rows, *unplaced])
    (axes,) = panels(database, "sectorisation_segments")
    assert axes.get_title() == "First lycée or zone, one of 2, département 78"
    land, segments = axes.collections
    assert (len(land.get_paths()), len(segments.get_paths()), len(segments.get_facecolor())) == (2, 4, 0)
    colours = np.asarray(segments.get_edgecolor())
    assert len(colours) == 4 and len(np.unique(colours, axis=0)) == 3
    picture(plots.plot("sectorisation_segments", database))


def test_zones_are_areas_and_keep_their_holes(database: Database) -> None:
    hole = shapely.box(2.03, 46.03, 2.07, 46.07)
    zones = [square(0).difference(hole), hole]
    columns = "code_departement code_commune zone_name nature rule uai_lycees_1 geometry"
    rows = [("78", "78001", "zone", "partie", "x", f"078000{i}A", hexadecimal(zone)) for i, zone in enumerate(zones)]
    insert(database, "sectorisation_zones", columns, rows)
    (axes,) = panels(database, "sectorisation_zones")
    land, drawn = axes.collections
    assert (len(land.get_paths()), len(drawn.get_paths()), len(drawn.get_facecolor())) == (0, 2, 2)
    rings = [ring for path in drawn.get_paths() for ring in path.to_polygons()]
    assert len(rings) == 3
    turns = [shapely.LinearRing(ring).is_ccw for ring in rings]
    assert turns.count(True) == 2 or turns.count(False) == 2, "the hole is not filled"


def test_threads_draw_at_the_same_time(database: Database) -> None:
    insert_boundaries(database, ["01001", "01002"])
    insert_ips(database, [("01001", 90), ("01002", 120)])
    with ThreadPoolExecutor(4) as pool:
        pictures = set(pool.map(lambda _: plots.plot("ips_colleges", database), range(8)))
    assert len(pictures) == 1


def test_ages_do_not_depend_on_the_order_of_points() -> None:
    start = datetime(2026, 5, 1, tzinfo=UTC)
    days = [(start + timedelta(days=day), f"source-{i}", 10.0 * i + day) for i in range(30) for day in range(40)]
    image = picture(plots.ages(days))
    assert image.size == (680, 220)
    assert plots.ages(days[::-1]) == plots.ages(days)


@pytest.mark.parametrize("count", [0, 1])
def test_ages_of_nothing_and_of_one_moment(count: int) -> None:
    picture(plots.ages([(datetime(2026, 5, 1, tzinfo=UTC), "insee-pcs", 3.0)] * count))


def test_markdown_contains_the_picture() -> None:
    png = plots.ages([])
    text = plots.as_markdown(png, "ages [days]")
    assert text.startswith("![ages  days ](data:image/png;base64,") and text.endswith(")")
    assert base64.b64decode(text.partition("base64,")[2][:-1]) == png


def test_the_balance_is_drawn_to_scale() -> None:
    svg = plots.balance({"a": {"rows": 1_000, "published": 750, "older <year>": 250}, "b": {"rows": 2, "published": 2}})
    assert plots.as_markdown(svg, "balance").startswith("![balance](data:image/svg+xml;base64,")
    shapes = list(ElementTree.fromstring(svg))
    texts = [shape.text for shape in shapes if shape.tag.endswith("text")]
    assert texts == ["a: 1,000 rows", "b: 2 rows", "published: 752", "older <year>: 250"]
    bars = [shape.attrib for shape in shapes if shape.get("height") == str(BAR)]
    assert [bar["width"] for bar in bars] == ["495", "165", "660"]
    assert bars[0]["fill"] == bars[2]["fill"] != bars[1]["fill"]


def test_background_is_white_and_opaque() -> None:
    image = picture(plots.ages([])).convert("RGBA")
    assert image.getpixel((1, 1)) == (255, 255, 255, 255)


def test_import_avoids_matplotlib_and_drawing_pyplot() -> None:
    script = (
        "import sys; from edu_pipeline.monitoring import plots; assert 'matplotlib' not in sys.modules; "
        "plots.ages([]); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
