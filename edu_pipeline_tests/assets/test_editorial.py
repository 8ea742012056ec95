"""ips_score and anecdotes_communes: with an operator's file, with a wrong one, and without one."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from edu_pipeline.catalogue import catalogue
from edu_pipeline.errors import UnknownReference
from edu_pipeline.table import tables
from edu_pipeline_tests.assets.inputs import conformed, from_text
from edu_pipeline_tests.conformed import Conformed
from edu_pipeline_tests.stand_in import StandIn

SOURCES = {"ips_score": "editorial_ips_score", "anecdotes_communes": "editorial_anecdotes"}
DOCUMENT = Path(__file__).parents[2] / "docs" / "editorial-files.md"


def made(table: str, folder: Path, *lines: str) -> Conformed:
    return conformed(table, **{SOURCES[table]: from_text(table, SOURCES[table], lines, folder)})


@pytest.mark.parametrize("table", SOURCES)
def test_without_a_file_there_are_no_rows(table: str) -> None:
    declared = tables()[table]
    assert declared.parameters == {SOURCES[table]: True}
    result = conformed(table, **{SOURCES[table]: None})
    assert (result.frame.height, result.refused.height) == (0, 0)
    assert result.frame.schema == declared.contract.create_empty().schema


def test_scores(tmp_path: Path) -> None:
    result = made("ips_score", tmp_path, "remarque,ips_score,code_pcs", 'DEPP,"111,125",31', ",99.9,52", ",88,621a")
    assert result.refused.is_empty()
    assert result.frame.rows() == [("31", Decimal("111.13")), ("52", Decimal("99.90")), ("621a", Decimal("88.00"))]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("31;200,01", "ips_score: expected at most 200, found 200.01"),
        ("31;-1", "ips_score: expected at least 0, found -1.00"),
        ("31;", "ips_score: expected a value, found nothing"),
        ("31;environ 100", "ips_score: expected a number"),
        (";100", "code_pcs: expected a value, found nothing"),
        ("Cadres;100", "code_pcs: expected text that matches"),
    ],
)
def test_a_wrong_score_is_refused(row: str, reason: str, tmp_path: Path) -> None:
    result = made("ips_score", tmp_path, "code_pcs;ips_score", row, "52;99")
    assert result.frame["code_pcs"].to_list() == ["52"]
    assert reason in result.refused["reasons"].list.join("; ").item()


def test_a_repeated_score_is_refused_both_times(tmp_path: Path) -> None:
    result = made("ips_score", tmp_path, "code_pcs;ips_score", "31;100", "31;101", "52;99")
    assert result.frame["code_pcs"].to_list() == ["52"]
    assert result.refused.height == 2


def test_every_score_must_be_that_of_a_known_category(stand_in: StandIn) -> None:
    """Not one of 61 rows may be unknown, though other tables accept 2 %: the database would refuse it too."""
    codes = [f"{number}x" for number in range(100, 160)]
    labels = "".join(f"1;{code};Catégorie;\n" for code in codes)
    stand_in.put("insee-pcs", "pcs2003.csv", f"level;code;libelle;parent_code\n{labels}")
    scores = "code_pcs;ips_score\n" + "".join(f"{code};100,5\n" for code in codes)
    stand_in.put("editorial-ips-score", "ips_score.csv", f"{scores}999;1\n")
    with pytest.raises(UnknownReference, match="999"):
        stand_in.load("pcs_libelle", "ips_score")
    stand_in.put("editorial-ips-score", "ips_score.csv", scores)
    assert stand_in.load("ips_score").load.rows == 60
    assert stand_in.rows("SELECT count(*), sum(ips_score) FROM ips_score") == [(60, Decimal("6030.00"))]


def test_anecdotes(tmp_path: Path) -> None:
    result = made("anecdotes_communes", tmp_path, "code_commune;anecdote", '1004;" Un ; deux.\nTrois. "', "2a004;Fait.")
    assert result.refused.is_empty()
    assert result.frame.drop("codes_anciens").rows() == [("01004", "Un ; deux.\nTrois."), ("2A004", "Fait.")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("01004;", "anecdote: expected a value, found nothing"),
        ('01004;"  "', "anecdote: expected a value, found nothing"),
        (";Fait.", "code_commune: expected a value, found nothing"),
        ("Ambérieu;Fait.", "code_commune: expected text that matches"),
    ],
)
def test_a_wrong_anecdote_is_refused(row: str, reason: str, tmp_path: Path) -> None:
    result = made("anecdotes_communes", tmp_path, "code_commune;anecdote", row, "75056;Fait.")
    assert result.frame["code_commune"].to_list() == ["75056"]
    assert reason in result.refused["reasons"].list.join("; ").item()


def test_anecdotes_are_loaded_and_an_example_is_not(stand_in: StandIn) -> None:
    code, *_ = stand_in.put_communes()
    stand_in.load_communes()
    stand_in.put("editorial-anecdotes", "anecdotes_communes.csv", "code_commune;anecdote\n99997;Exemple.\n")
    with pytest.raises(UnknownReference, match="99997"):
        stand_in.load("anecdotes_communes")
    stand_in.put("editorial-anecdotes", "anecdotes_communes.csv", f"code_commune;anecdote\n{code};Fait.\n")
    assert stand_in.load("anecdotes_communes").load.rows == 1
    assert stand_in.rows("SELECT * FROM anecdotes_communes") == [(code, "Fait.", None)]


@pytest.mark.parametrize("table", SOURCES)
def test_the_example_in_the_guide_has_the_right_form(table: str, tmp_path: Path) -> None:
    """Its rows fit, have every column of the table, say that they are invented, and have codes that do not exist."""
    text = DOCUMENT.read_text(encoding="utf-8")
    heading = f"## `{table}.csv`\n"
    example = re.search(r"```csv\n(.*?)```", text[text.index(heading) :], re.DOTALL)
    assert example is not None
    header, *rows = example.group(1).splitlines()
    assert set(tables()[table].contract.columns()) - {"codes_anciens"} <= set(header.split(";"))
    assert rows
    assert all("EXEMPLE INVENTÉ" in row and re.match(r"99\d+;", row) for row in rows)
    result = made(table, tmp_path, header, *rows)
    assert (result.frame.height, result.refused.height) == (len(rows), 0)


@pytest.mark.parametrize("table", SOURCES)
def test_the_guide_says_where_the_file_goes(table: str) -> None:
    [source] = tables()[table].sources
    file = catalogue()[source].files["main"]
    assert file.supplied
    assert file.optional
    assert re.fullmatch(file.name, f"{table}.csv")
    assert f"`{source}/{table}.csv`" in DOCUMENT.read_text(encoding="utf-8")
