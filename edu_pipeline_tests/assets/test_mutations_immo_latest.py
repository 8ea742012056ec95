"""mutations_immo_latest: both vintages of the file, the shares swapped in one of them, the row without a commune."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from edu_pipeline.catalogue import files_by_parameter
from edu_pipeline_tests.assets.inputs import conformed, from_text, taken_in
from edu_pipeline_tests.conformed import Conformed
from edu_pipeline_tests.real_files import produced, upstream

TABLE, SOURCE = "mutations_immo_latest", "dvf_indicateurs_communes"
HEADER_2023 = (
    '"","INSEE_COM","Annee","Nb_mutations","NbMaisons","NbApparts","propmaison","propappart","PrixMoyen",'
    '"Prixm2Moyen","SurfaceMoy"'
)
HEADER_2024 = "INSEE_COM,annee,nb_mutations,NbMaisons,NbApparts,PropMaison,PropAppart,PrixMoyen,Prixm2Moyen,SurfaceMoy"
NO_COMMUNE = "NA,2024,7922,NA,NA,NA,NA,225314,3171,73"


def mutations(lines: list[str], folder: Path) -> Conformed:
    return conformed(TABLE, **{SOURCE: from_text(TABLE, SOURCE, lines, folder)})


def shares(result: Conformed) -> dict[str, tuple[Any, ...]]:
    return {row[0]: row[1:] for row in result.frame.select("code_commune", "prop_maison", "prop_appart").rows()}


def test_the_file_of_2023_is_left_unchanged(tmp_path: Path) -> None:
    result = mutations(
        [
            HEADER_2023,
            '"1","01001","2023",8,8,0,100,0,269375,2249.5,118.125',
            '"3","01004","2023",158,89,69,56.3291139240506,43.6708860759494,1e+05,2399.62025316456,89.6392405063291',
        ],
        tmp_path,
    )
    assert result.refused.is_empty()
    assert result.frame.drop("codes_anciens").rows() == [
        (
            "01001",
            2023,
            8,
            8,
            0,
            Decimal("100.00"),
            Decimal("0.00"),
            Decimal("269375.00"),
            Decimal("2249.50"),
            Decimal("118.13"),
        ),
        (
            "01004",
            2023,
            158,
            89,
            69,
            Decimal("56.33"),
            Decimal("43.67"),
            Decimal("100000.00"),
            Decimal("2399.62"),
            Decimal("89.64"),
        ),
    ]


def test_the_swapped_shares_of_2024_are_swapped_back(tmp_path: Path) -> None:
    result = mutations(
        [
            HEADER_2024,
            "01001,2024,4,4,0,0,100,290575,3258,96",
            "01004,2024,133,70,63,47,53,194332,2323,83",
            "75056,2024,24246,84,24162,100,0,507698,9674,51",
        ],
        tmp_path,
    )
    assert result.refused.is_empty()
    assert shares(result) == {"01001": (100, 0), "01004": (53, 47), "75056": (0, 100)}


def test_a_file_that_does_not_show_the_swap_is_unchanged(tmp_path: Path) -> None:
    """No commune has only houses, so nothing shows that the names are swapped; the rule refuses wrong rows."""
    result = mutations(
        [
            HEADER_2024,
            "01004,2024,133,70,63,53,47,194332,2323,83",
            "75056,2024,24246,84,24162,100,0,507698,9674,51",
        ],
        tmp_path,
    )
    assert shares(result) == {"01004": (53, 47)}
    assert result.refused["key"].to_list() == ["75056"]
    assert "give or take one point" in result.refused["reasons"][0][0]


def test_a_mixed_file_is_left_unchanged(tmp_path: Path) -> None:
    result = mutations(
        [
            HEADER_2024,
            "01001,2024,4,4,0,0,100,290575,3258,96",
            "01002,2024,2,2,0,100,0,267500,1942,140",
        ],
        tmp_path,
    )
    assert shares(result) == {"01002": (100, 0)}
    assert result.refused["key"].to_list() == ["01001"]


def test_no_commune_is_refused_and_a_lost_zero_is_restored(tmp_path: Path) -> None:
    result = mutations([HEADER_2024, NO_COMMUNE, "1001,2024,4,4,0,100,0,290575,3258,96"], tmp_path)
    assert result.frame["code_commune"].to_list() == ["01001"]
    assert result.refused.height == 1
    assert "code_commune: expected a value, found nothing" in result.refused["reasons"][0]


def test_swapped_shares_of_another_year_are_refused(tmp_path: Path) -> None:
    result = mutations([HEADER_2024, "01001,2025,4,4,0,0,100,290575,3258,96"], tmp_path)
    assert result.refused["key"].to_list() == ["01001"]


def test_the_real_file_of_2024() -> None:
    result = produced(TABLE)
    assert (result.frame.height, result.refused.height) == (29_831, 1)
    with (upstream() / "dvf-indicateurs-communes" / "communesdvf2024.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["INSEE_COM"] != "NA"]
    assert result.frame["nb_mutations"].sum() == sum(int(row["nb_mutations"]) for row in rows)
    published = {row["INSEE_COM"]: (Decimal(row["PropAppart"]), Decimal(row["PropMaison"])) for row in rows}
    by_commune = shares(result)
    assert by_commune == published
    only_houses = [row["INSEE_COM"] for row in rows if row["NbApparts"] == "0"]
    assert len(only_houses) == 22_671
    assert all(by_commune[code] == (100, 0) for code in only_houses)


def test_the_real_file_of_2023(tmp_path: Path) -> None:
    path = upstream() / files_by_parameter()[SOURCE].source / "communesdvf2023.csv"
    if not path.exists():
        pytest.skip("EDU_UPSTREAM has no communesdvf2023.csv")
    result = conformed(TABLE, **{SOURCE: taken_in(TABLE, SOURCE, path, tmp_path)})
    assert (result.frame.height, result.refused.height) == (30_010, 1)
    assert shares(result)["13055"] == (Decimal("10.81"), Decimal("89.19"))
    assert result.frame["prix_moyen"].null_count() == 0
