"""The file and the examples of the page for SQL."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from edu_pipeline.database.provenance import Provenance
from edu_pipeline.export.description import Described, Field
from edu_pipeline.export.duckdb_file import DuckDBFile
from edu_pipeline.site import ask
from edu_pipeline.site.texts import LANGUAGES

TABLE = Described(
    "places",
    "",
    (
        Field("code", "text", "Code."),
        Field("services", "jsonb", "Services."),
        Field("shape", "geometry(Polygon,4326)", "Shape."),
        Field("rate", "numeric(5,2)", "Rate."),
    ),
    ("code",),
    "views",
    Provenance((), ()),
)


def test_the_browser_gets_no_geometry_and_json_as_text() -> None:
    assert [(field.name, field.sql) for field in ask.for_browser(TABLE).fields] == [
        ("code", "text"),
        ("services", "text"),
        ("rate", "numeric(5,2)"),
    ]


def test_the_file_is_of_the_version_that_it_states(tmp_path: Path) -> None:
    shown = ask.for_browser(TABLE)
    rows = pa.RecordBatch.from_pylist([{"code": "01001", "services": '{"a": 1}', "rate": None}], schema=shown.schema)
    with DuckDBFile(tmp_path / ask.FILE, ask.STORAGE_VERSION, ask.BLOCK) as file:
        file.add(shown, iter([rows]))
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{tmp_path / ask.FILE}' AS asked (READ_ONLY)")
        query = "SELECT tags FROM duckdb_databases() WHERE database_name = 'asked'"
        ((tags,),) = connection.execute(query).fetchall()
        assert tags["storage_version"].startswith(ask.STORAGE_VERSION)
        assert connection.execute("FROM asked.places").fetchall() == [("01001", '{"a": 1}', None)]


def test_every_example_has_a_title_in_every_language() -> None:
    examples = ask.examples()
    assert len(examples) >= 5
    for example in examples:
        assert set(example.titles) == set(LANGUAGES) and all(example.titles.values())
        assert example.sql.endswith(";")
