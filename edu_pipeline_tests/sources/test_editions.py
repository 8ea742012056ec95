"""Editions: what publishers show of later ones, and where nobody can be asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edu_pipeline.catalogue import catalogue, files_by_parameter
from edu_pipeline.sources.editions import MELODI, edition_of, later_edition, sight_of
from edu_pipeline.sources.interfaces import Interfaces
from edu_pipeline.sources.origins import DATA_GOUV
from edu_pipeline.sources.policy import Policy

SALES, CENSUS = "dvf-indicateurs-communes", "insee-rp-2023"
SALES_URL = DATA_GOUV.format(dataset="63dd1cc420bf925d5d1d8b1e")
CENSUS_URL = MELODI.format(dataset="DS_RP_POPULATION_PRINC")


def later(source: str, folder: Path, answers: dict[str, Any]) -> str | None:
    """What is said of a source if interfaces answer so; any other request fails at once."""
    policy = Policy(tries=1, mirror="http://127.0.0.1:9")
    return later_edition(catalogue()[source], Interfaces(folder, policy, answers))


def resources(*titles: str) -> dict[str, Any]:
    return {"resources": [{"title": title, "format": "csv"} for title in titles]}


def products(*years: int) -> dict[str, Any]:
    names = [f"DS_RP_POPULATION_PRINC_{year}_CSV_{language}" for year in years for language in ("FR", "EN")]
    base = "https://api.insee.fr/melodi/file/DS_RP_POPULATION_PRINC"
    return {"product": [{"id": "DS_RP_POPULATION_PRINC_CSV_FR"}, *({"accessURL": f"{base}/{name}"} for name in names)]}


@pytest.mark.parametrize(
    ("titles", "found"),
    [
        (["communesdvf2024.csv", "communesdvf2023.csv"], None),
        (["communesdvf2024.csv", "Indicateurs 2025 (nouvelle forme)"], "Indicateurs 2025 (nouvelle forme)"),
        (["communesdvf2024.csv", "Sur la période 2014-2024"], None),
        (["Indicateurs 2025"], None),
    ],
)
def test_a_title_with_a_later_year_is_a_later_edition(titles: list[str], found: str | None, tmp_path: Path) -> None:
    assert later(SALES, tmp_path, {SALES_URL: resources(*titles)}) == found


def test_a_later_product_of_melodi_is_a_later_edition(tmp_path: Path) -> None:
    assert later(CENSUS, tmp_path, {CENSUS_URL: products(2022, 2023)}) is None
    assert later(CENSUS, tmp_path, {CENSUS_URL: products(2022, 2023, 2024)}) == "2024"


def test_a_publisher_that_does_not_answer_shows_none(tmp_path: Path) -> None:
    assert later(CENSUS, tmp_path, {}) is None


def test_how_later_editions_are_seen() -> None:
    files = files_by_parameter().items()
    sights = {parameter: sight_of(catalogue()[file.source], file) for parameter, file in files}
    assert sights["insee_rp_2023__logement"] == sights["ssmsi_communale"] == "shown"
    assert sights["insee_rp_2022__logement"] == sights["insee_pcs"] == sights["insee_cog"] == "unknown"
    assert sights["insee_bpe"] == sights["fr_en_annuaire_education"] == sights["contours_communes"] == "in place"


def test_the_edition_is_in_the_name_of_the_file() -> None:
    file = files_by_parameter()["insee_rp_2023__emploi"]
    assert edition_of(file, "DS_RP_EMPLOI_LT_PRINC_2023_CSV_FR.zip") == "2023"
    assert edition_of(files_by_parameter()["insee_rp__logement"], "base-cc-emploi-pop-active-2022_csv.zip") is None
    assert edition_of(files_by_parameter()["insee_pcs"], "pcs2003.csv") is None
