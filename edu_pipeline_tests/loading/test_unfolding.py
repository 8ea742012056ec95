"""Long files: which rows are figures, what a missing row and a status mean, codes that stay text."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from edu_pipeline.accounts import UNKNOWN_WORD
from edu_pipeline.catalogue import files_by_parameter
from edu_pipeline.errors import AnotherFile, ColumnMissing
from edu_pipeline.loading.balance import Balance
from edu_pipeline.loading.intake import Intake, take_in
from edu_pipeline.loading.passage import Passage, bring_to_current
from edu_pipeline.long_form import figure, parsed
from edu_pipeline.sources.readers import read
from edu_pipeline.table import tables

TABLE, PARAMETER = "recensement_logement", "insee_rp_2023__logement"
HEADER = '"GEO";"GEO_OBJECT";"OCS";"TDW";"TSH";"NOR";"RP_MEASURE";"OBS_STATUS";"TIME_PERIOD";"OBS_VALUE"'
VACANT, HOUSES, ELSEWHERE = {"OCS": "DW_VAC"}, {"TDW": "1"}, "97411"


def line(geo: str, value: str, year: str = "2023", level: str = "COM", status: str = "A", **codes: str) -> str:
    """A row as INSEE writes it; a dimension that is not given is at its total."""
    names = {"OCS": "_T", "TDW": "_T", "TSH": "_T", "NOR": "_T", "RP_MEASURE": "DWELLINGS"} | codes
    return ";".join(f'"{text}"' for text in (geo, level, *names.values(), status)) + f";{year};{value}"


def elsewhere() -> list[str]:
    """Rows of another commune, so that the file has most of the figures: all but those of the tests."""
    homes = [{"TSH": code} for code in ("100", "200", "300")]
    homes += [{"NOR": code} for code in ("R1", "R2", "R3", "R4", "R_GE5")]
    rows = [line(ELSEWHERE, "1"), *(line(ELSEWHERE, "1", OCS=code) for code in ("DW_MAIN", "DW_SEC_DW_OCC"))]
    return [*rows, *(line(ELSEWHERE, "1", OCS="DW_MAIN", **codes) for codes in homes)]


def taken(folder: Path, *lines: str, header: str = HEADER) -> tuple[Intake, Balance]:
    """The intake of a file of these lines and those of ``elsewhere``, and what became of its rows."""
    path, file, balance = folder / "DS_RP_LOGEMENT_PRINC_2023_data.csv", files_by_parameter()[PARAMETER], Balance()
    path.write_text("\n".join([header, *lines, *elsewhere(), ""]), encoding="utf-8")
    rows = balance.opened(file, path.name, read(path, file, folder, "a test").frame, 0, "a test")
    intake = take_in(tables()[TABLE], PARAMETER, rows, file, path.name, "a test")
    return replace(intake, frame=intake.frame.filter(pl.col("code_commune") != ELSEWHERE)), balance


def figures(folder: Path, *lines: str) -> dict[tuple[str, str], dict[str, str]]:
    """The figures that are not NULL, by area and year."""
    frame = taken(folder, *lines)[0].frame.collect()
    names = ("logements", "logements_vacants", "maisons", "locataires_hlm")
    return {
        (row["code_commune"], row["annee"]): {name: row[name] for name in names if row[name] is not None}
        for row in frame.sort("code_commune", "annee").iter_rows(named=True)
    }


def test_the_name_of_a_figure_says_what_it_consists_of() -> None:
    name = figure(BPE_MEASURE="FACILITIES", FACILITY_TYPE=["A101", "A104"])
    assert name == "BPE_MEASURE=FACILITIES FACILITY_TYPE=A101+A104"
    assert parsed(name) == {"BPE_MEASURE": ("FACILITIES",), "FACILITY_TYPE": ("A101", "A104")}


def test_codes_stay_text_without_corsica_in_the_file(tmp_path: Path) -> None:
    rows = figures(tmp_path, line("01001", "372.387493855914"), line("01004", "7000.0"))
    assert rows == {("01001", "2023"): {"logements": "372.387493855914"}, ("01004", "2023"): {"logements": "7000.0"}}


def test_only_totals_and_the_combinations_named_are_figures(tmp_path: Path) -> None:
    rows = figures(
        tmp_path,
        line("2A004", "100"),
        line("2A004", "7.5", **VACANT),
        line("2A004", "3", **VACANT, **HOUSES),
        line("2A004", "250", RP_MEASURE="DWELLINGS_POPSIZE"),
    )
    assert rows == {("2A004", "2023"): {"logements": "100", "logements_vacants": "7.5"}}


def test_a_missing_row_is_zero_where_others_have_one(tmp_path: Path) -> None:
    """In 2012 no place has vacant dwellings: INSEE did not give the figure."""
    rows = figures(
        tmp_path,
        line("01001", "100"),
        line("01002", "50"),
        line("01002", "5", **VACANT),
        line("01001", "90", "2012"),
    )
    assert rows["01001", "2023"] == {"logements": "100", "logements_vacants": "0"}
    assert rows["01001", "2012"] == {"logements": "90"}


def test_a_place_counted_elsewhere_has_no_row(tmp_path: Path) -> None:
    intake, balance = taken(
        tmp_path,
        line("01001", "100", status="W"),
        line("01001", "5", status="W", **VACANT),
        line("01902", "", status="K"),
        line("01902", "", status="K", **VACANT),
    )
    assert intake.frame.select("code_commune", "statut").collect().rows() == [("01001", "W")]
    assert balance.files[PARAMETER]["counted in another area"] == 2


def test_a_status_without_a_value_is_hidden_or_refused(tmp_path: Path) -> None:
    intake, _ = taken(
        tmp_path,
        line("01001", "100"),
        line("01001", "7", status="K", **VACANT),
        line("01002", "", status="Z"),
        line("01003", ""),
    )
    rows = dict(intake.frame.select("code_commune", "logements").collect().rows())
    assert rows == {"01001": "100", "01002": "OBS_STATUS Z", "01003": "nothing"}, "the contract refuses both"
    assert intake.hidden == {"logements_vacants": 1}
    assert intake.frame.collect().row(0, named=True)["logements_vacants"] is None, "not 0"


def test_rows_that_contradict_each_other_refuse_the_area(tmp_path: Path) -> None:
    intake, _ = taken(tmp_path, line("01001", "100"), line("01001", "9", **VACANT), line("01001", "8", **VACANT))
    (row,) = intake.frame.collect().rows(named=True)
    assert row["refused_because"].startswith("expected one row about the same thing, found several that differ in")
    assert figures(tmp_path, line("01001", "9"), line("01001", "9")) == {("01001", "2023"): {"logements": "9"}}


def test_every_row_of_the_file_is_accounted_for(tmp_path: Path) -> None:
    intake, balance = taken(
        tmp_path, line("01001", "100"), line("01", "9", level="DEP"), line("x", "9", level="MOON"), line("", "1")
    )
    assert dict(intake.frame.select("code_commune", "logements").collect().rows()) == {"01001": "100"}
    fates = balance.files[PARAMETER]
    assert (fates["other geographic level"], fates[f"{UNKNOWN_WORD} in geo_object"]) == (1, 1)


def test_a_new_dimension_counts_at_its_total_only(tmp_path: Path) -> None:
    lines = [*elsewhere(), line("01001", "100")]
    wider = [row.replace(';"DWELLINGS"', ';"_T";"DWELLINGS"') for row in lines]
    wider.append(line("01001", "60").replace(';"DWELLINGS"', ';"C1";"DWELLINGS"'))
    path, file = tmp_path / "wider.csv", files_by_parameter()[PARAMETER]
    path.write_text("\n".join([HEADER.replace('"RP_', '"CARS";"RP_'), *wider, ""]), encoding="utf-8")
    raw = read(path, file, tmp_path, "a test").frame
    rows = take_in(tables()[TABLE], PARAMETER, raw, file, path.name, "a test").frame.collect()
    assert dict(rows.select("code_commune", "logements").rows()) == {"01001": "100", ELSEWHERE: "1"}


def test_a_value_in_thousands_is_refused(tmp_path: Path) -> None:
    path, file = tmp_path / "scaled.csv", files_by_parameter()[PARAMETER]
    lines = [row.replace(";2023;", ";0;2023;") for row in elsewhere()] + [
        line("01001", "2").replace(";2023;", ";3;2023;")
    ]
    path.write_text("\n".join([HEADER.replace('"TIME_', '"UNIT_MULT";"TIME_'), *lines, ""]), encoding="utf-8")
    raw = read(path, file, tmp_path, "a test").frame
    rows = take_in(tables()[TABLE], PARAMETER, raw, file, path.name, "a test").frame.collect()
    reasons = dict(rows.select("code_commune", "refused_because").rows())
    assert reasons == {"01001": "expected UNIT_MULT 0, found 3", ELSEWHERE: None}


def test_a_figure_that_no_row_has_is_a_missing_column(tmp_path: Path) -> None:
    intake, _ = taken(tmp_path, line("01001", "1", **VACANT))
    assert set(intake.missing) == {
        "RP_MEASURE=DWELLINGS OCS=DW_MAIN TSH=221",
        "RP_MEASURE=DWELLINGS TDW=1",
        "RP_MEASURE=DWELLINGS TDW=2",
    }


def test_a_dimension_that_was_renamed_stops_the_load(tmp_path: Path) -> None:
    text = r"expected column 'TSH', found none of that name \(closest: 'tsh_rp'.* change the names of the figures in"
    with pytest.raises(ColumnMissing, match=text):
        taken(tmp_path, line("01001", "1"), header=HEADER.replace('"TSH"', '"TSH_RP"'))


def test_another_file_is_not_taken_for_a_long_one(tmp_path: Path) -> None:
    with pytest.raises(AnotherFile, match="expected the 9 columns that recensement_logement reads, found 0"):
        taken(tmp_path, header='"CODGEO";"P21_LOG";"P21_MAISON"')


def test_a_figure_that_no_area_has_in_a_period_is_noted(tmp_path: Path) -> None:
    assert taken(tmp_path, line("01001", "1"), line("01001", "1", **VACANT))[0].notes == ()
    intake, _ = taken(tmp_path, line("01001", "1"), line("01001", "1", "2012"), line("01001", "1", "2012", **VACANT))
    others = [note for note in intake.notes if note.endswith("in 2023")]
    assert others == ["no area has a value of rp_measure_dwellings_ocs_dw_vac in 2023"]


def test_a_figure_that_some_areas_lack_is_noted_if_absence_means_nothing(tmp_path: Path) -> None:
    path, file = tmp_path / "DS_FILOSOFI_CC_2023_data.csv", files_by_parameter()["insee_filosofi_2023"]
    rows = [f"{area};COM;{name};2023;20000" for area in ("01001", "01002") for name in ("MED_SL", "PR_MD60")]
    path.write_text("\n".join(["GEO;GEO_OBJECT;FILOSOFI_MEASURE;TIME_PERIOD;OBS_VALUE", *rows[:-1]]))
    raw = read(path, file, tmp_path, "a test").frame
    intake = take_in(tables()["revenu_pauvrete"], "insee_filosofi_2023", raw, file, path.name, "a test")
    assert intake.notes == ("areas without a row of filosofi_measure_pr_md60 in 2023: 1, such as 01002",)
    census, _ = taken(tmp_path, line("01002", "", status="O"))
    assert not [note for note in census.notes if note.startswith("areas without")], "a missing row is 0 there"


def test_communes_that_merge_later_add_up(tmp_path: Path) -> None:
    changes = {"code_ancien": ["01901"], "code_commune": ["01001"], "date_effet": [date(2027, 1, 1)], "part": [1.0]}
    passage = Passage(pl.DataFrame(changes), ["01001"])
    intake, _ = taken(
        tmp_path,
        line("01001", "2.5"),
        line("01901", "1"),
        line("01901", "3", **VACANT),
        line("01901", "4", "2012"),
    )
    rows = bring_to_current(intake.frame, tables()[TABLE], PARAMETER, passage, 2026).collect()
    assert sorted(rows.select("code_commune", "annee", "logements", "logements_vacants").rows()) == [
        ("01001", "2012", "4", None),
        ("01001", "2023", "3.5", "3.0"),
    ]
