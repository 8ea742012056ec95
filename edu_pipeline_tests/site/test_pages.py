"""The pages of a table, made without a database and without a browser."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from edu_pipeline.checks import CheckResult
from edu_pipeline.contracts import spec
from edu_pipeline.database.ledger import RecordedRelease
from edu_pipeline.database.provenance import Origin, Provenance
from edu_pipeline.export.description import Collection, Described, contract_field
from edu_pipeline.export.files import exported
from edu_pipeline.export.form import PARQUET
from edu_pipeline.monitoring.health import Health
from edu_pipeline.monitoring.status import TableStatus
from edu_pipeline.site import dictionary, rows
from edu_pipeline.site.context import DATA, Site
from edu_pipeline.site.facts import Facts, TableFacts, table_facts
from edu_pipeline.site.lineage import lineage, references
from edu_pipeline.table import tables

NOW = datetime(2026, 11, 29, tzinfo=UTC)
HOSTILE = "<script>alert('É')</script>"
CHECK = CheckResult("pcs_libelle", "labels", False, "error", f"expected labels, found {HOSTILE}.", {})


def described(name: str, invented: bool = False) -> Described:
    """A declared table, with a release of nobody's."""
    table = tables()[name]
    columns = table.contract.columns()
    fields = tuple(contract_field(column, spec(columns[column]).sql, table, 0) for column in columns)
    file = {"name": "file.csv", "invented": invented}
    release = RecordedRelease("file-somebody", "1", NOW, NOW, "ab" * 32, [file])
    origins = Provenance((Origin(release, None),), ("Licence Ouverte 2.0",))
    return Described(name, table.description, fields, tuple(table.key), table.layer, origins, 2, NOW)


@pytest.fixture(params=[False, True], ids=["real", "invented"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    """A site with the files of two tables."""
    collection = Collection((described("pcs_libelle", request.param), described("ips_score")), NOW)
    (tmp_path / DATA).mkdir()
    files = {}
    for table in collection.tables:
        frame = pl.DataFrame({field.name: pl.Series([HOSTILE, None], dtype=pl.String) for field in table.fields})
        frame.write_parquet(path := tmp_path / DATA / f"{table.name}.parquet")
        files[table.name] = exported(path, PARQUET)
    return Site(tmp_path, collection, files)


@pytest.fixture
def facts(site: Site) -> Facts:
    """What is known of them: nothing but the contracts, and a check."""
    known = {table.name: table_facts(table, None, None, [CHECK]) for table in site.collection.tables}
    return Facts(known, (), Health("green", False, [], []), NOW.date())


def test_pages_show_values_and_never_run_them(site: Site, facts: Facts) -> None:
    dictionary.pages(site, facts)
    for language in ("fr", "en"):
        page = (site.folder / language / "table" / "pcs_libelle.html").read_text(encoding="utf-8")
        assert HOSTILE not in page
        assert page.count("&lt;script&gt;") > 3
        assert f'<html lang="{language}">' in page


def test_invented_data_is_marked_on_every_page(site: Site, facts: Facts) -> None:
    dictionary.pages(site, facts)
    rows.pages(site, facts)
    pages = [path for path in site.folder.rglob("*.html") if path.parent != site.folder]
    assert len(pages) == 14
    marked = [path for path in pages if 'class="invented"' in path.read_text(encoding="utf-8")]
    assert len(marked) == (14 if site.collection.invented else 0)


def test_addresses_are_relative_and_lead_to_files(site: Site, facts: Facts) -> None:
    dictionary.pages(site, facts)
    rows.pages(site, facts)
    for path in site.folder.rglob("*.html"):
        for link in re.findall(r'(?:href|src)="([^"#]+)', path.read_text(encoding="utf-8")):
            assert not link.startswith("/"), link
            target = (path.parent / link).resolve()
            assert target.is_relative_to(site.folder.resolve()), link
            if link.endswith((".html", ".parquet")) and target.stem not in ("lineage", "freshness", "atlas", "ask"):
                assert target.exists(), link


def test_a_page_has_a_place_for_every_column(site: Site, facts: Facts) -> None:
    dictionary.pages(site, facts)
    page = (site.folder / "en" / "table" / "pcs_libelle.html").read_text(encoding="utf-8")
    places = re.findall(r'<tr id="(\w+)">', page)
    assert places == [field.name for field in site.collection.tables[0].fields]
    assert "ab" * 32 in page
    assert "50.0 % NULL" in page


def test_the_search_list_leads_to_every_column(site: Site, facts: Facts) -> None:
    dictionary.pages(site, facts)
    listed = json.loads((site.folder / DATA / "search.json").read_text(encoding="utf-8"))
    columns = {(place, name): path for kind, name, place, path, _ in listed if kind == "column"}
    assert columns["pcs_libelle", "libelle"] == "table/pcs_libelle.html#libelle"
    assert len(columns) == sum(len(table.fields) for table in site.collection.tables)
    assert ["table", "ips_score"] in [entry[:2] for entry in listed]


def test_what_a_file_lacks_is_told_of_its_column() -> None:
    table = described("ips_lycees")
    source = tables()["ips_lycees"].sources[0]
    status_missing = {f"{source}: ips (empty)": [], f"{source}: code_region": ["region"], "another: uai": []}
    found = _with_missing(table, status_missing)
    lacking = {name: column.missing for name, column in found.columns.items() if column.missing}
    assert lacking == {"code_region": (f"{source}: code_region",)} | {
        name: (f"{source}: ips (empty)",)
        for name, column in found.columns.items()
        if "ips" in {upstream for _, upstream in column.upstream}
    }


def _with_missing(table: Described, missing: dict[str, list[str]]) -> TableFacts:
    values: dict[str, Any] = dict.fromkeys(TableStatus.__dataclass_fields__)
    status = TableStatus(**values | {"rows": 0, "hidden": {}, "missing": missing, "balance": {}})
    return table_facts(table, status, None, [])


def test_lineage_leads_from_sources_to_views() -> None:
    known = {name: table_facts(described(name), None, None, []) for name in ("info_communes", "relevant_communes")}
    graph = lineage(Facts(known, (), Health("green", False, [], []), NOW.date()), "relevant_communes")
    assert set(graph.nodes) >= {"info_communes", "relevant_communes", "geo-api-communes"}
    assert ("info_communes", "relevant_communes") in [(curve.start, curve.end) for curve in graph.drawing.curves]


def test_references_leave_out_tables_without_any() -> None:
    names = ("departements", "info_communes", "pcs_libelle", "anecdotes_communes")
    known = {name: table_facts(described(name), None, None, []) for name in names}
    graph = references(Facts(known, (), Health("green", False, [], []), NOW.date()))
    assert set(graph.nodes) == {"departements", "info_communes", "anecdotes_communes"}
    assert {(curve.start, curve.end) for curve in graph.drawing.curves} == {
        ("info_communes", "departements"),
        ("anecdotes_communes", "info_communes"),
    }


def test_a_view_shows_its_sql() -> None:
    view = replace(described("pcs_libelle"), name="lycee_context_cache", layer="views")
    found = table_facts(view, None, None, [])
    assert found.language == "sql"
    assert "CREATE MATERIALIZED VIEW" in found.code
    assert found.path == "edu_pipeline/sql/views/lycee_context_cache.sql"
    assert "annuaire_education" in found.made_from
