"""The four tables of INSEE's census: shares and their denominators, empty rows, cities in both forms, vintages.

Only seven columns of one of the four files were seen: the rows are laid out as in INSEE's list of variables, with
invented values except for the dwellings of L'Abergement-Clémenciat.
"""

from __future__ import annotations

import csv
import math
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from edu_pipeline.errors import AnotherFile
from edu_pipeline.loading.intake import take_in
from edu_pipeline.normalise import slug
from edu_pipeline.sources.readers import read
from edu_pipeline.table import tables
from edu_pipeline.vocabulary import arrondissements
from edu_pipeline_tests.assets.inputs import conformed, from_text
from edu_pipeline_tests.conformed import Conformed
from edu_pipeline_tests.real_files import upstream

DIPLOMES = (
    "CODGEO;P21_POP0205;P21_POP0610;P21_POP1114;P21_POP1517;P21_POP1824;P21_POP2529;P21_POP30P;P21_SCOL0205;"
    "P21_SCOL0610;P21_SCOL1114;P21_SCOL1517;P21_SCOL1824;P21_SCOL2529;P21_SCOL30P;P21_NSCOL15P;P21_NSCOL15P_DIPLMIN;"
    "P21_NSCOL15P_BEPC;P21_NSCOL15P_CAPBEP;P21_NSCOL15P_BAC;P21_NSCOL15P_SUP2;P21_NSCOL15P_SUP34;P21_NSCOL15P_SUP5;"
    "P21_HNSCOL15P"
)
POPULATION = (
    "CODGEO;P21_POP;P21_POP0014;P21_POP1529;P21_POP3044;P21_POP4559;P21_POP6074;P21_POP7589;P21_POP90P;P21_POPH;"
    "P21_POPF;C21_POP15P;C21_POP15P_CS1;C21_POP15P_CS2;C21_POP15P_CS3;C21_POP15P_CS4;C21_POP15P_CS5;C21_POP15P_CS6;"
    "C21_POP15P_CS7;C21_POP15P_CS8;P15_POP;P10_POP"
)
EMPLOI = (
    "CODGEO;P22_POP1564;P22_ACT1564;P22_ACTOCC1564;P22_CHOM1564;P22_INACT1564;P22_ETUD1564;P22_RETR1564;"
    "P22_AINACT1564;C22_ACT1564;C22_ACT1564_STAT_GSEC11_21;C22_ACT1564_STAT_GSEC12_22;C22_ACT1564_STAT_GSEC13_23;"
    "C22_ACT1564_STAT_GSEC14_24;C22_ACT1564_STAT_GSEC15_25;C22_ACT1564_STAT_GSEC16_26;P22_EMPLT;P22_EMPLT_SAL;"
    "P22_EMPLT_NSAL;C22_EMPLT;C22_EMPLT_GS1;C22_EMPLT_GS2;C22_EMPLT_GS3;C22_EMPLT_GS4;C22_EMPLT_GS5;C22_EMPLT_GS6;"
    "C22_EMPLT_AGRI;C22_EMPLT_INDUS;C22_EMPLT_CONST;C22_EMPLT_CTS;C22_EMPLT_APESAS"
)
LOGEMENT = (
    "CODGEO;P21_LOG;P21_RP;P21_RSECOCC;P21_LOGVAC;P21_MAISON;P21_APPART;P21_RP_1P;P21_RP_2P;P21_RP_3P;P21_RP_4P;"
    "P21_RP_5PP;P21_RP_PROP;P21_RP_LOC;P21_RP_LOCHLMV;P21_RP_GRAT"
)
FILES = {
    "niveau_education_2021": ("insee_rp__diplomes", DIPLOMES),
    "population_evolution_age": ("insee_rp__population", POPULATION),
    "activite_economique_2022": ("insee_rp__emploi", EMPLOI),
    "logement_2021": ("insee_rp__logement", LOGEMENT),
}
"""Table to its file and that file's header (some of its columns)."""

ABERGEMENT = (
    "01001;372.387493855914;341.234562367113;13.7072898550724;17.4456416337286;362.548321646553;8.59305494980861;"
    "1;20.5;40;100;179.734562367113;280;55.5;10.25;5.734562367113"
)


def read_in(table: str, folder: Path, *lines: str, header: str | None = None) -> Conformed:
    parameter, usual = FILES[table]
    return conformed(table, **{parameter: from_text(table, parameter, [header or usual, *lines], folder)})


def rows(result: Conformed) -> dict[str, dict[str, Any]]:
    return {row["code_commune"]: row for row in result.frame.iter_rows(named=True)}


def columns(row: dict[str, Any], prefix: str) -> list[Any]:
    return [value for name, value in row.items() if name.startswith(prefix)]


def test_diplomas_and_people_at_school(tmp_path: Path) -> None:
    result = read_in(
        "niveau_education_2021",
        tmp_path,
        "1004;600.5;800;700;500;1000;900;9000;450.375;800;690;480;400;90;0;11000.5;2200.1;550.025;2750.125;1980.09;"
        "1320.06;1100.05;1100.05;5000",
    )
    assert result.refused.is_empty()
    row = rows(result)["01004"]
    assert (row["nscol15p"], row["nscol15p_sup5"], row["pop0205"], row["scol0205"]) == (
        11000.5,
        1100.05,
        600.5,
        450.375,
    )
    assert columns(row, "part_") == [20, 5, Decimal("25.00"), 18, 12, 10, 10]
    assert columns(row, "taux_scolarisation_") == [75, 100, Decimal("98.57"), 96, 40, 10, 0]


def test_population_by_age_and_its_evolution(tmp_path: Path) -> None:
    grown = "01001;1000;200;150;180;220;150;90;10;495.5;504.5;801;5;40;90;150;120;110;210;76;800;1000"
    founded = "01002;12;2;10;0;0;0;0;0;6;6;10;0;0;0;0;0;0;0;10;0;"
    result = read_in("population_evolution_age", tmp_path, grown, founded)
    assert result.refused.is_empty()
    first, second = rows(result)["01001"], rows(result)["01002"]
    assert (first["population"], first["population_2015"], first["population_2010"]) == (1000, 800, 1000)
    assert (first["evolution_2015_2021"], first["evolution_2010_2015"]) == (25, -20)
    assert columns(first, "part_") == [20, 15, 18, 22, 15, 9, 1]
    assert (first["poph"], first["popf"], first["pop15p"]) == (495.5, 504.5, 801)
    assert columns(first, "pop15p_cs") == [5, 40, 90, 150, 120, 110, 210, 76]
    assert (second["evolution_2015_2021"], second["evolution_2010_2015"]) == (None, None), "from 0, and from nothing"
    assert second["part_0014"] == Decimal("16.67")


ACTIVE = (
    "13055;500;400;350.5;49.5;100;60;15;25;396;0;39.6;99;79.2;118.8;39.6;300;270;30;320;1;31;128;64;64;32;3.2;32;16;"
    "128;140.8"
)


def test_activity_and_jobs(tmp_path: Path) -> None:
    result = read_in("activite_economique_2022", tmp_path, ACTIVE)
    assert result.refused.is_empty()
    row = rows(result)["13055"]
    assert (row["actifs"], row["actifs_occupes"], row["chomeurs"], row["emplois"]) == (400, 350.5, 49.5, 300)
    assert (row["taux_activite"], row["taux_chomage"]) == (80, Decimal("12.38")), "12.375, half away from 0"
    assert columns(row, "part_actifs_") == [0, 10, 25, 20, 30, 10], "of the complementary 396, not of 400"
    assert columns(row, "part_emplois_")[:5] == [1, 10, 5, 40, 44]
    assert columns(row, "part_emplois_")[5:] == [Decimal("0.31"), Decimal("9.69"), 40, 20, 20, 10]
    assert row["emplois_administration_enseignement_sante"] == 140.8
    assert (row["actifs_cadres"], row["emplois_cadres"]) == (99, 128)


def test_the_categories_under_their_names_before_2022(tmp_path: Path) -> None:
    earlier = EMPLOI
    for number in range(1, 7):
        earlier = earlier.replace(f"STAT_GSEC1{number}_2{number}", f"CS{number}").replace(
            f"_GS{number}", f"_CS{number}"
        )
    assert earlier.count("_CS") == 12
    result = read_in("activite_economique_2022", tmp_path, ACTIVE, header=earlier)
    assert result.frame.equals(read_in("activite_economique_2022", tmp_path, ACTIVE).frame)


def test_dwellings(tmp_path: Path) -> None:
    result = read_in("logement_2021", tmp_path, ABERGEMENT)
    assert result.refused.is_empty()
    row = rows(result)["01001"]
    assert (row["logements"], row["appartements"]) == (372.387493855914, 8.59305494980861)
    assert (row["proprietaires"], row["locataires"], row["locataires_hlm"], row["rp_grat"]) == (
        280,
        55.5,
        10.25,
        5.734562367113,
    )
    assert [row[f"rp_{rooms}"] for rooms in ("1p", "2p", "3p", "4p", "5pp")] == [1, 20.5, 40, 100, 179.734562367113]
    assert columns(row, "taux_") == [
        Decimal(share) for share in ("91.63", "3.68", "4.68", "97.36", "2.31", "82.05", "16.26", "3.00")
    ]


@pytest.mark.parametrize("table", FILES)
def test_a_share_of_nothing_is_null(table: str, tmp_path: Path) -> None:
    """A commune destroyed in 1914-1918 has 0 everywhere, one in Mayotte no value at all: neither is refused."""
    width = FILES[table][1].count(";")
    result = read_in(table, tmp_path, "55039" + ";0" * width, "97601" + ";" * width)
    assert result.refused.is_empty()
    destroyed, unknown = rows(result)["55039"], rows(result)["97601"]
    shares = [name for name in destroyed if name.startswith(("part_", "taux_", "evolution_"))]
    assert shares
    assert all(destroyed[name] is None for name in shares)
    others = destroyed.keys() - {"code_commune", "codes_anciens", *shares}
    assert all(destroyed[name] == 0 for name in others)
    assert all(value is None for name, value in unknown.items() if name != "code_commune")


@pytest.mark.parametrize("table", FILES)
def test_a_city_and_its_arrondissements_both_have_rows(table: str, tmp_path: Path) -> None:
    width = FILES[table][1].count(";")
    result = read_in(table, tmp_path, *(code + ";1" * width for code in ("75056", "75101", "2A004")))
    assert sorted(rows(result)) == ["2A004", "75056", "75101"]


@pytest.mark.parametrize("table", FILES)
def test_a_cell_that_is_not_a_number_is_refused(table: str, tmp_path: Path) -> None:
    width = FILES[table][1].count(";")
    result = read_in(table, tmp_path, "01001" + ";s" + ";1" * (width - 1), "01002" + ";-1" * width)
    assert result.frame.is_empty()
    reasons = dict(zip(result.refused["key"], result.refused["reasons"].list.join("; "), strict=True))
    assert "expected a number, found 's'" in reasons["01001"]
    assert "expected at least 0" in reasons["01002"]


@pytest.mark.parametrize("table", FILES)
def test_a_share_above_the_whole_is_refused(table: str, tmp_path: Path) -> None:
    names = FILES[table][1].split(";")
    wholes = ("_NSCOL15P", "_POP", "_ACT1564", "_RP")
    cells = ["0.5" if name.endswith(wholes) else "1" for name in names[1:]]
    result = read_in(table, tmp_path, ";".join(["01001", *cells]))
    assert result.frame.is_empty()
    assert "expected at most 100, found 200" in result.refused["reasons"].list.join("; ").item()


@pytest.mark.parametrize("table", FILES)
def test_the_file_of_another_census_is_not_accepted(table: str, tmp_path: Path) -> None:
    header = FILES[table][1].replace("22_", "23_").replace("21_", "22_").replace("P15_", "P16_").replace("P10_", "P11_")
    with pytest.raises(AnotherFile):
        read_in(table, tmp_path, header=header)


def test_the_real_file_of_dwellings(tmp_path: Path) -> None:
    """Seven of about a hundred columns; the others, which INSEE's file has, are added empty here."""
    table = tables()["logement_2021"]
    parameter = "insee_rp__logement"
    path = upstream() / "insee-rp" / "base-cc-logement-2021-7cols.csv"
    raw = read(path, table.files[parameter], tmp_path, "a test").frame
    present = raw.collect_schema().names()
    missing = [slug(name) for name in LOGEMENT.split(";") if slug(name) not in present]
    assert len(missing) == 9
    raw = raw.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)
    result = conformed(
        table.name, **{parameter: take_in(table, parameter, raw, table.files[parameter], path.name, "a test").frame}
    )
    with path.open(encoding="utf-8", newline="") as stream:
        published = {row["CODGEO"]: row for row in csv.DictReader(stream, delimiter=";")}
    assert (result.frame.height, result.refused.height, len(published)) == (34_980, 0, 34_980)
    assert result.frame["logements"].null_count() == sum(not row["P21_LOG"] for row in published.values()) == 20
    assert result.frame["logements"].sum() == pytest.approx(
        math.fsum(float(row["P21_LOG"] or 0) for row in published.values())
    )
    assert dict(result.frame.select("code_commune", "logements_vacants").rows()) == {
        code: float(row["P21_LOGVAC"]) if row["P21_LOGVAC"] else None for code, row in published.items()
    }
    for share, part in {"taux_logements_vacants": "P21_LOGVAC", "taux_appartements": "P21_APPART"}.items():
        assert dict(result.frame.select("code_commune", share).rows()) == {
            code: percent(row[part], row["P21_LOG"]) for code, row in published.items()
        }
    by_code = dict(result.frame.select("code_commune", "logements").rows())
    for city in set(arrondissements.COMMUNES.values()):
        parts = [by_code[code] for code, whole in arrondissements.COMMUNES.items() if whole == city]
        assert math.fsum(parts) == pytest.approx(by_code[city])


def percent(part: str, whole: str) -> Decimal | None:
    if not whole or float(whole) == 0:
        return None
    exact = 100 * Decimal(part) / Decimal(whole)  # the weights carry noise: 13.12499999999998 is 13.125
    return exact.quantize(Decimal("1e-10")).quantize(Decimal("0.01"), ROUND_HALF_UP)
