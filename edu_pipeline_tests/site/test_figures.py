"""The figures of places: from descriptions and rows to numbers by code."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from edu_pipeline.database.provenance import Provenance
from edu_pipeline.export.description import Collection, Described, Field
from edu_pipeline.site.atlas import figures
from edu_pipeline.site.atlas.facts import facts
from edu_pipeline.site.atlas.files import with_city

RESULTS = "The results: the columns of metrics_colleges from nb_candidats_g on (units: pupils; taux_*: %)."


def described(name: str, key: str, *fields: Field, layer: str = "views") -> Described:
    return Described(name, "", fields, tuple(key.split()), layer, Provenance((), ()))


SCHOOLS = described(
    "college_context_cache",
    "uai",
    Field("uai", "text", "Code."),
    Field("session", "integer", "Year."),
    Field("nom_etablissement", "text", "Name."),
    Field("ips", "numeric(5,2)", "Index."),
    Field("population", "integer", "Commune: population (unit: inhabitants)."),
    Field("crime_level", "text", "Level."),
    Field("results", "jsonb", RESULTS),
)
IPS = described("ips_colleges", "uai", Field("uai", "text", ""), Field("ips", "numeric(5,2)", ""), layer="educational")
METRICS = described(
    "metrics_colleges",
    "uai session",
    Field("uai", "text", ""),
    Field("session", "integer", ""),
    Field("taux_reussite_g", "numeric(5,2)", "Pass rate.", "%"),
    layer="educational",
)


@pytest.fixture
def collection(monkeypatch: pytest.MonkeyPatch) -> Collection:
    monkeypatch.setattr(figures, "views", lambda: {"college_context_cache": _Inputs()})
    return Collection((SCHOOLS, IPS, METRICS), datetime(2026, 11, 29, tzinfo=UTC))


class _Inputs:
    inputs = ("ips_colleges", "metrics_colleges")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = {
        "uai": ["0010001A", "0010002B"],
        "session": [2025, 2025],
        "nom_etablissement": ["A", "B"],
        "ips": [Decimal("87.80"), None],
        "population": [12, 13],
        "crime_level": ["moyen", None],
        "results": [json.dumps({"taux_reussite_g": 91.5, "session": 2025}), json.dumps({"taux_reussite_g": None})],
    }
    pl.DataFrame(rows).write_parquet(tmp_path / "college_context_cache.parquet")
    return tmp_path


def test_a_school_has_its_views_numbers_and_json(collection: Collection, data: Path) -> None:
    found, values = figures.of_schools(collection, data, "college_context_cache")
    assert [figure.id for figure in found] == [
        "college_context_cache.ips",
        "college_context_cache.population",
        "results.taux_reussite_g",
    ]
    assert values.rows() == [("0010001A", 87.8, 12.0, 91.5), ("0010002B", None, 13.0, None)]


def test_a_figure_says_where_it_is_explained(collection: Collection, data: Path) -> None:
    ips, population, rate = figures.of_schools(collection, data, "college_context_cache")[0]
    assert (ips.origin, ips.table, ips.column) == ("ips_colleges", "college_context_cache", "ips")
    assert (population.unit, population.description) == ("inhabitants", "Commune: population.")
    assert population.origin == "college_context_cache"
    assert (rate.unit, rate.table, rate.column) == ("%", "metrics_colleges", "taux_reussite_g")


def test_facts_are_texts_that_the_head_does_not_show(collection: Collection, data: Path) -> None:
    found, texts = facts(collection, data, "college_context_cache")
    assert [fact.column for fact in found] == ["crime_level"]
    assert texts.rows() == [("0010001A", "moyen"), ("0010002B", None)]


def test_an_arrondissement_stands_in_its_city() -> None:
    communes = pl.DataFrame({"code": ["75056", "75101", "01001"], "parent": [None, "75056", None]})
    values = pl.DataFrame({"code": ["75056", "75101"], "rate": [5.0, None], "shops": [9.0, 2.0]})
    assert with_city(values, communes).rows() == [("75056", 5.0, 9.0), ("75101", 5.0, 2.0), ("01001", None, None)]


def test_names_are_words_with_accents() -> None:
    assert figures.spelled("taux_d_acces_6eme_3eme") == "Taux d’accès 6ème 3ème"
    assert figures.spelled("prix_m2_moyen") == "Prix m² moyen"
    assert figures.spelled("ips") == "IPS"
