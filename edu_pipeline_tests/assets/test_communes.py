"""info_communes and relevant_communes: a few literal rows, and the publishers' real files."""

import json
from typing import Any

import polars as pl
import pytest

from edu_pipeline.assets.geographic.info_communes import info_communes
from edu_pipeline.assets.geographic.relevant_communes import relevant_communes
from edu_pipeline.table import tables
from edu_pipeline.vocabulary import arrondissements
from edu_pipeline_tests.conformed import Conformed, conform
from edu_pipeline_tests.real_files import produced, upstream

Row = tuple[Any, ...]
SCHEMA: dict[str, Any] = {
    "code_commune": pl.String,
    "nom_commune": pl.String,
    "code_departement": pl.String,
    "code_region": pl.String,
    "codes_postaux": pl.List(pl.String),
    "population": pl.String,
    "centre": pl.Struct({"type": pl.String, "coordinates": pl.List(pl.Float64)}),
}
OF_COMMUNES: dict[str, Any] = {"code_epci": pl.String, "siren": pl.String}


def point(longitude: float, latitude: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [longitude, latitude]}


def communes(*rows: Row, **more: Any) -> pl.LazyFrame:
    return pl.LazyFrame(rows, schema=SCHEMA | more, orient="row")


AMBERIEU: Row = ("01004", "Ambérieu", "01", "84", ["01500"], "15934", point(5.3706, 45.9575), "240100883", "210100046")
PARIS: Row = (
    "75056",
    "Paris",
    "75",
    "11",
    ["75001", "75116"],
    "2103778",
    point(2.347, 48.8589),
    "200054781",
    "217500016",
)
KERGUELEN: Row = ("98412", "Archipel des Kerguelen", "984", "984", [], None, point(69.3405, -49.2352), None, None)
PARIS_16: Row = ("75116", "Paris 16e Arrondissement", "75", "11", ["75016", "75116"], "159386", point(2.263, 48.8572))


def conformed(whole: list[Row], arrondissements_of_cities: list[Row]) -> Conformed:
    rows = info_communes(communes(*whole, **OF_COMMUNES), communes(*arrondissements_of_cities))
    return conform(rows, tables()["info_communes"])


def test_communes_and_arrondissements_in_one_table() -> None:
    result = conformed([AMBERIEU, PARIS, KERGUELEN], [PARIS_16])
    assert result.refused.height == 0
    assert result.frame.rows() == [
        (
            "01004",
            "Ambérieu",
            "01",
            "84",
            "01500",
            ["01500"],
            15934,
            45.9575,
            5.3706,
            "240100883",
            "210100046",
            "commune",
            None,
        ),
        (
            "75056",
            "Paris",
            "75",
            "11",
            "75001",
            ["75001", "75116"],
            2103778,
            48.8589,
            2.347,
            "200054781",
            "217500016",
            "commune",
            None,
        ),
        (
            "98412",
            "Archipel des Kerguelen",
            "984",
            "984",
            None,
            None,
            None,
            -49.2352,
            69.3405,
            None,
            None,
            "commune",
            None,
        ),
        (
            "75116",
            "Paris 16e Arrondissement",
            "75",
            "11",
            "75016",
            ["75016", "75116"],
            159386,
            48.8572,
            2.263,
            None,
            None,
            "arrondissement municipal",
            "75056",
        ),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((*AMBERIEU[:6], point(45.9575, 5.3706), *AMBERIEU[7:]), "expected a position in a French territory"),
        ((*AMBERIEU[:5], "1.5", *AMBERIEU[6:]), "population: expected a whole number, found '1.5'"),
        (("01004", None, *AMBERIEU[2:]), "nom_commune: expected a value"),
    ],
)
def test_refused(row: Row, reason: str) -> None:
    refused = conformed([row], [PARIS_16]).refused
    assert refused["key"].to_list() == ["01004"]
    assert reason in refused["reasons"].list.join("; ").item()


def test_an_arrondissement_of_an_unknown_city_is_refused() -> None:
    refused = conformed([AMBERIEU], [("31201", *PARIS_16[1:])]).refused
    assert "a parent for an arrondissement" in refused["reasons"].list.join("; ").item()


def test_a_commune_without_position_is_kept() -> None:
    result = conformed([(*AMBERIEU[:6], None, *AMBERIEU[7:])], [PARIS_16])
    assert result.refused.height == 0
    assert result.frame.select("latitude", "longitude").row(0) == (None, None)


def test_arrondissements_by_city() -> None:
    assert len(arrondissements.COMMUNES) == 45
    chosen = ("75101", "75120", "69381", "69389", "13201", "13216")
    assert [arrondissements.COMMUNES[code] for code in chosen] == ["75056"] * 2 + ["69123"] * 2 + ["13055"] * 2


def test_all_real_communes() -> None:
    folder = upstream() / "geo-api-communes"
    main = json.loads((folder / "communes.json").read_text(encoding="utf-8"))
    parts = json.loads((folder / "arrondissements-municipaux.json").read_text(encoding="utf-8"))
    assert (len(main), len(parts)) == (34_969, 45)
    result = produced("info_communes")
    # Terre-Adélie was outside the boxes of normalise.TERRITORIES when this was written.
    assert set(result.refused["key"]) <= {"98414"}
    frame = result.frame
    assert frame.height + result.refused.height == 35_014
    whole = frame.filter(pl.col("type_commune") == "commune")
    assert whole["population"].sum() == sum(row.get("population") or 0 for row in main) == 68_952_941
    empty = {row["code"] for row in main if not row["codesPostaux"]}
    assert len(empty) == 5
    assert set(frame.filter(pl.col("code_postal").is_null())["code_commune"]) == empty - set(result.refused["key"])
    assert frame["codes_postaux"].list.len().sum() == sum(len(row["codesPostaux"]) for row in main + parts)
    cities = (
        frame.drop_nulls("code_commune_parent")
        .group_by("code_commune_parent")
        .agg(pl.col("population").sum())
        .join(whole, left_on="code_commune_parent", right_on="code_commune")
    )
    assert cities["population"].to_list() == cities["population_right"].to_list()
    assert cities.height == 3
    assert set(frame["code_departement"]) <= set(produced("departements").frame["code_departement"])


def test_reasons_and_cities() -> None:
    known = pl.LazyFrame(
        {
            "code_commune": ["01001", "01002", "01004", "01005", "75056", "75107"],
            "population": [860, 2000, 1999, None, 2103778, 47000],
            "code_commune_parent": [None, None, None, None, None, "75056"],
        }
    )
    schools = pl.LazyFrame(
        {
            "code_commune": ["01001", "01001", "01001", "01004", "75107", "99999", None],
            "type_etablissement": ["Collège", "Lycée", "Collège", "Ecole", "Lycée", "Lycée", "Collège"],
        }
    )
    result = conform(relevant_communes(known, schools), tables()["relevant_communes"])
    assert result.refused.height == 0
    assert result.frame.rows() == [
        ("01001", ["collège", "lycée"]),
        ("01002", ["2000 habitants ou plus"]),
        ("75056", ["2000 habitants ou plus", "lycée"]),
        ("75107", ["2000 habitants ou plus", "lycée"]),
    ]


def test_all_real_relevant_communes() -> None:
    folder = upstream() / "geo-api-communes"
    main = json.loads((folder / "communes.json").read_text(encoding="utf-8"))
    parts = json.loads((folder / "arrondissements-municipaux.json").read_text(encoding="utf-8"))
    large = {row["code"] for row in main + parts if (row.get("population") or 0) >= 2000}
    schools = produced("annuaire_education").frame.filter(pl.col("type_etablissement").is_in(["Collège", "Lycée"]))
    hosts = set(schools["code_commune"].drop_nulls()) & {row["code"] for row in main + parts}
    hosts |= {arrondissements.COMMUNES[code] for code in hosts & set(arrondissements.COMMUNES)}
    result = produced("relevant_communes")
    assert result.refused.height == 0
    assert len(large) == 5_609
    assert set(result.frame["code_commune"]) == large | hosts
    hosting = result.frame.filter(pl.col("raisons").list.set_intersection(["collège", "lycée"]).list.len() > 0)
    assert set(hosting["code_commune"]) == hosts
