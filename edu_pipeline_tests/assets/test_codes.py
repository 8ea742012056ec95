"""Codes, dates and cells that a spreadsheet has changed: put right, or refused, but never published as they are.

Belongs here: patterns and normalisers. Does not belong here: whole files (`test_saved_by_a_spreadsheet.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest

from edu_pipeline import contracts as c
from edu_pipeline import normalise
from edu_pipeline.catalogue import files_by_parameter
from edu_pipeline.loading.intake import take_in
from edu_pipeline.sources.readers import read
from edu_pipeline.table import Table, tables
from edu_pipeline_tests.assets.inputs import conformed, from_text
from edu_pipeline_tests.conformed import conform
from edu_pipeline_tests.loading.samples import a_table
from edu_pipeline_tests.sample.sample_files import file_of

DIRECTORY, SOURCE = "annuaire_education", "fr_en_annuaire_education"
CODE = re.compile(
    r"(^|_)(codes?|uai|siren|siret|pial|rpi_disperse|identifiant|insee|cog|epsg|department|arrondissement|postaux)(_|$)"
    r"|^etablissement_mere$|^rentree_scolaire$|_lies_onisep$"
)
NO_CODES = ("2,17003E+13", "2.17003E+13", "#REF!", "#N/A", "#NAME?", "########", "٠١٢٣٤", "０１２３４")


def normalised(normaliser: Callable[[pl.Expr], pl.Expr], *texts: str) -> list[str]:
    return pl.DataFrame({"text": texts}).select(normaliser(pl.col("text")).alias("text"))["text"].to_list()


@pytest.mark.parametrize("table", tables().values(), ids=lambda table: table.name)
def test_code_columns_have_patterns(table: Table) -> None:
    columns = {name: column for name, column in table.contract.columns().items() if CODE.search(name)}
    elements = {name: column.inner if isinstance(column, dy.List) else column for name, column in columns.items()}
    patterns = {name: column.regex for name, column in elements.items() if isinstance(column, dy.String)}
    assert [name for name, pattern in patterns.items() if pattern is None] == []
    values = pl.Series(NO_CODES)
    assert {
        name: values.filter(values.str.contains(pattern or "")).to_list() for name, pattern in patterns.items()
    } == {name: [] for name in patterns}


@pytest.mark.parametrize("table", tables().values(), ids=lambda table: table.name)
def test_patterns_do_not_allow_full_width_digits(table: Table) -> None:
    patterns = {name: getattr(column, "regex", None) or "" for name, column in table.contract.columns().items()}
    assert [name for name, pattern in patterns.items() if r"\d" in pattern] == []


@pytest.mark.parametrize(
    ("normaliser", "text", "expected"),
    [
        (normalise.digits(5), "9200", "09200"),
        (normalise.digits(5), "9200.0", "09200"),
        (normalise.digits(5), "75116", "75116"),
        (normalise.digits(5), "920", "920"),
        (normalise.digits(5), "9,2E+03", "9,2E+03"),
        (normalise.digits(9, 3), "325175", "000325175"),
        (normalise.code_departement, "1", "01"),
        (normalise.code_departement, "001", "01"),
        (normalise.code_departement, "1.0", "01"),
        (normalise.code_departement, "02a", "2A"),
        (normalise.code_departement, "971", "971"),
        (normalise.code_commune, "1004", "01004"),
        (normalise.code_commune, "2a004", "2A004"),
        (normalise.code_commune, "12", "12"),
        (normalise.siren_or_siret, "217 003 223 00011", "21700322300011"),
        (normalise.siren_or_siret, "5520135000017", "05520135000017"),
        (normalise.siren_or_siret, "5520135", "005520135"),
        (normalise.siren_or_siret, "2,17003E+13", "2,17003E+13"),
        (normalise.telephone, "385000000", "0385000000"),
        (normalise.telephone, "03 85 00 00 00", "03 85 00 00 00"),
        (normalise.telephone, "15", "15"),
    ],
)
def test_codes_get_their_zeros_back(normaliser: Callable[[pl.Expr], pl.Expr], text: str, expected: str) -> None:
    assert normalised(normaliser, text) == [expected]


class Days(c.Contract):
    """A table with a date, a name and a figure."""

    cle = c.text("Key.", key=True)
    jour = c.date("Day.", since=1800)
    nom = c.text("Name.")
    nombre = c.integer("Number.")


def days(*texts: str) -> list[date | None]:
    """The dates in a column of these texts; None where the row is refused."""
    frame = pl.LazyFrame({"cle": [str(number) for number in range(len(texts))], "jour": texts}).with_columns(
        normalise.day(pl.col("jour")), nom=pl.lit(None, pl.String), nombre=pl.lit(None, pl.String)
    )
    good = dict(conform(frame, a_table(Days, "days")).frame.select("cle", "jour").iter_rows())
    return [good.get(str(number)) for number in range(len(texts))]


@pytest.mark.parametrize("text", ["2024-11-26", "26/11/2024", "2024-11-26T10:30:00+01:00", "2024-11-26 00:00:00"])
def test_forms_of_a_date(text: str) -> None:
    assert days(text) == [date(2024, 11, 26)]


@pytest.mark.parametrize(
    "text",
    [
        "11/26/2024",
        "26/11/24",
        "24-11-26",
        "26/11/0024",
        "1/2/2024",
        "2024-26-11",
        "2024-11-261",
        "45622",
        "26 nov.",
        "1799-12-31",
        "2101-01-01",
        "26/11/1067",
        "08/05/00",
        "00/00/0000",
        "0000-00-00",
        "2024-00-00",
        "#",
    ],
)
def test_other_forms_of_a_date_are_refused(text: str) -> None:
    assert days(text) == [None]


@pytest.mark.parametrize(("text", "is_refused"), [("2024", False), ("1989", True), ("2099", True), ("24", True)])
def test_years_that_no_publisher_can_mean_are_refused(text: str, is_refused: bool) -> None:
    class Years(c.Contract):
        annee = c.year("The year.", key=True)

    result = conform(pl.LazyFrame({"annee": [text]}), a_table(Years, "years"))
    assert bool(result.refused.height) == is_refused


def test_dates_next_to_swapped_ones_are_refused() -> None:
    """The first could be 5 November or 11 May; the second can only be one day."""
    assert days("05/11/2024", "26/11/2024", "11/26/2024") == [None, date(2024, 11, 26), None]
    assert days("2024-05-11", "2024-11-26", "2024-26-11") == [None, date(2024, 11, 26), None]
    assert days("05/11/2024", "26/11/2024") == [date(2024, 11, 5), date(2024, 11, 26)]


@pytest.mark.parametrize("error", ["#REF!", "#N/A", "#NAME?", "#NOM?", "#VALEUR!", "#DIV/0!", "#######"])
@pytest.mark.parametrize("column", ["cle", "jour", "nom", "nombre"])
def test_errors_of_a_spreadsheet_are_refused(column: str, error: str) -> None:
    row = {"cle": "1", "jour": None, "nom": None, "nombre": None} | {column: error}
    result = conform(pl.LazyFrame([row], schema=dict.fromkeys(row, pl.String)), a_table(Days, "days"))
    assert result.frame.is_empty()
    assert error in result.refused["reasons"][0][0]


DAMAGED = ["commerÃ§ants", "lâ€™école", "Ã‰cole", "caf\ufffd", "d√©cembre", "├®cole", "a\0b", "a\x07b", "a\x85b"]
UNDAMAGED = ["commerçants", "l’école", "ÂGE", "Œuvre – « vrai » 100 % m²", "Ñandú", "a\tb", "a\nb", "Ånge", "São Tomé"]


@pytest.mark.parametrize("text", DAMAGED)
@pytest.mark.parametrize("column", ["cle", "nom", "noms"])
def test_garbled_text_is_refused(column: str, text: str) -> None:
    result = conform(one_row(**{column: text}), a_table(Named, "named"))
    assert result.frame.is_empty()
    (reason,) = result.refused["reasons"].explode().to_list()
    assert "\0" not in "".join([reason, *result.refused["key"], *result.refused["row"]])
    assert "\\u0000" not in result.refused["row"].item()


@pytest.mark.parametrize("text", UNDAMAGED)
@pytest.mark.parametrize("column", ["cle", "nom", "noms"])
def test_text_that_is_not_garbled(column: str, text: str) -> None:
    assert conform(one_row(**{column: text}), a_table(Named, "named")).refused.is_empty()


class Named(c.Contract):
    """A table with texts."""

    cle = c.text("Key.", key=True)
    nom = c.text("Name.")
    noms = c.texts("Names.")


def one_row(**changes: str) -> pl.LazyFrame:
    """A row of ``Named``."""
    row = {"cle": "1", "nom": "a", "noms": "b"} | changes
    return pl.LazyFrame([row]).with_columns(pl.concat_list("noms"))


def directory(**changes: str) -> list[str]:
    """The lines of a directory with one school of the sample, some of its cells exchanged."""
    path = file_of(files_by_parameter()[SOURCE])
    assert path is not None
    rows = pl.read_csv(path, separator=";", infer_schema=False, n_rows=1)
    rows = rows.rename({name: normalise.slug(name) for name in rows.columns})
    assert set(changes) <= set(rows.columns)
    changed = rows.with_columns(**{name: pl.lit(text) for name, text in changes.items()})
    return changed.write_csv(separator=";").splitlines()


def test_postal_codes_get_their_zero_in_the_address(tmp_path: Path) -> None:
    lines = directory(code_postal="9200", adresse_1="5 rue A", adresse_2="", adresse_3="9200 MOULIS")
    row = conformed(DIRECTORY, **{SOURCE: from_text(DIRECTORY, SOURCE, lines, tmp_path)}).frame.row(0, named=True)
    assert (row["code_postal"], row["address"]) == ("09200", "5 rue A, 09200 MOULIS")


def test_lost_digits_are_counted(tmp_path: Path) -> None:
    path, file = tmp_path / "directory.csv", files_by_parameter()[SOURCE]
    path.write_text("\n".join(directory(siren_siret="2,17103E+13")), encoding="utf-8")
    taken = take_in(tables()[DIRECTORY], SOURCE, read(path, file, tmp_path, "a test").frame, file, path.name, "a test")
    assert taken.hidden == {"siren_siret": 1}
    assert conformed(DIRECTORY, **{SOURCE: taken.frame}).frame["siren_siret"].to_list() == [None]


def test_lost_digits_in_a_key_are_refused(tmp_path: Path) -> None:
    lines = directory(identifiant_de_l_etablissement="3,50001E+06")
    result = conformed(DIRECTORY, **{SOURCE: from_text(DIRECTORY, SOURCE, lines, tmp_path)})
    assert result.frame.is_empty()
    assert "3,50001E+06" in result.refused["reasons"][0][0]
