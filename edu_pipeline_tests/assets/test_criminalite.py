"""criminalite_2024 and crime_indicateur_avg: editions, hidden values, and cities that must not count twice."""

from __future__ import annotations

import csv
import gzip
import inspect
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from edu_pipeline.table import tables
from edu_pipeline_tests.assets.inputs import conformed, from_text
from edu_pipeline_tests.conformed import Conformed
from edu_pipeline_tests.real_files import produced, real_file

TABLE, SOURCE, MEANS = "criminalite_2024", "ssmsi_communale", "crime_indicateur_avg"
HEADER = (
    '"CODGEO_2024";"annee";"indicateur";"unite_de_compte";"nombre";"taux_pour_mille";"est_diffuse";"insee_pop";'
    '"insee_pop_millesime";"insee_log";"insee_log_millesime";"complement_info_nombre";"complement_info_taux"'
)
HIDDEN = (
    '"33001";"2017";"Coups et blessures volontaires";"Victime";"NA";"NA";"ndiff";"1937";"2017";"1051";"2017";'
    '"2,0560224";"1,9268733"'
)
PUBLISHED = (
    '"33063";"2017";"Coups et blessures volontaires";"Victime";"1462";"5,7460422";"diff";"254436";"2017";"156978";'
    '"2017";"NA";"NA"'
)
NONE = '"33001";"2017";"Vols avec armes";"Infraction";"0";"0,0000000";"diff";"1937";"2017";"1051";"2017";"NA";"NA"'
BURGLARY, THEFT = "Cambriolages de logement", "Vols avec armes"


def crime(lines: list[str], folder: Path) -> Conformed:
    return conformed(TABLE, **{SOURCE: from_text(TABLE, SOURCE, lines, folder)})


@pytest.mark.parametrize("edition", [2024, 2025, 2026])
def test_every_edition_names_its_code_column_differently(edition: int, tmp_path: Path) -> None:
    result = crime([HEADER.replace("2024", str(edition)), HIDDEN, PUBLISHED, NONE], tmp_path)
    assert result.refused.is_empty()
    assert result.frame.drop("codes_anciens").rows() == [
        (
            "33001",
            2017,
            "Coups et blessures volontaires",
            "Victime",
            1937,
            None,
            None,
            "ndiff",
            2017,
            1051,
            2017,
            Decimal("2.0560224"),
            Decimal("1.9268733"),
        ),
        (
            "33063",
            2017,
            "Coups et blessures volontaires",
            "Victime",
            254436,
            1462,
            Decimal("5.7460422"),
            "diff",
            2017,
            156978,
            2017,
            None,
            None,
        ),
        ("33001", 2017, "Vols avec armes", "Infraction", 1937, 0, Decimal(0), "diff", 2017, 1051, 2017, None, None),
    ]


def test_a_number_that_should_be_hidden_is_refused(tmp_path: Path) -> None:
    result = crime([HEADER, HIDDEN.replace('"NA";"NA"', '"3";"1,5"')], tmp_path)
    assert result.frame.is_empty()
    assert "expected No number and no rate where est_diffuse says ndiff" in result.refused["reasons"][0][0]


def test_an_unknown_status_and_a_repeated_key_are_refused(tmp_path: Path) -> None:
    result = crime([HEADER, HIDDEN.replace("ndiff", "estimé"), PUBLISHED, PUBLISHED, NONE], tmp_path)
    assert result.frame["indicateur"].to_list() == ["Vols avec armes"]
    assert result.refused.height == 3


def test_the_table_is_large_and_its_transform_stays_lazy() -> None:
    assert tables()[TABLE].large
    rows = pl.LazyFrame({"code_commune": ["33001"]})
    assert isinstance(tables()[TABLE].transform(rows), pl.LazyFrame)
    described = inspect.cleandoc(tables()[TABLE].description)
    for indicator in ("Violences physiques hors cadre familial", "Coups et blessures volontaires", "Escroqueries"):
        assert indicator in " ".join(described.split())


def rows(*values: tuple[str, int, str, str | None, int, int]) -> pl.LazyFrame:
    """Rows of criminalite_2024: commune, year, indicator, rate (None: hidden), population, dwellings."""
    names = ["code_commune", "annee", "indicateur", "taux_pour_mille", "insee_pop", "insee_log"]
    frame = pl.LazyFrame([dict(zip(names, row, strict=True)) for row in values])
    return frame.with_columns(pl.col("taux_pour_mille").cast(pl.Decimal(12, 7)), unite_de_compte=pl.lit("Infraction"))


def means(frame: pl.LazyFrame) -> dict[tuple[str, str], tuple[Decimal | None, int]]:
    result = conformed(MEANS, criminalite_2024=frame)
    assert result.refused.is_empty()
    columns = ("code_departement", "indicateur", "taux_moyen_pour_mille", "nb_communes_publiees")
    return {(row[0], row[1]): row[2:] for row in result.frame.select(columns).rows()}


def test_means_are_weighted_by_population_or_by_dwellings() -> None:
    assert means(
        rows(
            ("33001", 2024, THEFT, "1", 100, 900),
            ("33002", 2024, THEFT, "4", 200, 100),
            ("33001", 2024, BURGLARY, "1", 100, 900),
            ("33002", 2024, BURGLARY, "4", 200, 100),
        )
    ) == {
        ("33", THEFT): (Decimal("3"), 2),
        ("FR", THEFT): (Decimal("3"), 2),
        ("33", BURGLARY): (Decimal("1.3"), 2),
        ("FR", BURGLARY): (Decimal("1.3"), 2),
    }


def test_only_the_latest_year_and_only_published_communes_count() -> None:
    assert means(
        rows(
            ("2A004", 2024, THEFT, "2", 100, 1),
            ("2A001", 2024, THEFT, None, 900, 1),
            ("2A004", 2023, THEFT, "9", 100, 1),
            ("97411", 2024, THEFT, None, 100, 1),
            ("2B033", 2024, THEFT, "0", 0, 0),
        )
    ) == {
        ("2A", THEFT): (Decimal("2"), 1),
        ("2B", THEFT): (None, 0),
        ("974", THEFT): (None, 0),
        ("FR", THEFT): (Decimal("2"), 1),
    }


def test_a_city_counts_once() -> None:
    assert means(
        rows(
            ("75056", 2024, THEFT, "5", 1000, 1),
            ("75101", 2024, THEFT, "9", 100, 1),
            ("75116", 2024, THEFT, "1", 900, 1),
            ("69123", 2024, THEFT, None, 1000, 1),
            ("69381", 2024, THEFT, "1", 500, 1),
            ("69382", 2024, THEFT, "3", 500, 1),
            ("13201", 2024, THEFT, "7", 1000, 1),
        )
    ) == {
        ("75", THEFT): (Decimal("5"), 1),
        ("69", THEFT): (Decimal("2"), 2),
        ("13", THEFT): (Decimal("7"), 1),
        ("FR", THEFT): (Decimal("4.6666667"), 4),
    }


def test_the_real_file_of_the_gironde() -> None:
    result = produced(TABLE)
    assert (result.frame.height, result.refused.height) == (8_560, 0)
    assert result.frame["nombre"].null_count() == result.frame["taux_pour_mille"].null_count() == 4_449
    assert result.frame["complement_info_taux"].null_count() == 4_111
    assert result.frame.filter(pl.col("est_diffuse") == "ndiff").height == 4_449
    complements = (
        result.frame.filter(pl.col("est_diffuse") == "ndiff")
        .group_by("indicateur")
        .agg(pl.col("complement_info_nombre").n_unique())
    )
    assert set(complements["complement_info_nombre"]) == {1}


def test_the_means_of_the_real_file() -> None:
    result = produced(MEANS)
    assert (result.frame.height, result.refused.height) == (32, 0)
    path = real_file(tables()[TABLE].files[SOURCE])
    assert path is not None
    counted: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 4)
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as stream:
        for row in csv.DictReader(stream, delimiter=";"):
            if row["est_diffuse"] == "diff":
                weight = row["insee_log"] if row["indicateur"] == BURGLARY else row["insee_pop"]
                rate = Decimal(row["taux_pour_mille"].replace(",", "."))
                amounts = (rate * int(weight), Decimal(weight), Decimal(row["nombre"]), Decimal(1))
                counted[row["indicateur"]] = [
                    total + amount for total, amount in zip(counted[row["indicateur"]], amounts, strict=True)
                ]
    for area in ("33", "FR"):
        means_of_area = result.frame.filter(pl.col("code_departement") == area)
        assert means_of_area.height == len(counted) == 16
        for row in means_of_area.iter_rows(named=True):
            weighted, weights, number, communes = counted[row["indicateur"]]
            assert row["nb_communes_publiees"] == communes
            assert float(row["taux_moyen_pour_mille"]) == pytest.approx(float(weighted / weights), abs=1e-7)
            # This is the rate of all of them together; dwellings are published rounded, rates use the exact number.
            assert float(row["taux_moyen_pour_mille"]) == pytest.approx(float(1000 * number / weights), abs=1e-3)
